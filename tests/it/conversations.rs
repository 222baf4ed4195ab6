//! Conversations: create, list, update, delete.

use serde_json::{Value, json};

use crate::harness::{TestApp, on_each_database, with_row_level_security};

on_each_database!(
    a_new_conversation_gets_ids_and_times_from_the_server,
    a_conversation_and_its_first_messages_are_created_atomically,
    creating_with_an_id_is_idempotent,
    an_update_sets_given_fields_and_null_clears,
    deleting_a_conversation_deletes_its_messages,
    lists_are_ordered_by_activity_and_paged,
    lists_can_be_ordered_and_filtered,
    bad_input_names_the_argument_and_the_rule,
    nodes_are_found_by_id,
    nested_lists_cost_a_constant_number_of_statements,
    a_missing_variable_rejects_the_whole_request,
);

with_row_level_security!(creating_with_an_id_is_idempotent, deleting_a_conversation_deletes_its_messages);

const CREATE: &str = "mutation Create($input: CreateConversationInput!) {
  createConversation(input: $input) {
    conversation { id title metadata createdAt updatedAt messageCount messages { nodes { id position role content } } }
  }
}";

const LIST: &str = "query List($first: Int, $after: String, $last: Int, $before: String,
    $filter: ConversationFilter, $orderBy: ConversationOrder) {
  conversations(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy) {
    edges { cursor node { title } }
    nodes { id title }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}";

fn created(data: &Value) -> Value {
    data["createConversation"]["conversation"].clone()
}

fn titles(data: &Value) -> Vec<&str> {
    data["conversations"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| node["title"].as_str().unwrap())
        .collect()
}

async fn a_new_conversation_gets_ids_and_times_from_the_server(app: TestApp) {
    let ada = app.client("ada");
    let input = json!({ "title": "Plans 🚀", "metadata": { "z": 1, "a": [true, null, "é"] } });
    let conversation = created(&ada.data(CREATE, json!({ "input": input })).await);
    assert_eq!(conversation["title"], "Plans 🚀");
    assert_eq!(conversation["metadata"].to_string(), r#"{"a":[true,null,"é"],"z":1}"#);
    assert_eq!(conversation["messageCount"], 0);
    assert_eq!(conversation["createdAt"], conversation["updatedAt"]);
    let id = uuid::Uuid::parse_str(conversation["id"].as_str().unwrap()).unwrap();
    assert_eq!(id.get_version_num(), 7);
    let read = "query($id: ID!) { conversation(id: $id) { id title metadata createdAt updatedAt messageCount head { id } messages { nodes { id position role content } } } }";
    let mut expected = conversation.clone();
    expected["head"] = Value::Null;
    assert_eq!(ada.data(read, json!({ "id": id })).await["conversation"], expected);
    let before = conversation["updatedAt"].as_str().unwrap().to_owned();
    let message = ada.append(&id.to_string(), "Hello").await;
    let data = ada
        .data("query($id: ID!) { conversation(id: $id) { createdAt updatedAt } }", json!({ "id": id }))
        .await;
    assert_eq!(data["conversation"]["createdAt"], conversation["createdAt"]);
    assert!(data["conversation"]["updatedAt"].as_str().unwrap() > before.as_str());
    assert_eq!(data["conversation"]["updatedAt"], message["createdAt"]);
}

async fn a_conversation_and_its_first_messages_are_created_atomically(app: TestApp) {
    let ada = app.client("ada");
    let messages = json!([
        { "role": "SYSTEM", "content": "Be brief." },
        { "role": "USER", "content": "Hello", "id": "0197a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b" },
        { "role": "ASSISTANT", "content": "Hi." },
        { "role": "TOOL", "content": "42" },
    ]);
    let conversation = created(&ada.data(CREATE, json!({ "input": { "messages": messages } })).await);
    assert_eq!(conversation["messageCount"], 4);
    let found: Vec<_> = conversation["messages"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|message| json!([message["position"], message["role"], message["content"]]))
        .collect();
    assert_eq!(
        found,
        [
            json!([1, "SYSTEM", "Be brief."]),
            json!([2, "USER", "Hello"]),
            json!([3, "ASSISTANT", "Hi."]),
            json!([4, "TOOL", "42"])
        ]
    );
    // The second message's id is taken, so neither the conversation nor the first message is kept.
    let input = json!({ "title": "lost", "messages": [{ "role": "USER", "content": "first" }, messages[1]] });
    let (code, _) = ada.fault(CREATE, json!({ "input": input })).await;
    assert_eq!(code, "CONFLICT");
    let data = ada.data(LIST, json!({})).await;
    assert_eq!(data["conversations"]["nodes"].as_array().unwrap().len(), 1);
}

async fn creating_with_an_id_is_idempotent(app: TestApp) {
    let (ada, bob) = (app.client("ada"), app.client("bob"));
    let id = "0197a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b";
    let input = json!({ "id": id, "title": "One", "messages": [{ "role": "USER", "content": "Hello" }] });
    let first = created(&ada.data(CREATE, json!({ "input": input })).await);
    assert_eq!(first["id"], id);
    assert_eq!(created(&ada.data(CREATE, json!({ "input": input })).await), first);
    // A retry is recognised by what it asked for, even when the conversation has changed since.
    ada.append(id, "More").await;
    let rename = "mutation($id: ID!) { updateConversation(input: { id: $id, title: \"Two\" }) { conversation { title } } }";
    ada.data(rename, json!({ "id": id })).await;
    let again = created(&ada.data(CREATE, json!({ "input": input })).await);
    assert_eq!((&again["title"], &again["messageCount"]), (&json!("Two"), &json!(2)));
    for other in [
        json!({ "id": id, "title": "Other", "messages": input["messages"] }),
        json!({ "id": id, "title": "One" }),
        json!({ "id": id, "title": "One", "metadata": { "a": 1 }, "messages": input["messages"] }),
        json!({ "id": id, "title": "One", "messages": [{ "role": "SYSTEM", "content": "Hello" }] }),
    ] {
        assert_eq!(ada.fault(CREATE, json!({ "input": other })).await.0, "CONFLICT", "{other}");
    }
    // Somebody else's id is a conflict that tells nothing about whose it is.
    let (code, message) = bob.fault(CREATE, json!({ "input": input })).await;
    assert_eq!((code.as_str(), message.as_str()), ("CONFLICT", "the id has been used for something else"));
}

async fn an_update_sets_given_fields_and_null_clears(app: TestApp) {
    let ada = app.client("ada");
    let input = json!({ "title": "One", "metadata": { "a": 1 } });
    let conversation = created(&ada.data(CREATE, json!({ "input": input })).await);
    let update = "mutation($input: UpdateConversationInput!) {
      updateConversation(input: $input) { conversation { title metadata updatedAt createdAt } }
    }";
    let mut updated_at = conversation["updatedAt"].as_str().unwrap().to_owned();
    for (change, title, metadata) in [
        (json!({ "title": "Two" }), json!("Two"), json!({ "a": 1 })),
        (json!({ "metadata": [1, 2] }), json!("Two"), json!([1, 2])),
        (json!({ "title": null }), Value::Null, json!([1, 2])),
        (json!({ "metadata": null, "title": "" }), json!(""), json!({})),
        (json!({}), json!(""), json!({})),
    ] {
        let mut input = change.clone();
        input["id"] = conversation["id"].clone();
        let data = ada.data(update, json!({ "input": input })).await;
        let updated = &data["updateConversation"]["conversation"];
        assert_eq!((&updated["title"], &updated["metadata"]), (&title, &metadata), "{change}");
        assert_eq!(updated["createdAt"], conversation["createdAt"]);
        let now = updated["updatedAt"].as_str().unwrap().to_owned();
        assert!(now > updated_at || (change == json!({}) && now == updated_at), "{now} after {updated_at}");
        updated_at = now;
    }
}

async fn deleting_a_conversation_deletes_its_messages(app: TestApp) {
    let ada = app.client("ada");
    let (gone, kept) = (ada.new_conversation().await, ada.new_conversation().await);
    let message = ada.append(&gone, "Forget me").await;
    ada.append(&kept, "Keep me").await;
    let delete = "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }";
    let data = ada.data(delete, json!({ "id": gone })).await;
    assert_eq!(data["deleteConversation"]["deletedConversationId"], gone.as_str());
    let read = "query($id: ID!, $message: ID!) { conversation(id: $id) { id } node(id: $message) { id } }";
    let answer = ada.run(read, json!({ "id": gone, "message": message["id"] })).await;
    assert_eq!(answer.body["data"], json!({ "conversation": null, "node": null }));
    assert_eq!(answer.body["errors"][0]["extensions"]["code"], "NOT_FOUND");
    assert_eq!(ada.fault(delete, json!({ "id": gone })).await.0, "NOT_FOUND");
    let data = ada.data("query { conversations { nodes { id messageCount } } }", json!({})).await;
    assert_eq!(data["conversations"]["nodes"], json!([{ "id": kept, "messageCount": 1 }]));
}

async fn lists_are_ordered_by_activity_and_paged(app: TestApp) {
    let ada = app.client("ada");
    let mut ids = Vec::new();
    for number in 0..25 {
        let input = json!({ "title": format!("c{number:02}") });
        ids.push(
            created(&ada.data(CREATE, json!({ "input": input })).await)["id"].as_str().unwrap().to_owned(),
        );
    }
    app.client("bob").new_conversation().await;
    // Activity brings a conversation to the front.
    ada.append(&ids[3], "news").await;
    let mut expected: Vec<String> = (0..25).rev().filter(|n| *n != 3).map(|n| format!("c{n:02}")).collect();
    expected.insert(0, "c03".into());
    let default = ada.data(LIST, json!({})).await;
    assert_eq!(titles(&default), expected[..20]);
    let info = &default["conversations"]["pageInfo"];
    assert_eq!((&info["hasNextPage"], &info["hasPreviousPage"]), (&json!(true), &json!(false)));
    // Forwards in pages of 10: every conversation once.
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let data = ada.data(LIST, json!({ "first": 10, "after": after })).await;
        seen.extend(titles(&data).into_iter().map(str::to_owned));
        let info = &data["conversations"]["pageInfo"];
        assert_eq!(info["hasPreviousPage"], json!(!after.is_null()));
        assert_eq!(
            info["endCursor"],
            data["conversations"]["edges"].as_array().unwrap().last().unwrap()["cursor"]
        );
        after = info["endCursor"].clone();
        if info["hasNextPage"] == false {
            break;
        }
    }
    assert_eq!(seen, expected);
    // Backwards from the end of that: the page before the last cursor.
    let data = ada.data(LIST, json!({ "last": 4, "before": after })).await;
    assert_eq!(titles(&data), expected[20..24]);
    assert_eq!(data["conversations"]["pageInfo"]["hasNextPage"], true);
    assert_eq!(data["conversations"]["pageInfo"]["hasPreviousPage"], true);
    let data = ada.data(LIST, json!({ "last": 5 })).await;
    assert_eq!(titles(&data), expected[20..]);
    // Between two cursors.
    let cursors: Vec<_> = default["conversations"]["edges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edge| edge["cursor"].clone())
        .collect();
    let data = ada.data(LIST, json!({ "first": 50, "after": cursors[2], "before": cursors[6] })).await;
    assert_eq!(titles(&data), expected[3..6]);
}

async fn lists_can_be_ordered_and_filtered(app: TestApp) {
    let ada = app.client("ada");
    let mut times = Vec::new();
    for title in ["Alpha plan", "beta 100%", "ALPHABET", "ünï_cöde"] {
        let conversation = created(&ada.data(CREATE, json!({ "input": { "title": title } })).await);
        times.push(conversation["createdAt"].clone());
    }
    let order =
        |field: &str, direction: &str| json!({ "orderBy": { "field": field, "direction": direction } });
    let forwards = ["Alpha plan", "beta 100%", "ALPHABET", "ünï_cöde"];
    for field in ["CREATED_AT", "UPDATED_AT"] {
        assert_eq!(titles(&ada.data(LIST, order(field, "ASC")).await), forwards);
        let mut backwards = forwards;
        backwards.reverse();
        assert_eq!(titles(&ada.data(LIST, order(field, "DESC")).await), backwards);
    }
    let page =
        ada.data(LIST, json!({ "first": 2, "orderBy": { "field": "CREATED_AT", "direction": "ASC" } })).await;
    let after = &page["conversations"]["pageInfo"]["endCursor"];
    let rest = json!({ "after": after, "orderBy": { "field": "CREATED_AT", "direction": "ASC" } });
    assert_eq!(titles(&ada.data(LIST, rest).await), forwards[2..]);
    let (code, message) = ada.fault(LIST, json!({ "after": after })).await;
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("BAD_USER_INPUT", "`after` must be a cursor of this list")
    );
    let filtered =
        |filter: Value| json!({ "filter": filter, "orderBy": { "field": "CREATED_AT", "direction": "ASC" } });
    for (text, expected) in [
        ("alpha", &["Alpha plan", "ALPHABET"][..]),
        ("100%", &["beta 100%"]),
        ("_", &["ünï_cöde"]),
        ("ï", &["ünï_cöde"]),
        ("gamma", &[]),
    ] {
        assert_eq!(
            titles(&ada.data(LIST, filtered(json!({ "titleContains": text }))).await),
            expected,
            "{text}"
        );
    }
    assert_eq!(titles(&ada.data(LIST, filtered(json!({ "updatedSince": times[2] }))).await), forwards[2..]);
}

