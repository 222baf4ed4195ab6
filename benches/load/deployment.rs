//! The measured servers: started here, or running already.

use std::path::Path;
use std::time::Duration;

use scrollback::auth::{TokenRequirements, sign};
use scrollback::clock::Clock;
use scrollback::model::{OwnerId, Timestamp};

use crate::cpu;
use crate::it::harness::{Cluster, Program, Running, SECRET};

/// Servers with one database.
pub(crate) struct Deployment {
    /// The name in tables.
    pub(crate) name: String,
    /// `host:port` of each. Requests go to the first.
    pub(crate) addresses: Vec<String>,
    credentials: Credentials,
    /// The processes of the servers, if known.
    pub(crate) processes: Option<Vec<u32>>,
    postgres: Option<u32>,
    own: Option<OwnedServers>,
}

/// Servers that are started here and end when this is dropped.
struct OwnedServers {
    program: Program,
    running: Vec<Running>,
}

/// The credentials for the servers.
#[derive(Debug, Clone)]
pub(crate) enum Credentials {
    /// A secret to sign tokens with.
    Secret(String),
    /// A single token.
    Token(String),
}

/// CPU time so far, in microseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CpuUsage {
    pub(crate) server: Option<u64>,
    pub(crate) database: Option<u64>,
    pub(crate) load: u64,
}

/// The name of a build that runs with row-level security of PostgreSQL.
const ROW_LEVEL_SECURITY: &str = "row-level-security";

impl Deployment {
    /// Starts a server of a build with a new database of the cluster, or SQLite.
    pub(crate) async fn start(name: &str, build: &Path, cluster: Option<&Cluster>, sockets: usize) -> Self {
        let mut program = Program::of(build.into())
            .with("SCROLLBACK_AUTH_JWT_SECRET", SECRET)
            .with("SCROLLBACK_LOG_LEVEL", "warn")
            .with("SCROLLBACK_SERVER_SOCKETS_PER_OWNER", sockets.to_string());
        let mut postgres = None;
        if let Some(cluster) = cluster {
            let with_policies = name == ROW_LEVEL_SECURITY;
            let database = if with_policies {
                cluster.create_database_of_a_plain_role().await
            } else {
                cluster.create_database().await
            };
            program = program.with("SCROLLBACK_DATABASE_URL", database);
            if with_policies {
                program = program.with("SCROLLBACK_DATABASE_ROW_LEVEL_SECURITY", "on");
            }
            postgres = Some(cpu::postmaster(cluster).await);
        }
        let credentials = Credentials::Secret(SECRET.into());
        let own = Some(OwnedServers { program, running: Vec::new() });
        let (addresses, processes) = (Vec::new(), Some(Vec::new()));
        let mut it = Self { name: name.into(), addresses, credentials, processes, postgres, own };
        it.add_server().await;
        it
    }

    /// Servers that are running already.
    pub(crate) fn running(addresses: Vec<String>, credentials: Credentials) -> Self {
        let processes = addresses.iter().map(|address| cpu::listener(address)).collect();
        Self { name: addresses.join(", "), addresses, credentials, processes, postgres: None, own: None }
    }

    /// Starts another server with the same database.
    pub(crate) async fn add_server(&mut self) {
        if let Some(OwnedServers { program, running }) = &mut self.own {
            let server = program.serve(&[]).await;
            self.addresses.push(server.url.trim_start_matches("http://").to_owned());
            running.push(server);
            self.look();
        }
    }

    /// Stops all servers but the first.
    pub(crate) fn remove_servers(&mut self) {
        if let Some(OwnedServers { running, .. }) = &mut self.own {
            running.truncate(1);
            self.addresses.truncate(1);
            self.look();
        }
    }

    fn look(&mut self) {
        self.processes = self.own.as_ref().map(|own| own.running.iter().map(Running::process).collect());
    }

    /// Whether more servers can use the same database.
    pub(crate) fn can_add_servers(&self) -> bool {
        self.own.is_some() && self.postgres.is_some()
    }

    /// The address for requests.
    pub(crate) fn address(&self) -> &str {
        &self.addresses[0]
    }

    /// Tokens of users. All the same if there is only one token.
    pub(crate) fn tokens(&self, users: usize) -> Vec<String> {
        (0..users).map(|user| self.credentials.token(&format!("load-{user}"))).collect()
    }

    /// The CPU time so far.
    pub(crate) fn cpu_usage(&self) -> CpuUsage {
        let processes = self.processes.as_ref();
        CpuUsage {
            server: processes.map(|processes| processes.iter().copied().map(cpu::of).sum()),
            database: self.postgres.map(cpu::of_family),
            load: cpu::of(std::process::id()),
        }
    }
}

impl Credentials {
    fn token(&self, user: &str) -> String {
        match self {
            Self::Token(token) => token.clone(),
            Self::Secret(secret) => {
                let day = i64::try_from(Duration::from_secs(86_400).as_micros()).unwrap();
                let until = Timestamp(Clock::system().now().0 + day);
                let owner = OwnerId::new(user).unwrap();
                sign(secret.as_bytes(), &owner, until, &TokenRequirements::default()).unwrap()
            }
        }
    }
}
