//! Test data: chats as assistants write them.

use serde_json::{Value, json};

use crate::http::{Connection, post};
use crate::test_data::{CONTINUE, Conversation, TEXT, create};

/// The turns of a chat, and how many of them, the last ones, have two answers.
const TURNS: usize = 35;
const FORKS: usize = 20;

/// Creates a chat for each of these tokens.
pub(crate) async fn fill_chats(address: &str, tokens: &[String]) -> Vec<Conversation> {
    let mut connection = Connection::open(address).await.expect("a connection");
    let mut made = Vec::new();
    for token in tokens {
        made.push(create_chat(&mut connection, address, token).await);
    }
    made
}

/// Creates a chat of [`TURNS`] turns of a question, a tool call and an answer. The answers of the last [`FORKS`] turns are
/// generated again, so each has a sibling.
pub(crate) async fn create_chat(connection: &mut Connection, address: &str, token: &str) -> Conversation {
    let id = create(connection, address, token, "A chat", 0).await;
    for turn in 0..TURNS {
        let tool = json!({ "tool": {
            "toolCallId": format!("call-{turn}"), "toolName": "weather", "state": "OUTPUT_AVAILABLE",
            "input": { "city": "Geneva" }, "output": { "celsius": turn },
        } });
        let input = json!({ "conversationId": id, "messages": [
            { "role": "USER", "content": TEXT.repeat(2) },
            { "role": "ASSISTANT", "parts": [tool] },
            answer(),
        ] });
        let data = connection.data(&post(address, token, CONTINUE, &json!({ "input": input }))).await;
        if turn + FORKS >= TURNS {
            let question = &data["appendMessages"]["messages"][1]["id"];
            let input = json!({ "conversationId": id, "parentId": question, "messages": [answer()] });
            connection.data(&post(address, token, CONTINUE, &json!({ "input": input }))).await;
        }
    }
    Conversation { id, token: token.to_owned() }
}

fn answer() -> Value {
    let parts = json!([{ "reasoning": { "text": TEXT.repeat(2) } }, { "text": { "text": TEXT.repeat(7) } }]);
    json!({
        "role": "ASSISTANT", "parts": parts, "model": "a-model", "metadata": { "finishReason": "stop" },
        "usage": { "inputTokens": 1200, "outputTokens": 150, "totalTokens": 1350 },
    })
}
