use async_graphql::parser::parse_query;
use async_graphql::parser::types::DocumentOperations;
use uuid::Uuid;

use super::*;
use crate::graphql::connection::MessageEdge;
use crate::graphql::message::Message;
use crate::model::{ConversationId, Json, MessageId, MessageStatus, OwnerId, Role, Timestamp};

fn message(status: MessageStatus) -> model::Message {
    model::Message {
        id: MessageId(Uuid::nil()),
        conversation: ConversationId(Uuid::nil()),
        position: 1,
        owner: OwnerId::new("ada").unwrap(),
        role: Role::User,
        content: "\"hi\"".into(),
        metadata: Json::empty_object(),
        created_at: Timestamp(0),
        branch: None,
        parent: None,
        status,
        parts: None,
        model: None,
        usage: None,
        edited_at: None,
        deleted_at: None,
    }
}

fn selection(text: &str) -> SelectionSet {
    let DocumentOperations::Single(operation) = parse_query(text).unwrap().operations else { panic!() };
    operation.node.selection_set.node
}

fn written<O>(text: &str, items: &[model::Message]) -> Option<String>
where
    model::Message: Listed<O>,
{
    let page = Arc::new(Slice { items: items.to_vec(), has_previous: false, has_next: false });
    let written = List::<_, O>::of(&page).write(&selection(text), &Allowance::default()).unwrap();
    written.map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn a_plain_selection_is_written_in_its_order() {
    let whole = [message(MessageStatus::Complete)];
    let text =
        "{ when: createdAt id __typename content role @include(if: true) status model metadata editedAt }";
    let expected = r#"[{"when":"1970-01-01T00:00:00.000000Z","id":"00000000-0000-0000-0000-000000000000","__typename":"Message","content":"\"hi\"","role":"USER","status":"COMPLETE","model":null,"metadata":{},"editedAt":null}]"#;
    assert_eq!(written::<Message>(text, &whole).unwrap(), expected);
    let expected = r#"[{"node":{"position":1,"t":"Message"},"__typename":"MessageEdge"}]"#;
    let text = "{ node { position t: __typename } __typename }";
    assert_eq!(written::<MessageEdge>(text, &whole).unwrap(), expected);
    assert_eq!(written::<Message>("{ id }", &[]).unwrap(), "[]");
}

#[test]
fn all_else_is_left_to_the_library() {
    let whole = [message(MessageStatus::Complete)];
    for text in [
        "{ id ... { role } }",
        "{ id ...F }",
        "{ id parent { id } }",
        "{ id parts { __typename } }",
        "{ id @other }",
        "{ unknown }",
    ] {
        assert_eq!(written::<Message>(text, &whole), None, "{text}");
    }
}

#[test]
fn a_text_that_has_to_be_loaded_is_not_written() {
    let items = [message(MessageStatus::Complete), message(MessageStatus::Streaming)];
    assert!(written::<Message>("{ id status }", &items).is_some());
    assert_eq!(written::<Message>("{ id content }", &items), None);
}

#[test]
fn selections_are_merged_where_a_key_comes_twice_or_a_fragment_is() {
    for text in ["{ a b }", "{ a { b } c { b } }", "{ x: a y: a }"] {
        assert!(!merges(&selection(text)), "{text}");
    }
    for text in ["{ a a }", "{ x: a x: b }", "{ a { b b } }", "{ a { ... { b } } }", "{ ...F }"] {
        assert!(merges(&selection(text)), "{text}");
    }
}
