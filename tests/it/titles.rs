//! `titleContains`: which titles a text finds, on both databases alike.

use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};

use crate::harness::{Client, Engine, Program, TestApp, on_each_database, with_row_level_security};

on_each_database!(
    a_search_ignores_case_accents_and_width,
    a_search_takes_every_character_literally,
    an_empty_text_finds_every_title,
    a_search_follows_every_change_of_a_title,
    a_search_finds_own_titles_only,
    a_search_is_read_page_by_page,
    old_titles_are_found_after_the_migration,
);

with_row_level_security!(
    a_search_ignores_case_accents_and_width,
    a_search_follows_every_change_of_a_title,
    a_search_finds_own_titles_only,
);

const SEARCH: &str = "query($text: String!, $first: Int, $after: String) {
  conversations(first: $first, after: $after, filter: { titleContains: $text },
      orderBy: { field: CREATED_AT, direction: ASC }) {
    nodes { title }
    pageInfo { hasNextPage endCursor }
  }
}";

const CREATE: &str = "mutation($title: String) {
  createConversation(input: { title: $title }) { conversation { id } }
}";

async fn create(client: &Client, title: &str) -> Value {
    client.data(CREATE, json!({ "title": title })).await["createConversation"]["conversation"]["id"].take()
}

fn titles(data: &Value) -> Vec<String> {
    let nodes = data["conversations"]["nodes"].as_array().unwrap();
    nodes.iter().map(|node| node["title"].as_str().unwrap().to_owned()).collect()
}

async fn found(client: &Client, text: &str) -> Vec<String> {
    titles(&client.data(SEARCH, json!({ "text": text, "first": 100 })).await)
}

/// Each title with texts that find it, and no other.
const FOUND: &[(&str, &[&str])] = &[
    ("Alpha plan", &["alpha", "ALPHA PLAN", "Ａｌｐｈａ", "a plan"]),
    ("Привет, мир", &["привет", "ПРИВЕТ", "Привет", "ет, м"]),
    ("Ёлка и йогурт", &["елка", "ёлка", "е\u{308}лка", "ЙОГУРТ"]),
    ("Ὀδυσσεύς", &["οδυσσευς", "ΟΔΥΣΣΕΥΣ", "Οδυσσεύσ", "δυσσ"]),
    ("İstanbul'da ılık", &["istanbul", "ISTANBUL", "ıstanbul", "İSTANBUL", "ILIK", "ilik"]),
    ("Große Straße", &["STRASSE", "grosse", "STRAẞE", "ße"]),
    ("Cafe\u{301} ole\u{301}", &["café", "cafe", "CAFÉ", "CAFE", "ＣＡＦÉ", "olé"]),
    ("Ｆｕｌｌ ｗｉｄｔｈ", &["full", "Width", "ＦＵＬＬ"]),
    ("Łódź", &["lodz", "ŁÓDŹ"]),
    ("ﬁne ﬂow", &["fine", "FLOW"]),
    ("Party 🎉 ❤\u{FE0F}", &["🎉", "party 🎉 ❤", "❤"]),
    ("東京タワー", &["東京", "ﾀﾜｰ"]),
    ("がんばれ", &["がんば", "か\u{3099}"]),
    ("한국어", &["한국", "\u{1112}\u{1161}\u{11AB}"]),
];

async fn a_search_ignores_case_accents_and_width(app: TestApp) {
    let ada = app.client("ada");
    for (title, _) in FOUND {
        create(&ada, title).await;
    }
    ada.new_conversation().await;
    for (title, texts) in FOUND {
        for text in *texts {
            assert_eq!(found(&ada, text).await, [*title], "{text}");
        }
    }
    for text in ["gamma", "かんば", "하국", "👍", "kafe", "strase"] {
        assert_eq!(found(&ada, text).await, [""; 0], "{text}");
    }
}

