use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<JsonValue, JsonFault> {
    JsonValue::read(text.as_bytes())
}

/// The compact text of a value, read and written again.
fn again(text: &str) -> String {
    read(text).unwrap().to_string()
}

fn number() -> impl Strategy<Value = String> {
    let exponent = prop_oneof![Just(String::new()), "[eE][+-]?[0-9]{1,5}"];
    let whole = prop_oneof!["-?0", "-?[1-9][0-9]{0,30}", "-?[1-9][0-9]{999}"];
    let fraction = prop_oneof![Just(String::new()), "\\.[0-9]{1,30}"];
    (whole, fraction, exponent).prop_map(|(whole, fraction, exponent)| whole + &fraction + &exponent)
}

/// Compact texts with keys in any order, each once in an object.
fn json() -> impl Strategy<Value = String> {
    let text = any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap());
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        Just("false".to_owned()),
        number(),
        text
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::hash_map(any::<String>(), inner, 0..8).prop_map(|fields| {
                let field = |(name, value)| format!("{}:{value}", serde_json::to_string(&name).unwrap());
                format!("{{{}}}", fields.into_iter().map(field).collect::<Vec<_>>().join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn json_round_trips(text in json()) {
        prop_assert_eq!(again(&text), text);
    }

    #[test]
    fn texts_are_json_where_the_reference_says_so(text in json(), cut: prop::sample::Index, other in "[-+0-9eE.,:{}\\[\\]\"\\\\utfnrls \n\u{7f}\u{1}é]{0,3}") {
        let mut text = text;
        let at = text.char_indices().map(|(at, _)| at).nth(cut.index(text.chars().count())).unwrap();
        for broken in [text[..at].to_owned(), { text.insert_str(at, &other); text }] {
            // Reads any number, however large.
            let reference = serde_json::from_str::<&serde_json::value::RawValue>(&broken);
            prop_assert_eq!(read(&broken).is_ok(), reference.is_ok(), "{}", broken);
        }
    }
}

#[test]
fn keys_keep_their_order_and_numbers_their_digits() {
    let text = r#"{"z":1,"a":1e2,"c":12345678901234567890123,"d":1.10,"e":-0,"f":1E+400}"#;
    assert_eq!(again(text), text);
    assert_eq!(
        again(" { \"a\" : [ 1 , 2 ] , \"\\u00e9\" : \"\\ud83d\\ude00\\/\" } "),
        r#"{"a":[1,2],"é":"😀/"}"#
    );
}

#[test]
fn the_last_of_equal_keys_counts() {
    assert_eq!(again(r#"{"a":1,"b":2,"a":{"c":3}}"#), r#"{"a":{"c":3},"b":2}"#);
}

#[test]
fn depth_and_digits_are_bounded() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(read(&nested(216)).is_ok());
    assert_eq!(read(&nested(217)), Err(JsonFault::TooDeep));
    assert_eq!(read(&"[".repeat(1_000_000)), Err(JsonFault::TooDeep));
    assert!(read(&"9".repeat(4300)).is_ok());
    assert_eq!(read(&"9".repeat(4400)), Err(JsonFault::TooManyDigits));
}

#[test]
fn invalid_json_is_rejected() {
    let texts: [&[u8]; 18] = [
        b"",
        b" ",
        b"{",
        b"[1,]",
        b"{\"a\":1,}",
        b"{a:1}",
        b"01",
        b"1.",
        b".5",
        b"+1",
        b"NaN",
        b"Infinity",
        b"-",
        b"nul",
        b"\"\n\"",
        b"\"\\ud800\"",
        b"\"\xff\"",
        b"1 2",
    ];
    for text in texts {
        assert_eq!(JsonValue::read(text), Err(JsonFault::NotJson), "{}", String::from_utf8_lossy(text));
    }
}
