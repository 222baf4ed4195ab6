//! A client over HTTP.

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// Sends operations as one user.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    url: String,
    token: Option<String>,
    act_as: Option<String>,
}

/// A response that was read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Client {
    pub(crate) fn new(url: &str, token: Option<String>) -> Self {
        Self { http: reqwest::Client::new(), url: url.to_owned(), token, act_as: None }
    }

    /// The same client, acting for somebody.
    pub(crate) fn acting_for(&self, owner: &str) -> Self {
        Self { act_as: Some(owner.to_owned()), ..self.clone() }
    }

    /// The same client with other credentials.
    pub(crate) fn with_token(&self, token: impl Into<String>) -> Self {
        Self { token: Some(token.into()), ..self.clone() }
    }

    /// Where its server is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The credentials it sends.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// A request to any path, with the credentials.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(owner) = &self.act_as {
            request = request.header("scrollback-act-as", owner);
        }
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Runs an operation.
    pub(crate) async fn run(&self, query: &str, variables: Value) -> Answer {
        let body = json!({ "query": query, "variables": variables });
        let response = self.request(Method::POST, "/graphql").json(&body).send().await.unwrap();
        Answer { status: response.status(), body: response.json().await.unwrap() }
    }

    /// Runs an operation where the server may be away: its data or its error, `None` when it is not known
    /// whether it was run.
    pub(crate) async fn outcome(&self, query: &str, variables: Value) -> Option<Result<Value, Value>> {
        let body = json!({ "query": query, "variables": variables });
        let request = self.request(Method::POST, "/graphql").timeout(Duration::from_secs(10)).json(&body);
        let answer: Value = request.send().await.ok()?.json().await.ok()?;
        match answer["errors"].get(0) {
            None => Some(Ok(answer["data"].clone())),
            Some(error) if error["extensions"]["retryable"] == true => None,
            Some(error) => Some(Err(error.clone())),
        }
    }

    /// The same where any other failure is one of the test.
    pub(crate) async fn attempt(&self, query: &str, variables: Value) -> Option<Value> {
        Some(self.outcome(query, variables).await?.unwrap_or_else(|error| panic!("{error}")))
    }

    /// Runs an operation that may fail: its data, if it did not.
    pub(crate) async fn attempt_any(&self, query: &str, variables: Value) -> Option<Value> {
        let answer = self.run(query, variables).await;
        answer.body.get("errors").is_none().then(|| answer.body["data"].clone())
    }

    /// Tries until it succeeds.
    pub(crate) async fn retry(&self, query: &str, variables: Value) -> Value {
        loop {
            if let Some(data) = self.attempt(query, variables.clone()).await {
                return data;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Runs an operation that must succeed, and gives its data.
    pub(crate) async fn data(&self, query: &str, variables: Value) -> Value {
        let answer = self.run(query, variables).await;
        assert_eq!(answer.body.get("errors"), None, "{query}");
        answer.body["data"].clone()
    }

    /// Runs an operation that must fail with one error, and gives that error's code and message.
    pub(crate) async fn fault(&self, query: &str, variables: Value) -> (String, String) {
        let answer = self.run(query, variables).await;
        let errors = answer.body["errors"].as_array().unwrap_or_else(|| panic!("no error: {}", answer.body));
        assert_eq!(errors.len(), 1, "{errors:?}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&errors[0]["extensions"]["code"]), text(&errors[0]["message"]))
    }

    /// A new conversation's id.
    pub(crate) async fn new_conversation(&self) -> String {
        let query = "mutation { createConversation(input: {}) { conversation { id } } }";
        let data = self.data(query, json!({})).await;
        data["createConversation"]["conversation"]["id"].as_str().unwrap().to_owned()
    }

    /// Appends a user's message, and gives it back.
    pub(crate) async fn append(&self, conversation: &str, content: &str) -> Value {
        let input = json!({ "conversationId": conversation, "role": "USER", "content": content });
        self.data(APPEND, json!({ "input": input })).await["appendMessage"]["message"].clone()
    }
}

/// Appends a message and asks for all of it.
pub(crate) const APPEND: &str = "mutation Append($input: AppendMessageInput!) {
  appendMessage(input: $input) { message { id position role content metadata createdAt } }
}";

/// Adds text to a streaming message.
pub(crate) const APPEND_TEXT: &str = "mutation($id: ID!, $offset: Int!, $text: String!) {
  appendMessageText(input: { messageId: $id, offset: $offset, text: $text }) { length stopRequested }
}";

/// Ends a streaming message.
pub(crate) const FINISH: &str = "mutation($id: ID!, $status: MessageStatus!) {
  finishMessage(input: { messageId: $id, status: $status }) { message { status content } }
}";
