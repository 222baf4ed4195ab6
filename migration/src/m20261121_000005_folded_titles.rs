//! `conversation.title_folded`: the title after [`fold::fold`], null if there is no title.
//!
//! The filter `titleContains` searches it, so that both engines find the same. The migration fills the column in
//! batches, in one transaction like every migration, so no server sees it half filled.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::prelude::Uuid;
use sea_orm_migration::sea_orm::{ConnectionTrait, Statement, Value};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const SQLITE_UP: &[&str] = &["ALTER TABLE conversation ADD COLUMN title_folded TEXT"];

const POSTGRES_UP: &[&str] = &[r#"ALTER TABLE conversation ADD COLUMN title_folded text COLLATE "C""#];

const DOWN: &[&str] = &["ALTER TABLE conversation DROP COLUMN title_folded"];

/// The number of titles in one batch.
const BATCH: i64 = 500;

const FIRST: &str = "SELECT id, title FROM conversation WHERE title IS NOT NULL ORDER BY id LIMIT $1";

const NEXT: &str =
    "SELECT id, title FROM conversation WHERE title IS NOT NULL AND id > $2 ORDER BY id LIMIT $1";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, SQLITE_UP, POSTGRES_UP).await?;
        super::with_all_rows(manager, "conversation", fold_all(manager)).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        super::execute(manager, DOWN, DOWN).await
    }
}

async fn fold_all(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut last = None;
    loop {
        let titles = read(manager, last).await?;
        let Some((id, _)) = titles.last() else { return Ok(()) };
        last = Some(*id);
        write(manager, titles).await?;
    }
}

/// The next batch of ids and titles, in the order of ids.
async fn read(manager: &SchemaManager<'_>, last: Option<Uuid>) -> Result<Vec<(Uuid, String)>, DbErr> {
    let mut values: Vec<Value> = vec![BATCH.into()];
    values.extend(last.map(Value::from));
    let query = if last.is_some() { NEXT } else { FIRST };
    let statement = Statement::from_sql_and_values(manager.get_database_backend(), query, values);
    let rows = manager.get_connection().query_all_raw(statement).await?;
    rows.iter().map(|row| Ok((row.try_get("", "id")?, row.try_get("", "title")?))).collect()
}

/// Writes the folded titles in one statement. Both engines name the columns of VALUES column1 and column2.
async fn write(manager: &SchemaManager<'_>, titles: Vec<(Uuid, String)>) -> Result<(), DbErr> {
    let rows: Vec<_> = (0..titles.len()).map(|row| format!("(${}, ${})", 2 * row + 1, 2 * row + 2)).collect();
    let update = format!(
        "WITH folded AS (VALUES {}) UPDATE conversation SET title_folded = folded.column2 \
         FROM folded WHERE conversation.id = folded.column1",
        rows.join(", ")
    );
    let values = titles.into_iter().flat_map(|(id, title)| [id.into(), fold::fold(&title).into()]);
    let statement = Statement::from_sql_and_values(
        manager.get_database_backend(),
        update,
        values.collect::<Vec<Value>>(),
    );
    manager.get_connection().execute_raw(statement).await.map(drop)
}
