//! Feedback on messages: what the user thinks of an answer.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use serde::{Deserialize, Serialize};

use super::content::bounded;
use super::{Invalid, Timestamp};

/// The most tags of a message.
const MAX_TAGS: usize = 32;

/// The longest tag, in characters (Unicode code points).
const MAX_TAG_CHARACTERS: usize = 64;

/// The longest comment, in bytes of UTF-8.
const MAX_COMMENT_BYTES: usize = 4096;

/// Whether a message was good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Rating {
    /// It was good.
    Up,
    /// It was not.
    Down,
}

impl Rating {
    /// The number in the database. It never changes once released.
    pub fn code(self) -> i16 {
        match self {
            Self::Up => 1,
            Self::Down => 2,
        }
    }

    /// The rating with this number, if there is one.
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Up, Self::Down].into_iter().find(|rating| rating.code() == code)
    }
}

/// The feedback on a message. At least one of the fields says something. Exports have it in this form.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Feedback {
    /// Whether the message was good.
    pub rating: Option<Rating>,
    /// Tags, as they were typed.
    pub tags: Vec<String>,
    /// A text of the user.
    pub comment: Option<String>,
    /// The time of the last change.
    pub updated_at: Timestamp,
}

/// Shows no text: comments must not be logged.
impl std::fmt::Debug for Feedback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Feedback({:?}, {} tags)", self.rating, self.tags.len())
    }
}

/// At most 32 tags of 1 to 64 characters without NUL, which differ in more than case.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct FeedbackTags(Vec<String>);

/// Shows only the number: users write tags.
impl std::fmt::Debug for FeedbackTags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FeedbackTags({})", self.0.len())
    }
}

impl FeedbackTags {
    /// The tags, in their order.
    pub fn into_vec(self) -> Vec<String> {
        self.0
    }

    /// Checks the tags. Errors name `argument`.
    ///
    /// # Errors
    /// There are too many tags, a tag is empty, too long or contains NUL, or two are equal by Unicode case folding.
    pub fn new(argument: &str, tags: Vec<String>) -> Result<Self, Invalid> {
        if tags.len() > MAX_TAGS {
            let rule = format!("must have at most {MAX_TAGS} tags, has {}", tags.len());
            return Err(Invalid::new(argument, rule));
        }
        let mut folded = HashMap::new();
        for (at, tag) in tags.iter().enumerate() {
            let argument = format!("{argument}[{at}]");
            let length = tag.chars().count();
            if !(1..=MAX_TAG_CHARACTERS).contains(&length) {
                let rule = format!("must have 1 to {MAX_TAG_CHARACTERS} characters, has {length}");
                return Err(Invalid::new(&argument, rule));
            }
            bounded(&argument, tag, usize::MAX)?;
            match folded.entry(fold::caseless(tag)) {
                Entry::Vacant(entry) => entry.insert(at),
                Entry::Occupied(entry) => {
                    let rule = format!("must differ in more than case from tag {}", entry.get());
                    return Err(Invalid::new(&argument, rule));
                }
            };
        }
        Ok(Self(tags))
    }
}

/// A comment: at most 4 KiB of UTF-8 without NUL.
#[derive(Clone, PartialEq, Eq)]
pub struct FeedbackComment(String);

impl FeedbackComment {
    /// The text.
    pub fn into_string(self) -> String {
        self.0
    }

    /// Checks the text. Errors name `argument`.
    ///
    /// # Errors
    /// The text has more than 4 KiB or contains NUL.
    pub fn new(argument: &str, text: String) -> Result<Self, Invalid> {
        bounded(argument, &text, MAX_COMMENT_BYTES)?;
        Ok(Self(text))
    }
}

/// Shows only the length: comments must not be logged.
impl std::fmt::Debug for FeedbackComment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FeedbackComment({} bytes)", self.0.len())
    }
}

/// Changes to feedback. `None` keeps a field, `Some(None)` clears it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FeedbackPatch {
    /// The new rating.
    pub rating: Option<Option<Rating>>,
    /// The new tags; none clear the field.
    pub tags: Option<FeedbackTags>,
    /// The new comment. An empty text clears the field.
    pub comment: Option<Option<FeedbackComment>>,
}

