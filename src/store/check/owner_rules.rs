//! What accounts, the feed, streams, the search index, webhooks and attachments of users say about each other.

use super::rule::{Find, Repair, Rule};

const GONE: &str = "the rows are gone: restore a backup";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "change.revision",
        labels: ("", ""),
        fault: "revisions must be without a gap, there are {found} changes among {expected} revisions",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT o.id AS owner, count(*) AS found, max(x.revision) - min(x.revision) + 1 AS expected \
                 FROM owners AS o JOIN change AS x ON x.owner_id = o.id GROUP BY o.id \
                 HAVING count(*) <> max(x.revision) - min(x.revision) + 1 OR min(x.revision) < 1",
                d.owners()
            )
        }),
        repair: Repair::None(GONE),
    },
    Rule {
        name: "account.revision",
        labels: ("", ""),
        fault: "is {found}, must be {expected}, the revision of the newest change",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT o.id AS owner, o.revision AS found, max(x.revision) AS expected FROM owners AS o \
                 JOIN change AS x ON x.owner_id = o.id GROUP BY o.id, o.revision HAVING o.revision <> max(x.revision)",
                d.owners()
            )
        }),
        // A revision that was given once is not given again: it is only raised.
        repair: Repair::Statements(|d| {
            let newest = "(SELECT max(x.revision) FROM change AS x WHERE x.owner_id = account.id)";
            vec![format!(
                "UPDATE account SET revision = {newest} WHERE id IN {} AND revision < {newest} AND {newest} = \
                 (SELECT min(x.revision) + count(*) - 1 FROM change AS x WHERE x.owner_id = account.id)",
                d.listed_owners()
            )]
        }),
    },
    Rule {
        name: "change.kind",
        labels: ("", "revision"),
        fault: "{found} changes from here on have an unknown kind, or lack or have a message against their kind",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT o.id AS owner, min(x.revision) AS number, count(*) AS found FROM owners AS o \
                 JOIN change AS x ON x.owner_id = o.id WHERE x.kind NOT BETWEEN 1 AND 6 \
                 OR (x.kind >= 4) <> (x.message_id IS NOT NULL) GROUP BY o.id",
                d.owners()
            )
        }),
        repair: Repair::None("nothing says what it was: restore a backup"),
    },
    Rule {
        name: "stream.conversation_id",
        labels: ("message", ""),
        fault: "must be the stream of a message that is being written, with its conversation and owner",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT s.owner_id AS owner, s.conversation_id AS conversation, s.message_id AS other \
                 FROM owners AS o JOIN stream AS s ON s.owner_id = o.id LEFT JOIN message AS m ON m.id = s.message_id \
                 WHERE m.id IS NULL OR m.status <> 1 OR m.owner_id <> s.owner_id \
                 OR m.conversation_id <> s.conversation_id",
                d.owners()
            )
        }),
        // The end of a message removes its stream and the chunks of its text.
        repair: Repair::Statements(|d| {
            let ended = format!(
                "(SELECT s.message_id FROM stream AS s JOIN message AS m ON m.id = s.message_id \
                 WHERE s.owner_id IN {} AND m.status <> 1)",
                d.listed_owners()
            );
            vec![
                format!("DELETE FROM message_text WHERE message_id IN {ended}"),
                format!("DELETE FROM stream WHERE message_id IN {ended}"),
            ]
        }),
    },
    Rule {
        name: "stream.length",
        labels: ("message", ""),
        fault: "is {found}, must be {expected}, the length of the chunks without a gap",
        find: Find::Sql(|d| {
            let length = d.length();
            format!(
                "WITH {}, texts AS (SELECT s.owner_id, s.conversation_id, s.message_id, s.length, \
                 CAST(coalesce(sum({length}(t.text)), 0) AS bigint) AS total, \
                 CAST(coalesce(max(t.start + {length}(t.text)), 0) AS bigint) AS reach FROM owners AS o \
                 JOIN stream AS s ON s.owner_id = o.id LEFT JOIN message_text AS t ON t.message_id = s.message_id \
                 GROUP BY s.owner_id, s.conversation_id, s.message_id, s.length) \
                 SELECT owner_id AS owner, conversation_id AS conversation, message_id AS other, length AS found, \
                 total AS expected FROM texts WHERE length <> total OR reach <> total",
                d.owners()
            )
        }),
        repair: Repair::Statements(|d| {
            let total = format!(
                "(SELECT CAST(coalesce(sum({0}(t.text)), 0) AS bigint) FROM message_text AS t \
                 WHERE t.message_id = stream.message_id)",
                d.length()
            );
            let reach = format!(
                "(SELECT CAST(coalesce(max(t.start + {0}(t.text)), 0) AS bigint) FROM message_text AS t \
                 WHERE t.message_id = stream.message_id)",
                d.length()
            );
            vec![format!(
                "UPDATE stream SET length = {total} WHERE owner_id IN {} AND length <> {total} AND {total} = {reach}",
                d.listed_owners()
            )]
        }),
    },
    Rule {
        name: "conversation_label.conversation_id",
        labels: ("", ""),
        fault: "there are {found} rows, must be {expected}, one for each label of the conversation",
        find: Find::Sql(|d| {
            let labels = if d.is_sqlite() {
                "coalesce(json_array_length(c.labels), 0)"
            } else {
                "CAST(coalesce(jsonb_array_length(c.labels::jsonb), 0) AS bigint)"
            };
            format!(
                "WITH {} SELECT l.owner_id AS owner, l.conversation_id AS conversation, count(*) AS found, \
                 {labels} AS expected FROM owners AS o JOIN conversation_label AS l ON l.owner_id = o.id \
                 LEFT JOIN conversation AS c ON c.id = l.conversation_id AND c.owner_id = l.owner_id \
                 GROUP BY l.owner_id, l.conversation_id, c.labels HAVING count(*) > {labels}",
                d.owners()
            )
        }),
        repair: Repair::Labels,
    },
    Rule {
        name: "search_state.revision",
        labels: ("", ""),
        fault: "is {found}, must be at most {expected}, the revision of the newest change",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT o.id AS owner, s.revision AS found, o.revision AS expected FROM owners AS o \
                 JOIN search_state AS s ON s.owner_id = o.id WHERE s.revision > o.revision",
                d.owners()
            )
        }),
        repair: Repair::Index,
    },
    Rule {
        name: "search_block.segment",
        labels: ("", "segment"),
        fault: "must be a segment of the index",
        find: Find::Sql(|d| {
            format!(
                "WITH {}, segments AS (SELECT DISTINCT b.owner_id, b.segment FROM owners AS o \
                 JOIN search_block AS b ON b.owner_id = o.id) \
                 SELECT b.owner_id AS owner, b.segment AS number FROM segments AS b WHERE NOT EXISTS (SELECT 1 \
                 FROM search_segment AS s WHERE s.owner_id = b.owner_id AND s.segment = b.segment)",
                d.owners()
            )
        }),
        repair: Repair::Statements(|d| {
            vec![format!(
                "DELETE FROM search_block WHERE owner_id IN {} AND NOT EXISTS (SELECT 1 FROM search_segment AS s \
                 WHERE s.owner_id = search_block.owner_id AND s.segment = search_block.segment)",
                d.listed_owners()
            )]
        }),
    },
    Rule {
        name: "webhook_position.revision",
        labels: ("", ""),
        fault: "is {found}, must be at most {expected}, the revision of the newest change: changes up to it would not \
                be delivered",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT o.id AS owner, max(w.revision) AS found, o.revision AS expected FROM owners AS o \
                 JOIN webhook_position AS w ON w.owner_id = o.id WHERE w.revision > o.revision GROUP BY o.id, o.revision",
                d.owners()
            )
        }),
        repair: Repair::Statements(|d| {
            let newest = "(SELECT a.revision FROM account AS a WHERE a.id = webhook_position.owner_id)";
            vec![format!(
                "UPDATE webhook_position SET revision = {newest} WHERE owner_id IN {} AND revision > {newest}",
                d.listed_owners()
            )]
        }),
    },
    Rule {
        name: "share.conversation_id",
        labels: ("share", ""),
        fault: "must be a conversation of the same owner",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT o.id AS owner, s.conversation_id AS conversation, s.id AS other FROM owners AS o \
                 JOIN share AS s ON s.owner_id = o.id WHERE NOT EXISTS (SELECT 1 FROM conversation AS c \
                 WHERE c.id = s.conversation_id AND c.owner_id = s.owner_id)",
                d.owners()
            )
        }),
        repair: Repair::None(GONE),
    },
];