async fn bad_input_names_the_argument_and_the_rule(app: TestApp) {
    let ada = app.client("ada");
    let id = ada.new_conversation().await;
    let pages = [
        (json!({ "first": 0 }), "`first` must be between 1 and 100, got 0"),
        (json!({ "first": -1 }), "`first` must be between 1 and 100, got -1"),
        (json!({ "last": 101 }), "`last` must be between 1 and 100, got 101"),
        (json!({ "first": 1, "last": 1 }), "`last` must not be given together with `first`"),
        (json!({ "after": "nonsense" }), "`after` must be a cursor of this list"),
        (json!({ "before": "AAAA" }), "`before` must be a cursor of this list"),
    ];
    let messages = "query($id: ID!, $first: Int, $after: String, $last: Int, $before: String) {
      conversation(id: $id) { messages(first: $first, after: $after, last: $last, before: $before) { nodes { id } } }
    }";
    for (mut variables, expected) in pages {
        assert_eq!(ada.fault(LIST, variables.clone()).await, ("BAD_USER_INPUT".into(), expected.into()));
        variables["id"] = json!(id);
        assert_eq!(ada.fault(messages, variables).await, ("BAD_USER_INPUT".into(), expected.into()));
    }
    let inputs = [
        (json!({ "id": "1" }), "`input.id` must be a UUID"),
        (json!({ "title": "x".repeat(1025) }), "`input.title` must be at most 1024 bytes of UTF-8, has 1025"),
        (json!({ "title": "a\u{0}b" }), "`input.title` must not contain NUL (U+0000)"),
        (
            json!({ "messages": [{ "role": "USER", "content": "" }] }),
            "`input.messages[0].content` must not be empty",
        ),
        (
            json!({ "messages": [{ "role": "USER" }] }),
            "`input.messages[0].content` must be given, or `parts`",
        ),
        (
            json!({ "messages": vec![json!({ "role": "USER", "content": "x" }); 101] }),
            "`input.messages` must be at most 100, are 101",
        ),
    ];
    for (input, expected) in inputs {
        assert_eq!(
            ada.fault(CREATE, json!({ "input": input })).await,
            ("BAD_USER_INPUT".into(), expected.into())
        );
    }
    let find = |id: &str| json!({ "id": id });
    let (code, message) = ada.fault("query($id: ID!) { conversation(id: $id) { id } }", find("x")).await;
    assert_eq!((code.as_str(), message.as_str()), ("BAD_USER_INPUT", "`id` must be a UUID"));
    let (code, _) = ada
        .fault(
            "query($id: ID!) { conversation(id: $id) { id } }",
            find("0197a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b"),
        )
        .await;
    assert_eq!(code, "NOT_FOUND");
}

