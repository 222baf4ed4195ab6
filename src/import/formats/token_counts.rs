//! Token counts under the names of the providers.

use crate::import::fields::Fields;
use crate::model::{JsonValue, TokenUsage};

const INPUT: [&str; 5] =
    ["prompt_tokens", "input_tokens", "inputTokens", "promptTokens", "prompt_eval_count"];
const OUTPUT: [&str; 5] =
    ["completion_tokens", "output_tokens", "outputTokens", "completionTokens", "eval_count"];
const TOTAL: [&str; 2] = ["total_tokens", "totalTokens"];
const CACHED: [&str; 3] = ["cached_tokens", "cachedInputTokens", "cache_read_input_tokens"];
const REASONING: [&str; 2] = ["reasoning_tokens", "reasoningTokens"];
/// The objects with the counts of cached tokens and of reasoning.
const DETAILS: [&str; 6] = [
    "prompt_tokens_details",
    "input_tokens_details",
    "inputTokenDetails",
    "completion_tokens_details",
    "output_tokens_details",
    "outputTokenDetails",
];

/// Takes the counts of an object. `None`: it has none.
pub(super) fn take_usage(fields: &mut Fields) -> Option<TokenUsage> {
    let mut usage = TokenUsage {
        input_tokens: take_first(fields, &INPUT),
        output_tokens: take_first(fields, &OUTPUT),
        total_tokens: take_first(fields, &TOTAL),
        cached_input_tokens: take_first(fields, &CACHED),
        reasoning_tokens: take_first(fields, &REASONING),
    };
    for name in DETAILS {
        let Some(mut details) = fields.object(name) else { continue };
        let is_input = name.starts_with("prompt") || name.starts_with("input");
        if is_input && usage.cached_input_tokens.is_none() {
            usage.cached_input_tokens = take_first(&mut details, &["cached_tokens", "cacheReadTokens"]);
        }
        if !is_input && usage.reasoning_tokens.is_none() {
            usage.reasoning_tokens = take_first(&mut details, &REASONING);
        }
        fields.put(name, details.into_value());
    }
    (usage != TokenUsage::default()).then_some(usage)
}

/// Takes the first count that is there. The same count under another name says nothing new.
fn take_first(fields: &mut Fields, names: &[&str]) -> Option<i32> {
    let mut first = None;
    for name in names {
        match (first, peek(fields, name)) {
            (_, None) => continue,
            (Some(first), Some(count)) if count != first => continue,
            (_, count) => first = count,
        }
        fields.ignore(name);
    }
    first
}

/// Takes a count.
pub(super) fn take_count(fields: &mut Fields, name: &str) -> Option<i32> {
    take_first(fields, &[name])
}

fn peek(fields: &Fields, name: &str) -> Option<i32> {
    match fields.get(name)? {
        JsonValue::Number(number) => number.as_str().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(text: &str) -> (Option<TokenUsage>, String) {
        let mut fields = Fields::of(JsonValue::read(text.as_bytes()).unwrap()).unwrap();
        let usage = take_usage(&mut fields);
        (usage, JsonValue::Object(fields.rest()).to_string())
    }

    #[test]
    fn counts_are_read_under_all_names() {
        let (counts, rest) = usage(
            r#"{"prompt_tokens":7,"input_tokens":7,"completion_tokens":5,"output_tokens":6,"total_tokens":"12",
                "prompt_tokens_details":{"cached_tokens":3},"completion_tokens_details":{"reasoning_tokens":2},"x":1.5}"#,
        );
        let expected = TokenUsage {
            input_tokens: Some(7),
            output_tokens: Some(5),
            total_tokens: None,
            cached_input_tokens: Some(3),
            reasoning_tokens: Some(2),
        };
        assert_eq!(counts, Some(expected));
        assert_eq!(rest, r#"{"output_tokens":6,"total_tokens":"12","x":1.5}"#);
        assert_eq!(
            usage(r#"{"eval_count":99999999999}"#),
            (None, r#"{"eval_count":99999999999}"#.to_owned())
        );
    }
}
