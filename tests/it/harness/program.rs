//! The program itself, as a process of its own.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{Client, Engine, SECRET, TIMEOUT, shared_cluster, token};

/// A working folder, and the environment of the program when it runs there.
pub(crate) struct Program {
    folder: TempDir,
    environment: Vec<(&'static str, String)>,
    build: PathBuf,
}

/// A server that is running.
pub(crate) struct Running {
    pub(crate) url: String,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    log: JoinHandle<String>,
    logged: watch::Receiver<String>,
    _group: Option<ProcessGroup>,
}

/// Processes that end with the test, also those that were started by the one that the test started.
struct ProcessGroup(u32);

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        let kill = ["-c", "kill -s KILL -- \"-$0\"", &self.0.to_string()];
        let _ = std::process::Command::new("sh").args(kill).stderr(Stdio::null()).status();
    }
}

impl Program {
    /// A program in an empty folder without settings.
    pub(crate) fn new() -> Self {
        // Another build may be named, to be compared with this one.
        let another = std::env::var_os("SCROLLBACK_PROGRAM");
        Self::of(another.unwrap_or_else(|| env!("CARGO_BIN_EXE_scrollback").into()).into())
    }

    /// The same of a build of the program.
    pub(crate) fn of(build: PathBuf) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new(), build }
    }

    /// In an empty folder, believing the tokens of [`token`].
    pub(crate) fn believing() -> Self {
        Self::new().with("SCROLLBACK_AUTH_JWT_SECRET", SECRET)
    }

    /// Over an empty database, believing the tokens of [`token`].
    pub(crate) async fn over(engine: Engine) -> Self {
        let program = Self::believing();
        match engine {
            Engine::Sqlite => program,
            Engine::Postgres => {
                let program = program.with("SCROLLBACK_FILES_STORAGE", "files");
                program.with("SCROLLBACK_DATABASE_URL", shared_cluster().create_database().await)
            }
            Engine::PostgresWithRowLevelSecurity => {
                let database = shared_cluster().create_database_of_a_plain_role().await;
                let program = program.with("SCROLLBACK_FILES_STORAGE", "files");
                let program = program.with("SCROLLBACK_DATABASE_URL", database);
                program.with("SCROLLBACK_DATABASE_ROW_LEVEL_SECURITY", "on")
            }
        }
    }

    /// With this in its environment.
    pub(crate) fn with(mut self, variable: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((variable, value.into()));
        self
    }

    /// The value of an environment variable.
    pub(crate) fn variable(&self, name: &str) -> &str {
        let found = self.environment.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| value.as_str()).unwrap()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The command itself, for other uses.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_of(&self.build, arguments)
    }

    /// A command in its folder and environment.
    fn command_of(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SCROLLBACK_")) {
            command.env_remove(name);
        }
        command
            .args(arguments)
            .envs(self.environment.iter().cloned())
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        timeout(TIMEOUT, self.command(arguments).output()).await.expect("an end in time").unwrap()
    }

    /// Runs a command that must succeed, and returns its standard output.
    pub(crate) async fn printed(&self, arguments: &[&str]) -> String {
        self.printed_by(&self.build, arguments).await
    }

    /// The same of another program.
    pub(crate) async fn printed_by(&self, program: &Path, arguments: &[&str]) -> String {
        let output = self.command_of(program, arguments).output();
        let output = timeout(TIMEOUT, output).await.expect("an end in time").unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {}: {errors}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Takes back a migration and all after it, whatever migrations were added since.
    pub(crate) async fn undo_migrations_from(&self, name: &str) {
        let status = self.printed(&["migrate", "status"]).await;
        let from = status.lines().position(|line| line.contains(name)).unwrap_or_else(|| panic!("no {name}"));
        let steps = status.lines().count() - from;
        self.printed(&["migrate", "down", "--steps", &steps.to_string()]).await;
    }

    /// Runs a command that must fail, and returns its standard error.
    pub(crate) async fn refused(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Starts a server on a free port, and waits until it listens.
    pub(crate) async fn serve(&self, arguments: &[&str]) -> Running {
        let child = self.command(&[&["--listen", "127.0.0.1:0"], arguments].concat()).spawn().unwrap();
        Running::started(child, None).await
    }

    /// Starts a server below another program, which gets the command line of the server as its last argument, and waits
    /// until the server listens.
    pub(crate) async fn serve_below(&self, parent: &Path, arguments: &[&str]) -> Running {
        let command = format!("{} --listen 127.0.0.1:0", self.build.display());
        let arguments = [arguments, &[&command]].concat();
        let child = self.command_of(parent, &arguments).process_group(0).spawn().unwrap();
        let group = child.id().map(ProcessGroup);
        Running::started(child, group).await
    }
}

impl Running {
    /// Waits until the server of a process listens.
    async fn started(mut child: Child, group: Option<ProcessGroup>) -> Self {
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut errors = child.stderr.take().unwrap();
        let (all, logged) = watch::channel(String::new());
        let log = tokio::spawn(async move {
            let mut piece = vec![0; 16 * 1024];
            let mut bytes = Vec::new();
            loop {
                let read = errors.read(&mut piece).await.unwrap();
                if read == 0 {
                    return String::from_utf8(bytes).unwrap();
                }
                bytes.extend_from_slice(&piece[..read]);
                all.send_replace(String::from_utf8_lossy(&bytes).into_owned());
            }
        });
        let first = timeout(TIMEOUT, lines.next_line()).await.expect("a line in time").unwrap();
        let Some(first) = first else { panic!("it ended: {}", log.await.unwrap()) };
        let url =
            first.strip_prefix("Scrollback is listening on ").and_then(|url| url.strip_suffix("/graphql"));
        let url = url.unwrap_or_else(|| panic!("{first}")).to_owned();
        Self { url, child, lines, log, logged, _group: group }
    }

    /// The next line on its standard output.
    pub(crate) async fn line(&mut self) -> String {
        timeout(TIMEOUT, self.lines.next_line()).await.expect("a line in time").unwrap().expect("a line")
    }

    /// Waits until its log has a text.
    pub(crate) async fn logged(&self, text: &str) {
        self.logged_times(text, 1).await;
    }

    /// Waits until its log has a text so many times.
    pub(crate) async fn logged_times(&self, text: &str, times: usize) {
        let mut logged = self.logged.clone();
        let has = |log: &String| log.matches(text).count() >= times;
        let found = timeout(TIMEOUT, logged.wait_for(has)).await.map(|found| found.is_ok());
        assert!(matches!(found, Ok(true)), "no {text:?}: {}", *self.logged.borrow());
    }

    pub(crate) fn client(&self, user: &str) -> Client {
        Client::new(&self.url, Some(token(user, Duration::from_secs(600))))
    }

    /// Ends the process below it as `kill -9` does.
    pub(crate) async fn kill_child(&self) {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.process())).unwrap();
        let children = threads.map(|thread| thread.unwrap().path().join("children"));
        let children: String = children.map(|file| std::fs::read_to_string(file).unwrap()).collect();
        signal(children.trim(), "KILL").await;
    }

    /// Its number in the operating system.
    pub(crate) fn process(&self) -> u32 {
        self.child.id().unwrap()
    }

    /// The most memory it has held so far, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    /// How much more memory it has held than it had held before, in bytes. The system counts pages for each processor, so
    /// what it says can also be a little less.
    pub(crate) fn peak_growth(&self, before: u64) -> u64 {
        self.peak_memory().saturating_sub(before)
    }

    /// A figure of its memory as the system tells it, in bytes.
    pub(crate) fn status(&self, figure: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(figure)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// Lets it have so many open files, and no more.
    pub(crate) async fn limit_files(&self, files: u32) {
        let process = self.process().to_string();
        let limit = format!("--nofile={files}:{files}");
        assert!(Command::new("prlimit").args(["--pid", &process, &limit]).status().await.unwrap().success());
    }

    /// How many files it has open.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process())).unwrap().count()
    }

    /// How long it has kept processors busy so far, in hundredths of a second.
    pub(crate) fn processor_time(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process())).unwrap();
        // Behind the name, which may hold anything, `utime` and `stime` are the 12th and 13th.
        let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
        fields.map(|field| field.parse::<u64>().unwrap()).sum()
    }

    /// Ends it as `kill -9` does.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Asks it to end, as a service manager does.
    pub(crate) async fn terminate(&self) {
        self.signal("TERM").await;
    }

    /// Sends it a signal.
    pub(crate) async fn signal(&self, name: &str) {
        signal(&self.process().to_string(), name).await;
    }

    /// Waits until it ends, and returns its log.
    pub(crate) async fn ended(mut self) -> (ExitStatus, String) {
        let status = timeout(TIMEOUT, self.child.wait()).await.expect("an end in time").unwrap();
        (status, self.log.await.unwrap())
    }
}

async fn signal(process: &str, name: &str) {
    let kill = Command::new("sh").args(["-c", "kill -\"$0\" \"$1\"", name, process]).status().await.unwrap();
    assert!(kill.success());
}
