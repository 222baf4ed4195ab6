//! Titles after [`fold()`].

use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, FromQueryResult, QueryFilter, Statement,
};

use super::dialect::Dialect;
use super::violation::FoundRow;
use crate::model::{ConversationId, OwnerId, fold};
use crate::store::entity::conversation;
use crate::store::error::Result;

#[derive(FromQueryResult)]
struct TitleRow {
    owner_id: OwnerId,
    id: ConversationId,
    title: Option<String>,
    title_folded: Option<String>,
}

impl TitleRow {
    fn folded(&self) -> Option<String> {
        self.title.as_deref().map(fold)
    }
}

async fn wrong(connection: &DatabaseTransaction, ids: &str) -> Result<Vec<TitleRow>> {
    let backend = connection.get_database_backend();
    let sql = format!(
        "WITH {} SELECT c.owner_id, c.id, c.title, c.title_folded FROM chunk AS c \
         WHERE c.title IS NOT NULL OR c.title_folded IS NOT NULL",
        Dialect(backend).chunk()
    );
    let statement = Statement::from_sql_and_values(backend, sql, [ids.into()]);
    let mut rows = TitleRow::find_by_statement(statement).all(connection).await?;
    rows.retain(|row| row.folded() != row.title_folded);
    Ok(rows)
}

/// Conversations whose folded title is not that of their title.
pub(super) async fn find(connection: &DatabaseTransaction, ids: &str) -> Result<Vec<FoundRow>> {
    let found = |row: TitleRow| FoundRow {
        owner: Some(row.owner_id.as_str().to_owned()),
        conversation: Some(row.id.0),
        ..FoundRow::default()
    };
    Ok(wrong(connection, ids).await?.into_iter().map(found).collect())
}

/// Folds the titles again.
pub(super) async fn repair(connection: &DatabaseTransaction, ids: &str) -> Result<()> {
    for row in wrong(connection, ids).await? {
        conversation::Entity::update_many()
            .col_expr(conversation::Column::TitleFolded, Expr::val(row.folded()))
            .filter(conversation::Column::Id.eq(row.id))
            .filter(conversation::Column::OwnerId.eq(row.owner_id))
            .exec(connection)
            .await?;
    }
    Ok(())
}
