//! Histories under faults, recorded and checked.
//!
//! Eight writers append to 25 conversations, half of it to one, each message with an id of its own,
//! retrying until it is acknowledged. Four assistants stream answers in between: some they finish, some
//! they are asked to stop, some they leave in the middle. Followers of single conversations, of the whole
//! account and of every answer's text, over WebSocket and SSE, drop and resume at random with their
//! cursor. A reader reads whole conversations now and then. Meanwhile things break. At the end every
//! acknowledged message and piece of text is there, once, at the place that was acknowledged, in an order
//! that agrees with the acknowledgements; every follower has received exactly the log, or the text; and
//! no read has lacked what was acknowledged before it. A restored backup is such a read.

mod assistants;
mod backups;
mod deployment;
mod disk;
mod load;
mod log;
mod operations;
mod proxy;
mod subscribers;
mod texts;
pub(crate) mod upgrades;

use crate::harness::{Cluster, Engine, Nats};
use deployment::Deployment;
use load::Load;
use proxy::Proxy;

/// Faults in one run, spread over its appends.
pub(crate) const FAULTS: usize = 4;

/// Runs the load over `deployment`, calling `fault` now and then, and checks the history.
async fn check(mut deployment: Deployment, mut fault: impl AsyncFnMut(usize, &mut Deployment)) {
    let load = Load::start(&deployment).await;
    for number in 0..FAULTS {
        load.progress(number + 1, FAULTS + 1).await;
        fault(number, &mut deployment).await;
    }
    load.finish(&deployment).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_nothing_is_lost() {
    check(Deployment::start(Engine::Sqlite, 1, &[]).await, async |_, _| {}).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_nothing_is_lost_when_the_server_is_killed() {
    check(Deployment::start(Engine::Sqlite, 1, &[]).await, async |_, deployment| deployment.kill(0).await)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_nothing_is_lost_over_a_bad_network() {
    let mut deployment = Deployment::start(Engine::Sqlite, 1, &[]).await;
    let proxy = Proxy::before(&deployment).await;
    deployment.use_proxy(&proxy);
    check(deployment, async |_, _| proxy.reset_all()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_one_replica_nothing_is_lost_when_it_is_killed() {
    check(Deployment::start(Engine::Postgres, 1, &[]).await, async |_, deployment| deployment.kill(0).await)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_one_replica_nothing_is_lost_when_postgresql_crashes() {
    let cluster = Cluster::start(&[]);
    let deployment = Deployment::over(cluster.create_database().await, 1, &[]).await;
    check(deployment, async |_, _| {
        cluster.crash();
        cluster.up();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_one_replica_nothing_is_lost_over_a_bad_network() {
    let mut deployment = Deployment::start(Engine::Postgres, 1, &[]).await;
    let proxy = Proxy::before(&deployment).await;
    deployment.use_proxy(&proxy);
    check(deployment, async |_, deployment| {
        proxy.reset_all();
        deployment.end_listening_sessions().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_replicas_nothing_is_lost_when_they_are_killed_in_turn() {
    let deployment = Deployment::start(Engine::Postgres, 2, &[]).await;
    check(deployment, async |number, deployment| deployment.kill(number % 2).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_replicas_nothing_is_lost_when_postgresql_crashes() {
    let cluster = Cluster::start(&[]);
    let deployment = Deployment::over(cluster.create_database().await, 2, &[]).await;
    check(deployment, async |_, _| {
        cluster.crash();
        cluster.up();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_row_level_security_nothing_is_lost_when_replicas_are_killed_in_turn() {
    let deployment = Deployment::start(Engine::PostgresWithRowLevelSecurity, 2, &[]).await;
    check(deployment, async |number, deployment| deployment.kill(number % 2).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_replicas_nothing_is_lost_when_the_listening_sessions_end() {
    let deployment = Deployment::start(Engine::Postgres, 2, &[]).await;
    check(deployment, async |_, deployment| deployment.end_listening_sessions().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_replicas_nothing_is_lost_over_a_bad_network() {
    let mut deployment = Deployment::start(Engine::Postgres, 2, &[]).await;
    let proxy = Proxy::before(&deployment).await;
    deployment.use_proxy(&proxy);
    check(deployment, async |_, _| proxy.reset_all()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_nats_nothing_is_lost_when_it_is_killed() {
    let mut nats = Nats::start();
    let deployment =
        Deployment::start(Engine::Postgres, 2, &[("SCROLLBACK_FEED_SIGNALS", &nats.url())]).await;
    check(deployment, async |_, _| {
        nats.kill();
        nats.up();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_nats_nothing_is_lost_when_replicas_are_killed_in_turn() {
    let nats = Nats::start();
    let deployment =
        Deployment::start(Engine::Postgres, 2, &[("SCROLLBACK_FEED_SIGNALS", &nats.url())]).await;
    check(deployment, async |number, deployment| deployment.kill(number % 2).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_nats_nothing_is_lost_when_postgresql_crashes() {
    let (nats, cluster) = (Nats::start(), Cluster::start(&[]));
    let settings = [("SCROLLBACK_FEED_SIGNALS", &*nats.url())];
    let deployment = Deployment::over(cluster.create_database().await, 2, &settings).await;
    check(deployment, async |_, _| {
        cluster.crash();
        cluster.up();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_nats_nothing_is_lost_over_a_bad_network() {
    let nats = Nats::start();
    let settings = [("SCROLLBACK_FEED_SIGNALS", &*nats.url())];
    let mut deployment = Deployment::start(Engine::Postgres, 2, &settings).await;
    let proxy = Proxy::before(&deployment).await;
    deployment.use_proxy(&proxy);
    check(deployment, async |_, _| proxy.reset_all()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_when_the_data_moves_to_postgresql_and_back() {
    check(Deployment::start(Engine::Sqlite, 1, &[]).await, async |number, deployment| {
        deployment.move_data(number).await;
    })
    .await;
}

/// Backups while everything is written, each before a kill, and each restored elsewhere.
async fn check_backups(engine: Engine) {
    let mut deployment = Deployment::start(engine, 1, &[]).await;
    let mut load = Load::start(&deployment).await;
    for number in 0..backups::BACKUPS {
        load.progress(number + 1, backups::BACKUPS + 1).await;
        let readings = backups::restored(&mut deployment, engine, load.conversations()).await;
        load.add_readings(readings);
    }
    load.finish(&deployment).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_a_restored_backup_lacks_nothing_that_was_acknowledged_before_it() {
    check_backups(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_a_restored_backup_lacks_nothing_that_was_acknowledged_before_it() {
    check_backups(Engine::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_row_level_security_a_restored_backup_lacks_nothing_that_was_acknowledged_before_it() {
    check_backups(Engine::PostgresWithRowLevelSecurity).await;
}
