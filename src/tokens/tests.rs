use std::time::{Duration, Instant};

use super::*;
use crate::model::{Json, ToolState};

const ENCODINGS: [Tokenizer; 2] = [Tokenizer::O200kBase, Tokenizer::Cl100kBase];

#[test]
fn an_estimate_is_a_quarter_of_the_bytes() {
    for (text, tokens) in [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("漢字", 2)] {
        assert_eq!(count(Tokenizer::Estimate, text), tokens, "{text}");
    }
}

#[test]
fn special_tokens_are_ordinary_text() {
    for tokenizer in ENCODINGS {
        assert!(count(tokenizer, "<|endoftext|>") > 1);
    }
}

#[test]
fn a_message_counts_what_a_model_reads() {
    let json = |text: &str| Some(Json::new("input", text.into()).unwrap());
    let parts = vec![
        Part::reasoning("Let me look.".into()),
        Part::text("It is warm.".into()),
        Part::Tool {
            tool_call_id: "call_1".into(),
            tool_name: "weather".into(),
            state: ToolState::OutputAvailable,
            input: json(r#"{"city":"Rome"}"#),
            output: json(r#"{"celsius":31}"#),
            error_text: Some("none".into()),
            extra: None,
        },
        Part::File {
            media_type: "image/png".into(),
            filename: None,
            url: "https://example.com/a.png".into(),
            extra: None,
        },
        Part::Data { name: "weather".into(), data: json("[1,2,3]").unwrap(), extra: None },
    ];
    let parts = Parts::new("parts", parts).unwrap();
    for tokenizer in [Tokenizer::O200kBase, Tokenizer::Cl100kBase, Tokenizer::Estimate] {
        let texts =
            ["Let me look.", "It is warm.", "weather", r#"{"city":"Rome"}"#, r#"{"celsius":31}"#, "none"];
        let expected: i64 = texts.iter().map(|text| count(tokenizer, text)).sum();
        assert_eq!(count_message(tokenizer, "It is warm.", Some(&parts)), expected);
        assert_eq!(count_message(tokenizer, "It is warm.", None), count(tokenizer, "It is warm."));
    }
}

#[test]
fn hostile_texts_are_counted_in_bounded_time() {
    const BYTES: usize = 1024 * 1024;
    for tokenizer in ENCODINGS {
        for unit in ["a", " ", "\n", "\t ", "ab", "'", "1", "漢", "👩‍👩‍👧", "\u{300}"] {
            let begun = Instant::now();
            let text = unit.repeat(BYTES / unit.len());
            assert!(count(tokenizer, &text) > 0);
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "{tokenizer:?} {unit:?}: {:?}",
                begun.elapsed()
            );
        }
    }
}

#[test]
fn pieces_have_the_tokens_of_the_text() {
    let samples = [
        "The quick brown fox, 3 times.\n\nDoesn't it?  Yes: ",
        "Быстрая лиса прыгает. ",
        "a b\nc d ",
        "fn main() { x += 1; }\n    ",
    ];
    for sample in samples {
        let text = sample.repeat(300_000 / sample.len());
        assert!(pieces(&text).count() > 1);
        assert_eq!(pieces(&text).collect::<String>(), text);
        assert_eq!(
            count(Tokenizer::O200kBase, &text),
            tiktoken_rs::o200k_base_singleton().count_ordinary(&text) as i64
        );
        assert_eq!(
            count(Tokenizer::Cl100kBase, &text),
            tiktoken_rs::cl100k_base_singleton().count_ordinary(&text) as i64
        );
    }
    let without_words = "漢字".repeat(100_000);
    assert_eq!(pieces(&without_words).collect::<String>(), without_words);
    assert!(pieces(&without_words).all(|piece| piece.len() <= LONGEST_PIECE));
}

#[tokio::test]
async fn large_texts_are_counted_on_another_thread() {
    let here = std::thread::current().id();
    let thread = || std::thread::current().id();
    assert_eq!(run(Tokenizer::Estimate, INLINE, thread).await, Ok(here));
    assert_ne!(run(Tokenizer::Estimate, INLINE + 1, thread).await, Ok(here));
    let panicked = run(Tokenizer::Estimate, INLINE + 1, || panic!("a fault")).await;
    assert_eq!(panicked, Err::<(), _>(CountError));
}
