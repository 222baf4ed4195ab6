//! Replicas that can be killed, and their addresses.

use std::sync::{Arc, RwLock};
use std::time::Duration;

use rand::RngExt;
use serde_json::json;
use sqlx::{Connection, Executor, PgConnection};

use super::proxy::Proxy;
use crate::harness::{Client, Engine, Program, Running, shared_cluster, token};

/// The current addresses of the replicas.
pub(super) type Addresses = Arc<RwLock<Vec<String>>>;

/// One or more replicas over one database.
pub(super) struct Deployment {
    programs: Vec<Program>,
    running: Vec<Option<Running>>,
    database: Option<String>,
    /// Where the data of SQLite was moved to, if it was.
    moved: Option<String>,
    /// Of the replicas themselves.
    pub(super) replicas: Addresses,
    /// The addresses that clients use.
    pub(super) front: Addresses,
}

impl Deployment {
    pub(super) async fn start(engine: Engine, replicas: usize, settings: &[(&'static str, &str)]) -> Self {
        match engine {
            Engine::Sqlite => {
                Self::run(vec![with_settings(Program::over(engine).await, settings)], None).await
            }
            Engine::Postgres => {
                Self::over(shared_cluster().create_database().await, replicas, settings).await
            }
            Engine::PostgresWithRowLevelSecurity => {
                let database = shared_cluster().create_database_of_a_plain_role().await;
                let setting = ("SCROLLBACK_DATABASE_ROW_LEVEL_SECURITY", "on");
                Self::over(database, replicas, &[settings, &[setting]].concat()).await
            }
        }
    }

    /// Replicas over this PostgreSQL database.
    pub(super) async fn over(database: String, replicas: usize, settings: &[(&'static str, &str)]) -> Self {
        let mut programs = Vec::new();
        for _ in 0..replicas {
            programs.push(with_settings(
                Program::believing().with("SCROLLBACK_DATABASE_URL", &database),
                settings,
            ));
        }
        Self::run(programs, Some(database)).await
    }

    async fn run(programs: Vec<Program>, database: Option<String>) -> Self {
        let mut running = Vec::new();
        // Answers whose writers are gone end while somebody waits for it.
        let alike = programs.into_iter().map(|program| program.with("SCROLLBACK_FEED_LEASE", "3s"));
        let programs: Vec<_> = alike.collect();
        for program in &programs {
            running.push(Some(program.serve(&[]).await));
        }
        let urls = running.iter().flatten().map(|running| running.url.clone()).collect();
        let replicas = Arc::new(RwLock::new(urls));
        Self { programs, running, database, moved: None, front: replicas.clone(), replicas }
    }

    /// Makes clients use the proxy.
    pub(super) fn use_proxy(&mut self, proxy: &Proxy) {
        self.front = Arc::new(RwLock::new(vec![proxy.url.clone()]));
    }

    /// Kills a replica with SIGKILL and starts it again.
    pub(super) async fn kill(&mut self, number: usize) {
        self.running[number].take().unwrap().kill().await;
        let running = self.programs[number].serve(&[]).await;
        self.replicas.write().unwrap()[number].clone_from(&running.url);
        self.running[number] = Some(running);
    }

    /// Kills the only replica, moves its data to the other engine, and starts it there.
    pub(super) async fn move_data(&mut self, number: usize) {
        self.running[0].take().unwrap().kill().await;
        let program = &self.programs[0];
        let file = |name: &str| format!("sqlite://{}", program.folder().join(name).display());
        let (from, to) = match self.database.take() {
            Some(postgres) => (postgres, file(&format!("moved-{number}.db"))),
            None => {
                let from = self.moved.take().unwrap_or_else(|| file("data/scrollback.db"));
                (from, shared_cluster().create_database().await)
            }
        };
        program.printed(&["migrate-data", "--from", &from, "--to", &to]).await;
        let checked = program.printed(&["check", "--database-url", &to]).await;
        assert_eq!(checked.lines().last(), Some("sound"), "{checked}");
        let running = program.serve(&["--database-url", &to]).await;
        self.replicas.write().unwrap()[0].clone_from(&running.url);
        self.running[0] = Some(running);
        match to.starts_with("postgres") {
            true => self.database = Some(to),
            false => self.moved = Some(to),
        }
    }

    /// The URL of PostgreSQL's database.
    pub(super) fn postgres(&self) -> &str {
        self.database.as_ref().unwrap()
    }

    /// Ends a replica as an operator does, and starts it again.
    pub(super) async fn replace(&mut self, number: usize) {
        let old = self.running[number].take().unwrap();
        old.terminate().await;
        old.ended().await;
        let running = self.programs[number].serve(&[]).await;
        self.replicas.write().unwrap()[number].clone_from(&running.url);
        self.running[number] = Some(running);
    }

    /// Sends a signal to every replica.
    pub(super) async fn signal(&self, name: &str) {
        for running in self.running.iter().flatten() {
            running.signal(name).await;
        }
    }

    /// The program of a replica.
    pub(super) fn program(&self, number: usize) -> &Program {
        &self.programs[number]
    }

    /// Ends the database sessions that receive signals.
    pub(super) async fn end_listening_sessions(&self) {
        let mut admin = PgConnection::connect(self.database.as_ref().unwrap()).await.unwrap();
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE application_name = 'scrollback signals' AND datname = current_database()";
        admin.execute(end).await.unwrap();
    }

    /// Waits until a write is rejected. It belongs to another user, so the checked data is not affected.
    pub(super) async fn wait_for_rejection(&self) {
        let bob = Client::new(&address(&self.front), Some(token("bob", Duration::from_secs(600))));
        let query = "mutation { createConversation(input: {}) { conversation { id } } }";
        while bob.attempt(query, json!({})).await.is_some() {}
    }

    /// A client of some replica.
    pub(super) fn client(&self) -> Client {
        client(&self.front)
    }
}

fn with_settings(program: Program, settings: &[(&'static str, &str)]) -> Program {
    settings.iter().fold(program, |program, (name, value)| program.with(name, *value))
}

/// A client of some replica.
pub(super) fn client(addresses: &Addresses) -> Client {
    Client::new(&address(addresses), Some(token("ada", Duration::from_secs(600))))
}

/// The address of some replica.
pub(super) fn address(addresses: &Addresses) -> String {
    let addresses = addresses.read().unwrap();
    addresses[rand::rng().random_range(0..addresses.len())].clone()
}
