//! The database that is searched, with Scrollback or without.

use std::path::PathBuf;

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::closed_loop::{Figures, Processes, measure};
use crate::corpus::{Batch, Corpus, Query};
use crate::fill::owner_name;
use crate::it::harness::{Cluster, Program, Running};
use crate::server::{HttpClient, ListClient};
use crate::{Engine, Load, cpu, postgres, sqlite};

const INDEX_BYTES: &str = "SELECT CAST(sum(bytes) AS bigint) FROM search_segment";

/// A database of Scrollback, and another one of the same engine for its own full-text search.
pub(crate) struct Database {
    folder: TempDir,
    pub(crate) url: String,
    postgres: Option<Postgres>,
}

struct Postgres {
    /// Its servers end with it.
    _cluster: Cluster,
    process: u32,
    full_text: String,
}

/// What is searched.
#[derive(Clone, Copy)]
pub(crate) enum Target<'r> {
    Scrollback(&'r Running),
    /// Something else than a search: a list of 20 conversations.
    List(&'r Running),
    /// The full-text search of the database.
    FullText,
    /// The table of messages, with LIKE or ILIKE.
    Scan,
}

impl Database {
    pub(crate) async fn create(engine: Engine) -> Self {
        let folder = tempfile::tempdir().unwrap();
        if engine == Engine::Sqlite {
            let url = format!("sqlite://{}/scrollback.db", folder.path().display());
            return Self { folder, url, postgres: None };
        }
        let cluster = Cluster::start(&["max_wal_size=2GB"]);
        let url = cluster.create_database().await;
        let (full_text, process) = (cluster.create_database().await, cpu::postmaster(&cluster).await);
        Self { folder, url, postgres: Some(Postgres { _cluster: cluster, process, full_text }) }
    }

    pub(crate) fn folder(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) async fn serve(&self) -> (Program, Running) {
        if self.postgres.is_some() {
            postgres::vacuum(&self.url).await;
        }
        let program = Program::believing()
            .with("SCROLLBACK_DATABASE_URL", &self.url)
            .with("SCROLLBACK_LOG_LEVEL", "warn");
        let server = program.serve(&[]).await;
        (program, server)
    }

    /// The bytes of Scrollback's index.
    pub(crate) async fn index_bytes(&self) -> u64 {
        let bytes: i64 = if self.postgres.is_some() {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            sqlx::query_scalar(INDEX_BYTES).fetch_one(&mut connection).await.unwrap()
        } else {
            let connection = rusqlite::Connection::open(self.file("scrollback.db")).unwrap();
            connection.query_row(INDEX_BYTES, [], |row| row.get(0)).unwrap()
        };
        bytes.unsigned_abs()
    }

    /// Makes the index of the database's own full-text search, and gives its bytes.
    pub(crate) async fn index(&self, corpus: &Corpus, batches: &[Batch]) -> u64 {
        if let Some(Postgres { full_text, .. }) = &self.postgres {
            postgres::index(full_text, corpus, batches).await;
            return postgres::index_bytes(full_text).await;
        }
        sqlite::index(&self.file("fts.db"), corpus, batches);
        sqlite::index_bytes(&self.file("fts.db"))
    }

    /// Measures searches of one owner.
    pub(crate) async fn measure(&self, target: Target<'_>, owner: usize, load: Load<'_>) -> Figures {
        let owner = owner_name(owner);
        let Load { queries, clients, duration } = load;
        let mut processes = Processes { server: None, postgres: self.postgres.as_ref().map(|it| it.process) };
        let queries: Vec<Query> = queries.to_vec();
        match (target, &self.postgres) {
            (Target::Scrollback(server), _) => {
                processes.server = Some(server.process());
                let mut all = Vec::new();
                for _ in 0..clients {
                    all.push(HttpClient::connect(&server.url, &owner).await);
                }
                all[0].check(&queries).await;
                measure(all, queries, processes, duration).await
            }
            (Target::List(server), _) => {
                let mut all = Vec::new();
                for _ in 0..clients {
                    all.push(ListClient::connect(&server.url, &owner).await);
                }
                measure(all, queries, processes, duration).await
            }
            (Target::FullText, Some(Postgres { full_text, .. })) => {
                let mut all = Vec::new();
                for _ in 0..clients {
                    all.push(postgres::FullText::connect(full_text, &owner).await);
                }
                measure(all, queries, processes, duration).await
            }
            (Target::Scan, Some(_)) => {
                let mut all = Vec::new();
                for _ in 0..clients {
                    all.push(postgres::Scan::connect(&self.url, &owner).await);
                }
                measure(all, queries, processes, duration).await
            }
            (Target::FullText, None) => {
                let client = |_| sqlite::FullText::connect(&self.file("fts.db"), &owner);
                measure((0..clients).map(client).collect(), queries, processes, duration).await
            }
            (Target::Scan, None) => {
                let client = |_| sqlite::Scan::connect(&self.file("scrollback.db"), &owner);
                measure((0..clients).map(client).collect(), queries, processes, duration).await
            }
        }
    }
}
