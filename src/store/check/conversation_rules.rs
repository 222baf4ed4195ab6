//! What the rows of conversations say about their messages and branches.
//!
//! The order matters for repairs: each rule relies on those before it.

use super::dialect::Dialect;
use super::rule::{Find, Repair, Rule};

const MISSING: &str = "the rows are gone: restore a backup";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "message.position",
        labels: ("", ""),
        fault: "positions must be 1, 2, 3, … without a gap, there are {found} messages up to position {expected}",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT c.owner_id AS owner, c.id AS conversation, count(*) AS found, \
                 max(m.position) AS expected FROM chunk AS c {} GROUP BY c.owner_id, c.id \
                 HAVING count(*) <> max(m.position) OR min(m.position) < 1",
                d.chunk(),
                d.messages()
            )
        }),
        repair: Repair::None(MISSING),
    },
    Rule {
        name: "conversation.last_position",
        labels: ("", ""),
        fault: "is {found}, must be {expected}, the position of the newest message",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT c.owner_id AS owner, c.id AS conversation, c.last_position AS found, \
                 coalesce(max(m.position), 0) AS expected FROM chunk AS c LEFT {} \
                 GROUP BY c.owner_id, c.id, c.last_position HAVING c.last_position <> coalesce(max(m.position), 0)",
                d.chunk(),
                d.messages()
            )
        }),
        // A position that was given once is not given again: it is only raised.
        repair: Repair::Statements(|d| {
            let newest = format!("(SELECT max(m.position) FROM message AS m WHERE {})", d.of_conversation());
            vec![format!(
                "UPDATE conversation AS c SET last_position = {newest} WHERE c.id IN {} AND c.last_position < {newest}",
                d.listed_ids()
            )]
        }),
    },
    Rule {
        name: "conversation.message_count",
        labels: ("", ""),
        fault: "is {found}, must be {expected}, the number of messages that are not deleted",
        find: Find::Sql(|d| {
            let live = "count(CASE WHEN m.deleted_at IS NULL THEN m.position END)";
            format!(
                "WITH {} SELECT c.owner_id AS owner, c.id AS conversation, c.message_count AS found, \
                 {live} AS expected FROM chunk AS c LEFT {} \
                 GROUP BY c.owner_id, c.id, c.message_count HAVING c.message_count <> {live}",
                d.chunk(),
                d.messages()
            )
        }),
        repair: Repair::Statements(|d| {
            vec![format!(
                "UPDATE conversation AS c SET message_count = (SELECT count(*) FROM message AS m WHERE {} \
                 AND m.deleted_at IS NULL) WHERE c.id IN {}",
                d.of_conversation(),
                d.listed_ids()
            )]
        }),
    },
    Rule {
        name: "conversation.branches",
        labels: ("", ""),
        fault: "is {found}, must be {expected}, the number of the newest branch that has messages",
        find: Find::Sql(|d| {
            let newest = "coalesce(max(m.branch), 0)";
            format!(
                "WITH {} SELECT c.owner_id AS owner, c.id AS conversation, c.branches AS found, {newest} AS expected \
                 FROM chunk AS c LEFT {} GROUP BY c.owner_id, c.id, c.branches HAVING c.branches <> {newest}",
                d.chunk(),
                d.messages()
            )
        }),
        repair: Repair::Statements(|d| {
            // The messages and the rows of the branches must agree.
            let newest = format!(
                "coalesce((SELECT max(m.branch) FROM message AS m WHERE {}), 0)",
                d.of_conversation()
            );
            vec![format!(
                "UPDATE conversation AS c SET branches = {newest} WHERE c.id IN {} AND {newest} = \
                 (SELECT count(*) FROM branch AS b WHERE b.conversation_id = c.id) AND {newest} = \
                 (SELECT coalesce(max(b.branch), 0) FROM branch AS b WHERE b.conversation_id = c.id)",
                d.listed_ids()
            )]
        }),
    },
    Rule {
        name: "conversation.trunk",
        labels: ("", ""),
        fault: "is {found}, must be {expected}, the last position before the first fork",
        find: Find::Sql(|d| {
            let trunk = "CASE WHEN c.branches = 0 THEN 0 \
                         ELSE coalesce(max(CASE WHEN m.branch IS NULL THEN m.position END), 0) END";
            format!(
                "WITH {} SELECT c.owner_id AS owner, c.id AS conversation, c.trunk AS found, {trunk} AS expected \
                 FROM chunk AS c LEFT {} GROUP BY c.owner_id, c.id, c.trunk, c.branches HAVING c.trunk <> {trunk}",
                d.chunk(),
                d.messages()
            )
        }),
        repair: Repair::Statements(|d| {
            // The messages before the first fork are the first ones, without a gap.
            let trunk = |what: &str| {
                format!(
                    "(SELECT {what} FROM message AS m WHERE {} AND m.branch IS NULL)",
                    d.of_conversation()
                )
            };
            let (last, count) = (trunk("coalesce(max(m.position), 0)"), trunk("count(*)"));
            vec![format!(
                "UPDATE conversation AS c SET trunk = CASE WHEN c.branches = 0 THEN 0 ELSE {last} END \
                 WHERE c.id IN {} AND {last} = {count}",
                d.listed_ids()
            )]
        }),
    },
    Rule {
        name: "conversation.head_position",
        labels: ("", ""),
        fault: "is {found}, must be the position of a message, of which the newest is {expected}",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT c.owner_id AS owner, c.id AS conversation, c.head_position AS found, \
                 c.last_position AS expected FROM chunk AS c WHERE CASE WHEN c.last_position = 0 \
                 THEN c.head_position <> 0 ELSE NOT EXISTS (SELECT 1 FROM message AS m WHERE {}) END",
                d.chunk(),
                d.at("m", "c.head_position")
            )
        }),
        repair: Repair::Statements(|d| {
            vec![format!(
                "UPDATE conversation AS c SET head_position = c.last_position, branch = coalesce((SELECT m.branch \
                 FROM message AS m WHERE {}), 0) WHERE c.id IN {} AND (c.last_position = 0 OR EXISTS \
                 (SELECT 1 FROM message AS m WHERE {}))",
                d.at("m", "c.last_position"),
                d.listed_ids(),
                d.at("m", "c.last_position")
            )]
        }),
    },
    Rule {
        name: "conversation.branch",
        labels: ("", ""),
        fault: "is {found}, must be {expected}, the branch of the message at `head_position`",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT c.owner_id AS owner, c.id AS conversation, c.branch AS found, \
                 coalesce(m.branch, 0) AS expected FROM chunk AS c LEFT JOIN message AS m ON {} \
                 WHERE c.branch <> coalesce(m.branch, 0)",
                d.chunk(),
                d.at("m", "c.head_position")
            )
        }),
        repair: Repair::Statements(|d| {
            vec![format!(
                "UPDATE conversation AS c SET branch = coalesce((SELECT m.branch FROM message AS m WHERE {}), 0) \
                 WHERE c.id IN {}",
                d.at("m", "c.head_position"),
                d.listed_ids()
            )]
        }),
    },
    Rule {
        name: "conversation.read_position",
        labels: ("", ""),
        fault: "is {found}, must be 0 to {expected}, the position of the newest message",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT c.owner_id AS owner, c.id AS conversation, c.read_position AS found, \
                 c.last_position AS expected FROM chunk AS c \
                 WHERE c.read_position < 0 OR c.read_position > c.last_position",
                d.chunk()
            )
        }),
        repair: Repair::Statements(|d| {
            vec![format!(
                "UPDATE conversation AS c SET read_position = CASE WHEN c.read_position < 0 THEN 0 \
                 ELSE c.last_position END WHERE c.id IN {} AND (c.read_position < 0 OR c.read_position > c.last_position)",
                d.listed_ids()
            )]
        }),
    },
    Rule {
        name: "conversation.unread_ignored",
        labels: ("", ""),
        fault: "is {found}, must be {expected}, the number of messages after `read_position` that are deleted or \
                the user's own",
        find: Find::Sql(|d| {
            let ignored = "count(CASE WHEN m.position > c.read_position AND (m.role = 1 OR m.deleted_at IS NOT NULL) \
                           THEN 1 END)";
            format!(
                "WITH {} SELECT c.owner_id AS owner, c.id AS conversation, c.unread_ignored AS found, \
                 {ignored} AS expected FROM chunk AS c LEFT {} GROUP BY c.owner_id, c.id, c.unread_ignored \
                 HAVING c.unread_ignored <> {ignored}",
                d.chunk(),
                d.messages()
            )
        }),
        repair: Repair::Statements(|d| {
            vec![format!(
                "UPDATE conversation AS c SET unread_ignored = (SELECT count(*) FROM message AS m WHERE {} \
                 AND m.position > c.read_position AND (m.role = 1 OR m.deleted_at IS NOT NULL)) WHERE c.id IN {}",
                d.of_conversation(),
                d.listed_ids()
            )]
        }),
    },
    Rule {
        name: "conversation.state",
        labels: ("", ""),
        fault: "is {found}, must be {expected}, which follows from `trashed_at` and `archived_at`",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT c.owner_id AS owner, c.id AS conversation, CAST(c.state AS bigint) AS found, \
                 CAST({STATE} AS bigint) AS expected FROM chunk AS c WHERE c.state <> {STATE}",
                d.chunk()
            )
        }),
        repair: Repair::Statements(|d| {
            vec![format!("UPDATE conversation AS c SET state = {STATE} WHERE c.id IN {}", d.listed_ids())]
        }),
    },
    Rule {
        name: "conversation.title_folded",
        labels: ("", ""),
        fault: "must be the folded title",
        find: Find::Titles,
        repair: Repair::Titles,
    },
    Rule {
        name: "conversation_label.label_key",
        labels: ("", ""),
        fault: "there are {found} right rows, must be {expected}, one for each label of the conversation",
        find: Find::Labels,
        repair: Repair::Labels,
    },
    Rule {
        name: "branch.branch",
        labels: ("", "branch"),
        fault: "must have a row that continues its parent where its first message does: at position {expected}, not \
                {found}",
        find: Find::Sql(|d| {
            format!(
                "WITH {}, {}SELECT f.owner_id AS owner, f.id AS conversation, f.branch AS number, \
                 b.fork_position AS found, f.fork_position AS expected FROM forks AS f \
                 LEFT JOIN branch AS b ON b.conversation_id = f.id AND b.branch = f.branch \
                 WHERE b.branch IS NULL OR b.fork_position <> f.fork_position OR b.parent_branch <> f.parent_branch",
                d.chunk(),
                forks(d)
            )
        }),
        repair: Repair::Statements(|d| {
            vec![format!(
                "WITH {}, {}INSERT INTO branch (conversation_id, branch, parent_branch, fork_position) \
                 SELECT f.id, f.branch, f.parent_branch, f.fork_position FROM forks AS f \
                 WHERE f.fork_position IS NOT NULL AND f.branch <= f.branches \
                 ON CONFLICT (conversation_id, branch) DO UPDATE SET parent_branch = excluded.parent_branch \
                 WHERE branch.fork_position = excluded.fork_position",
                d.chunk(),
                forks(d)
            )]
        }),
    },
    Rule {
        name: "branch.messages",
        labels: ("", "branch"),
        fault: "must have a message",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT c.owner_id AS owner, c.id AS conversation, b.branch AS number FROM chunk AS c \
                 JOIN branch AS b ON b.conversation_id = c.id WHERE NOT EXISTS (SELECT 1 FROM message AS m \
                 WHERE m.conversation_id = c.id AND m.branch = b.branch AND m.branch IS NOT NULL)",
                d.chunk()
            )
        }),
        repair: Repair::None(MISSING),
    },
];

/// [`crate::model::ConversationState::of`].
const STATE: &str =
    "CASE WHEN c.trashed_at IS NOT NULL THEN 2 WHEN c.archived_at IS NOT NULL THEN 1 ELSE 0 END";

/// `forks`: the branches that messages have, each with where its first message continues another one.
fn forks(d: Dialect) -> String {
    format!(
        "firsts AS MATERIALIZED (SELECT c.id, m.branch, min(m.position) AS position FROM chunk AS c {} \
         WHERE m.branch > 0 GROUP BY c.id, m.branch), \
         forks AS MATERIALIZED (SELECT c.owner_id, c.id, c.branches, f.branch, m.parent_position AS fork_position, \
         coalesce(p.branch, 0) AS parent_branch FROM firsts AS f JOIN chunk AS c ON c.id = f.id \
         JOIN message AS m ON {} LEFT JOIN message AS p ON {}) ",
        d.messages(),
        d.at("m", "f.position"),
        d.at("p", "m.parent_position")
    )
}
