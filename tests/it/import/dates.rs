//! Imported conversations keep their times, their order and their places.

use serde_json::{Value, json};

use crate::harness::{Engine, Program, Running};

const LIST: &str = "{ conversations(first: 50) { nodes { title createdAt updatedAt pinnedAt
    messages { nodes { content createdAt } } } } }";

/// A conversation of ChatGPT with a question and an answer.
pub(super) fn chatgpt(id: &str, created: &Value, answered: &Value, more: &Value) -> Value {
    let node = |parent: &str, children: &[&str], role: &str, time: &Value| {
        let content = json!({ "content_type": "text", "parts": [format!("{role} of {id}")] });
        json!({ "parent": parent, "children": children, "message": { "author": { "role": role }, "create_time": time, "content": content } })
    };
    let mapping =
        json!({ "q": node("root", &["a"], "user", created), "a": node("q", &[], "assistant", answered) });
    let mut conversation = json!({ "id": id, "title": id, "create_time": created, "update_time": answered, "current_node": "a", "mapping": mapping });
    conversation.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    conversation
}

/// Imports conversations into an empty database.
async fn imported(engine: Engine, conversations: &[Value]) -> (Program, Running) {
    let program = Program::over(engine).await;
    std::fs::write(program.folder().join("export.json"), json!(conversations).to_string()).unwrap();
    program.printed(&["import", "export.json", "--user", "ada"]).await;
    let server = program.serve(&[]).await;
    (program, server)
}

async fn times_and_the_order_of_the_list_are_kept(engine: Engine) {
    let conversations = [
        chatgpt("old", &json!(1_600_000_000), &json!(1_600_000_001.5), &json!({ "is_starred": true })),
        chatgpt("new", &json!("1700000000"), &json!(1_700_000_100), &json!({})),
        chatgpt("middle", &json!(1_650_000_000), &json!(1_650_000_000), &json!({})),
        chatgpt("put away", &json!(1_576_841_600), &json!(1_576_841_600), &json!({ "is_archived": true })),
    ];
    let (_program, server) = imported(engine, &conversations).await;
    let ada = server.client("ada");
    let found = ada.data(LIST, json!({})).await["conversations"]["nodes"].take();
    let titles: Vec<_> = found.as_array().unwrap().iter().map(|node| node["title"].clone()).collect();
    assert_eq!(titles, ["new", "middle", "old"]);
    let old = &found[2];
    assert_eq!(old["createdAt"], "2020-09-13T12:26:40.000000Z");
    assert_eq!(
        (&old["updatedAt"], &old["pinnedAt"]),
        (&json!("2020-09-13T12:26:41.500000Z"), &old["updatedAt"])
    );
    assert_eq!(old["messages"]["nodes"][0]["createdAt"], old["createdAt"]);
    assert_eq!(old["messages"]["nodes"][1]["createdAt"], old["updatedAt"]);
    let archived = "{ conversations(filter: { archived: true }) { nodes { title archivedAt } } }";
    let archived = ada.data(archived, json!({})).await["conversations"]["nodes"].take();
    assert_eq!(archived, json!([{ "title": "put away", "archivedAt": "2019-12-20T11:33:20.000000Z" }]));
}

async fn missing_absurd_and_future_times_are_mended(engine: Engine) {
    let conversations = [
        chatgpt(
            "absurd",
            &json!(-5),
            &json!(7),
            &json!({ "create_time": 1_600_000_000, "update_time": null }),
        ),
        chatgpt("none", &Value::Null, &json!("soon"), &json!({})),
        chatgpt("future", &json!(1_600_000_000), &json!(9e10), &json!({})),
    ];
    let (_program, server) = imported(engine, &conversations).await;
    let found = server.client("ada").data(LIST, json!({})).await["conversations"]["nodes"].take();
    let of =
        |title: &str| found.as_array().unwrap().iter().find(|node| node["title"] == title).unwrap().clone();
    let now = scrollback::clock::Clock::system().now().to_string();
    let absurd = of("absurd");
    let inherited = json!("2020-09-13T12:26:40.000000Z");
    assert_eq!((&absurd["createdAt"], &absurd["updatedAt"]), (&inherited, &inherited));
    assert_eq!(absurd["messages"]["nodes"][1]["createdAt"], inherited);
    for title in ["none", "future"] {
        let updated = of(title)["updatedAt"].as_str().unwrap().to_owned();
        assert!(updated.as_str() <= now.as_str() && updated.as_str() > "2026-01-01", "{title}: {updated}");
    }
    assert_eq!(of("future")["createdAt"], inherited);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_are_kept_on_sqlite() {
    times_and_the_order_of_the_list_are_kept(Engine::Sqlite).await;
    missing_absurd_and_future_times_are_mended(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn times_are_kept_on_postgres() {
    times_and_the_order_of_the_list_are_kept(Engine::Postgres).await;
    missing_absurd_and_future_times_are_mended(Engine::Postgres).await;
}