async fn nodes_are_found_by_id(app: TestApp) {
    let ada = app.client("ada");
    let conversation = ada.new_conversation().await;
    let message = ada.append(&conversation, "Hello").await;
    let nobody = "0197a1b2-c3d4-7e5f-8a6b-7c8d9e0f1a2b";
    let node = "query($id: ID!) { node(id: $id) { __typename id } }";
    for (id, expected) in [
        (json!(conversation), json!({ "__typename": "Conversation", "id": conversation })),
        (message["id"].clone(), json!({ "__typename": "Message", "id": message["id"] })),
        (json!(nobody), Value::Null),
    ] {
        assert_eq!(ada.data(node, json!({ "id": id })).await["node"], expected);
    }
    let nodes = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Message { content conversation { id } } } }";
    let data = ada.data(nodes, json!({ "ids": [message["id"], nobody, conversation, message["id"]] })).await;
    let found = json!({ "__typename": "Message", "id": message["id"], "content": "Hello", "conversation": { "id": conversation } });
    assert_eq!(
        data["nodes"],
        json!([found, null, { "__typename": "Conversation", "id": conversation }, found])
    );
    let (code, message) = ada.fault(nodes, json!({ "ids": vec![nobody; 101] })).await;
    assert_eq!((code.as_str(), message.as_str()), ("BAD_USER_INPUT", "`ids` must be at most 100, are 101"));
}

