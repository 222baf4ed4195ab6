//! Texts and queries. The same arguments always give the same ones.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

/// Messages of a conversation.
pub(crate) const CONVERSATION: usize = 100;

/// Words that are made up: 1 is the most frequent one, and the last ones are rare.
const VOCABULARY: u32 = 50_000;

/// Queries of each kind.
const QUERIES: usize = 40;

/// Sentences that people and models wrote, as `tests/data` has them.
pub(crate) struct Corpus {
    sentences: Vec<String>,
}

/// A part of what is filled in: up to [`CONVERSATION`] messages of one owner.
#[derive(Clone, Copy)]
pub(crate) struct Batch {
    pub(crate) owner: usize,
    /// Of the owner's conversations.
    pub(crate) number: usize,
    pub(crate) messages: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum QueryKind {
    Frequent,
    Rare,
    TwoWords,
    Phrase,
    Prefix,
    NoHit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Order {
    Relevance,
    Newest,
}

/// A query: the words or, if it is a prefix, the beginning of one.
#[derive(Clone)]
pub(crate) struct Query {
    pub(crate) kind: QueryKind,
    pub(crate) order: Order,
    pub(crate) words: Vec<String>,
}

impl QueryKind {
    pub(crate) const ALL: [Self; 6] =
        [Self::Frequent, Self::Rare, Self::TwoWords, Self::Phrase, Self::Prefix, Self::NoHit];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Frequent => "frequent word",
            Self::Rare => "rare word",
            Self::TwoWords => "two words",
            Self::Phrase => "phrase",
            Self::Prefix => "prefix",
            Self::NoHit => "no hit",
        }
    }
}

impl Order {
    pub(crate) const ALL: [Self; 2] = [Self::Relevance, Self::Newest];

    /// As GraphQL has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Relevance => "RELEVANCE",
            Self::Newest => "NEWEST",
        }
    }
}

impl Query {
    /// As Scrollback understands it.
    pub(crate) fn text(&self) -> String {
        match self.kind {
            QueryKind::Phrase => format!("\"{}\"", self.words.join(" ")),
            QueryKind::Prefix => format!("{}*", self.words[0]),
            _ => self.words.join(" "),
        }
    }

    /// The patterns for LIKE that must all match.
    pub(crate) fn patterns(&self) -> Vec<String> {
        match self.kind {
            QueryKind::Phrase => vec![format!("%{}%", self.words.join(" "))],
            _ => self.words.iter().map(|word| format!("%{word}%")).collect(),
        }
    }
}

