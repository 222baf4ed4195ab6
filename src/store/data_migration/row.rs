//! Rows as values, and keys as text.

use anyhow::{Context, anyhow};
use sea_orm::{DbErr, QueryResult, Value};
use serde_json::json;
use uuid::Uuid;

use super::layout::KeyColumn;
use crate::model::hex;

/// Some rows of a table.
pub(super) struct Batch {
    /// The values of all columns of all rows.
    pub(super) values: Vec<Value>,
    pub(super) row_count: usize,
    /// The key of the last row.
    pub(super) last: Key,
}

/// The key of a row in its source.
#[derive(Clone)]
pub(super) struct Key(pub(super) Vec<Value>);

/// Reads a column of a type of `entity::tables`.
pub(super) fn value(row: &QueryResult, at: usize, sql_type: &str) -> Result<Value, DbErr> {
    Ok(match sql_type {
        "uuid" => row.try_get_by_index::<Option<Uuid>>(at)?.into(),
        "bigint" => row.try_get_by_index::<Option<i64>>(at)?.into(),
        "smallint" => row.try_get_by_index::<Option<i16>>(at)?.into(),
        "boolean" => row.try_get_by_index::<Option<bool>>(at)?.into(),
        "text" => row.try_get_by_index::<Option<String>>(at)?.into(),
        "bytea" => row.try_get_by_index::<Option<Vec<u8>>>(at)?.into(),
        other => return Err(DbErr::Custom(format!("a column has the type {other}"))),
    })
}

impl Key {
    /// As a JSON array.
    pub(super) fn to_text(&self) -> anyhow::Result<String> {
        let values = self.0.iter().map(|value| {
            Ok(match value {
                Value::Uuid(Some(id)) => json!(id.to_string()),
                Value::BigInt(Some(number)) => json!(number),
                Value::SmallInt(Some(number)) => json!(number),
                Value::String(Some(text)) => json!(text),
                Value::Bytes(Some(bytes)) => json!(hex(bytes)),
                other => {
                    return Err(anyhow!("a key has a value of the type {:?}", std::mem::discriminant(other)));
                }
            })
        });
        Ok(serde_json::Value::Array(values.collect::<anyhow::Result<_>>()?).to_string())
    }

    /// Reads [`Key::to_text`].
    pub(super) fn parse(text: &str, columns: &[KeyColumn]) -> anyhow::Result<Self> {
        let unreadable = "the progress of the migration in the target is unreadable";
        let values: Vec<serde_json::Value> = serde_json::from_str(text).context(unreadable)?;
        let value = |(value, (_, sql_type)): (&serde_json::Value, &KeyColumn)| {
            Some(match *sql_type {
                "uuid" => Uuid::parse_str(value.as_str()?).ok()?.into(),
                "bigint" => value.as_i64()?.into(),
                "smallint" => i16::try_from(value.as_i64()?).ok()?.into(),
                "text" => value.as_str()?.into(),
                "bytea" => from_hex(value.as_str()?)?.into(),
                _ => return None,
            })
        };
        let parsed: Option<Vec<Value>> = values.iter().zip(columns).map(value).collect();
        let parsed = parsed.filter(|parsed| parsed.len() == columns.len()).context(unreadable)?;
        Ok(Self(parsed))
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_were_written() {
        let columns = [("a", "text"), ("b", "uuid"), ("c", "bigint"), ("d", "smallint"), ("e", "bytea")];
        let values: Vec<Value> = vec![
            "ada \"\u{1F600}".into(),
            Uuid::from_u128(7).into(),
            i64::MAX.into(),
            (-3_i16).into(),
            vec![0_u8, 255, 16].into(),
        ];
        let text = Key(values.clone()).to_text().unwrap();
        assert_eq!(Key::parse(&text, &columns).unwrap().0, values);
        for wrong in ["", "[]", "[1]", &text.replace("ff", "fg")] {
            assert!(Key::parse(wrong, &columns).is_err(), "{wrong}");
        }
    }
}
