//! The parts of the rules' statements in which the engines differ.

use sea_orm::DbBackend;

/// How an engine writes a statement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dialect(pub(super) DbBackend);

impl Dialect {
    pub(super) fn is_sqlite(self) -> bool {
        self.0 == DbBackend::Sqlite
    }

    /// `chunk`: the conversations of the parameter, a JSON array of ids, without those of users who are being erased.
    pub(super) fn chunk(self) -> String {
        let ids = if self.is_sqlite() {
            "json_each($1) AS w JOIN conversation AS c ON c.id = unhex(w.value)"
        } else {
            "jsonb_array_elements_text($1::text::jsonb) AS w JOIN conversation AS c ON c.id = w::uuid"
        };
        format!(
            "chunk AS MATERIALIZED (SELECT c.* FROM {ids} WHERE NOT EXISTS \
             (SELECT 1 FROM account AS a WHERE a.id = c.owner_id AND a.erasing_since IS NOT NULL))"
        )
    }

    /// `owners`: the accounts of the parameter, a JSON array of users, without those who are being erased.
    pub(super) fn owners(self) -> String {
        let owners = self.listed_owners();
        format!(
            "owners AS MATERIALIZED (SELECT a.id, a.revision FROM account AS a \
             WHERE a.id IN {owners} AND a.erasing_since IS NULL)"
        )
    }

    /// The users of the parameter.
    pub(super) fn listed_owners(self) -> &'static str {
        if self.is_sqlite() {
            "(SELECT value FROM json_each($1))"
        } else {
            "(SELECT w FROM jsonb_array_elements_text($1::text::jsonb) AS w)"
        }
    }

    /// The ids of the parameter.
    pub(super) fn listed_ids(self) -> &'static str {
        if self.is_sqlite() {
            "(SELECT unhex(value) FROM json_each($1))"
        } else {
            "(SELECT w::uuid FROM jsonb_array_elements_text($1::text::jsonb) AS w)"
        }
    }

    /// Joins the messages `m` of the conversation `c`.
    pub(super) fn messages(self) -> String {
        format!("JOIN message AS m ON {}", self.of_conversation())
    }

    /// Finds for each conversation `c` of the parameter the first message `m` with a condition, and how many there are.
    pub(super) fn first_messages(self, condition: &str) -> String {
        format!(
            "WITH {} SELECT c.owner_id AS owner, c.id AS conversation, min(m.position) AS number, count(*) AS found \
             FROM chunk AS c {} WHERE {condition} GROUP BY c.owner_id, c.id",
            self.chunk(),
            self.messages()
        )
    }

    /// The condition that finds the messages `m` of the conversation `c`.
    pub(super) fn of_conversation(self) -> &'static str {
        if self.is_sqlite() {
            "m.slot BETWEEN (c.number << 32) AND (c.number << 32) + 4294967295"
        } else {
            "m.conversation_id = c.id"
        }
    }

    /// The condition that finds the message `message` of the conversation `c` at a position.
    pub(super) fn at(self, message: &str, position: &str) -> String {
        if self.is_sqlite() {
            format!("{message}.slot = (c.number << 32) + {position} AND {message}.conversation_id = c.id")
        } else {
            format!("{message}.conversation_id = c.id AND {message}.position = {position}")
        }
    }

    /// The number of code points of a text.
    pub(super) fn length(self) -> &'static str {
        if self.is_sqlite() { "length" } else { "char_length" }
    }
}
