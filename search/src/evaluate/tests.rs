//! The index against reading every text.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::page::{Hit, PageRequest, candidates, hits};
use super::{Filter, Match, Order, Plan};
use crate::index::builder::{Builder, Document};
use crate::index::merge::merge;
use crate::index::removal::{Outcome, remove};
use crate::index::segment::Segment;
use crate::index::{Field, Place};
use crate::query::{Query, parse};

#[derive(Debug, Clone)]
struct Message {
    place: Place,
    role: u8,
    model: Option<&'static str>,
    text: String,
    reasoning: Option<String>,
}

impl Message {
    fn texts(&self) -> Vec<(Field, &str)> {
        let reasoning = self.reasoning.iter().map(|text| (Field::Reasoning, text.as_str()));
        std::iter::once((Field::Text, self.text.as_str())).chain(reasoning).collect()
    }
}

fn build<'m>(messages: impl IntoIterator<Item = &'m Message>) -> Segment {
    let mut messages: Vec<_> = messages.into_iter().collect();
    messages.sort_by_key(|message| message.place);
    let mut builder = Builder::default();
    for message in messages {
        let (texts, role) = (message.texts(), Some(message.role));
        builder.add(&Document { place: message.place, role, model: message.model, texts: &texts });
    }
    builder.finish()
}

/// Only the blocks that a database would give.
fn fetched(segment: &Segment, plan: &Plan<'_>) -> Segment {
    let blocks: BTreeSet<_> =
        plan.ranges().iter().flat_map(|range| range.select(&segment.blocks).to_vec()).collect();
    Segment { summary: segment.summary.clone(), blocks: blocks.into_iter().collect() }
}

fn search(segments: &[Segment], plan: &Plan<'_>, request: &PageRequest) -> Vec<Hit> {
    let mut parts: Vec<Segment> = segments.iter().map(|segment| fetched(segment, plan)).collect();
    let matches: Vec<Vec<Match>> = parts.iter().map(|part| plan.matches(part).unwrap()).collect();
    let found: Vec<_> =
        parts.iter().map(|part| &part.summary).zip(matches.iter().map(Vec::as_slice)).collect();
    let candidates = candidates(&found, plan.filter, request);
    for candidate in &candidates {
        let key = candidate.places_key();
        let block = segments[candidate.segment].block(&key).unwrap().to_vec();
        let blocks = &mut parts[candidate.segment].blocks;
        if let Err(index) = blocks.binary_search_by(|(found, _)| found.cmp(&key)) {
            blocks.insert(index, (key, block));
        }
    }
    hits(&candidates, &parts.iter().collect::<Vec<_>>(), plan.filter, request).unwrap()
}

/// All pages.
fn search_all(segments: &[Segment], plan: &Plan<'_>, order: Order, count: usize) -> Vec<Hit> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = search(segments, plan, &PageRequest { order, after, count });
        let Some(last) = page.last() else { return all };
        after = Some(*last);
        all.extend(page);
    }
}

fn naive(messages: &[Message], query: &Query, fields: &[Field], filter: &Filter) -> BTreeSet<Place> {
    let is_wanted = |message: &&Message| {
        let texts: Vec<_> = message
            .texts()
            .into_iter()
            .filter(|(field, _)| fields.contains(field))
            .map(|(_, text)| text)
            .collect();
        let conversation = &message.place.conversation;
        query.matches(&texts)
            && filter.conversations.as_ref().is_none_or(|wanted| wanted.contains(conversation))
            && !filter.excluded_conversations.contains(conversation)
            && filter.roles.as_ref().is_none_or(|roles| roles.contains(&message.role))
            && filter.models.as_ref().is_none_or(|models| {
                message.model.is_some_and(|model| models.iter().any(|name| name == model))
            })
            && filter.since.is_none_or(|since| message.place.created_at >= since)
            && filter.until.is_none_or(|until| message.place.created_at < until)
    };
    messages.iter().filter(is_wanted).map(|message| message.place).collect()
}

const WORDS: &[&str] = &[
    "the",
    "cat",
    "catalogue",
    "Café",
    "cafe",
    "snake_case",
    "camelCase",
    "foo-bar",
    "foo",
    "bar",
    "病院",
    "病院は機能",
    "機能",
    "👍🏽",
    "don't",
    "3.14",
    "x",
    "the",
    "the",
    "dog",
    "doge",
];

const QUERIES: &[&str] = &[
    "the",
    "cat",
    "cat*",
    "c*",
    "café",
    "\"the cat\"",
    "\"cat the\"",
    "the -dog",
    "the -\"the cat\"",
    "foo-bar",
    "病院",
    "病",
    "snake_case",
    "\"snake case\"",
    "camelcase",
    "the cat dog",
    "dog*",
    "-do* the",
    "foo-ba*",
    "nothing",
    "👍",
    "\"the the\"",
    "機能 the",
    "don't",
    "3.14",
];

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(WORDS), 0..12).prop_map(|words| words.join(" "))
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let message = (
        0..40i64,
        0..4u8,
        0..4u8,
        prop::option::of(prop::sample::select(&["gpt", "claude"][..])),
        text(),
        prop::option::of(text()),
    );
    prop::collection::vec(message, 1..60).prop_map(|messages| {
        let message = |(index, (time, conversation, role, model, text, reasoning))| Message {
            place: Place { created_at: time * 1000, conversation: [conversation; 16], position: index },
            role,
            model,
            text,
            reasoning,
        };
        (1..).zip(messages).map(message).collect()
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let ids = || prop::collection::vec((0..4u8).prop_map(|id| [id; 16]), 0..3);
    (
        prop::option::of(ids()),
        ids(),
        prop::option::of(Just(vec![1, 2])),
        prop::option::of(Just(vec!["gpt".to_owned()])),
        prop::option::of(0..40_000i64),
        prop::option::of(0..40_000i64),
    )
        .prop_map(|(conversations, excluded_conversations, roles, models, since, until)| Filter {
            conversations,
            excluded_conversations,
            roles,
            models,
            since,
            until,
        })
}

/// Several segments, one of them merged, from some of which messages were removed.
fn segments(messages: &[Message], removed: &BTreeSet<Place>) -> Vec<Segment> {
    let mut segments: Vec<Segment> = (0..4)
        .map(|rest| {
            build(
                messages
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| index % 4 == rest)
                    .map(|(_, message)| message),
            )
        })
        .collect();
    for segment in &mut segments {
        remove_from(segment, removed);
    }
    let merged = merge(&segments[..2]).unwrap();
    segments.splice(..2, [merged]);
    segments
}

