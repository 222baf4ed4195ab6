//! Servers, clients and databases for tests.
//!
//! A [`TestApp`] is a whole server on a port of its own, over a database of its own. Tests are
//! written once and run on both databases with [`on_each_database`].

mod client;
mod collector;
mod disk;
mod events;
mod imports;
mod key_server;
mod nats;
mod node;
mod pgbouncer;
mod postgres;
mod program;
mod s3;
mod socket;
mod tls;

use std::path::{Path, PathBuf};
use std::time::Duration;

use scrollback::app::App;
use scrollback::auth::{TokenRequirements, sign, sign_with_scope};
use scrollback::clock::Clock;
use scrollback::config::{self, Config, Sources};
use scrollback::model::{OwnerId, Timestamp};
use scrollback::store::Store;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub(crate) use client::{APPEND, APPEND_TEXT, Client, FINISH};
pub(crate) use collector::{Collector, CollectorAnswer, attribute};
pub(crate) use disk::{Disk, DiskFault};
pub(crate) use events::EventStream;
pub(crate) use imports::import;
pub(crate) use key_server::{KeyServer, SigningKey};
pub(crate) use nats::Nats;
pub(crate) use node::{
    assert_browser, built_typescript_client, litestream, packaged_program, run_python, run_python_packages,
    run_script, run_script_with, run_typescript_client, start_script, start_typescript_client,
};
pub(crate) use pgbouncer::PgBouncer;
pub(crate) use postgres::{Cluster, shared_cluster};
pub(crate) use program::{Program, Running};
pub(crate) use s3::S3;
pub(crate) use socket::{Closed, Socket};
pub(crate) use tls::Authority;

/// The secret of tokens in tests.
pub(crate) const SECRET: &str = "a secret that only the tests know";

/// No wait in a test may take longer.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Sqlite,
    Postgres,
    /// The same behind its row-level security, for some tests.
    PostgresWithRowLevelSecurity,
}

/// A server on a port of its own, over a database of its own.
pub(crate) struct TestApp {
    pub(crate) url: String,
    pub(crate) store: Store,
    pub(crate) config: Config,
    pub(crate) engine: Engine,
    clock: Clock,
    folder: TempDir,
    stop: Option<oneshot::Sender<()>>,
    stopped: Option<tokio::task::JoinHandle<anyhow::Result<()>>>,
}

impl TestApp {
    pub(crate) async fn start(engine: Engine) -> Self {
        Self::start_with(engine, &[]).await
    }

