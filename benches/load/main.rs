//! Measures throughput, latency and CPU time of a server: `cargo bench --bench load`, and `-- help` for the
//! options.
//!
//! Servers and PostgreSQL are separate processes on this machine with default settings: every commit is on
//! disk before its response. They are filled with data first; a running server can be measured instead.
//! Builds that are compared take turns in every round, and medians are printed.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a benchmark does not expect ends it")]

mod arguments;
mod chat_data;
mod closed_loop;
mod cpu;
mod deployment;
mod fan_out;
mod http;
mod measurement;
mod operation;
mod options;
mod subscriber;
mod test_data;

#[path = "../../tests/it"]
mod it {
    #[expect(dead_code, unused_imports, unused_macros, reason = "the tests use the rest")]
    pub(crate) mod harness;
}

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;

use futures_util::FutureExt;

use chat_data::fill_chats;
use deployment::Deployment;
use http::Connection;
use it::harness::Cluster;
use measurement::Table;
use operation::Operation;
use options::{Options, Target};
use test_data::{Conversation, clear, fill};

/// A deployment with its test data.
struct FilledDeployment {
    deployment: Deployment,
    conversations: Vec<Conversation>,
    /// One of each user, if pages of chats are measured.
    chats: Vec<Conversation>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = Options::read();
    let (rounds, seconds) = (options.rounds, options.duration.as_secs());
    println!("{rounds} rounds of {seconds} s each; medians. CPU in µs an operation");
    match &options.place {
        Target::OwnedServers { programs, engines } => {
            for engine in engines {
                let cluster = (*engine == "PostgreSQL").then(|| Cluster::start(&["max_wal_size=4GB"]));
                let sockets = 2 * options.subscribers.iter().copied().max().unwrap_or_default();
                let mut all = Vec::new();
                for (name, program) in programs {
                    let it = Deployment::start(name, program, cluster.as_ref(), sockets.max(20)).await;
                    all.push(FilledDeployment::new(it, &options).await);
                }
                measure(engine, &mut all, &options).await;
            }
        }
        Target::Running { addresses, credentials } => {
            let deployment = Deployment::running(addresses.clone(), credentials.clone());
            let mut all = [FilledDeployment::new(deployment, &options).await];
            // The test data is deleted in any case.
            let measured = AssertUnwindSafe(measure("running", &mut all, &options)).catch_unwind().await;
            for made in [&all[0].conversations, &all[0].chats] {
                clear(all[0].deployment.address(), made).await;
            }
            if let Err(panic) = measured {
                resume_unwind(panic);
            }
        }
    }
}

impl FilledDeployment {
    async fn new(deployment: Deployment, options: &Options) -> Self {
        let tokens = deployment.tokens(options.users);
        let conversations = fill(deployment.address(), &tokens, options.amount).await;
        let mut operations = options.operations.iter().filter_map(|name| Operation::named(name));
        let has_chats = operations.any(Operation::is_about_chats);
        let chats = if has_chats { fill_chats(deployment.address(), &tokens).await } else { Vec::new() };
        Self { deployment, conversations, chats }
    }
}

/// Measures each operation on all deployments and prints its table.
async fn measure(title: &str, all: &mut [FilledDeployment], options: &Options) {
    for name in &options.operations {
        let title = format!("{title}: {name}");
        match Operation::named(name) {
            Some(operation) => measure_operation(&title, operation, all, options).await,
            None => fan_out(&title, all, options).await,
        }
    }
}

async fn measure_operation(title: &str, operation: Operation, all: &[FilledDeployment], options: &Options) {
    let mut prepared = Vec::new();
    for FilledDeployment { deployment, conversations, chats } in all {
        let address = deployment.address();
        let conversations = if operation.is_about_chats() { chats } else { conversations };
        // A list reads all conversations of an owner, and the first ones belong to different owners.
        let about = if operation == Operation::List { options.users } else { conversations.len() };
        let about = conversations.iter().take(about);
        let requests: Vec<_> = about.map(|conversation| operation.request(address, conversation)).collect();
        let mut connection = Connection::open(address).await.expect("a connection");
        operation.check(&mut connection, &requests[0]).await;
        prepared.push((deployment, Arc::new(requests)));
    }
    let mut table = Table::default();
    for _ in 0..options.rounds {
        for clients in &options.clients {
            for (place, (deployment, requests)) in prepared.iter().enumerate() {
                let found =
                    closed_loop::measure(deployment, operation, requests, *clients, options.duration).await;
                table.add(*clients, place, &deployment.name, found, &[]);
            }
        }
    }
    table.print(title, ["clients", "a second"], &[]);
}

async fn fan_out(title: &str, all: &mut [FilledDeployment], options: &Options) {
    let mut table = Table::default();
    for _ in 0..options.rounds {
        for subscribers in &options.subscribers {
            for (place, FilledDeployment { deployment, conversations, .. }) in all.iter_mut().enumerate() {
                for replicas in 1..=if deployment.can_add_servers() { 2 } else { 1 } {
                    if replicas == 2 {
                        deployment.add_server().await;
                    }
                    let conversation = fan_out::conversation(deployment).await;
                    conversations.push(conversation.clone());
                    let (subscribers, appends) = (*subscribers, options.appends);
                    let found = fan_out::measure(deployment, &conversation, subscribers, appends).await;
                    let replicas = deployment.addresses.len();
                    let several = if replicas > 1 { format!(", {replicas} replicas") } else { String::new() };
                    let name = format!("{}{several}", deployment.name);
                    table.add(subscribers, 2 * place + replicas, &name, found.figures, &found.faults);
                    if deployment.can_add_servers() {
                        deployment.remove_servers();
                    }
                }
            }
        }
    }
    table.print(title, ["subscribers", "deliveries/s"], &fan_out::FAULTS);
}
