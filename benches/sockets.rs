//! Measures the memory of an idle WebSocket with one subscription: `cargo bench --bench sockets`.
//!
//! Opens 2,000 WebSockets, each with one idle `messageAdded`, and prints how much the server's resident
//! memory grows for each between the 200th and the last. In the first run all subscribe to different
//! conversations of different users; in the second run each user has twenty WebSockets on the same
//! conversation.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a benchmark does not expect ends it")]

#[path = "../tests/it"]
mod it {
    #[expect(dead_code, unused_imports, unused_macros, reason = "the tests use the rest")]
    pub(crate) mod harness;
}

use serde_json::json;

use it::harness::{Program, Socket};

const SOCKETS: usize = 2000;
const FIRST: usize = 200;

const FOLLOW: &str = "subscription($id: ID!) {
  messageAdded(conversationId: $id) { cursor node { id position role content } }
}";

#[tokio::main]
async fn main() {
    rlimit::increase_nofile_limit(2 * SOCKETS as u64).unwrap();
    println!("{:<44}{:>12}", "idle subscribed sockets", "KiB each");
    for (name, together) in
        [("each another user and conversation", 1), ("twenty to a user and conversation", 20)]
    {
        println!("{name:<44}{:>12.1}", cost(together).await / 1024.0);
    }
}

/// The bytes for each WebSocket, if this number subscribes to the same conversation.
async fn cost(together: usize) -> f64 {
    let program = Program::believing();
    let server = program.serve(&[]).await;
    let mut conversations = Vec::new();
    for user in 0..SOCKETS.div_ceil(together) {
        let client = server.client(&format!("user-{user}"));
        let id = client.new_conversation().await;
        conversations.push((client.token().to_owned(), id));
    }
    let mut sockets = Vec::new();
    let mut first = 0;
    for number in 0..SOCKETS {
        let (token, id) = &conversations[number / together];
        let mut socket = Socket::open(&server.url).await;
        socket.introduce(token).await;
        socket.subscribe("s", FOLLOW, json!({ "id": id })).await;
        socket.settle().await;
        sockets.push(socket);
        if sockets.len() == FIRST {
            first = server.status("VmRSS:");
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "far less than what a float counts exactly")]
    let grown = (server.status("VmRSS:") - first) as f64 / (SOCKETS - FIRST) as f64;
    grown
}
