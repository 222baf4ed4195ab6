//! Programs that check files.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a program that must succeed: what it printed, and its errors.
pub(super) fn succeed(command: &mut Command) -> (String, String) {
    let output =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error} (`tests/run` installs it)"));
    let [printed, errors] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{command:?}: {}\n{printed}{errors}", output.status);
    (printed, errors)
}

/// A program that may be in a folder which users have not in their path.
pub(super) fn system_program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "tests/clients/.tools".into()]);
    let mut programs = folders.map(|folder: PathBuf| folder.join(name));
    let found = programs.find(|program| program.is_file());
    let found = found.unwrap_or_else(|| panic!("{name} is missing: `tests/run` installs it"));
    Path::new(env!("CARGO_MANIFEST_DIR")).join(found)
}