impl FeedbackPatch {
    /// The feedback after this change; `None` if nothing is left. `updated_at` is `now` if the feedback changes.
    pub fn apply(self, before: Option<&Feedback>, now: Timestamp) -> Option<Feedback> {
        let mut after = before.cloned().unwrap_or(Feedback {
            rating: None,
            tags: Vec::new(),
            comment: None,
            updated_at: now,
        });
        if let Some(rating) = self.rating {
            after.rating = rating;
        }
        if let Some(FeedbackTags(tags)) = self.tags {
            after.tags = tags;
        }
        if let Some(comment) = self.comment {
            after.comment = comment.map(|FeedbackComment(text)| text).filter(|text| !text.is_empty());
        }
        if before != Some(&after) {
            after.updated_at = now;
        }
        let says_something = after.rating.is_some() || !after.tags.is_empty() || after.comment.is_some();
        says_something.then_some(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(tags: &[&str]) -> Result<FeedbackTags, String> {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        FeedbackTags::new("tags", tags).map_err(|error| error.to_string())
    }

    #[test]
    fn tags_are_few_short_and_different() {
        let longest = "é".repeat(64);
        assert_eq!(tags(&["wrong", &longest, "Zu lang"]).unwrap().0, ["wrong", &longest, "Zu lang"]);
        let many: Vec<String> = (0..33).map(|at| at.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(tags(&many[..32]).is_ok());
        for (given, expected) in [
            (&many[..], "`tags` must have at most 32 tags, has 33"),
            (&["a", ""], "`tags[1]` must have 1 to 64 characters, has 0"),
            (&[&format!("{longest}x")], "`tags[0]` must have 1 to 64 characters, has 65"),
            (&["a\0b"], "`tags[0]` must not contain NUL (U+0000)"),
            (&["Straße", "b", "STRASSE"], "`tags[2]` must differ in more than case from tag 0"),
        ] {
            assert_eq!(tags(given), Err(expected.to_owned()));
        }
    }

    #[test]
    fn a_comment_has_at_most_4_kib_without_nul() {
        let comment =
            |text: String| FeedbackComment::new("comment", text).map(drop).map_err(|error| error.to_string());
        assert_eq!(comment("é".repeat(2048)), Ok(()));
        assert_eq!(comment(String::new()), Ok(()));
        let long = comment("x".repeat(4097)).unwrap_err();
        assert_eq!(long, "`comment` must be at most 4096 bytes of UTF-8, has 4097");
        assert_eq!(comment("a\0".into()).unwrap_err(), "`comment` must not contain NUL (U+0000)");
    }

    #[test]
    fn a_patch_keeps_sets_and_clears() {
        let comment = |text: &str| Some(Some(FeedbackComment(text.into())));
        let first =
            FeedbackPatch { rating: Some(Some(Rating::Up)), comment: comment("good"), ..Default::default() };
        let first = first.apply(None, Timestamp(1)).unwrap();
        let expected = Feedback {
            rating: Some(Rating::Up),
            tags: Vec::new(),
            comment: Some("good".into()),
            updated_at: Timestamp(1),
        };
        assert_eq!(first, expected);
        let same = FeedbackPatch { comment: comment("good"), ..Default::default() };
        assert_eq!(same.apply(Some(&first), Timestamp(2)), Some(expected.clone()), "nothing changes");
        let tagged = FeedbackPatch { tags: Some(tags(&["a"]).unwrap()), ..Default::default() };
        let second = tagged.apply(Some(&first), Timestamp(2)).unwrap();
        assert_eq!(second, Feedback { tags: vec!["a".into()], updated_at: Timestamp(2), ..expected });
        let clear =
            FeedbackPatch { rating: Some(None), tags: Some(FeedbackTags::default()), comment: comment("") };
        assert_eq!(clear.apply(Some(&second), Timestamp(3)), None);
        assert_eq!(FeedbackPatch::default().apply(None, Timestamp(3)), None);
    }
}
