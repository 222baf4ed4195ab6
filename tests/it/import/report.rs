//! The report says what became of everything.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::dates::chatgpt;
use crate::harness::Program;

#[tokio::test]
async fn every_conversation_is_in_the_report() {
    let program = Program::believing();
    let good = chatgpt(
        "good",
        &json!(1_600_000_000),
        &json!(1_600_000_001),
        &json!({ "gizmo_id": "g-7", "voice": null }),
    );
    let mut strange = chatgpt("strange", &json!(1_600_000_000), &json!(1_600_000_001), &json!({}));
    strange["mapping"]["a"]["message"]["content"] = json!({ "content_type": "holograms", "data": [1, 2] });
    strange["mapping"]["q"]["message"]["content"]["parts"] = json!([""]);
    let export = json!([good, { "id": "bad", "title": "Bad" }, strange]);
    fs::write(program.folder().join("export.json"), export.to_string()).unwrap();
    let report = program.folder().join("report.json");
    let arguments = ["import", "export.json", "--user", "ada", "--report", "report.json"];
    let printed = program.run(&[&arguments[..], &["--dry-run"]].concat()).await;
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(printed.starts_with("2 conversations with 3 messages can be imported, 1 cannot\n"), "{printed}");
    assert!(!program.folder().join("data").exists());
    let read = || serde_json::from_slice::<Value>(&fs::read(&report).unwrap()).unwrap();
    assert_eq!((&read()["report"]["dryRun"], &read()["report"]["conversations"]), (&json!(true), &json!(2)));
    // A report is not overwritten.
    let refused = program.refused(&arguments).await;
    assert!(refused.contains("cannot create report.json"), "{refused}");
    fs::remove_file(&report).unwrap();
    assert_eq!(program.run(&arguments).await.status.code(), Some(3));
    assert_eq!(fs::metadata(&report).unwrap().permissions().mode() & 0o777, 0o600);
    let found = read();
    let conversations = found["conversations"].as_array().unwrap();
    let outcomes: Vec<_> = conversations.iter().map(|one| (&one["sourceId"], &one["outcome"])).collect();
    let [imported, rejected] = ["imported", "rejected"].map(Value::from);
    assert_eq!(
        outcomes,
        [(&json!("good"), &imported), (&json!("bad"), &rejected), (&json!("strange"), &imported)]
    );
    assert_eq!(conversations[0]["mapped"], json!({ "message": 2, "text": 2 }));
    assert_eq!(conversations[0]["kept"], json!({ "conversation gizmo_id": 1 }));
    assert_eq!(conversations[1]["reason"], "it has no `mapping`");
    // What is unknown is kept, and what is left out has a reason.
    assert_eq!(conversations[2]["mapped"], json!({ "data": 1, "message": 1 }));
    let dropped = json!([{ "what": "message", "why": "it has no content", "count": 1 }]);
    assert_eq!(conversations[2]["dropped"], dropped);
    assert_eq!(found["report"]["dropped"], dropped);
    let server = program.serve(&[]).await;
    let query = "{ conversations(first: 2) { nodes { title metadata messages(first: 2) { nodes { parts { __typename ... on DataPart { name data } } } } } } }";
    let nodes = server.client("ada").data(query, json!({})).await["conversations"]["nodes"].take();
    let strange = nodes.as_array().unwrap().iter().find(|node| node["title"] == "strange").unwrap();
    let parts = &strange["messages"]["nodes"][0]["parts"];
    assert_eq!(
        *parts,
        json!([{ "__typename": "DataPart", "name": "chatgpt/holograms", "data": { "data": [1, 2] } }])
    );
    let good = nodes.as_array().unwrap().iter().find(|node| node["title"] == "good").unwrap();
    assert_eq!(
        good["metadata"],
        json!({ "source": "chatgpt", "sourceId": "good", "chatgpt": { "gizmo_id": "g-7" } })
    );
}
