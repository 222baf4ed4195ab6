//! Scripts of a page.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::harness::TIMEOUT;

type Result<T> = std::result::Result<T, String>;

/// A script of bash that runs, with all that it has started. Variables that it sets are there for the next one.
pub(super) struct Shell {
    child: Child,
    output: Lines<BufReader<ChildStdout>>,
    errors: PathBuf,
}

impl Shell {
    /// Starts a script in a page's folder.
    pub(super) fn start(folder: &Path, script: &str, environment: &[(&str, String)]) -> Self {
        let variables = folder.join("variables");
        let errors = folder.join("errors");
        let script = format!(
            "set -euo pipefail\n[[ ! -f '{0}' ]] || source '{0}'\nset -a\ntrap \"export -p >'{0}'\" DEBUG EXIT\n{script}",
            variables.display()
        );
        let mut command = Command::new("bash");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SCROLLBACK_")) {
            command.env_remove(name);
        }
        let path = format!("{}:{}", folder.join("bin").display(), std::env::var("PATH").unwrap_or_default());
        command.arg("-c").arg(script).current_dir(folder).env("PATH", path);
        command.envs(environment.iter().filter(|(_, value)| !value.is_empty()).cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(fs::File::create(&errors).unwrap());
        // A group of its own, so that it ends with all that it has started.
        let mut child = command.process_group(0).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, output, errors }
    }

    /// Runs it to its end, which must be a good one: what it has printed.
    pub(super) async fn output(mut self) -> Result<String> {
        let mut printed = String::new();
        let ended = timeout(TIMEOUT, async {
            while let Some(line) = self.output.next_line().await.unwrap() {
                printed.push_str(&line);
                printed.push('\n');
            }
            self.child.wait().await.unwrap()
        });
        let status = ended.await.map_err(|_| "it does not end")?;
        if status.success() { Ok(printed) } else { Err(format!("{status}: {printed}{}", self.errors())) }
    }

    /// What follows `prefix` on the first line that begins with it.
    pub(super) async fn next_line(&mut self, prefix: &str) -> Result<String> {
        let found = timeout(TIMEOUT, async {
            while let Some(line) = self.output.next_line().await.unwrap() {
                if let Some(rest) = line.strip_prefix(prefix) {
                    return Some(rest.to_owned());
                }
            }
            None
        });
        let found = found.await.map_err(|_| format!("no line `{prefix}…` in time"))?;
        found.ok_or_else(|| format!("it ended without a line `{prefix}…`: {}", self.errors()))
    }

    /// The same, and ends it.
    pub(super) async fn line(mut self, prefix: &str) -> Result<String> {
        self.next_line(prefix).await
    }

    fn errors(&self) -> String {
        fs::read_to_string(&self.errors).unwrap_or_default()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // There is no number any more when it has ended and that was noticed.
        if let Some(group) = self.child.id() {
            let _ = std::process::Command::new("kill").args(["-KILL", "--", &format!("-{group}")]).status();
        }
    }
}

/// Writes a program that the scripts of a page find before that of the machine.
pub(super) fn write_program(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(path, executable).unwrap();
}

/// The first line that a program prints; its errors if it prints none.
pub(super) async fn first_line(program: &mut Child) -> Result<String> {
    let mut output = BufReader::new(program.stdout.take().unwrap()).lines();
    if let Some(line) = output.next_line().await.unwrap() {
        return Ok(line);
    }
    let mut errors = String::new();
    program.stderr.take().unwrap().read_to_string(&mut errors).await.unwrap();
    Err(errors)
}
