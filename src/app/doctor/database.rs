//! The database.

use std::time::Duration;

use super::finding::{Findings, Severity};
use crate::clock::Clock;
use crate::config::Config;
use crate::model::Timestamp;
use crate::store::{self, DatabaseFacts, PostgresFacts, SqliteFacts};

const TOPIC: &str = "database";

/// The oldest version that is supported.
const LEAST_VERSION: i32 = 140_000;

/// Clocks that differ by more than this confuse leases and the order of times.
const MOST_CLOCK_DIFFERENCE: Duration = Duration::from_secs(1);

/// A transaction that is open for longer keeps PostgreSQL from removing dead rows.
const LONG_TRANSACTION: Duration = Duration::from_secs(3600);

/// A log of this size has not been written back for long: something reads all the time.
const LARGE_WAL_BYTES: u64 = 1 << 30;

pub(super) async fn examine(
    config: &Config,
    database: &store::Settings,
    clock: &Clock,
    findings: &mut Findings,
) {
    let before = clock.now();
    match store::database_facts(database).await {
        Ok(DatabaseFacts::Sqlite(facts)) => {
            let exists = facts.bytes.is_some();
            examine_sqlite(&facts, findings);
            if !exists {
                return;
            }
        }
        Ok(DatabaseFacts::Postgres(facts)) => {
            examine_postgres(config, &facts, findings);
            examine_clock(&facts, before, clock.now(), findings);
        }
        Err(error) => {
            findings.error(TOPIC, &error);
            return;
        }
    }
    match store::migrations(database).await {
        Ok(migrations) => {
            let pending = migrations.iter().filter(|(_, is_applied)| !is_applied).count();
            let text = match (pending, config.database.migrate) {
                (0, _) => "the schema is that of this version".to_owned(),
                (_, true) => format!("{pending} migrations are pending: the next start applies them"),
                (_, false) => format!("{pending} migrations are pending: run `scrollback migrate up`"),
            };
            findings.add(if pending == 0 { Severity::Ok } else { Severity::Advice }, "schema", text);
        }
        Err(error) => findings.error("schema", &error),
    }
}

fn examine_sqlite(facts: &SqliteFacts, findings: &mut Findings) {
    let file = facts.file.display();
    match facts.bytes {
        None => {
            findings.add(Severity::Advice, TOPIC, format!("{file} does not exist: the first start makes it"));
        }
        Some(bytes) => findings.add(Severity::Ok, TOPIC, format!("SQLite, {file}, {bytes} bytes")),
    }
    if facts.wal_bytes > LARGE_WAL_BYTES {
        let text = format!(
            "the log of {file} has {} bytes: a backup, an export or a replication that never ends keeps it from shrinking",
            facts.wal_bytes
        );
        findings.add(Severity::Warning, TOPIC, text);
    }
}

fn examine_postgres(config: &Config, facts: &PostgresFacts, findings: &mut Findings) {
    let mut all_good = true;
    let mut wrong = |is_wrong: bool, severity, text: String| {
        if is_wrong {
            all_good = false;
            findings.add(severity, TOPIC, text);
        }
    };
    let version = &facts.version;
    wrong(
        facts.version_number < LEAST_VERSION,
        Severity::Error,
        format!("PostgreSQL {version} is too old: 14 is needed"),
    );
    let lost = |setting: &str, value: &str| {
        format!(
            "`{setting}` of PostgreSQL is {value}: acknowledged messages are lost when its machine crashes"
        )
    };
    wrong(facts.fsync == "off", Severity::Error, lost("fsync", "off"));
    wrong(facts.synchronous_commit == "off", Severity::Error, lost("synchronous_commit", "off"));
    wrong(
        facts.full_page_writes == "off",
        Severity::Error,
        "`full_page_writes` of PostgreSQL is off: the database can be damaged when its machine crashes"
            .into(),
    );
    wrong(
        facts.autovacuum == "off",
        Severity::Warning,
        "`autovacuum` of PostgreSQL is off: tables grow for ever, and plans become bad".into(),
    );
    wrong(
        facts.encoding != "UTF8",
        Severity::Error,
        format!("the encoding of the database is {}: create it with `ENCODING 'UTF8'`", facts.encoding),
    );
    wrong(
        facts.is_standby,
        Severity::Error,
        "PostgreSQL is a standby, which takes no writes: name the primary".into(),
    );
    wrong(
        facts.is_read_only && !facts.is_standby,
        Severity::Error,
        "`default_transaction_read_only` is on for this role or database: writes fail".into(),
    );
    wrong(
        facts.is_superuser,
        Severity::Advice,
        "the role of `database.url` is a superuser: a role that owns the database is enough".into(),
    );
    wrong(
        !facts.is_encrypted && !facts.is_local,
        Severity::Warning,
        "the connection to PostgreSQL is not encrypted: add `sslmode=verify-full` and `sslrootcert` to `database.url`".into(),
    );
    let oldest = Duration::from_secs(facts.oldest_transaction.as_secs());
    wrong(
        oldest > LONG_TRANSACTION,
        Severity::Warning,
        format!(
            "a transaction has been open for {}: PostgreSQL removes no dead rows meanwhile",
            humantime::format_duration(oldest)
        ),
    );
    // The pool, the workers of appends and the one of streamed text, signals, and one to spare.
    let needed = i64::from(config.database.max_connections) + i64::from(config.database.write_workers) + 3;
    let free = facts.free_connections;
    wrong(
        free < needed,
        Severity::Warning,
        format!(
            "PostgreSQL has {free} connections left, and a server needs {needed}: raise `max_connections` of PostgreSQL, or \
             lower `database.max_connections`"
        ),
    );
    if all_good {
        let text = format!("PostgreSQL {version}, with room for {} more servers like this", free / needed);
        findings.add(Severity::Ok, TOPIC, text);
    }
}

