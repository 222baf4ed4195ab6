//! Migrations only expand the schema, so servers of the version before go on working: `docs/upgrading.md`.

use std::fs;

/// The newest migration of the first version. Those up to it were never applied beside an older server.
const FIRST_RELEASE: &str = "m20261130_000014";

/// What is wrong with the statements of a migration for servers that do not know it.
fn faults(source: &str) -> Vec<String> {
    // Those that undo the migration may remove what it added.
    let blocks = source.split("const ").skip(1).filter(|block| {
        let name = block.split(':').next().unwrap_or_default();
        !name.contains("DOWN")
    });
    let mut faults = Vec::new();
    for statement in blocks.flat_map(statements) {
        let upper = statement.to_uppercase().split_whitespace().collect::<Vec<_>>().join(" ");
        for word in ["DROP ", "RENAME ", "ALTER COLUMN ", "ADD CONSTRAINT ", "TRUNCATE ", "DELETE "] {
            if upper.contains(word) {
                faults.push(format!("{}: {statement}", word.trim()));
            }
        }
        let is_added = |column: &&str| column.contains("NOT NULL") && !column.contains("DEFAULT");
        if upper.split("ADD COLUMN ").skip(1).any(|column| is_added(&column)) {
            faults.push(format!("NOT NULL without DEFAULT: {statement}"));
        }
    }
    faults
}

/// The texts in quotes.
fn statements(block: &str) -> Vec<String> {
    let block = block.split("];").next().unwrap_or_default();
    block.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Migrations that remove what the version before did not use any more.
const EXCEPTIONS: [&str; 0] = [];

#[test]
fn migrations_only_expand_the_schema() {
    let mut found = Vec::new();
    let mut count = 0;
    for entry in fs::read_dir("migration/src").unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        if !name.starts_with('m') || EXCEPTIONS.contains(&name.as_str()) {
            continue;
        }
        count += 1;
        if name.get(..FIRST_RELEASE.len()).is_some_and(|start| start > FIRST_RELEASE) {
            let faults = faults(&fs::read_to_string(&path).unwrap());
            found.extend(faults.into_iter().map(|fault| format!("{name}: {fault}")));
        }
    }
    assert!(count >= 14);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn migrations_that_would_stop_older_servers_are_found() {
    let up = |statement: &str| {
        format!(
            "const POSTGRES_UP: &[&str] = &[\"{statement}\"];\nconst DOWN: &[&str] = &[\"DROP TABLE a\"];\n"
        )
    };
    for fine in [
        "ALTER TABLE a ADD COLUMN b bigint",
        "ALTER TABLE a ADD COLUMN b bigint NOT NULL DEFAULT 0, ADD COLUMN c text",
        "CREATE TABLE a (b bigint NOT NULL)",
        "CREATE INDEX a ON b (c)",
        "UPDATE a SET b = 1",
    ] {
        assert_eq!(faults(&up(fine)), Vec::<String>::new(), "{fine}");
    }
    for wrong in [
        "ALTER TABLE a DROP COLUMN b",
        "DROP INDEX a",
        "ALTER TABLE a RENAME COLUMN b TO c",
        "ALTER TABLE a ALTER COLUMN b SET NOT NULL",
        "ALTER TABLE a ADD COLUMN b bigint DEFAULT 0, ADD COLUMN c text NOT NULL",
        "DELETE FROM a",
    ] {
        assert_eq!(faults(&up(wrong)).len(), 1, "{wrong}");
    }
    // The rules would have refused migrations of the time before the first version.
    let slots = fs::read_to_string("migration/src/m20261121_000004_slots.rs").unwrap();
    assert!(!faults(&slots).is_empty());
}
