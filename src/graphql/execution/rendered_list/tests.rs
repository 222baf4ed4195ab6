use async_graphql::parser::parse_query;
use async_graphql::parser::types::DocumentOperations;
use uuid::Uuid;

use super::*;
use crate::graphql::execution::selection_plan;
use crate::graphql::schema::message::Message;
use crate::graphql::schema::message::connection::MessageEdge;
use crate::model::{
    self, ConversationId, Json, MessageId, MessageStatus, OwnerId, Role, Siblings, Timestamp,
};

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
        pinned: false,
    }
}

/// The selection of the operation in a document, and the fragments beside it.
fn read(text: &str) -> (SelectionSet, Fragments) {
    let document = parse_query(text).unwrap();
    let DocumentOperations::Single(operation) = document.operations else { panic!() };
    (operation.node.selection_set.node, document.fragments)
}

fn written<O>(text: &str, items: &[model::Message]) -> Option<String>
where
    model::Message: ListItem<O>,
{
    let page = Arc::new(Slice { items: items.to_vec(), has_previous: false, has_next: false });
    let (selection, fragments) = read(text);
    let plan = SelectionPlan::of(&<model::Message as ListItem<O>>::WRITER, &selection, &fragments)?;
    let beside = MessagesBeside { preceding: None, siblings: Siblings::None };
    let mut related = Related::of(items, Some(&beside));
    let list = RenderedList::<_, O>::of(&page);
    let written = list.write(&plan, &mut related, &MemoryBudget::default()).unwrap();
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
fn other_selections_are_left_to_async_graphql() {
    let whole = [message(MessageStatus::Complete)];
    for text in [
        "{ id ...Missing }",
        "{ id ...F @other } fragment F on Message { id }",
        "{ id id: role }",
        "{ id feedback { rating } }",
        "{ id parts { ... on FilePart { attachment { id } } } }",
        "{ id parent { conversation { id } } }",
        "{ id @other }",
        "{ unknown }",
    ] {
        assert_eq!(written::<Message>(text, &whole), None, "{text}");
    }
}

#[test]
fn fragments_on_interfaces_and_unions_are_written() {
    let whole = [message(MessageStatus::Complete)];
    let text = "{ ... on Node { id } parts { ... on MessagePart { __typename } ... on ToolPart { state } ...T } usage { inputTokens } siblings { position } parent { id } } fragment T on TextPart { text }";
    let expected = r#"[{"id":"00000000-0000-0000-0000-000000000000","parts":[{"__typename":"TextPart","text":"\"hi\""}],"usage":null,"siblings":[{"position":1}],"parent":null}]"#;
    assert_eq!(written::<Message>(text, &whole).unwrap(), expected);
}

#[test]
fn a_list_in_an_item_ends_at_the_memory_budget() {
    let mut whole = message(MessageStatus::Complete);
    let parts = vec![model::Part::text("x".repeat(100)); 500];
    whole.parts = Some(model::Parts::new("parts", parts).unwrap());
    let (selection, fragments) = read("{ parts { ... on TextPart { text } } }");
    let plan =
        SelectionPlan::of(&<model::Message as ListItem<Message>>::WRITER, &selection, &fragments).unwrap();
    let page = Arc::new(Slice { items: vec![whole], has_previous: false, has_next: false });
    let list = RenderedList::<_, Message>::of(&page);
    let write = |bytes| list.write(&plan, &mut Related::of(&[], None), &MemoryBudget::with_limit(bytes));
    assert_eq!(write(10_000), Err(MemoryError::ReservationRequired));
    assert!(write(100_000).unwrap().is_some());
}

#[test]
fn a_text_that_has_to_be_loaded_is_not_written() {
    let items = [message(MessageStatus::Complete), message(MessageStatus::Streaming)];
    assert!(written::<Message>("{ id status }", &items).is_some());
    assert_eq!(written::<Message>("{ id content }", &items), None);
}

#[test]
fn fragments_on_the_same_type_are_written_where_they_stand() {
    let whole = [message(MessageStatus::Complete)];
    let text = "{ role ...F id ... on Message { t: __typename id } } \
        fragment F on Message { position ...G } fragment G on Message { id status }";
    let expected = r#"[{"role":"USER","position":1,"id":"00000000-0000-0000-0000-000000000000","status":"COMPLETE","t":"Message"}]"#;
    assert_eq!(written::<Message>(text, &whole).unwrap(), expected);
}

#[test]
fn selections_are_merged_where_an_object_comes_twice() {
    let merges = |text: &str| {
        let (selection, fragments) = read(text);
        selection_plan::merges_selections(&selection, &fragments)
    };
    for text in [
        "{ a b }",
        "{ a { b } c { b } }",
        "{ x: a y: a }",
        "{ a a ...F } fragment F on T { a b { c } }",
        "{ a { b } ... { c { b } } }",
    ] {
        assert!(!merges(text), "{text}");
    }
    for text in [
        "{ a { b } a { c } }",
        "{ x: a { b } x: a { b } }",
        "{ a { b { c } b { c } } }",
        "{ a { b } ... { a { b } } }",
        "{ a { b } ...F } fragment F on T { c ...G } fragment G on T { a { c } }",
        "{ a { ...F b { c } } } fragment F on T { b { c } }",
    ] {
        assert!(merges(text), "{text}");
    }
}

#[test]
fn selection_keys_differ_if_the_output_differs() {
    let shape = |text: &str| {
        let (selection, fragments) = read(text);
        let mut out = String::new();
        selection_plan::selection_key(&mut out, &selection, &fragments);
        out
    };
    assert_eq!(shape("{ a b { c } }"), shape("{ a ...F } fragment F on T { b { c } }"));
    let different =
        ["{ a b { c } }", "{ a b { c } d }", "{ a b c }", "{ b { c } a }", "{ x: a b { c } }", "{ a: b }"];
    for (at, one) in different.iter().enumerate() {
        for other in &different[..at] {
            assert_ne!(shape(one), shape(other), "{one} {other}");
        }
    }
}
