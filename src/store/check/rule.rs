//! Rules that statements check, a set of rows at a time.
//!
//! The statements are SQL text: SeaORM has no window functions over joins with ranges, and a rule that is read by an
//! operator is easier to trust in the language of the database.

use sea_orm::{ConnectionTrait, DatabaseTransaction};

use super::dialect::Dialect;
use super::rows::query;
use super::violation::{FoundRow, Remedy, Violation};
use super::{labels, references, titles};
use crate::model::OwnerId;
use crate::store::error::Result;
use crate::store::search_index::index_faults;

/// How a violation is mended.
#[derive(Clone, Copy)]
pub(super) enum Repair {
    /// Statements with the parameter of the rule. They change only what they can derive.
    Statements(fn(Dialect) -> Vec<String>),
    /// What the rule is about is made again from what it follows from.
    Titles,
    /// The same.
    Labels,
    /// The same.
    References,
    /// The same, for the whole index of the user.
    Index,
    /// Not, for this reason.
    None(&'static str),
}

/// How violations are found.
#[derive(Clone, Copy)]
pub(super) enum Find {
    /// A statement. Its parameter is a JSON array of conversations or of users.
    Sql(fn(Dialect) -> String),
    /// A condition that messages `m` of a conversation `c` must not fulfil.
    Messages(&'static str),
    /// `conversation.title_folded`.
    Titles,
    /// `conversation_label`.
    Labels,
    /// `attachment_reference`.
    References,
    /// The documents of the search index.
    Index,
}

/// A rule. It gives a [`FoundRow`] for each violation.
pub(super) struct Rule {
    /// The table, and the column that the rule is about.
    pub(super) name: &'static str,
    /// What [`FoundRow::other`] and [`FoundRow::number`] are.
    pub(super) labels: (&'static str, &'static str),
    /// What is wrong, with `{found}` and `{expected}`.
    pub(super) fault: &'static str,
    pub(super) find: Find,
    pub(super) repair: Repair,
}

impl Rule {
    /// The violations among some conversations or users: a JSON array of ids.
    pub(super) async fn find(&self, connection: &DatabaseTransaction, ids: &str) -> Result<Vec<FoundRow>> {
        let dialect = Dialect(connection.get_database_backend());
        match self.find {
            Find::Sql(sql) => query(connection, &sql(dialect), [ids.into()]).await,
            Find::Messages(condition) => {
                query(connection, &dialect.first_messages(condition), [ids.into()]).await
            }
            Find::Titles => titles::find(connection, ids).await,
            Find::Labels => labels::find(connection, ids).await,
            Find::References => references::find(connection, ids).await,
            Find::Index => index_rows(connection, ids).await,
        }
    }

    /// A violation for people.
    pub(super) fn violation(&self, row: &FoundRow, remedy: Remedy) -> Violation {
        Violation { rule: self.name, place: row.place(self.labels), fault: row.fault(self.fault), remedy }
    }

    /// What could be done, before anything is tried.
    pub(super) fn remedy(&self) -> Remedy {
        match self.repair {
            Repair::None(why) => Remedy::Impossible(why),
            _ => Remedy::Possible,
        }
    }
}

/// The users whose index does not have what it should.
async fn index_rows(connection: &DatabaseTransaction, ids: &str) -> Result<Vec<FoundRow>> {
    let mut rows = Vec::new();
    for owner in serde_json::from_str::<Vec<String>>(ids).unwrap_or_default() {
        let owner = OwnerId::new(owner)?;
        for fault in index_faults(connection, &owner).await? {
            rows.push(FoundRow {
                owner: Some(owner.as_str().to_owned()),
                conversation: fault.conversation.map(|id| id.0),
                number: fault.segment,
                found: Some(fault.indexed),
                expected: Some(fault.expected),
                ..FoundRow::default()
            });
        }
    }
    Ok(rows)
}
