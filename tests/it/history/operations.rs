//! What operators do in a busy week, one after the other, while everybody writes and follows: replace a secret, change a limit,
//! back up and restore elsewhere, check the database, replace every server, and upgrade.

use std::fs;
use std::path::Path;
use std::time::Duration;

use scrollback::auth::{TokenRequirements, sign};
use scrollback::clock::Clock;
use scrollback::model::{OwnerId, Timestamp};
use serde_json::json;
use tempfile::NamedTempFile;
use tokio::time::timeout;

use super::deployment::Deployment;
use super::load::Load;
use super::{FAULTS, backups, upgrades};
use crate::harness::{Client, Engine, TIMEOUT};

const SECRET: &str = "a secret that takes the place of another";

/// A token of a user who has nothing to do with the history, signed with the new secret.
fn token() -> String {
    let lifetime = i64::try_from(Duration::from_secs(600).as_micros()).unwrap();
    let expires_at = Timestamp(Clock::system().now().0 + lifetime);
    sign(SECRET.as_bytes(), &OwnerId::new("bob").unwrap(), expires_at, &TokenRequirements::default()).unwrap()
}

/// Writes the configuration file of all servers, and lets them read it.
async fn configure(deployment: &Deployment, file: &Path, settings: &str, expected: u16) {
    fs::write(file, settings).unwrap();
    deployment.signal("HUP").await;
    let urls = deployment.replicas.read().unwrap().clone();
    for url in urls {
        let client = Client::new(&url, Some(token()));
        let becomes =
            async { while client.run("{ viewer { id } }", json!({})).await.status.as_u16() != expected {} };
        timeout(TIMEOUT, becomes).await.expect("the settings are read");
    }
}

async fn check_operations(engine: Engine, replicas: usize) {
    let file = NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let mut deployment = Deployment::start(engine, replicas, &[("SCROLLBACK_CONFIG", &path)]).await;
    let mut load = Load::start(&deployment).await;
    let secret = format!("[[auth.jwt_secrets]]\nkid = \"2\"\nsecret = \"{SECRET}\"\n");
    for step in 0..FAULTS {
        load.progress(step + 1, FAULTS + 1).await;
        match step {
            0 => configure(&deployment, file.path(), &format!("{secret}[limits]\ncost = 9000\n"), 200).await,
            1 => {
                let readings = backups::restored(&mut deployment, engine, load.conversations()).await;
                load.add_readings(readings);
            }
            2 => {
                for number in 0..replicas {
                    deployment.replace(number).await;
                }
                configure(&deployment, file.path(), "", 401).await;
            }
            _ if engine == Engine::Sqlite => {}
            _ => upgrades::expand(deployment.postgres(), step).await,
        }
        let checked = deployment.program(0).run(&["check", "--quick"]).await;
        // A command of this version does not touch a database of a newer one.
        let is_newer = step == FAULTS - 1 && engine != Engine::Sqlite;
        assert_eq!(checked.status.code(), Some(i32::from(is_newer)), "{step}: {checked:?}");
    }
    load.finish(&deployment).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_nothing_is_lost_in_a_week_of_operations() {
    check_operations(Engine::Sqlite, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_replicas_nothing_is_lost_in_a_week_of_operations() {
    check_operations(Engine::Postgres, 2).await;
}