async fn nested_lists_cost_a_constant_number_of_statements(app: TestApp) {
    let ada = app.client("ada");
    let query = "query($first: Int!) {
      conversations(first: $first) { nodes {
        title
        head { content conversation { title } }
        messages(last: 2) { nodes { content conversation { messageCount } } pageInfo { hasPreviousPage } }
        start: messages(first: 1) { nodes { content } }
      } }
    }";
    for number in 0..20 {
        let content = |turn| json!({ "role": "USER", "content": format!("{number} {turn}") });
        let input = json!({ "title": "t", "messages": [content(1), content(2), content(3)] });
        ada.data(CREATE, json!({ "input": input })).await;
    }
    let mut counts = Vec::new();
    for first in [1, 5, 20] {
        let before = app.store.statements();
        let data = ada.data(query, json!({ "first": first })).await;
        counts.push(app.store.statements() - before);
        let nodes = data["conversations"]["nodes"].as_array().unwrap();
        assert_eq!(nodes.len(), first);
        for (node, number) in nodes.iter().zip((0..20).rev()) {
            assert_eq!(node["head"]["content"], format!("{number} 3"));
            assert_eq!(node["messages"]["nodes"][0]["content"], format!("{number} 2"));
            assert_eq!(node["messages"]["pageInfo"]["hasPreviousPage"], true);
            assert_eq!(node["start"]["nodes"][0]["content"], format!("{number} 1"));
        }
    }
    // Loads that meet are made in one statement; whether two meet is a matter of timing.
    assert!(counts.iter().all(|count| *count <= 7), "however many there are: {counts:?}");
}

async fn a_missing_variable_rejects_the_whole_request(app: TestApp) {
    let ada = app.client("ada");
    let query = "mutation($id: ID!) {
      a: createConversation(input: {}) { conversation { id } }
      b: deleteConversation(input: { id: $id }) { deletedConversationId }
    }";
    let (code, message) = ada.fault(query, json!({})).await;
    assert_eq!(code, "BAD_USER_INPUT");
    assert_eq!(message, "`$id` must be given: its type is `ID!`");
    assert_eq!(
        ada.data("{ conversations { nodes { id } } }", json!({})).await["conversations"]["nodes"],
        json!([])
    );
}
