//! Counts the tokens of messages, as the tokenizers of OpenAI's models count them.
//!
//! A tokenizer takes up to 50 MB of memory and 0.1 seconds to load, so it is loaded when it is first used. It counts
//! about 15 MB of text a second, and slower where a text has no spaces, so [`run`] moves whatever is not small to a
//! thread for blocking work, on as many threads as half of the cores.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use tiktoken_rs::CoreBPE;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::model::{Part, Parts, Tokenizer};

/// Bytes that are counted where they are: less than a millisecond.
const INLINE: usize = 4 * 1024;

/// Threads that may count at the same time.
static THREADS: LazyLock<Semaphore> =
    LazyLock::new(|| Semaphore::new(available_parallelism().map_or(1, |cores| cores.get().div_ceil(2))));

/// Whether a tokenizer is loaded, by its code.
static IS_LOADED: [AtomicBool; 2] = [const { AtomicBool::new(false) }; 2];

/// Counting stopped with a panic. The panic itself is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a text could not be counted")]
pub struct CountError;

/// The tokens of a message.
///
/// What counts is what a model reads: the content or, of a message with parts, every text, every reasoning, and of
/// every tool call its name, input, output and error. Files, sources and data do not count. Each of these texts is
/// counted by itself, as ordinary text: `<|endoftext|>` is not a special token. Nothing is added for a message.
pub fn count_message(tokenizer: Tokenizer, content: &str, parts: Option<&Parts>) -> i64 {
    let Some(parts) = parts else { return count(tokenizer, content) };
    let mut tokens = 0;
    let mut add = |text: &str| tokens += count(tokenizer, text);
    for part in parts.as_slice() {
        match part {
            Part::Text { text, .. } | Part::Reasoning { text, .. } => add(text),
            Part::Tool { tool_name, input, output, error_text, .. } => {
                add(tool_name);
                [input, output].into_iter().flatten().for_each(|json| add(json.as_str()));
                error_text.iter().for_each(|text| add(text));
            }
            Part::File { .. } | Part::Source(_) | Part::Data { .. } | Part::Custom { .. } => {}
        }
    }
    tokens
}

/// The bytes from which on a text is cut at the next word.
const PIECE: usize = 64 * 1024;

/// The bytes after which it is cut anywhere, if there is no word. The tokenizers fail on longer runs of one kind of
/// character.
const LONGEST_PIECE: usize = 128 * 1024;

/// Cuts a long text before a space or a line break between two letters, where a token ends in every encoding. So the
/// pieces have the same tokens as the text. Only in a run of [`LONGEST_PIECE`] without such a place there may be a few more.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, others) = rest.split_at(end_of_piece(rest));
        rest = others;
        (!piece.is_empty()).then_some(piece)
    })
}

fn end_of_piece(text: &str) -> usize {
    if text.len() <= LONGEST_PIECE {
        return text.len();
    }
    let start = text.floor_char_boundary(PIECE);
    let longest = text.floor_char_boundary(LONGEST_PIECE);
    let window = text.get(start..longest).unwrap_or_default();
    let mut before = None;
    let mut characters = window.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let is_gap = character == ' ' || character == '\n';
        let next = characters.peek().is_some_and(|(_, next)| next.is_alphabetic());
        if is_gap && next && before.is_some_and(char::is_alphabetic) {
            return start + at;
        }
        before = Some(character);
    }
    longest
}

/// The tokens of a text.
pub fn count(tokenizer: Tokenizer, text: &str) -> i64 {
    let tokens = match tokenizer {
        Tokenizer::O200kBase => encoded(tiktoken_rs::o200k_base_singleton, tokenizer, text),
        Tokenizer::Cl100kBase => encoded(tiktoken_rs::cl100k_base_singleton, tokenizer, text),
        Tokenizer::Estimate => text.len().div_ceil(4),
    };
    i64::try_from(tokens).unwrap_or(i64::MAX)
}

fn encoded(encoding: fn() -> &'static CoreBPE, tokenizer: Tokenizer, text: &str) -> usize {
    let count = pieces(text).map(|piece| encoding().count_ordinary(piece)).sum();
    if let Some(loaded) = is_loaded(tokenizer) {
        loaded.store(true, Ordering::Relaxed);
    }
    count
}

fn is_loaded(tokenizer: Tokenizer) -> Option<&'static AtomicBool> {
    match tokenizer {
        Tokenizer::O200kBase => Some(&IS_LOADED[0]),
        Tokenizer::Cl100kBase => Some(&IS_LOADED[1]),
        Tokenizer::Estimate => None,
    }
}

/// Runs something that counts about so many bytes, where it does not hold up other tasks.
///
/// # Errors
/// It panicked.
pub async fn run<T: Send + 'static>(
    tokenizer: Tokenizer,
    bytes: usize,
    counts: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CountError> {
    let is_ready = is_loaded(tokenizer).is_none_or(|loaded| loaded.load(Ordering::Relaxed));
    if is_ready && bytes <= INLINE {
        return Ok(counts());
    }
    let _permit = THREADS.acquire().await.map_err(|_| CountError)?;
    spawn_blocking(counts).await.map_err(|_| CountError)
}

#[cfg(test)]
mod tests;
