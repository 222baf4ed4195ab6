use super::*;
use crate::clock::Clock;
use crate::import::parsed::ParsedMessage;
use crate::model::{ContentLimits, MessageStatus, OwnerId, Source};

fn target() -> Target {
    let limits = ContentLimits { message_bytes: 1000, metadata_bytes: 200, has_attachments: false };
    Target { owner: OwnerId::new("ada").unwrap(), limits, clock: Clock::system() }
}

fn text(role: Role, text: &str, parent: Option<usize>) -> ParsedMessage {
    ParsedMessage { parent, ..ParsedMessage::new(role, vec![Part::text(text.to_owned())]) }
}

fn found(messages: Vec<ParsedMessage>) -> ParsedConversation {
    let head = messages.len().saturating_sub(1);
    ParsedConversation { origin: "c".to_owned(), messages, head, ..ParsedConversation::default() }
}

fn prepared(found: ParsedConversation) -> Prepared {
    prepare(&target(), Format::ShareGpt, found).unwrap()
}

fn dropped(prepared: &Prepared) -> Vec<&str> {
    prepared.losses.dropped.iter().map(|dropped| dropped.what.as_str()).collect()
}

#[test]
fn a_message_without_content_leaves_its_place_to_the_one_before() {
    let messages = vec![
        text(Role::User, "Hi", None),
        text(Role::Assistant, "", Some(0)),
        text(Role::User, "Are you there?", Some(1)),
        text(Role::Assistant, "", Some(2)),
    ];
    let found = prepared(found(messages));
    let places: Vec<_> = found.messages.iter().map(|one| (one.position, one.parent_position)).collect();
    assert_eq!((places, found.conversation.head_position), (vec![(1, 0), (2, 1)], 2));
    assert_eq!(found.conversation.title.as_deref(), Some("Hi"));
    assert_eq!(found.losses.dropped[0].count, 2);
    let mut cut = text(Role::Assistant, "", None);
    cut.status = MessageStatus::Interrupted;
    assert_eq!(prepared(super::tests::found(vec![cut])).messages[0].content, "");
    let none = prepare(&target(), Format::ShareGpt, super::tests::found(Vec::new())).unwrap_err();
    assert_eq!((none.id.as_deref(), none.reason.as_str()), (Some("c"), "`messages` must not be empty"));
}

#[test]
fn what_breaks_a_rule_is_cut_kept_elsewhere_or_left_out_and_reported() {
    let long_url = format!("https://example.org/{}", "x".repeat(9000));
    let mut message = text(Role::User, "a\0b", None);
    message.parts.push(Part::Source(Source::Url {
        source_id: "s".into(),
        url: String::new(),
        title: None,
        extra: None,
    }));
    message.model = Some("m".repeat(300));
    message.metadata.insert("large".into(), JsonValue::from("x".repeat(300)));
    message.metadata.insert("small".into(), JsonValue::from("kept"));
    let mut conversation = found(vec![message]);
    conversation.title = Some("é".repeat(1000));
    conversation.labels = vec!["One".into(), "one".into(), " \n".into(), "l".repeat(100)];
    let found = prepared(conversation);
    let title = found.conversation.title.as_deref().unwrap();
    assert!(title.len() <= MAX_TITLE_BYTES && title.ends_with("é…"), "{title}");
    assert_eq!(found.conversation.labels, ["One".to_owned(), "l".repeat(64)]);
    let message = &found.messages[0];
    assert_eq!((message.content.as_str(), &message.model), ("ab", &None));
    assert_eq!(message.metadata.as_str(), r#"{"sharegpt":{"small":"kept"}}"#);
    let kinds: Vec<_> = message
        .parts
        .as_ref()
        .unwrap()
        .as_slice()
        .iter()
        .map(|part| match part {
            Part::Data { name, .. } => name.clone(),
            part => format!("{part:?}"),
        })
        .collect();
    assert_eq!(kinds[1], "sharegpt/source");
    assert_eq!(dropped(&found), ["NUL in a text", "conversation title", "message large", "message model"]);
    let large =
        prepare(&target(), Format::ShareGpt, super::tests::found(vec![text(Role::User, &long_url, None)]));
    assert!(large.unwrap_err().reason.starts_with("`messages[0]` must be at most 1000 bytes"));
}

#[test]
fn ids_depend_on_the_owner_the_format_and_the_ids_at_the_source() {
    let id = |owner: &str, format, origin: &str| {
        let target = Target { owner: OwnerId::new(owner).unwrap(), ..target() };
        let conversation =
            ParsedConversation { origin: origin.to_owned(), ..found(vec![text(Role::User, "Hi", None)]) };
        let prepared = prepare(&target, format, conversation).unwrap();
        (prepared.conversation.id, prepared.messages[0].id)
    };
    let first = id("ada", Format::ShareGpt, "c");
    assert_eq!(first, id("ada", Format::ShareGpt, "c"));
    for other in
        [id("bob", Format::ShareGpt, "c"), id("ada", Format::Claude, "c"), id("ada", Format::ShareGpt, "d")]
    {
        assert!(other.0 != first.0 && other.1 != first.1);
    }
}
