//! What a check finds.

use std::fmt::{self, Display, Formatter};

use sea_orm::{DbErr, QueryResult, TryGetable};
use uuid::Uuid;

/// What can be done about a violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// `--repair` would mend it.
    Possible,
    /// It is mended.
    Repaired,
    /// It cannot be mended, for this reason.
    Impossible(&'static str),
}

/// A rule that does not hold. It has ids and numbers, never a text of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The table, and the column that the rule is about.
    pub rule: &'static str,
    /// The rows: names and ids.
    pub place: String,
    /// What is wrong.
    pub fault: String,
    /// What can be done.
    pub remedy: Remedy,
}

/// `RULE PLACE: FAULT (REMEDY)`.
impl Display for Violation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { rule, place, fault, remedy } = self;
        let space = if place.is_empty() { "" } else { " " };
        write!(f, "{rule}{space}{place}: {fault}")?;
        match remedy {
            Remedy::Possible => f.write_str(" (--repair mends it)"),
            Remedy::Repaired => f.write_str(" (repaired)"),
            Remedy::Impossible(why) => write!(f, " (cannot be repaired: {why})"),
        }
    }
}

/// The row that a rule's statement returns for each violation. A statement has the columns that it needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store) struct FoundRow {
    pub(in crate::store) owner: Option<String>,
    pub(in crate::store) conversation: Option<Uuid>,
    /// The id of another row.
    pub(in crate::store) other: Option<Uuid>,
    /// A number that tells rows apart, such as a position.
    pub(in crate::store) number: Option<i64>,
    pub(in crate::store) found: Option<i64>,
    pub(in crate::store) expected: Option<i64>,
}

impl FoundRow {
    pub(super) fn read(row: &QueryResult) -> Result<Self, DbErr> {
        let names = row.column_names();
        Ok(Self {
            owner: column(row, &names, "owner")?,
            conversation: column(row, &names, "conversation")?,
            other: column(row, &names, "other")?,
            number: column(row, &names, "number")?,
            found: column(row, &names, "found")?,
            expected: column(row, &names, "expected")?,
        })
    }

    /// The ids in words. `labels` are those of [`FoundRow::other`] and [`FoundRow::number`].
    pub(in crate::store) fn place(&self, labels: (&str, &str)) -> String {
        let mut parts = Vec::new();
        if let Some(owner) = &self.owner {
            parts.push(format!("owner={}", serde_json::Value::from(owner.as_str())));
        }
        if let Some(conversation) = self.conversation {
            parts.push(format!("conversation={conversation}"));
        }
        if let Some(other) = self.other {
            parts.push(format!("{}={other}", labels.0));
        }
        if let Some(number) = self.number {
            parts.push(format!("{}={number}", labels.1));
        }
        parts.join(" ")
    }

    /// A text with the numbers put in for `{found}` and `{expected}`.
    pub(super) fn fault(&self, text: &str) -> String {
        let number = |number: Option<i64>| number.map_or_else(|| "nothing".to_owned(), |n| n.to_string());
        text.replace("{found}", &number(self.found)).replace("{expected}", &number(self.expected))
    }
}

fn column<T>(row: &QueryResult, names: &[String], name: &str) -> Result<Option<T>, DbErr>
where
    Option<T>: TryGetable,
{
    if names.iter().any(|found| found == name) { row.try_get("", name) } else { Ok(None) }
}
