//! A PostgreSQL of the tests' own: started from the installed binaries, gone when the tests are.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{Connection, Executor, PgConnection};

use super::Disk;

/// A cluster in a temporary folder.
pub(crate) struct Cluster {
    binaries: PathBuf,
    folder: PathBuf,
    port: u16,
    databases: AtomicU32,
    environment: Vec<(&'static str, String)>,
    /// Takes the cluster down when its standard input closes: however the tests end, that happens.
    watchdog: Child,
}

/// The one cluster of a test run; every test makes a database of its own in it.
pub(crate) fn shared_cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| Cluster::start(&["fsync=off", "full_page_writes=off"]))
}

impl Cluster {
    /// Makes a cluster and starts it with these settings.
    pub(crate) fn start(settings: &[&str]) -> Self {
        Self::start_in(settings, Vec::new())
    }

    /// The same, with its files on this disk.
    pub(crate) fn start_on(disk: &Disk) -> Self {
        Self::start_in(&[], disk.environment().into())
    }

    fn start_in(settings: &[&str], environment: Vec<(&'static str, String)>) -> Self {
        let binaries = binaries();
        let folder = tempfile::Builder::new().prefix("scrollback-pg-").tempdir().unwrap().keep();
        if let Some((uid, gid)) = unprivileged() {
            chown(&folder, Some(uid), Some(gid)).unwrap();
        }
        let data = folder.join("data");
        let mut initdb = command(&binaries.join("initdb"));
        run(initdb
            .args([
                "--username=scrollback",
                "--auth=trust",
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            ])
            .arg(&data));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut lines = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = '{}'\nmax_connections = 400\n",
            folder.display()
        );
        for setting in settings {
            lines.push_str(setting);
            lines.push('\n');
        }
        let file = data.join("postgresql.conf");
        fs::write(&file, fs::read_to_string(&file).unwrap() + &lines).unwrap();
        let script = r#"cat >/dev/null; "$0/pg_ctl" --pgdata="$1/data" --mode=immediate stop; rm -rf "$1""#;
        // Of two roles that others are not.
        let rules = "host all with_password 127.0.0.1/32 scram-sha-256\nhostssl all with_tls 127.0.0.1/32 trust\n\
                     host all with_tls 127.0.0.1/32 reject\n";
        let file = data.join("pg_hba.conf");
        fs::write(&file, rules.to_owned() + &fs::read_to_string(&file).unwrap()).unwrap();
        let watchdog = command(Path::new("sh"))
            .args(["-c", script])
            .args([&binaries, &folder])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap();
        let cluster = Self { binaries, folder, port, databases: AtomicU32::new(0), environment, watchdog };
        cluster.up();
        let mut psql = command(&cluster.binaries.join("psql"));
        let roles = "CREATE ROLE plain LOGIN; CREATE ROLE with_password LOGIN PASSWORD 'right'; \
                     CREATE ROLE with_tls LOGIN; CREATE ROLE without_room LOGIN CONNECTION LIMIT 0";
        psql.args(["--no-psqlrc", "--quiet", "--command", roles]);
        run(psql.args(["--dbname", &cluster.url("postgres")]));
        cluster
    }

    /// Starts the server and waits until it takes connections.
    pub(crate) fn up(&self) {
        let mut start = self.pg_ctl("start");
        start.args(["--wait", "--silent"]).arg("--log").arg(self.folder.join("log"));
        run(start.envs(self.environment.iter().cloned()));
    }

    /// Whether the server takes connections.
    pub(crate) async fn answers(&self) -> bool {
        PgConnection::connect(&self.url("postgres")).await.is_ok()
    }

    /// Whether the server runs, if only to recover.
    pub(crate) fn is_up(&self) -> bool {
        self.pg_ctl("status").stdout(Stdio::null()).status().unwrap().success()
    }

