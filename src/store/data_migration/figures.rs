//! The figures of a table: its rows, sums of its numbers, and the bytes of its texts. They are the same on both engines,
//! and change with every write: a write raises a revision, a counter or a time, or adds or removes rows.

use std::collections::BTreeMap;

use anyhow::bail;
use sea_orm::{ConnectionTrait, DbErr, Statement};

use super::layout::quoted;
use crate::store::entity::tables::{Column, Table};

/// The figures of each table: the rows first, then one for each column that has some.
pub(super) type Figures = BTreeMap<String, Vec<i64>>;

/// The low bits of numbers that are summed: all bits of times would not fit.
const MASK: i64 = (1 << 24) - 1;

/// Reads all tables.
pub(super) async fn read(connection: &impl ConnectionTrait, tables: &[Table]) -> Result<Figures, DbErr> {
    let mut figures = Figures::new();
    for table in tables {
        let statement = Statement::from_string(connection.get_database_backend(), query(table));
        let row = connection.query_one_raw(statement).await?;
        let row = row.ok_or_else(|| DbErr::Custom("a count has no row".into()))?;
        let numbers = (0..row.column_names().len()).map(|at| row.try_get_by_index(at));
        figures.insert(table.name.to_owned(), numbers.collect::<Result<_, _>>()?);
    }
    Ok(figures)
}

fn query(table: &Table) -> String {
    let sum = |column: &Column| {
        let name = quoted(&column.name);
        let number = match column.sql_type {
            "bigint" => format!("{name} & {MASK}"),
            "text" | "bytea" => format!("octet_length({name})"),
            _ => return None,
        };
        Some(format!("CAST(coalesce(sum({number}), 0) AS bigint) AS {name}"))
    };
    let sums: Vec<_> = table.columns.iter().filter_map(sum).collect();
    let list = [vec!["count(*) AS \"rows\"".to_owned()], sums].concat().join(", ");
    format!("SELECT {list} FROM {}", quoted(table.name))
}

/// The rows of all tables.
pub(super) fn row_count(figures: &Figures) -> u64 {
    figures.values().filter_map(|figures| figures.first()).map(|rows| rows.unsigned_abs()).sum()
}

/// Compares the figures of both databases.
///
/// # Errors
/// They differ.
pub(super) fn compare(source: &Figures, target: &Figures) -> anyhow::Result<()> {
    for (table, expected) in source {
        let found = target.get(table).map_or(&[][..], Vec::as_slice);
        let (rows, wanted) = (found.first().copied().unwrap_or(0), expected.first().copied().unwrap_or(0));
        if rows != wanted {
            bail!("`{table}` has {rows} rows in the target, and {wanted} in the source");
        }
        if found != expected.as_slice() {
            bail!("the rows of `{table}` in the target are not those of the source");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_found() {
        let of = |rows: i64, bytes: i64| Figures::from([("message".to_owned(), vec![rows, bytes])]);
        compare(&of(2, 7), &of(2, 7)).unwrap();
        let fault = |target| compare(&of(2, 7), &target).unwrap_err().to_string();
        assert_eq!(fault(of(1, 7)), "`message` has 1 rows in the target, and 2 in the source");
        assert_eq!(fault(of(2, 8)), "the rows of `message` in the target are not those of the source");
        assert_eq!(fault(Figures::new()), "`message` has 0 rows in the target, and 2 in the source");
        assert_eq!(row_count(&of(2, 7)), 2);
    }
}
