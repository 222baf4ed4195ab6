//! What attachments, their contents and their objects say about each other.

use super::rule::{Find, Repair, Rule};

const GONE: &str = "the rows are gone: restore a backup";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "attachment.blob_id",
        labels: ("attachment", ""),
        fault: "must be a content of the same owner",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT o.id AS owner, t.id AS other FROM owners AS o JOIN attachment AS t \
                 ON t.owner_id = o.id WHERE NOT EXISTS \
                 (SELECT 1 FROM blob AS b WHERE b.id = t.blob_id AND b.owner_id = t.owner_id)",
                d.owners()
            )
        }),
        repair: Repair::None(GONE),
    },
    Rule {
        name: "attachment.unused_since",
        labels: ("attachment", ""),
        fault: "must be set as long as no message and no share refers to it, and only then",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT o.id AS owner, t.id AS other FROM owners AS o JOIN attachment AS t \
                 ON t.owner_id = o.id WHERE (t.unused_since IS NULL) <> \
                 EXISTS (SELECT 1 FROM attachment_reference AS r WHERE r.attachment_id = t.id)",
                d.owners()
            )
        }),
        repair: Repair::Statements(|d| {
            let now = if d.is_sqlite() {
                "CAST(unixepoch('subsec') * 1000000 AS integer)"
            } else {
                "CAST(extract(epoch FROM now()) * 1000000 AS bigint)"
            };
            let referred =
                "EXISTS (SELECT 1 FROM attachment_reference AS r WHERE r.attachment_id = attachment.id)";
            let owners = d.listed_owners();
            vec![
                format!(
                    "UPDATE attachment SET unused_since = NULL WHERE owner_id IN {owners} \
                     AND unused_since IS NOT NULL AND {referred}"
                ),
                format!(
                    "UPDATE attachment SET unused_since = {now} WHERE owner_id IN {owners} \
                     AND unused_since IS NULL AND NOT {referred}"
                ),
            ]
        }),
    },
    Rule {
        name: "blob.received",
        labels: ("blob", ""),
        fault: "is {found}, must be {expected}, the bytes of its chunks without a gap, and all bytes of a complete file",
        find: Find::Sql(|d| {
            format!(
                "WITH {}, contents AS (SELECT b.owner_id, b.id, b.received, b.byte_size, b.uploaded_at, \
                 CAST(coalesce(sum(k.byte_size), 0) AS bigint) AS total, \
                 CAST(coalesce(max(k.start + k.byte_size), 0) AS bigint) AS reach FROM owners AS o \
                 JOIN blob AS b ON b.owner_id = o.id LEFT JOIN blob_chunk AS k ON k.blob_id = b.id \
                 GROUP BY b.owner_id, b.id, b.received, b.byte_size, b.uploaded_at) \
                 SELECT owner_id AS owner, id AS other, received AS found, total AS expected FROM contents \
                 WHERE received <> total OR reach <> total OR (uploaded_at IS NOT NULL AND received <> byte_size)",
                d.owners()
            )
        }),
        repair: Repair::None(GONE),
    },
    Rule {
        name: "blob.id",
        labels: ("blob", ""),
        fault: "must be the content of an attachment",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT o.id AS owner, b.id AS other FROM owners AS o JOIN blob AS b ON b.owner_id = o.id \
                 WHERE NOT EXISTS (SELECT 1 FROM attachment AS t WHERE t.blob_id = b.id)",
                d.owners()
            )
        }),
        repair: Repair::None("nothing says which attachment it was: restore a backup"),
    },
    Rule {
        name: "blob_chunk.blob_id",
        labels: ("object", ""),
        fault: "must be a content of the same owner",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT o.id AS owner, k.id AS other FROM owners AS o JOIN blob_chunk AS k \
                 ON k.owner_id = o.id WHERE NOT EXISTS \
                 (SELECT 1 FROM blob AS b WHERE b.id = k.blob_id AND b.owner_id = k.owner_id)",
                d.owners()
            )
        }),
        repair: Repair::None(GONE),
    },
    Rule {
        name: "object_removal.id",
        labels: ("object", ""),
        fault: "must not be an object of a content: it would be removed",
        find: Find::Sql(|d| {
            format!(
                "WITH {} SELECT o.id AS owner, k.id AS other FROM owners AS o JOIN blob_chunk AS k \
                 ON k.owner_id = o.id JOIN object_removal AS r ON r.id = k.id",
                d.owners()
            )
        }),
        repair: Repair::Statements(|d| {
            vec![format!(
                "DELETE FROM object_removal WHERE id IN (SELECT k.id FROM blob_chunk AS k WHERE k.owner_id IN {})",
                d.listed_owners()
            )]
        }),
    },
];
