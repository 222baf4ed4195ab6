//! Histories over a disk that fills up and fails.

use std::time::Duration;

use super::check;
use super::deployment::Deployment;
use crate::harness::{Cluster, Disk, DiskFault, Engine};

/// Half of the faults are of each kind.
fn fault(number: usize) -> DiskFault {
    if number.is_multiple_of(2) { DiskFault::Full } else { DiskFault::Failing }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_nothing_is_lost_when_the_disk_fails() {
    let disk = Disk::new();
    let [preload, folder] = disk.environment();
    let settings = [(preload.0, &*preload.1), (folder.0, &*folder.1)];
    let deployment = Deployment::start(Engine::Sqlite, 1, &settings).await;
    check(deployment, async |number, deployment| {
        disk.breaks(fault(number));
        deployment.wait_for_rejection().await;
        disk.is_mended(fault(number));
        deployment.kill(0).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_two_replicas_nothing_is_lost_when_the_disk_of_postgresql_fails() {
    let disk = Disk::new();
    let cluster = Cluster::start_on(&disk);
    let deployment = Deployment::over(cluster.create_database().await, 2, &[]).await;
    check(deployment, async |number, deployment| {
        disk.breaks(fault(number));
        deployment.wait_for_rejection().await;
        disk.is_mended(fault(number));
        // It has given up, or is about to, or recovers by itself.
        while !cluster.answers().await {
            if !cluster.is_up() {
                cluster.up();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