impl Corpus {
    pub(crate) fn read() -> Self {
        let mut sentences = BTreeSet::new();
        for name in ["openassistant.jsonl", "mt-bench.jsonl", "sharegpt.json", "chatgpt.json", "claude.json"]
        {
            let path = format!("{}/tests/data/{name}", env!("CARGO_MANIFEST_DIR"));
            let text = fs::read_to_string(path).expect("a file of samples");
            for value in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
                collect(&value.expect("JSON"), &mut sentences);
            }
        }
        Self { sentences: sentences.into_iter().collect() }
    }

    /// The texts of a batch: 3 to 6 sentences and two words that are made up.
    pub(crate) fn texts(&self, batch: Batch) -> Vec<String> {
        let mut random = StdRng::seed_from_u64(((batch.owner as u64) << 32) + batch.number as u64);
        let mut text = || {
            let mut text = String::new();
            for _ in 0..random.random_range(3..=6) {
                text.push_str(&self.sentences[random.random_range(0..self.sentences.len())]);
                text.push(' ');
            }
            let [one, other] = [0, 1].map(|_| zipf(random.random_range(0.0..1.0)));
            format!("{text}{} {}.", made_up(one), made_up(other))
        };
        (0..batch.messages).map(|_| text()).collect()
    }

    /// Queries in this order whose words an owner's messages have, those without a hit aside.
    pub(crate) fn queries(&self, owner: usize, messages: usize, order: Order) -> Vec<Query> {
        let texts: Vec<String> =
            batches_of(owner, messages.min(2_000)).flat_map(|it| self.texts(it)).collect();
        let mut random = StdRng::seed_from_u64(owner as u64);
        let mut count: BTreeMap<String, usize> = BTreeMap::new();
        for text in &texts {
            let words: BTreeSet<String> = words(text).filter(|word| word.len() >= 3).collect();
            words.into_iter().for_each(|word| *count.entry(word).or_default() += 1);
        }
        let mut frequent: Vec<_> = count.iter().collect();
        frequent.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let frequent: Vec<String> = frequent.into_iter().take(20).map(|(word, _)| word.clone()).collect();
        let rare: Vec<String> =
            (VOCABULARY / 20..VOCABULARY).map(made_up).filter(|word| count.get(word) == Some(&1)).collect();

        let mut queries = Vec::new();
        for number in 0..QUERIES {
            let mut pick = |among: usize| random.random_range(0..among);
            let text = &texts[pick(texts.len())];
            let own: Vec<String> = words(text).filter(|word| word.len() >= 4).collect();
            let plain: Vec<Vec<&str>> = plain_words(text).into_iter().filter(|run| run.len() >= 3).collect();
            let run = &plain[pick(plain.len())];
            let begin = pick(run.len() - 2);
            let prefix = if number % 2 == 0 { &own[pick(own.len())] } else { &own[own.len() - 1] };
            for kind in QueryKind::ALL {
                let words = match kind {
                    QueryKind::Frequent => vec![frequent[number % frequent.len()].clone()],
                    QueryKind::Rare => vec![rare[pick(rare.len())].clone()],
                    QueryKind::TwoWords => vec![own[pick(own.len())].clone(), own[pick(own.len())].clone()],
                    QueryKind::Phrase => {
                        run[begin..begin + 3].iter().map(|word| word.to_lowercase()).collect()
                    }
                    QueryKind::Prefix => vec![prefix[..4].to_owned()],
                    QueryKind::NoHit => vec![format!("qx{}", made_up(pick(50_000) as u32))],
                };
                queries.push(Query { kind, order, words });
            }
        }
        queries
    }
}

/// The batches of an owner with so many messages.
pub(crate) fn batches_of(owner: usize, messages: usize) -> impl Iterator<Item = Batch> {
    (0..messages.div_ceil(CONVERSATION)).map(move |number| {
        let messages = CONVERSATION.min(messages - number * CONVERSATION);
        Batch { owner, number, messages }
    })
}

/// Adds the sentences of all strings that are prose.
fn collect(value: &Value, sentences: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            for sentence in text.split_inclusive(['.', '!', '?', '\n']).map(str::trim) {
                if sentence.len() <= 300 && plain_words(sentence).iter().any(|run| run.len() >= 3) {
                    sentences.insert(sentence.to_owned());
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, sentences)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, sentences)),
        _ => {}
    }
}

/// The words of a text that every tokenizer takes for words, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split_whitespace()
        .map(|word| word.trim_end_matches(['.', ',', '!', '?', ':', ';']))
        .filter(|word| is_plain(word))
        .map(str::to_lowercase)
}

/// Words with nothing but a space between them.
fn plain_words(text: &str) -> Vec<Vec<&str>> {
    let words: Vec<&str> = text.split(' ').collect();
    words.split(|word| !is_plain(word)).map(<[&str]>::to_vec).collect()
}

fn is_plain(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// A rank of the vocabulary, so that the frequency of a rank is proportional to 1 / rank.
fn zipf(uniform: f64) -> u32 {
    f64::from(VOCABULARY).powf(uniform) as u32
}

/// The word of a rank: six letters, another one for each rank.
fn made_up(rank: u32) -> String {
    const SYLLABLES: u32 = 70;
    // Prime to the number of words, so that words of close ranks have different beginnings.
    let mut rest = rank * 7919 % SYLLABLES.pow(3);
    let mut word = String::new();
    for _ in 0..3 {
        let syllable = (rest % SYLLABLES) as usize;
        word.push(char::from(b"bdfghklmnprstv"[syllable / 5]));
        word.push(char::from(b"aeiou"[syllable % 5]));
        rest /= SYLLABLES;
    }
    word
}
