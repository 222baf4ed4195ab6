//! Scrollback: a GraphQL server that stores conversations.
//!
//! It keeps conversations and their messages, each strictly its owner's, in SQLite or PostgreSQL, and
//! serves them over GraphQL: queries and mutations over HTTP, subscriptions over WebSocket and SSE.
//! It calls no model and interprets no content. What it promises:
//!
//! 1. What was acknowledged is durable, once, in order.
//! 2. A reader who follows with a cursor misses nothing and sees nothing twice: over reconnects,
//!    restarts and replicas.
//! 3. Nobody reads or writes what they don't own, and cannot tell it from what doesn't exist.
//! 4. No request takes the server down or slows the others noticeably.
//!
//! # The way through the code
//!
//! ```text
//! main -> cli -> app -> server -> graphql -> feed -> store -> store::entity (private)
//!          |      |        |                   |        |
//!          |      |        +-> auth            +--------+-> signals
//!          |      +-> config, telemetry
//!          +-> import -> store              model, clock, permissions: leaves that everybody may use
//! ```
//!
//! | module | owns |
//! |---|---|
//! | [`model`] | the vocabulary: plain types and their rules |
//! | [`store`] | everything that touches the database; rows never leave it |
//! | [`signals`] | "look, something was committed", within the process and between replicas |
//! | [`feed`] | the readers behind subscriptions |
//! | [`graphql`] | the schema, one file per noun; the one place that turns errors into codes |
//! | [`auth`] | credentials to [`model::Viewer`] |
//! | [`memory`] | what operations may hold while they are worked on and answered |
//! | [`rate`] | how many operations an owner may begin |
//! | [`server`] | connections, HTTP, WebSocket, SSE, GraphiQL, health, metrics, shutdown: the only part that sees HTTP |
//! | [`import`] | conversations from files of other systems |
//! | [`app`] | puts the pieces together; nothing else chooses a backend |
//! | [`permissions`] | files and folders that only the server's user may use |
//! | [`config`], [`cli`], [`telemetry`], [`clock`] | settings, commands, logs, time and fresh ids |
//!
//! A test (`tests/it/tidy.rs`) keeps the arrows. The same noun has a file at every level:
//! `store/messages.rs`, `graphql/message.rs`, `tests/it/messages.rs`.
//!
//! # State
//!
//! Requests on their way to a commit, and signals, are all that lives in memory. Any replica answers
//! any request, and a restart loses nothing but open sockets.
//!
//! # Two counters, both given under a row lock
//!
//! `message.position` counts 1, 2, 3, … in a conversation. The UPDATE that gives it is also the
//! ownership check and the lock, so positions have no holes and commit in order. `change.revision`
//! counts the same way for an owner, on the owner's row in `account`: every committed change of
//! anything the owner has is one row of `change`, written in the same transaction.
//!
//! Why it matters: a reader that asks for "greater than the last one I saw" over a sequence or a
//! timestamp loses rows that commit late. With a counter under a row lock there are none. Because
//! there are no holes, a missing revision also shows that old changes have been trimmed, with no
//! other bookkeeping.
//!
//! Locks are taken in one order everywhere: accounts, then conversations.
//!
//! # Life of a write
//!
//! `server` settles who asks, from the credentials alone. A resolver of [`graphql`] reads its input
//! into [`model`] types, which hold the rules, and makes one call to the [`store`]. `store::tx` begins
//! the transaction by taking the owner's row, the statements follow, the changes are recorded, it
//! commits, and only then signals: whoever follows looks into the database. An error on the way rolls
//! everything back.
//!
//! # Life of a read
//!
//! Most reads are of three kinds: a conversation with a page of its messages, a range of positions, the
//! conversations that were active last. `store`'s `reads` answers those, many askers at once, each by its
//! own owner; whatever else is read goes through SeaORM. Nested fields are loaded for all their siblings
//! in one statement. Lists whose selection is plain are written straight into bytes. [`performance`] says
//! what that is good for. Whatever is read and made of it is taken from the operation's allowance on the way,
//! and a large answer has its room reserved until it is sent: see [`memory`].
//!
//! # Life of a subscription
//!
//! A follower reads from its cursor to the end by itself, at its own speed, then joins the reader
//! that all followers of the same thing share in this process. The reader registers for signals
//! before it reads, so nothing falls in between; a lost signal costs at most the poll that stands
//! behind, one for all readers. A follower that does not keep up is let go with the cursor to resume
//! from. See [`feed`].
//!
//! # Branches are ranges
//!
//! A message after the tip of its branch stays on that branch; one after any other message opens a new
//! branch, a row that says *it continues this branch up to that position*. So the path to a message is a
//! handful of ranges of positions, and a page of it is read from the end that is asked for: no walk over
//! parents, however long the conversation. What was appended before the first fork, the trunk, has no
//! branch and no gap, and is in none of the indexes that branches need.
//!
//! # Streams
//!
//! A streaming message is a message; its text is pieces in rows of their own until it ends, when they are
//! folded into it. The row in `stream` exists exactly as long as the message is being written, and whoever
//! deletes it has ended the message: the writer, a deletion, or the sweep that gives up silent writers.
//!
//! # Repeating
//!
//! Every mutation may be repeated safely. Creations by the caller's id: the row keeps a fingerprint of
//! what was asked for, so a retry is recognised even after the conversation was renamed. Everything
//! else sets a state.

// They panic when nobody reads any more: `cli::output` does not.
#![deny(clippy::print_stdout, clippy::print_stderr)]

/// What a request costs, and why it does not cost more.
#[doc = include_str!("performance.md")]
pub mod performance {}

pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod feed;
pub mod graphql;
pub mod import;
pub mod memory;
pub mod model;
pub mod permissions;
pub mod rate_limit;
pub mod server;
pub mod signals;
pub mod store;
pub mod telemetry;
