//! The database of a program, for statements that the program would never run.

use std::fs;
use std::path::PathBuf;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row, SqliteConnection};

use crate::harness::{Engine, Program, shared_cluster};

/// A database whose server is stopped.
pub(crate) enum Database {
    Sqlite { file: PathBuf, saved: PathBuf },
    Postgres { url: String },
}

impl Database {
    pub(crate) fn of(engine: Engine, program: &Program) -> Self {
        let folder = program.folder();
        match engine {
            Engine::Sqlite => {
                let file = folder.join("data/scrollback.db");
                Self::Sqlite { file, saved: folder.join("saved.db") }
            }
            // As a superuser, from whom row-level security hides nothing.
            _ => {
                let url = program.variable("SCROLLBACK_DATABASE_URL");
                Self::Postgres { url: shared_cluster().url(url.rsplit('/').next().unwrap()) }
            }
        }
    }

    pub(crate) async fn run(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite { file, .. } => {
                let mut connection = SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
                connection.execute(sql).await.unwrap();
                connection.close().await.unwrap();
            }
            Self::Postgres { url } => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                connection.execute(sql).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite { file, .. } => {
                let mut connection = SqliteConnection::connect(file.to_str().unwrap()).await.unwrap();
                connection.fetch_one(sql).await.unwrap().get(0)
            }
            Self::Postgres { url } => {
                let mut connection = PgConnection::connect(url).await.unwrap();
                connection.fetch_one(sql).await.unwrap().get(0)
            }
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Sqlite { .. } => "",
            Self::Postgres { url } => url.rsplit('/').next().unwrap(),
        }
    }

    async fn administrate(statements: &[String]) {
        let mut connection = PgConnection::connect(&shared_cluster().url("postgres")).await.unwrap();
        for statement in statements {
            connection.execute(AssertSqlSafe(statement.clone())).await.unwrap();
        }
    }

    /// Keeps the database as it is.
    pub(crate) async fn save(&self) {
        match self {
            Self::Sqlite { file, saved } => drop(fs::copy(file, saved).unwrap()),
            Self::Postgres { .. } => {
                let name = self.name();
                Self::administrate(&[format!("CREATE DATABASE {name}_saved TEMPLATE {name}")]).await;
            }
        }
    }

    /// Makes it as it was when it was saved.
    pub(crate) async fn reset(&self) {
        match self {
            Self::Sqlite { file, saved } => {
                for companion in ["-wal", "-shm"] {
                    let _ = fs::remove_file(format!("{}{companion}", file.display()));
                }
                fs::copy(saved, file).unwrap();
            }
            Self::Postgres { .. } => {
                let name = self.name();
                let drop = format!("DROP DATABASE {name} WITH (FORCE)");
                Self::administrate(&[drop, format!("CREATE DATABASE {name} TEMPLATE {name}_saved")]).await;
            }
        }
    }
}
