//! What the rows of messages, and of what belongs to messages, say about each other.
//!
//! A violation has the first message of a conversation that breaks the rule, and how many there are.

use super::rule::{Find, Repair, Rule};

const OWNERSHIP: &str = "nothing says whose it is: restore a backup";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "message.owner_id",
        labels: ("", "position"),
        fault: "{found} messages from here on do not have the owner and the id of their conversation",
        find: Find::Messages("m.owner_id <> c.owner_id OR m.conversation_id <> c.id"),
        repair: Repair::None(OWNERSHIP),
    },
    Rule {
        name: "message.branch",
        labels: ("", "position"),
        fault: "{found} messages from here on are not on a branch that the conversation has",
        find: Find::Messages(
            "(m.branch IS NULL) <> (c.branches = 0 OR m.position <= c.trunk) OR m.branch < 0 OR \
             m.branch > c.branches",
        ),
        repair: Repair::None("nothing says which branch it was: restore a backup"),
    },
    Rule {
        name: "message.parent_position",
        labels: ("", "position"),
        fault: "{found} messages from here on do not follow the message before them on their branch",
        find: Find::Sql(|d| {
            format!(
                "WITH {}, linked AS (SELECT c.owner_id, c.id, c.trunk, m.position, m.parent_position, m.branch, \
                 lag(m.position) OVER (PARTITION BY c.id, m.branch ORDER BY m.position) AS previous \
                 FROM chunk AS c {} WHERE m.branch IS NOT NULL) \
                 SELECT owner_id AS owner, id AS conversation, min(position) AS number, count(*) AS found FROM linked \
                 WHERE parent_position IS NULL OR parent_position < 0 OR parent_position >= position \
                 OR parent_position <> previous OR (branch = 0 AND previous IS NULL AND parent_position <> trunk) \
                 GROUP BY owner_id, id",
                d.chunk(),
                d.messages()
            )
        }),
        // A parent that cannot be. If it could be, either it or the branch is wrong.
        repair: Repair::Statements(|d| {
            let previous = "(SELECT max(p.position) FROM message AS p WHERE p.conversation_id = m.conversation_id \
                            AND p.branch = m.branch AND p.branch IS NOT NULL AND p.position < m.position)";
            vec![format!(
                "UPDATE message AS m SET parent_position = {previous} WHERE m.conversation_id IN {} \
                 AND m.branch IS NOT NULL AND (m.parent_position IS NULL OR m.parent_position < 0 \
                 OR m.parent_position >= m.position) AND {previous} IS NOT NULL",
                d.listed_ids()
            )]
        }),
    },
    Rule {
        name: "message.status",
        labels: ("", "position"),
        fault: "{found} messages from here on have an unknown role or status",
        find: Find::Messages("m.role NOT BETWEEN 1 AND 4 OR m.status NOT BETWEEN 1 AND 4"),
        repair: Repair::None("nothing says what it was: restore a backup"),
    },
    Rule {
        name: "message.deleted_at",
        labels: ("", "position"),
        fault: "{found} deleted messages from here on still have content, or are pinned or being written",
        find: Find::Messages(
            "m.deleted_at IS NOT NULL AND (m.content <> '' OR m.parts IS NOT NULL OR m.pinned OR \
             m.status = 1)",
        ),
        repair: Repair::Statements(|d| {
            vec![format!(
                "UPDATE message AS m SET content = '', parts = NULL, metadata = '{{}}', usage = NULL, pinned = false, \
                 status = CASE WHEN m.status = 1 THEN 3 ELSE m.status END WHERE m.id IN (SELECT m.id \
                 FROM conversation AS c {} WHERE c.id IN {} AND m.deleted_at IS NOT NULL)",
                d.messages(),
                d.listed_ids()
            )]
        }),
    },
    Rule {
        name: "stream.message_id",
        labels: ("", "position"),
        fault: "{found} messages from here on are being written and have no stream, so nothing ends them",
        find: Find::Messages(
            "m.status = 1 AND m.deleted_at IS NULL AND NOT EXISTS (SELECT 1 FROM stream AS s \
             WHERE s.message_id = m.id)",
        ),
        // A stream that nobody writes: a server ends it, with the text that there is.
        repair: Repair::Statements(|d| {
            vec![format!(
                "INSERT INTO stream (message_id, conversation_id, owner_id, length, stop_requested, written_at) \
                 SELECT m.id, m.conversation_id, m.owner_id, coalesce((SELECT sum({}(t.text)) FROM message_text AS t \
                 WHERE t.message_id = m.id), 0), false, 0 FROM conversation AS c {} WHERE c.id IN {} \
                 AND m.status = 1 AND m.deleted_at IS NULL AND NOT EXISTS \
                 (SELECT 1 FROM stream AS s WHERE s.message_id = m.id)",
                d.length(),
                d.messages(),
                d.listed_ids()
            )]
        }),
    },
    Rule {
        name: "message_token_count.position",
        labels: ("", "position"),
        fault: "{found} counts from here on do not belong to a message as it is now",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT c.owner_id AS owner, c.id AS conversation, min(t.position) AS number, \
                 count(*) AS found FROM chunk AS c JOIN message_token_count AS t ON t.conversation_id = c.id \
                 LEFT JOIN message AS m ON {} WHERE m.id IS NULL OR m.owner_id <> t.owner_id \
                 OR coalesce(m.branch, -1) <> t.branch OR (t.tokens IS NULL) <> (m.deleted_at IS NOT NULL) \
                 OR t.tokens < 0 OR m.status = 1 OR t.span <> CASE WHEN m.branch IS NULL THEN 1 \
                 ELSE m.position - coalesce(m.parent_position, 0) END GROUP BY c.owner_id, c.id",
                d.chunk(),
                d.at("m", "t.position")
            )
        }),
        // They are counted again when somebody asks.
        repair: Repair::Statements(|d| {
            vec![format!("DELETE FROM message_token_count WHERE conversation_id IN {}", d.listed_ids())]
        }),
    },
    Rule {
        name: "message_feedback.message_id",
        labels: ("message", ""),
        fault: "must be about a message of its conversation and owner that is not deleted",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT c.owner_id AS owner, c.id AS conversation, f.message_id AS other FROM chunk AS c \
                 JOIN message_feedback AS f ON f.conversation_id = c.id LEFT JOIN message AS m ON m.id = f.message_id \
                 WHERE m.id IS NULL OR m.conversation_id <> c.id OR m.deleted_at IS NOT NULL \
                 OR f.owner_id <> c.owner_id",
                d.chunk()
            )
        }),
        // The deletion of a message removes its feedback.
        repair: Repair::Statements(|d| {
            vec![format!(
                "DELETE FROM message_feedback WHERE conversation_id IN {} AND EXISTS (SELECT 1 FROM message AS m \
                 WHERE m.id = message_feedback.message_id AND m.deleted_at IS NOT NULL)",
                d.listed_ids()
            )]
        }),
    },
    Rule {
        name: "shared_message.number",
        labels: ("share", ""),
        fault: "numbers must be 1 to {expected} (`share.message_count`), there are {found} messages",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT c.owner_id AS owner, c.id AS conversation, s.id AS other, count(n.number) AS found, \
                 s.message_count AS expected FROM chunk AS c \
                 JOIN share AS s ON s.owner_id = c.owner_id AND s.conversation_id = c.id \
                 LEFT JOIN shared_message AS n ON n.share_id = s.id GROUP BY c.owner_id, c.id, s.id, s.message_count \
                 HAVING count(n.number) <> s.message_count OR coalesce(max(n.number), 0) <> s.message_count \
                 OR min(n.number) < 1",
                d.chunk()
            )
        }),
        repair: Repair::None("the copy is not as it was shared: revoke it, or restore a backup"),
    },
    Rule {
        name: "attachment_reference.attachment_id",
        labels: ("attachment", ""),
        fault: "must be an attachment of the same owner",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT c.owner_id AS owner, c.id AS conversation, r.attachment_id AS other FROM chunk AS c \
                 JOIN attachment_reference AS r ON r.conversation_id = c.id \
                 LEFT JOIN attachment AS t ON t.id = r.attachment_id AND t.owner_id = c.owner_id \
                 WHERE t.id IS NULL OR r.owner_id <> c.owner_id",
                d.chunk()
            )
        }),
        repair: Repair::None("the attachment is gone: restore a backup"),
    },
    Rule {
        name: "attachment_reference.referrer_id",
        labels: ("referrer", ""),
        fault: "the message or share must have a row for each attachment that it refers to, {expected}, and no others: \
                it has {found}",
        find: Find::References,
        repair: Repair::References,
    },
];