    /// Stops the server at once, as a crash would.
    pub(crate) fn crash(&self) {
        run(self.pg_ctl("stop").args(["--mode=immediate", "--silent"]));
    }

    fn pg_ctl(&self, action: &str) -> Command {
        let mut command = command(&self.binaries.join("pg_ctl"));
        command.arg(action).arg("--pgdata").arg(self.folder.join("data"));
        command
    }

    /// Where a database of the cluster is.
    pub(crate) fn url(&self, database: &str) -> String {
        self.url_as("scrollback", database)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    fn url_as(&self, role: &str, database: &str) -> String {
        format!("postgres://{role}@127.0.0.1:{}/{database}", self.port)
    }

    /// A new, empty database.
    pub(crate) async fn create_database(&self) -> String {
        let name = self.create("").await;
        self.url(&name)
    }

    /// A new, empty database, reached as a role that may do nothing but what an owner may: the cluster's own
    /// is a superuser, whom no policy binds.
    pub(crate) async fn create_database_of_a_plain_role(&self) -> String {
        let name = self.create("OWNER plain").await;
        self.url_as("plain", &name)
    }

    /// Everything that a database has, as SQL. Nothing in it depends on the version of PostgreSQL's tools.
    pub(crate) fn dump(&self, url: &str) -> String {
        let mut dump = command(&self.binaries.join("pg_dump"));
        dump.args(["--no-owner", "--no-privileges", "--dbname", url]);
        let output = dump.stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let depends = ["\\restrict", "\\unrestrict", "-- Dumped", "SET transaction_timeout"];
        let kept = text.lines().filter(|line| !depends.iter().any(|start| line.starts_with(start)));
        kept.map(|line| format!("{line}\n")).collect()
    }

    /// Runs a dump.
    pub(crate) fn load(&self, url: &str, sql: &str) {
        let mut psql = command(&self.binaries.join("psql"));
        psql.args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname", url]);
        let mut running = psql.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        running.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        assert!(running.wait().unwrap().success());
    }

    async fn create(&self, owner: &str) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&self.url("postgres")).await.unwrap();
        let create = format!("CREATE DATABASE {name} {owner}");
        connection.execute(sqlx::AssertSqlSafe(create)).await.unwrap();
        name
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        let _ = self.watchdog.wait();
    }
}

/// The newest installed PostgreSQL's binaries.
fn binaries() -> PathBuf {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, path)| path.join("initdb").exists())
        .collect();
    versions.sort();
    if let Some((_, path)) = versions.pop() {
        return path;
    }
    let output = Command::new("pg_config").arg("--bindir").output();
    let path = output.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    path.map(|path| PathBuf::from(path.trim()))
        .filter(|path| path.join("initdb").exists())
        .expect("PostgreSQL's server binaries are installed (`tests/run` installs them)")
}

/// PostgreSQL refuses to run as root: then it runs as `postgres`, or as `nobody`.
pub(super) fn unprivileged() -> Option<(u32, u32)> {
    let number = |arguments: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(arguments).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    };
    if number(&["-u"]) != Some(0) {
        return None;
    }
    let user = ["postgres", "nobody"].into_iter().find(|user| number(&["-u", user]).is_some()).unwrap();
    Some((number(&["-u", user]).unwrap(), number(&["-g", user]).unwrap()))
}

/// A program of PostgreSQL or beside it, which does not run as root.
pub(super) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    if let Some((uid, gid)) = unprivileged() {
        command.uid(uid).gid(gid);
    }
    command
}

fn run(command: &mut Command) {
    // The server keeps what it inherits open, so its output cannot be waited for through a pipe.
    let mut errors = tempfile::tempfile().unwrap();
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors.try_clone().unwrap())
        .status()
        .unwrap();
    if !status.success() {
        let mut text = String::new();
        std::io::Seek::rewind(&mut errors).unwrap();
        errors.read_to_string(&mut text).unwrap();
        panic!("{command:?}: {status}: {text}");
    }
}
