//! Migrations of a database whose policies hide every row from who names no owner.

use serde_json::{Value, json};

use crate::harness::{Engine, Program};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_see_all_rows() {
    let program = Program::over(Engine::PostgresWithRowLevelSecurity).await;
    let server = program.serve(&[]).await;
    for user in ["ada", "bob"] {
        let create = "mutation { createConversation(input: { title: \"Café\", messages: [{ role: ASSISTANT, content: \"Hello\" }] }) {
            conversation { unreadCount } } }";
        let data = server.client(user).data(create, json!({})).await;
        assert_eq!(data["createConversation"]["conversation"]["unreadCount"], 1);
    }
    server.terminate().await;
    server.ended().await;
    program.undo_migrations_from("folded_titles").await;
    let server = program.serve(&[]).await;
    for user in ["ada", "bob"] {
        let query = "{ conversations(filter: { titleContains: \"cafe\" }) { nodes { title unreadCount } } }";
        let data = server.client(user).data(query, json!({})).await;
        let expected: Value = json!([{ "title": "Café", "unreadCount": 0 }]);
        assert_eq!(data["conversations"]["nodes"], expected, "its title is folded, and it counts as read");
        let foreign = "{ conversations { nodes { title } } }";
        let data = server.client("eve").data(foreign, json!({})).await;
        assert_eq!(data["conversations"]["nodes"], json!([]), "the policies are there again");
    }
}