fn remove_from(segment: &mut Segment, removed: &BTreeSet<Place>) {
    let places = segment.all_places().unwrap();
    let documents = (0..)
        .zip(&places)
        .filter(|(_, place)| place.is_some_and(|place| removed.contains(&place)))
        .map(|(number, _)| number)
        .collect();
    segment.blocks.retain_mut(|(key, block)| match remove(key, block, &documents).unwrap() {
        Outcome::Unchanged => true,
        Outcome::Replaced(new) => {
            *block = new;
            true
        }
        Outcome::Emptied => false,
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn the_index_finds_what_reading_every_text_finds(
        messages in messages(),
        filter in filter(),
        is_filtered in any::<bool>(),
        with_reasoning in any::<bool>(),
        query in prop::sample::select(QUERIES),
        count in 1..5usize,
        removed in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let removed: BTreeSet<Place> = removed.iter().map(|index| index.get(&messages).place).collect();
        let segments = segments(&messages, &removed);
        let left: Vec<_> = messages.iter().filter(|message| !removed.contains(&message.place)).cloned().collect();
        let query = parse(query).unwrap();
        let filter = if is_filtered { filter } else { Filter::default() };
        let fields: &[Field] = if with_reasoning { &[Field::Text, Field::Reasoning] } else { &[Field::Text] };
        let expected = naive(&left, &query, fields, &filter);
        let mut relevance = Vec::new();
        for order in [Order::Relevance, Order::Newest, Order::Oldest] {
            let plan = Plan { query: &query, fields, filter: &filter, is_scored: order == Order::Relevance };
            let found = search_all(&segments, &plan, order, count);
            let places: Vec<_> = found.iter().map(|hit| hit.place).collect();
            prop_assert_eq!(&places.iter().copied().collect::<BTreeSet<_>>(), &expected);
            prop_assert_eq!(places.len(), expected.len(), "nothing comes twice");
            match order {
                Order::Relevance => {
                    prop_assert!(found.is_sorted_by_key(|hit| (std::cmp::Reverse(hit.score), std::cmp::Reverse(hit.place))));
                    relevance = found;
                }
                Order::Newest => prop_assert!(places.is_sorted_by_key(|place| std::cmp::Reverse(*place))),
                Order::Oldest => prop_assert!(places.is_sorted()),
            }
        }
        // Scores do not depend on how documents are spread over segments.
        let all = [build(&left)];
        let plan = Plan { query: &query, fields, filter: &filter, is_scored: true };
        prop_assert_eq!(relevance, search_all(&all, &plan, Order::Relevance, 100));
    }

    #[test]
    fn nothing_of_a_removed_document_is_left(messages in messages(), index in any::<prop::sample::Index>()) {
        let removed = index.get(&messages);
        let mut with = build(&messages);
        remove_from(&mut with, &BTreeSet::from([removed.place]));
        let without = build(messages.iter().filter(|message| message.place != removed.place));
        let merged = merge(std::slice::from_ref(&with)).unwrap();
        prop_assert_eq!(merged.blocks, without.blocks);
        prop_assert_eq!(merged.summary, without.summary);
    }
}

#[test]
fn pages_go_over_many_blocks() {
    let messages: Vec<_> = (0..3000)
        .map(|number| Message {
            place: Place {
                created_at: i64::from(number) / 7,
                conversation: [(number % 3) as u8; 16],
                position: i64::from(number) + 1,
            },
            role: 1,
            model: None,
            text: format!("the word{} {}", number % 10, "more ".repeat(number as usize % 5)),
            reasoning: None,
        })
        .collect();
    let halves = [build(&messages[..1700]), build(&messages[1700..])];
    let merged = [merge(&halves).unwrap()];
    for text in ["the", "word3", "w*", "\"the word4\"", "more", "the -word1"] {
        let query = parse(text).unwrap();
        for filter in [Filter::default(), Filter { since: Some(100), until: Some(333), ..Filter::default() }]
        {
            let expected = naive(&messages, &query, &[Field::Text], &filter);
            for order in [Order::Relevance, Order::Newest, Order::Oldest] {
                let plan = Plan {
                    query: &query,
                    fields: &[Field::Text],
                    filter: &filter,
                    is_scored: order == Order::Relevance,
                };
                for segments in [&halves[..], &merged] {
                    let found = search_all(segments, &plan, order, 701);
                    assert_eq!(found.len(), expected.len(), "{text}");
                    assert_eq!(found.iter().map(|hit| hit.place).collect::<BTreeSet<_>>(), expected);
                }
            }
        }
    }
}