async fn a_search_takes_every_character_literally(app: TestApp) {
    let ada = app.client("ada");
    let titles = ["100% sure", "a_b", r"c:\dir", "it's \"so\"", "[x]*?", "1000 sure", "axb"];
    for title in titles {
        create(&ada, title).await;
    }
    for (text, expected) in [
        ("%", &titles[..1]),
        ("0% S", &titles[..1]),
        ("_", &titles[1..2]),
        ("A_B", &titles[1..2]),
        (r"\", &titles[2..3]),
        (r"C:\D", &titles[2..3]),
        ("'S \"", &titles[3..4]),
        ("*?", &titles[4..5]),
        ("00", &["100% sure", "1000 sure"]),
        ("%%", &[]),
        (r"\_", &[]),
    ] {
        assert_eq!(found(&ada, text).await, expected, "{text}");
    }
}

async fn an_empty_text_finds_every_title(app: TestApp) {
    let ada = app.client("ada");
    create(&ada, "one").await;
    ada.new_conversation().await;
    create(&ada, "").await;
    // Of an accent alone nothing is left to compare.
    for text in ["", "\u{301}"] {
        assert_eq!(found(&ada, text).await, ["one", ""], "{text:?}");
    }
}

async fn a_search_follows_every_change_of_a_title(app: TestApp) {
    let update = "mutation($input: UpdateConversationInput!) {
      updateConversation(input: $input) { conversation { id } }
    }";
    let ada = app.client("ada");
    let id = create(&ada, "Straße").await;
    for (input, texts) in [
        (json!({ "metadata": { "a": 1 } }), [("strasse", true), ("šumava", false)]),
        (json!({ "title": "ŠUMAVA" }), [("strasse", false), ("šumava", true)]),
        (json!({ "title": null }), [("sumava", false), ("", false)]),
        (json!({ "title": "Straße" }), [("strasse", true), ("šumava", false)]),
    ] {
        let mut input = input;
        input["id"] = id.clone();
        ada.data(update, json!({ "input": input })).await;
        ada.append(id.as_str().unwrap(), "An append leaves titles as they are").await;
        for (text, is_found) in texts {
            assert_eq!(!found(&ada, text).await.is_empty(), is_found, "{input} {text}");
        }
    }
    let delete = "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }";
    ada.data(delete, json!({ "id": id })).await;
    assert_eq!(found(&ada, "strasse").await, [""; 0]);
}

async fn a_search_finds_own_titles_only(app: TestApp) {
    let (ada, eve) = (app.client("ada"), app.client("eve"));
    create(&ada, "Ünïque").await;
    assert_eq!(found(&eve, "unique").await, [""; 0]);
    create(&eve, "unique too").await;
    assert_eq!(found(&eve, "UNIQUE").await, ["unique too"]);
    assert_eq!(found(&ada, "unique").await, ["Ünïque"]);
}

async fn a_search_is_read_page_by_page(app: TestApp) {
    let ada = app.client("ada");
    let mut expected = Vec::new();
    for number in 0..7 {
        create(&ada, &format!("other {number}")).await;
        let title = format!("{} {number}", if number % 2 == 0 { "Öl" } else { "OL" });
        create(&ada, &title).await;
        expected.push(title);
    }
    let (mut read, mut after) = (Vec::new(), Value::Null);
    loop {
        let data = ada.data(SEARCH, json!({ "text": "öl", "first": 3, "after": after })).await;
        read.extend(titles(&data));
        let page = &data["conversations"]["pageInfo"];
        if page["hasNextPage"] == false {
            break;
        }
        after = page["endCursor"].clone();
    }
    assert_eq!(read, expected);
}

/// More rows than the migration reads at once, some without a title, one of the nil UUID.
const SQLITE: &str = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT 1301) \
     INSERT INTO conversation (id, owner_id, title, metadata, created_at, updated_at, message_count, \
     last_position) SELECT CASE i WHEN 0 THEN zeroblob(16) ELSE randomblob(16) END, 'ada', \
     CASE WHEN i % 13 <> 1 THEN 'Привет №' || i END, '{}', i, i, 0, 0 FROM n";
const POSTGRES: &str = "INSERT INTO conversation (id, owner_id, title, metadata, created_at, updated_at, \
     message_count, last_position) SELECT CASE i WHEN 0 THEN '00000000-0000-0000-0000-000000000000' \
     ELSE gen_random_uuid() END, 'ada', CASE WHEN i % 13 <> 1 THEN 'Привет №' || i END, '{}', i, i, 0, 0 \
     FROM generate_series(0, 1300) AS i";

async fn old_titles_are_found_after_the_migration(app: TestApp) {
    let program = Program::over(app.engine).await;
    program.printed(&["migrate", "up"]).await;
    program.undo_migrations_from("folded_titles").await;
    match app.engine {
        Engine::Sqlite => {
            let file = format!("sqlite://{}/data/scrollback.db", program.folder().display());
            SqliteConnection::connect(&file).await.unwrap().execute(SQLITE).await.unwrap();
        }
        Engine::Postgres | Engine::PostgresWithRowLevelSecurity => {
            let url = program.variable("SCROLLBACK_DATABASE_URL");
            PgConnection::connect(url).await.unwrap().execute(POSTGRES).await.unwrap();
        }
    }
    let server = program.serve(&[]).await;
    let ada = server.client("ada");
    let (mut count, mut after) = (0, Value::Null);
    loop {
        let data = ada.data(SEARCH, json!({ "text": "ПРИВЕТ no", "first": 100, "after": after })).await;
        count += titles(&data).len();
        if data["conversations"]["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = data["conversations"]["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(count, (0..=1300).filter(|number| number % 13 != 1).count());
    assert_eq!(found(&ada, "no1300").await, ["Привет №1300"]);
    assert_eq!(found(&ada, "").await.len(), 100);
}
