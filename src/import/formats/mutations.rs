//! Damages entries of a source, and checks that nothing panics and no text gets lost.

use std::collections::{BTreeSet, HashSet};

use super::samples::value;
use crate::clock::Clock;
use crate::import::format::Format;
use crate::import::parsed::Parsed;
use crate::import::parsed::ParsedConversation;
use crate::import::prepare::{Target, prepare};
use crate::model::{ContentLimits, JsonObject, JsonValue, OwnerId};

/// Values that replace others.
const VALUES: [&str; 14] = [
    "null",
    "true",
    "false",
    "7",
    "-1.5",
    "1e300",
    "123456789012345678901234567890",
    r#""""#,
    r#""changed""#,
    r#""changed\u0000""#,
    "[]",
    "{}",
    r#"["changed in an array"]"#,
    r#"{"type":"changed","text":"changed in an object"}"#,
];

/// Pseudorandom numbers: the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most
    }
}

/// Fields whose texts need not be kept.
pub(super) struct Unused<'u> {
    /// Ids, times and roles.
    pub(super) fields: &'u [&'u str],
    /// Fields with texts that are elsewhere, too, or that become something else, such as the kind of a part. A text in them
    /// may be missing only if it is also missing when nothing is damaged.
    pub(super) copies: &'u [&'u str],
}

/// Parses each of the entries, and `rounds` damaged ones.
pub(super) fn check(format: Format, entries: &[JsonValue], unused: &Unused<'_>, rounds: u64) {
    let mut copies = BTreeSet::new();
    for entry in entries {
        for (field, text) in check_entry(format, entry, "undamaged") {
            if !unused.fields.contains(&&*field) {
                assert!(unused.copies.contains(&&*field), "{field} is lost of {entry}");
                copies.insert(text);
            }
        }
    }
    for seed in 0..rounds {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut entry = entries[random.below(entries.len())].clone();
        for _ in 0..=random.below(3) {
            let mut place = random.below(count(&entry).max(1));
            damage(&mut entry, &mut place, &mut random);
        }
        for (field, text) in check_entry(format, &entry, &format!("seed {seed}")) {
            let is_kind = field == "type" && !text.starts_with("changed");
            let is_unused = unused.fields.contains(&&*field) || copies.contains(&text) || is_kind;
            assert!(is_unused, "seed {seed} loses {text:?} in {field:?} of {entry}");
        }
    }
}

fn count(value: &JsonValue) -> usize {
    match value {
        JsonValue::Array(items) => items.iter().map(|item| 1 + count(item)).sum(),
        JsonValue::Object(fields) => fields.values().map(|item| 1 + count(item)).sum(),
        _ => 0,
    }
}

/// Damages the value at `place`, counted from 0 in depth-first order. Returns whether it is done.
fn damage(parent: &mut JsonValue, place: &mut usize, random: &mut Random) -> bool {
    let length = match parent {
        JsonValue::Array(items) => items.len(),
        JsonValue::Object(fields) => fields.len(),
        _ => 0,
    };
    for at in 0..length {
        let child = match parent {
            JsonValue::Array(items) => &mut items[at],
            JsonValue::Object(fields) => &mut fields[at],
            _ => return false,
        };
        if *place > 0 {
            *place -= 1;
            if damage(child, place, random) {
                return true;
            }
            continue;
        }
        match random.below(6) {
            0 => *child = JsonValue::Null,
            1 | 2 => *child = value(VALUES[random.below(VALUES.len())]),
            3 => *child = JsonValue::Array(vec![child.clone()]),
            4 => match parent {
                JsonValue::Array(items) => drop(items.remove(at)),
                JsonValue::Object(fields) => drop(fields.shift_remove_index(at)),
                _ => {}
            },
            _ => match parent {
                JsonValue::Array(items) => {
                    let other = items[random.below(length)].clone();
                    items.insert(at, other);
                    items.reverse();
                }
                JsonValue::Object(fields) => fields.reverse(),
                _ => {}
            },
        }
        return true;
    }
    false
}

/// Returns the texts that are nowhere in the conversations, with the names of their fields.
fn check_entry(format: Format, entry: &JsonValue, name: &str) -> BTreeSet<(String, String)> {
    let parsed = crate::import::formats::parse(format, entry.clone());
    for found in &parsed {
        match found {
            Ok(found) => check_shape(found, name),
            Err(rejection) => assert!(!rejection.reason.is_empty(), "{name}"),
        }
    }
    // Of what is rejected nothing is kept.
    let lost = if parsed.iter().all(Result::is_ok) { lost(entry, &parsed) } else { BTreeSet::new() };
    let owner = OwnerId::new("ada".to_owned()).unwrap();
    let target = Target { owner, limits: ContentLimits::LARGEST, clock: Clock::system() };
    for found in parsed.into_iter().flatten() {
        let is_empty = found.messages.is_empty();
        match prepare(&target, format, found) {
            Ok(prepared) => {
                let ids: HashSet<_> = prepared.messages.iter().map(|message| message.id).collect();
                assert_eq!(ids.len(), prepared.messages.len(), "{name}");
            }
            Err(rejection) => {
                let is_known = is_empty
                    || rejection.reason.contains("must not be empty")
                    || rejection.reason.contains("U+0000");
                assert!(is_known, "{name}: {} of {entry}", rejection.reason);
            }
        }
    }
    lost
}

fn check_shape(found: &ParsedConversation, name: &str) {
    assert!(!found.origin.is_empty(), "{name}");
    assert!(found.messages.is_empty() || found.head < found.messages.len(), "{name}");
    for (at, message) in found.messages.iter().enumerate() {
        assert!(message.parent.is_none_or(|parent| parent < at), "{name}");
    }
}

fn lost(entry: &JsonValue, parsed: &Parsed) -> BTreeSet<(String, String)> {
    let mut kept = String::new();
    for found in parsed.iter().flatten() {
        let mut add = |text: &str| {
            kept.push_str(text);
            kept.push('\n');
        };
        add(&found.origin);
        found.title.iter().chain(&found.labels).for_each(|text| add(text));
        texts(&JsonValue::Object(found.metadata.clone()), "", &mut |_, text| add(text));
        for message in &found.messages {
            message.origin.iter().chain(&message.model).for_each(|text| add(text));
            texts(&JsonValue::Object(message.metadata.clone()), "", &mut |_, text| add(text));
            for part in &message.parts {
                texts(&value(&serde_json::to_string(part).unwrap()), "", &mut |_, text| add(text));
            }
            if let Some(feedback) = &message.feedback {
                feedback.tags.iter().chain(&feedback.comment).for_each(|text| add(text));
            }
        }
        for (what, _, _) in found.dropped.iter() {
            add(what);
        }
    }
    let mut lost = BTreeSet::new();
    texts(entry, "", &mut |name, text| {
        if !kept.contains(text) {
            lost.insert((name.to_owned(), text.to_owned()));
        }
    });
    lost
}

/// Calls `each` with every text that is not empty and the name of the field that it is in.
fn texts(value: &JsonValue, name: &str, each: &mut impl FnMut(&str, &str)) {
    match value {
        JsonValue::String(text) if !text.is_empty() => each(name, text),
        JsonValue::Array(items) => items.iter().for_each(|item| texts(item, name, each)),
        JsonValue::Object(fields) => {
            let fields: &JsonObject = fields;
            for (name, value) in fields {
                texts(value, name, each);
            }
        }
        _ => {}
    }
}