/// The clock of PostgreSQL was read at some time between.
fn examine_clock(facts: &PostgresFacts, before: Timestamp, after: Timestamp, findings: &mut Findings) {
    let behind = before.0.saturating_sub(facts.clock.0);
    let ahead = facts.clock.0.saturating_sub(after.0);
    let difference = Duration::from_micros(u64::try_from(behind.max(ahead)).unwrap_or_default());
    if difference > MOST_CLOCK_DIFFERENCE {
        let text = format!(
            "the clocks of this machine and of PostgreSQL differ by {}: let both follow a time server",
            humantime::format_duration(Duration::from_millis(
                difference.as_millis().try_into().unwrap_or(u64::MAX)
            ))
        );
        findings.add(Severity::Warning, "clock", text);
    } else {
        findings.add(Severity::Ok, "clock", "it agrees with that of PostgreSQL");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> PostgresFacts {
        let on = || "on".to_owned();
        PostgresFacts {
            version_number: 170_002,
            version: "17.2".into(),
            fsync: on(),
            full_page_writes: on(),
            synchronous_commit: on(),
            autovacuum: on(),
            encoding: "UTF8".into(),
            is_standby: false,
            is_read_only: false,
            is_superuser: false,
            is_encrypted: true,
            is_local: false,
            free_connections: 97,
            oldest_transaction: Duration::ZERO,
            clock: Timestamp(1_000_000),
        }
    }

    fn found(facts: &PostgresFacts) -> Vec<(Severity, String)> {
        let mut findings = Findings::default();
        examine_postgres(&Config::default(), facts, &mut findings);
        findings.0.into_iter().map(|finding| (finding.severity, finding.text)).collect()
    }

    #[test]
    fn a_good_server_is_good() {
        let found = found(&facts());
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, Severity::Ok);
        assert!(found[0].1.contains("17.2"), "{found:?}");
    }

    #[test]
    fn every_fault_is_named() {
        let off = || "off".to_owned();
        let hours = Duration::from_secs(7300);
        for (facts, severity, named) in [
            (PostgresFacts { version_number: 130_010, ..facts() }, Severity::Error, "too old"),
            (PostgresFacts { fsync: off(), ..facts() }, Severity::Error, "`fsync`"),
            (PostgresFacts { synchronous_commit: off(), ..facts() }, Severity::Error, "`synchronous_commit`"),
            (PostgresFacts { full_page_writes: off(), ..facts() }, Severity::Error, "`full_page_writes`"),
            (PostgresFacts { autovacuum: off(), ..facts() }, Severity::Warning, "`autovacuum`"),
            (PostgresFacts { encoding: "LATIN1".into(), ..facts() }, Severity::Error, "LATIN1"),
            (PostgresFacts { is_standby: true, is_read_only: true, ..facts() }, Severity::Error, "standby"),
            (PostgresFacts { is_read_only: true, ..facts() }, Severity::Error, "read_only"),
            (PostgresFacts { is_superuser: true, ..facts() }, Severity::Advice, "superuser"),
            (PostgresFacts { is_encrypted: false, ..facts() }, Severity::Warning, "not encrypted"),
            (PostgresFacts { oldest_transaction: hours, ..facts() }, Severity::Warning, "2h 1m 40s"),
            (PostgresFacts { free_connections: 5, ..facts() }, Severity::Warning, "5 connections left"),
        ] {
            let found = found(&facts);
            assert_eq!(found.len(), 1, "{named}: {found:?}");
            assert!(found[0].0 == severity && found[0].1.contains(named), "{found:?}");
        }
        assert_eq!(
            found(&PostgresFacts { is_encrypted: false, is_local: true, ..facts() })[0].0,
            Severity::Ok
        );
    }

    #[test]
    fn clocks_are_compared() {
        for (before, after, severity) in [
            (999_000, 1_001_000, Severity::Ok),
            (100_000, 1_900_000, Severity::Ok),
            (2_500_000, 2_600_000, Severity::Warning),
            (-900_000, -800_000, Severity::Warning),
        ] {
            let mut findings = Findings::default();
            examine_clock(&facts(), Timestamp(before), Timestamp(after), &mut findings);
            assert_eq!(findings.0[0].severity, severity, "{before} {after}");
        }
    }
}
