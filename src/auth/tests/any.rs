//! Arbitrary tokens: each is accepted as its owner's or rejected.

use futures_util::FutureExt;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::*;
use super::{SECRET, default_authenticator, signed, verify_header};
use crate::clock::Clock;

fn viewer_of(header: &str) -> Option<Viewer> {
    verify_header(&default_authenticator(), Some(header))
        .now_or_never()
        .expect("no key has to be fetched")
        .ok()
}

fn in_an_hour() -> Timestamp {
    Timestamp(Clock::system().now().0 + 3_600_000_000)
}

/// Values that claims may have, most of them not what they should be.
fn value() -> impl Strategy<Value = Value> {
    let later = in_an_hour().0 / 1_000_000;
    prop_oneof![
        4 => Just(json!(later)),
        4 => Just(json!("ada")),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        1 => any::<String>().prop_map(Value::from),
        1 => Just(json!([later, "ada"])),
        1 => Just(json!({ "a": 1 })),
    ]
}

proptest! {
    #[test]
    fn arbitrary_texts_are_rejected(text in any::<String>(), parts in "[Bb]earer [A-Za-z0-9_=-]{0,40}(\\.[A-Za-z0-9_=-]{0,40}){0,4}") {
        for header in [text.clone(), format!("Bearer {text}"), parts] {
            prop_assert_eq!(viewer_of(&header), None, "{}", header);
        }
    }

    #[test]
    fn a_signed_token_names_its_owner(owner in "\\PC{1,40}") {
        let Ok(owner) = OwnerId::new(owner) else { return Ok(()) };
        let token = sign(SECRET, &owner, in_an_hour(), &TokenRequirements::default()).unwrap();
        prop_assert_eq!(viewer_of(&format!("Bearer {token}")).map(|viewer| viewer.owner), Some(owner));
    }

    #[test]
    fn a_modified_token_is_rejected(
        at: prop::sample::Index, length in 0..4_usize, other in "[A-Za-z0-9_=+/.-]{0,3}"
    ) {
        let token = sign(SECRET, &OwnerId::new("ada").unwrap(), in_an_hour(), &TokenRequirements::default()).unwrap();
        let start = at.index(token.len() + 1);
        let mut changed = token.clone();
        changed.replace_range(start..token.len().min(start + length), &other);
        let viewer = viewer_of(&format!("Bearer {changed}"));
        prop_assert_eq!(viewer.is_some(), changed == token, "{}", changed);
    }

    #[test]
    fn arbitrary_claims_are_accepted_or_rejected(sub in value(), exp in value(), nbf in value(), with_nbf: bool) {
        let mut claims = json!({ "sub": sub, "exp": exp });
        if with_nbf {
            claims["nbf"] = nbf;
        }
        if let Some(viewer) = viewer_of(&format!("Bearer {}", signed(&claims))) {
            prop_assert_eq!(Some(viewer.owner.as_str()), claims["sub"].as_str());
            prop_assert!(claims["exp"].as_f64() > Some(Clock::system().now().0 as f64 / 1e6), "{}", claims);
        }
    }
}
