//! Figures of the process: its version, and the ones that Prometheus's clients have for every process.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::panics;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VersionLabel {
    version: &'static str,
}

/// The figures of this process.
#[derive(Default)]
pub(super) struct ProcessMetrics {
    memory: Gauge,
    files: Gauge,
    max_files: Gauge,
    started_at: Gauge,
    version: Family<VersionLabel, Gauge>,
    panics: Counter,
}

impl ProcessMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "process_resident_memory",
            "Resident memory of the process",
            Unit::Bytes,
            self.memory.clone(),
        );
        registry.register("process_open_fds", "Open files of the process", self.files.clone());
        registry.register("process_max_fds", "Most open files of the process", self.max_files.clone());
        registry.register_with_unit(
            "process_start_time",
            "Start of the process, since 1970",
            Unit::Seconds,
            self.started_at.clone(),
        );
        let ours = registry.sub_registry_with_prefix("scrollback");
        ours.register("build_info", "1, with the version of the program", self.version.clone());
        ours.register("panics", "Panics: faults of the program. The log says where", self.panics.clone());
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.started_at.set(i64::try_from(since_1970.as_secs()).unwrap_or(i64::MAX));
        self.version.get_or_create(&VersionLabel { version: env!("PROGRAM_VERSION") }).set(1);
    }

    /// Reads the figures that change.
    pub(super) fn update(&self) {
        if let Some(bytes) = resident_memory() {
            self.memory.set(bytes);
        }
        if let Ok(files) = fs::read_dir("/proc/self/fd") {
            self.files.set(i64::try_from(files.count()).unwrap_or(i64::MAX));
        }
        if let Ok((soft, _)) = rlimit::Resource::NOFILE.get() {
            self.max_files.set(i64::try_from(soft).unwrap_or(i64::MAX));
        }
        self.panics.inner().store(panics::count(), Ordering::Relaxed);
    }
}

/// Resident memory in bytes, if the system provides it.
fn resident_memory() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse::<i64>().ok().map(|kibibytes| kibibytes * 1024)
}
