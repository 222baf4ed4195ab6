//! The machine: disks, memory, open files.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::{statfs, statvfs};

use super::finding::{Findings, Severity};
use crate::config::Config;
use crate::server;
use crate::store;

/// Less free space than this, or than a twentieth of the disk, will not last.
const LEAST_FREE_BYTES: u64 = 1 << 30;

/// File systems of a network, by the number that Linux gives them (`man 2 statfs`). SQLite's log does not work on them.
const NETWORK_FILE_SYSTEMS: [(u32, &str); 4] =
    [(0x6969, "NFS"), (0xFF53_4D42, "CIFS"), (0xFE53_4D42, "SMB"), (0x0102_1997, "9P")];

pub(super) fn examine(config: &Config, database: &store::Settings, findings: &mut Findings) {
    let files = store::sqlite_files(database);
    let of_database = files.first().and_then(|file| file.parent()).map(existing);
    if let Some(folder) = &of_database {
        examine_file_system(folder, findings);
    }
    let storage =
        config.file_storage().filter(|storage| config.has_attachments() && !storage.contains("://"));
    let of_files = storage.map(|storage| existing(Path::new(&storage)));
    let mut folders: Vec<PathBuf> = of_database.into_iter().chain(of_files).collect();
    folders.dedup();
    for folder in folders {
        examine_disk(&folder, findings);
    }
    examine_memory(config, findings);
    let (granted, wanted) = server::open_file_limit(config.server.max_connections as usize);
    if granted < wanted {
        let text = format!(
            "the system allows {granted} open files, and `server.max_connections` needs {wanted}: raise the limit \
             (`LimitNOFILE` of systemd, `ulimit -n`)"
        );
        findings.add(Severity::Warning, "open files", text);
    } else {
        findings.add(Severity::Ok, "open files", format!("{granted} are allowed, {wanted} are needed"));
    }
}

/// The folder, or the nearest one above it that exists.
fn existing(folder: &Path) -> PathBuf {
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    folder.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

fn examine_file_system(folder: &Path, findings: &mut Findings) {
    let Ok(found) = statfs(folder) else { return };
    // The kernel's numbers have 32 bits, whatever the type of the field is.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the upper bits are the sign"
    )]
    let kind = found.f_type as u32;
    if let Some((_, name)) = NETWORK_FILE_SYSTEMS.iter().find(|(number, _)| *number == kind) {
        let text = format!(
            "the SQLite database is on {name}, {}: its log does not work there. Use a local disk, or PostgreSQL",
            folder.display()
        );
        findings.add(Severity::Error, "disk", text);
    }
}

fn examine_disk(folder: &Path, findings: &mut Findings) {
    let found = match statvfs(folder) {
        Ok(found) => found,
        Err(error) => {
            findings.add(Severity::Error, "disk", format!("cannot look at {}: {error}", folder.display()));
            return;
        }
    };
    let (free, all) = (found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize);
    let text = format!("{} of {} are free in {}", gibibytes(free), gibibytes(all), folder.display());
    if free < LEAST_FREE_BYTES || free < all / 20 {
        findings.add(Severity::Warning, "disk", format!("{text}: writes fail when it is full"));
    } else {
        findings.add(Severity::Ok, "disk", text);
    }
}

fn examine_memory(config: &Config, findings: &mut Findings) {
    let wanted = u64::from(config.server.memory);
    let Some(available) = memory_limit() else { return };
    // The caches of the database and of connections need some, too.
    if wanted > available / 2 {
        let text = format!(
            "`server.memory` is {}, and this process may have {}: lower it to half of that",
            gibibytes(wanted),
            gibibytes(available)
        );
        findings.add(Severity::Warning, "memory", text);
    } else {
        let text = format!("{} for operations, of {}", gibibytes(wanted), gibibytes(available));
        findings.add(Severity::Ok, "memory", text);
    }
}

/// The memory of the machine, or what the control group of this process may have.
fn memory_limit() -> Option<u64> {
    let of_machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
    });
    let of_group =
        fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|text| text.trim().parse().ok());
    of_machine.into_iter().chain(of_group).min()
}

#[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
fn gibibytes(bytes: u64) -> String {
    format!("{:.2} GiB", bytes as f64 / f64::from(1 << 30))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_folder_that_exists_is_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(existing(&folder.path().join("a/b")), folder.path());
        assert_eq!(existing(folder.path()), folder.path());
    }
}
