//! CPU time of processes in microseconds, from the 10 ms ticks of Linux.

use std::fs;
use std::net::SocketAddr;

use sqlx::{Connection, PgConnection};

use crate::it::harness::Cluster;

struct Times {
    own: u64,
    /// Of children that have ended and were waited for.
    ended: u64,
    parent: u32,
}

fn times(process: u32) -> Option<Times> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name is in parentheses and can contain anything.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<u64>().ok();
    let parent = fields[1].parse().ok()?;
    Some(Times { own: (ticks(11)? + ticks(12)?) * 10_000, ended: (ticks(13)? + ticks(14)?) * 10_000, parent })
}

/// Of a process.
pub(crate) fn of(process: u32) -> u64 {
    times(process).map_or(0, |times| times.own)
}

/// Of a process and its children.
pub(crate) fn of_family(process: u32) -> u64 {
    let own = times(process).map_or(0, |times| times.own + times.ended);
    let children = processes().filter_map(times).filter(|times| times.parent == process);
    own + children.map(|times| times.own).sum::<u64>()
}

fn processes() -> impl Iterator<Item = u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The parent of all processes of a cluster.
pub(crate) async fn postmaster(cluster: &Cluster) -> u32 {
    let mut connection = PgConnection::connect(&cluster.url("postgres")).await.unwrap();
    let backend: i32 =
        sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await.unwrap();
    times(u32::try_from(backend).unwrap()).expect("a process").parent
}

/// The local process that listens on an address, if it is visible.
pub(crate) fn listener(address: &str) -> Option<u32> {
    let address: SocketAddr = std::net::ToSocketAddrs::to_socket_addrs(address).ok()?.next()?;
    if !address.ip().is_loopback() {
        return None;
    }
    let port = format!(":{:04X}", address.port());
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let rows = tables.iter().flat_map(|table| table.lines().skip(1));
    let socket = rows.map(|row| row.split_whitespace().collect::<Vec<_>>()).find_map(|fields| {
        // State 0A listens; the inode is the tenth.
        (fields.get(3) == Some(&"0A") && fields[1].ends_with(&port))
            .then(|| format!("socket:[{}]", fields[9]))
    })?;
    processes().find(|process| {
        let files = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
        files.filter_map(|file| fs::read_link(file.path()).ok()).any(|target| target.as_os_str() == &*socket)
    })
}
