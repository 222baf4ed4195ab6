//! Scrollback: a GraphQL server that stores conversations.
//!
//! It stores conversations and messages in SQLite or PostgreSQL and serves them over GraphQL: queries and mutations over
//! HTTP, subscriptions over WebSocket and server-sent events. It calls no model and does not interpret content. It
//! makes four promises:
//!
//! 1. An acknowledged message is durable, stored once, and in order.
//! 2. A subscriber that resumes from its cursor gets every event exactly once, across reconnects, restarts and
//!    replicas.
//! 3. A user cannot read or write what belongs to another user, and cannot find out whether it exists.
//! 4. No request can stop the server or slow other requests noticeably.
//!
//! # Modules
//!
//! ```text
//! main -> cli -> app -> server -> graphql -> feed -> store -> store::entity (private)
//!          |      |        |                   |        |
//!          |      |        +-> auth            +--------+-> signals
//!          |      |        +-> webhooks -> store
//!          |      +-> config, telemetry
//!          +-> backup -> import, export -> store    model, clock, permissions: used by every module
//! ```
//!
//! | module | responsibility |
//! |---|---|
//! | [`model`] | types of the domain and the rules of their values |
//! | [`store`] | the database: `entity` (SeaORM), `repository` (ordinary statements), `hot` (fast paths), `engine` (SQLite and PostgreSQL), `data_migration` (from one engine to the other) |
//! | [`signals`] | notifications that something was committed, within the process and between replicas |
//! | [`feed`] | the readers behind subscriptions |
//! | [`graphql`] | `schema` (one file a noun) and `execution` (documents, limits, validation, responses) |
//! | [`auth`] | verifies tokens and gives the [`model::Viewer`] |
//! | [`memory`] | limits of the memory that operations hold |
//! | [`tokens`] | counts the tokens of texts |
//! | [`rate_limit`] | limits of the operations that an owner may start |
//! | [`server`] | `listener` (connections), `graphql` (HTTP, SSE, WebSocket), `openai` (OpenAI's packages), `admin` (health, metrics), `exports`, `pages` (GraphiQL) |
//! | [`webhooks`] | tells receivers about the changes of all users |
//! | [`openai`] | items of OpenAI's Conversations API, made of messages, and messages made of items |
//! | [`import`] | conversations from files of other systems |
//! | [`export`] | conversations as files, one file a format |
//! | [`backup`] | backups of the whole database, and restores |
//! | [`app`] | builds the server from the configuration |
//! | [`permissions`] | files and folders that only the server's user may use |
//! | [`tls`] | TLS of the requests that the server makes itself |
//! | [`traces`] | spans for OpenTelemetry, and the times of parts of operations |
//! | [`config`], [`cli`], [`telemetry`], [`clock`] | settings, commands, logs, time and new ids |
//! | [`histogram`] | counts values by size, for metrics |
//! | [`panics`] | faults of the program, logged without data and counted |
//!
//! A test (`tests/it/architecture.rs`) checks which module may use which, and that no two files use each other. A noun
//! has a file at every level: `store/repository/messages.rs`, `graphql/schema/message.rs`, `tests/it/messages.rs`.
//!
//! # Six journeys
//!
//! Each step calls the next one; results return the same way.
//!
//! A message is appended on SQLite:
//!
//! 1. `server/graphql/http.rs: graphql` checks the credentials and reads the body.
//! 2. `server/graphql/operations.rs: prepare` and `execute` bound the time of the operation and count it.
//! 3. `graphql/api.rs: Api::prepare` finds a persisted document;
//! 4. `graphql/execution/operation.rs: Operation::prepare` parses, validates and limits the document and its variables.
//! 5. `graphql/schema/message/mutations.rs: append_message` reads the input into [`model`] types.
//! 6. `store/repository/append.rs: Scoped::append` decides whether the fast path applies.
//! 7. `store/hot/writer.rs: Writer::append` queues the messages.
//! 8. `store/hot/writer/sqlite.rs: serve` writes everything that waits in one transaction, commits, signals and answers.
//!
//! The same on PostgreSQL differs in the last step: `store/hot/writer/postgres.rs: serve` writes what waits in one
//! statement. If another session holds the owner's row, `store/hot/writer/postgres/blocked_owners.rs` writes it.
//!
//! A page of history is read:
//!
//! 1. to 4. as above.
//! 5. `graphql/schema/conversation/queries.rs: conversation` looks ahead for the page that is selected.
//! 6. `store/repository/conversations.rs: Scoped::open` asks for the conversation and the page.
//! 7. `store/hot/reads.rs: Reads::conversation` queues the read.
//! 8. `store/hot/reads/postgres.rs` or `store/hot/reads/sqlite.rs` reads both, with the owner in the condition.
//! 9. `graphql/execution/rendered_list.rs: RenderedList` writes the messages as JSON.
//!
//! An event reaches a subscriber:
//!
//! 1. `signals.rs: Signals::signal` wakes the readers of the topic after a commit, here and on other replicas.
//! 2. `feed/registry.rs: read_to_end` reads what is new from the database, once for all subscribers of the
//!    topic.
//! 3. `feed/registry.rs: deliver` puts it into the queue of each subscriber.
//! 4. `feed/subscriber.rs: subscribe` takes it from the queue.
//! 5. `graphql/execution/prerender.rs: EventWriter` renders it, once for all subscribers with the same selection.
//! 6. `graphql/execution/event_stream.rs: ResponseStream` gives it to the transport.
//! 7. `server/graphql/websocket/operation.rs` or `server/graphql/sse.rs` sends it.
//!
//! A change reaches a webhook:
//!
//! 1. `store/changed_owners.rs: ChangedOwners::add` says after a commit whose data changed.
//! 2. `webhooks/dispatcher.rs: Dispatcher::run` queues the owner, if this process holds the lease of the webhook.
//! 3. `webhooks/delivery.rs: Deliveries::run` reads the changes after the position of the webhook.
//! 4. `webhooks/sender.rs: Sender::send` signs and sends each.
//! 5. `store/repository/webhooks/positions.rs: store_webhook_progress` stores the positions of many owners.
//!
//! A request is rejected:
//!
//! 1. `server/graphql/http.rs: answer` rejects it for its method, media type or credentials, before its body
//!    is read.
//! 2. `server/graphql/http/request.rs: from_body` rejects a body that is too large, too slow or not JSON.
//! 3. `graphql/execution/operation.rs: Operation::prepare` rejects the document or the variables.
//! 4. `graphql/execution/error.rs` makes the error response; a [`store::Error`] gets its code there too.
//! 5. `server/graphql/response.rs: write` sends it.
//!
//! # Erasure
//!
//! An erasure of a user first marks the account, under the lock that every write of the user takes: no write comes after
//! it. Then it removes rows in small transactions, and the account in the last one (`store/erasure.rs`). Any server goes on
//! with an erasure that another one left.
//!
//! # State
//!
//! All state is in the database. A process holds requests on their way to a commit, signals and readers. Any replica can
//! answer any request, and a restart loses open connections only.
//!
//! # Two counters under row locks
//!
//! `message.position` counts 1, 2, 3, … in a conversation. The UPDATE that increments it also checks the owner and takes
//! the row lock, so positions have no gaps and are committed in order. `change.revision` counts in the same way for an
//! owner, in the owner's row of `account`: every committed change is one row of `change`, written in the same
//! transaction.
//!
//! A reader that asks for "greater than the last one" over a sequence or a timestamp loses rows that commit late. With a
//! counter under a row lock it does not. There are no gaps, so a missing revision shows that old changes were trimmed.
//!
//! Locks are taken in one order everywhere: accounts, then conversations.
//!
//! # Transactions
//!
//! `store::transaction` starts a transaction by taking the owner's row. The statements follow, the changes are recorded,
//! and the transaction commits. Only then does it signal. An error rolls everything back.
//!
//! # Memory
//!
//! An operation counts the rows that it reads and the values that it makes against its
//! [`memory::MemoryBudget`]. A large response reserves memory until it is sent. See [`memory`] and
//! [`performance`].
//!
//! # Branches are ranges
//!
//! A message after the last message of a branch stays on that branch. A message after any other message opens a new
//! branch: a row that says *it continues this branch up to that position*. So the path to a message is a small number of
//! ranges of positions, and a page of it is read from the end that is asked for. The messages before the first fork
//! have no branch and are in none of the indexes that branches need.
//!
//! # Streams
//!
//! A streaming message is a message. Its text is stored as chunks in rows of their own until it ends, and is then
//! merged into the message. The row in `stream` exists exactly as long as the message is being written. Deleting
//! it ends the message: the writer does so, a deletion, or the task that ends abandoned messages.
//!
//! # Retries
//!
//! Every mutation can be retried safely. A creation with an id that the client chose stores a fingerprint of the input, so
//! a retry is recognised even after the conversation was renamed. Every other mutation sets a state.

// They panic if the reader of the output is gone: use `cli::output`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

/// What a request costs, and why it does not cost more.
#[doc = include_str!("performance.md")]
pub mod performance {}

pub mod app;
pub mod auth;
pub mod backup;
pub mod cli;
pub mod clock;
pub mod config;
pub mod export;
pub mod feed;
pub mod graphql;
pub mod histogram;
pub mod import;
pub mod memory;
pub mod model;
pub mod openai;
pub mod panics;
pub mod permissions;
pub mod rate_limit;
pub mod server;
pub mod signals;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod tokens;
pub mod traces;
pub mod webhooks;
