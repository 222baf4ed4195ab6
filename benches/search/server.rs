//! Searches over HTTP, as clients of Scrollback make them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::closed_loop::Client;
use crate::corpus::{Query, QueryKind};
use crate::http::{Connection, post};
use crate::it::harness::token;

const SEARCH: &str = "query($query: String!, $order: SearchOrder) {
  searchMessages(query: $query, first: 20, orderBy: $order) { nodes { id } }
}";

const LIST: &str = "{ conversations(first: 20) { nodes { id } } }";

pub(crate) struct HttpClient {
    connection: Connection,
    address: String,
    token: String,
}

/// Lists 20 conversations instead: what a request costs without a search.
pub(crate) struct ListClient(HttpClient);

impl HttpClient {
    pub(crate) async fn connect(url: &str, owner: &str) -> Self {
        let address = url.trim_start_matches("http://").to_owned();
        let connection = Connection::open(&address).await.expect("a connection");
        Self { connection, address, token: token(owner, Duration::from_secs(86_400)) }
    }

    /// Sends each query once. All must find something, or nothing if that is their kind.
    pub(crate) async fn check(&mut self, queries: &[Query]) {
        for query in queries {
            let hits = self.search(query).await;
            assert_eq!(hits == 0, query.kind == QueryKind::NoHit, "{}: {hits} messages", query.text());
        }
    }
}

impl HttpClient {
    /// Runs an operation, and gives the number of nodes in its answer.
    async fn run(&mut self, document: &str, variables: &Value) -> usize {
        let request = post(&self.address, &self.token, document, variables);
        let answer = self.connection.send(&request).await.expect("an answer");
        let text = String::from_utf8_lossy(answer.body);
        assert!(answer.status == 200 && !text.contains("\"errors\":"), "{}: {text}", answer.status);
        text.matches(r#""id":"#).count()
    }
}

impl ListClient {
    pub(crate) async fn connect(url: &str, owner: &str) -> Self {
        Self(HttpClient::connect(url, owner).await)
    }
}

impl Client for HttpClient {
    async fn search(&mut self, query: &Query) -> usize {
        let variables = json!({ "query": query.text(), "order": query.order.name() });
        self.run(SEARCH, &variables).await
    }
}

impl Client for ListClient {
    async fn search(&mut self, _: &Query) -> usize {
        self.0.run(LIST, &json!({})).await
    }
}
