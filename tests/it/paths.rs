//! The cost of reading paths in large trees.

use scrollback::model::{
    Append, AppendParent, Content, ConversationId, Deleted, End, Json, MessageBody, MessageId, MessageStatus,
    NewConversation, NewMessage, OwnerId, Page, Range, Role, Viewer,
};
use scrollback::store::{Scoped, branch_statements};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};

use crate::harness::{Engine, TestApp, on_each_database};

on_each_database!(reading_a_path_costs_the_same_whatever_the_conversations_length,);

const MESSAGES: usize = 10_000;
const FORKS: usize = 1_000;
const NESTED: usize = 50;

fn message(number: usize) -> NewMessage {
    NewMessage {
        id: None,
        role: Role::User,
        body: Some(MessageBody::Text(Content::new("content", format!("message {number}")).unwrap())),
        status: MessageStatus::Complete,
        model: None,
        usage: None,
        metadata: Json::empty_object(),
    }
}

async fn append(
    ada: &Scoped,
    conversation: ConversationId,
    after: AppendParent,
    count: usize,
) -> Vec<MessageId> {
    let messages = (0..count).map(message).collect();
    let append = Append { conversation, after, expected_head: None, messages };
    ada.append(append).await.unwrap().into_iter().map(|message| message.id).collect()
}

/// A conversation that has forked everywhere: every fork is at another place of the first path, and the
/// last ones each within the one before.
async fn tree(ada: &Scoped) -> (ConversationId, MessageId) {
    let new = NewConversation {
        id: None,
        title: None,
        metadata: Json::empty_object(),
        expires_at: None,
        is_read: false,
        messages: Vec::new(),
    };
    let id = ada.create_conversation(new).await.unwrap().id;
    let mut trunk = Vec::new();
    while trunk.len() < MESSAGES - 2 * FORKS {
        trunk.extend(append(ada, id, AppendParent::Head, 100).await);
    }
    for fork in 0..FORKS - NESTED {
        append(ada, id, AppendParent::Message(trunk[fork * 7 % trunk.len()]), 2).await;
    }
    let mut within = trunk[trunk.len() - 1];
    append(ada, id, AppendParent::Message(within), 1).await;
    let mut leaf = within;
    for _ in 0..NESTED {
        let branch = append(ada, id, AppendParent::Message(within), 2).await;
        (within, leaf) = (branch[0], branch[1]);
        // What goes on beside it makes the next append a fork.
        append(ada, id, AppendParent::Message(within), 1).await;
    }
    (id, leaf)
}

async fn reading_a_path_costs_the_same_whatever_the_conversations_length(app: TestApp) {
    let ada = app.store.viewed_by(&Viewer::new(OwnerId::new("ada").unwrap()));
    let (id, leaf) = tree(&ada).await;
    let conversation = ada.conversation(id).await.unwrap().unwrap();
    assert!(conversation.last_position >= i64::try_from(MESSAGES).unwrap());
    assert!(conversation.branches >= i64::try_from(FORKS).unwrap() - 1, "{conversation:?}");
    let page = Page { end: End::Last, size: 50 };
    // The path ends in branches within branches, a message or two each.
    let before = app.store.statements();
    let nested = ada.path(&conversation, Some(leaf), Range::all(), page, Deleted::Included).await.unwrap();
    let statements = app.store.statements() - before;
    assert_eq!(nested.items.len(), 50);
    assert!(nested.items.windows(2).all(|pair| pair[1].parent == Some(pair[0].position)), "an unbroken path");
    assert_eq!(statements, 2, "the leaf, the page");
    // The last page of the trunk is one range of it, however many messages stand elsewhere.
    let tip = ada.messages(id, Range { after: None, before: Some(8001) }, page).await.unwrap().items[49].id;
    let before = app.store.statements();
    let last = ada.path(&conversation, Some(tip), Range::all(), page, Deleted::Included).await.unwrap();
    assert_eq!(last.items.len(), 50);
    assert_eq!(app.store.statements() - before, 2, "the leaf, the page");
    check_plans(&app).await;
}

/// No statement that finds branches reads all messages, or sorts those of a branch.
async fn check_plans(app: &TestApp) {
    let url = app.config.database_url();
    let (postgres, sqlite) = branch_statements();
    if app.engine == Engine::Sqlite {
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let mut plans = String::new();
        for sql in sqlite {
            let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let rows = sqlx::query(explain).fetch_all(&mut connection).await.unwrap();
            rows.iter().for_each(|row| plans += &(row.get::<String, _>("detail") + "\n"));
        }
        for bad in ["SCAN", "TEMP B-TREE"] {
            assert!(!plans.contains(bad), "{plans}");
        }
        for good in ["message_by_branch", "INDEX message_by_parent", "m USING INTEGER PRIMARY KEY"] {
            assert!(plans.contains(good), "{plans}");
        }
        return;
    }
    let mut connection = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(
        "ANALYZE message; ANALYZE branch; ANALYZE conversation; SET plan_cache_mode = force_generic_plan",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    for (number, sql) in postgres.into_iter().enumerate() {
        let arguments = "'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'";
        let explain = format!("PREPARE page{number} AS {sql}; EXPLAIN EXECUTE page{number}({arguments})");
        let rows = sqlx::raw_sql(AssertSqlSafe(explain)).fetch_all(&mut connection).await.unwrap();
        let plan = rows.iter().map(|row| row.get::<String, _>(0)).collect::<Vec<_>>().join("\n");
        for bad in ["Seq Scan on message", "Seq Scan on branch", "Merge Join"] {
            assert!(!plan.contains(bad), "{plan}");
        }
        for good in ["message_by_branch", "message_by_parent", "message_pkey", "branch_pkey"] {
            assert!(plan.contains(good), "{good}: {plan}");
        }
    }
}