    /// A server with some settings changed.
    pub(crate) async fn start_with(engine: Engine, settings: &[(&'static str, &str)]) -> Self {
        Self::start_from(engine, "", settings).await
    }

    /// Starts with a configuration file too, for settings that have no other source.
    pub(crate) async fn start_from(engine: Engine, file: &str, settings: &[(&'static str, &str)]) -> Self {
        Self::start_at(Clock::system(), engine, file, settings).await
    }

    /// Starts with a clock that the test sets. Streams do not expire when it moves on.
    pub(crate) async fn start_with_clock(engine: Engine, clock: Clock) -> Self {
        Self::start_at(clock, engine, "", &[("feed.lease", "3650days")]).await
    }

    /// The same with a configuration file.
    pub(crate) async fn start_from_with_clock(engine: Engine, clock: Clock, file: &str) -> Self {
        Self::start_at(clock, engine, file, &[("feed.lease", "3650days")]).await
    }

    async fn start_at(clock: Clock, engine: Engine, file: &str, settings: &[(&'static str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = match engine {
            Engine::Sqlite => format!("sqlite://{}/test.db", folder.path().display()),
            Engine::Postgres => shared_cluster().create_database().await,
            Engine::PostgresWithRowLevelSecurity => shared_cluster().create_database_of_a_plain_role().await,
        };
        let mut flags = vec![
            ("data_dir", folder.path().display().to_string()),
            ("files.storage", folder.path().join("files").display().to_string()),
            ("database.url", url),
            ("auth.jwt_secret", SECRET.to_owned()),
            ("server.listen", "127.0.0.1:0".to_owned()),
            // Of a machine that builds something else meanwhile, too.
            ("database.acquire_timeout", "20s".to_owned()),
        ];
        if engine == Engine::PostgresWithRowLevelSecurity {
            flags.push(("database.row_level_security", "on".to_owned()));
        }
        flags.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let path = folder.path().join("scrollback.toml");
        std::fs::write(&path, file).unwrap();
        let config = config::load(Sources { file: Some(&path), flags, ..Sources::default() }).unwrap();
        Self::serve(engine, config, folder, clock).await
    }

    async fn serve(engine: Engine, config: Config, folder: TempDir, clock: Clock) -> Self {
        let app = App::open(config.clone(), clock.clone()).await.unwrap();
        let listener = TcpListener::bind(config.server.listen).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopping) = oneshot::channel();
        let store = app.store.clone();
        let stopped = tokio::spawn(app.serve(listener, async {
            let _ = stopping.await;
        }));
        Self { url, store, config, engine, clock, folder, stop: Some(stop), stopped: Some(stopped) }
    }

    /// Another replica over the same database.
    pub(crate) async fn replica(&self) -> Self {
        Self::serve(self.engine, self.config.clone(), tempfile::tempdir().unwrap(), self.clock.clone()).await
    }

    /// The files of attachments on the disk.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        files_in(Path::new(self.config.files.storage.as_deref().unwrap()))
    }

    /// Waits until there are so many files of attachments on the disk.
    pub(crate) async fn files_become(&self, count: usize) {
        let waiting = async {
            while self.files().len() != count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let done = tokio::time::timeout(TIMEOUT, waiting).await;
        assert!(done.is_ok(), "{count} files were to be left, there are {:?}", self.files());
    }

    /// Shuts down as SIGTERM does, and waits until all is done.
    pub(crate) async fn stop(&mut self) {
        drop(self.stop.take());
        if let Some(stopped) = self.stopped.take() {
            tokio::time::timeout(TIMEOUT, stopped).await.unwrap().unwrap().unwrap();
        }
    }

    /// Restarts the server with its stored data.
    pub(crate) async fn restart(mut self) -> Self {
        self.stop().await;
        Self::serve(self.engine, self.config, self.folder, self.clock).await
    }

    /// A client with this user's token.
    pub(crate) fn client(&self, user: &str) -> Client {
        Client::new(&self.url, Some(token(user, Duration::from_secs(600))))
    }

    /// A client with the token of a back end that may act for others.
    pub(crate) fn back_end(&self) -> Client {
        Client::new(&self.url, Some(back_end_token(Duration::from_secs(600))))
    }

    /// A client whose token has scopes.
    pub(crate) fn client_with(&self, user: &str, scope: &str) -> Client {
        Client::new(&self.url, Some(token_with_scope(user, Duration::from_secs(600), scope)))
    }

    /// A client without a token.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(&self.url, None)
    }

    /// A socket that has introduced itself as this user.
    pub(crate) async fn socket(&self, user: &str) -> Socket {
        let mut socket = Socket::open(&self.url).await;
        socket.introduce(&token(user, Duration::from_secs(600))).await;
        socket
    }
}

/// The files in a folder and the folders in it.
pub(crate) fn files_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files_in(&path) } else { vec![path] }).collect()
}

/// A token of the kind [`TestApp`] believes.
pub(crate) fn token(user: &str, lifetime: Duration) -> String {
    let expires_at = Timestamp(Clock::system().now().0 + i64::try_from(lifetime.as_micros()).unwrap());
    sign(SECRET.as_bytes(), &OwnerId::new(user).unwrap(), expires_at, &TokenRequirements::default()).unwrap()
}

/// A token of a back end that may act for others.
pub(crate) fn back_end_token(lifetime: Duration) -> String {
    token_with_scope("back end", lifetime, "chat scrollback:act-as")
}

/// The same with scopes.
pub(crate) fn token_with_scope(user: &str, lifetime: Duration, scope: &str) -> String {
    let expires_at = Timestamp(Clock::system().now().0 + i64::try_from(lifetime.as_micros()).unwrap());
    let (owner, requirements) = (OwnerId::new(user).unwrap(), TokenRequirements::default());
    sign_with_scope(&SECRET.as_bytes().into(), &owner, expires_at, &requirements, Some(scope)).unwrap()
}

/// Makes of each function two tests: one on SQLite, one on PostgreSQL.
macro_rules! on_each_database {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use crate::harness::{Engine, TestApp};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                super::$name(TestApp::start(Engine::Sqlite).await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                super::$name(TestApp::start(Engine::Postgres).await).await;
            }
        }
    )+};
}
pub(crate) use on_each_database;

/// Makes of each function a third test: behind PostgreSQL's row-level security.
macro_rules! with_row_level_security {
    ($($name:ident),+ $(,)?) => {
        mod with_row_level_security {
            use crate::harness::{Engine, TestApp};

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(TestApp::start(Engine::PostgresWithRowLevelSecurity).await).await;
            })+
        }
    };
}
pub(crate) use with_row_level_security;
