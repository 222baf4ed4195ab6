//! The options of the benchmark.

use std::path::PathBuf;
use std::time::Duration;

use crate::arguments::{Arguments, chosen, program, refuse};
use crate::deployment::Credentials;
use crate::operation::{HISTORY, LIST};
use crate::test_data::DataSize;

const OPERATIONS: [&str; 7] = ["append", "history", "list", "page", "open", "append-forked", "fan-out"];

/// All options.
pub(crate) struct Options {
    /// The names of the measured operations, in order.
    pub(crate) operations: Vec<&'static str>,
    pub(crate) place: Target,
    pub(crate) clients: Vec<usize>,
    pub(crate) subscribers: Vec<usize>,
    /// Messages of a fan-out.
    pub(crate) appends: usize,
    pub(crate) duration: Duration,
    pub(crate) rounds: usize,
    pub(crate) users: usize,
    pub(crate) amount: DataSize,
}

/// The measured servers.
pub(crate) enum Target {
    /// Servers of these builds, by name, with each of these databases.
    OwnedServers { programs: Vec<(String, PathBuf)>, engines: Vec<&'static str> },
    /// A running server, by the addresses of its replicas.
    Running { addresses: Vec<String>, credentials: Credentials },
}

impl Options {
    /// Parses the arguments. Invalid ones end the program.
    pub(crate) fn read() -> Self {
        let mut arguments = Arguments::read(include_str!("help.txt"));
        let words = arguments.words();
        let named = words.iter().map(|word| chosen("operation", word, &OPERATIONS));
        let operations: Vec<_> = if words.is_empty() { OPERATIONS.to_vec() } else { named.collect() };
        let amount = DataSize {
            conversations: arguments.number("conversations", LIST),
            messages: arguments.number("messages", 100),
        };
        if (operations.contains(&"list") || operations.contains(&"open")) && amount.conversations < LIST {
            refuse(format!("conversations: a list is of {LIST}"));
        }
        if operations.contains(&"history") && amount.messages < HISTORY {
            refuse(format!("messages: a history is of {HISTORY}"));
        }
        // By default a running server allows 20 WebSockets for each owner.
        let subscribers: &[usize] = if arguments.has("url") { &[10] } else { &[10, 100] };
        Self {
            operations,
            clients: arguments.numbers("clients", &[1, 16, 64]),
            subscribers: arguments.numbers("subscribers", subscribers),
            appends: arguments.number("appends", 500),
            duration: Duration::from_secs(arguments.number("seconds", 3) as u64),
            rounds: arguments.number("rounds", 3),
            users: arguments.number("users", 50),
            amount,
            place: Target::read(arguments),
        }
    }
}

impl Target {
    fn read(mut arguments: Arguments) -> Self {
        let secret = arguments.text("secret").map(Credentials::Secret);
        let credentials = secret.or_else(|| arguments.text("token").map(Credentials::Token));
        if let Some(urls) = arguments.text("url") {
            if let Some((name, _)) = arguments.rest().first() {
                refuse(format!("{name}: goes with no url"));
            }
            let addresses = urls.split(',').map(address).collect();
            let Some(credentials) = credentials else { refuse("url: goes with a secret or a token") };
            return Self::Running { addresses, credentials };
        }
        if credentials.is_some() {
            refuse("secret, token: go with a url");
        }
        let engines = arguments.choices("engines", &["SQLite", "PostgreSQL"]);
        let this = ("this".to_owned(), arguments.this());
        let others = arguments.rest().into_iter().map(|(name, path)| {
            let program = program(&name, &path);
            (name, program)
        });
        let programs = std::iter::once(this).chain(others);
        Self::OwnedServers { programs: programs.collect(), engines }
    }
}

/// `host:port` of an address that begins with `http://`.
fn address(url: &str) -> String {
    let Some(address) = url.trim_end_matches("/graphql").trim_end_matches('/').strip_prefix("http://") else {
        refuse(format!("url: {url} does not begin with http://, and no TLS is spoken here"))
    };
    if address.contains(':') { address.to_owned() } else { format!("{address}:80") }
}
