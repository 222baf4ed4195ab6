//! Labels of conversations.

use std::collections::HashSet;

use super::Invalid;

/// The most labels of a conversation.
pub const MAX_LABELS: usize = 32;

/// The longest label, in code points.
const MAX_LABEL_CHARACTERS: usize = 64;

/// A label as it was typed: 1 to 64 characters. Labels that differ only in case are the same label.
#[derive(Clone, Eq)]
pub struct Label {
    text: String,
    key: String,
}

impl Label {
    /// Checks the value. Errors name `argument`.
    ///
    /// # Errors
    /// The text has no visible character, has more than 64 characters, or contains control characters.
    pub fn new(argument: &str, text: String) -> Result<Self, Invalid> {
        let length = text.chars().count();
        if length > MAX_LABEL_CHARACTERS {
            let rule = format!("must have at most {MAX_LABEL_CHARACTERS} characters, has {length}");
            return Err(Invalid::new(argument, rule));
        }
        if let Some(control) = text.chars().find(|character| character.is_control()) {
            let rule = format!("must not contain control characters, got U+{:04X}", u32::from(control));
            return Err(Invalid::new(argument, rule));
        }
        if text.trim().is_empty() {
            return Err(Invalid::new(argument, "must have 1 to 64 characters that are not only white space"));
        }
        Ok(Self::stored(text))
    }

    fn stored(text: String) -> Self {
        Self { key: fold::caseless(&text), text }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What labels are compared by: the text after [`fold::caseless`].
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl PartialEq for Label {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

/// Hides the text: users write it.
impl std::fmt::Debug for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Label({} bytes)", self.text.len())
    }
}

/// The labels of a conversation, in the order in which they were added, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(Vec<Label>);

impl Labels {
    /// The labels in the column of a row. An unreadable value is no labels.
    pub fn stored(column: Option<String>) -> Self {
        let texts: Vec<String> = column.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
        Self(texts.into_iter().map(Label::stored).collect())
    }

    /// The JSON array for the column. `None` if there are no labels.
    pub fn to_json(&self) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let texts: Vec<&str> = self.iter().map(Label::as_str).collect();
        #[expect(clippy::expect_used, reason = "texts can be written as JSON")]
        Some(serde_json::to_string(&texts).expect("texts are JSON"))
    }

    /// The labels in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Label> {
        self.0.iter()
    }

    /// The bytes of all texts.
    pub fn bytes(&self) -> usize {
        self.0.iter().map(|label| label.text.len()).sum()
    }

    fn contains(&self, label: &Label) -> bool {
        self.0.contains(label)
    }
}

/// A change of the labels of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelPatch {
    /// These labels instead of those before.
    Replace(Vec<Label>),
    /// Adds labels that are missing, then removes labels that are there.
    Change {
        /// The labels to add. One that is there already keeps its spelling.
        add: Vec<Label>,
        /// The labels to remove.
        remove: Vec<Label>,
    },
}

impl LabelPatch {
    /// The labels after the change.
    ///
    /// # Errors
    /// There would be more than 32.
    pub fn apply(self, before: &Labels) -> Result<Labels, Invalid> {
        let (argument, labels, remove) = match self {
            Self::Replace(labels) => ("input.labels", labels, Vec::new()),
            Self::Change { add, remove } => {
                let kept = before.iter().cloned();
                let added = add.into_iter().filter(|label| !before.contains(label));
                ("input.addLabels", kept.chain(added).collect(), remove)
            }
        };
        let mut seen: HashSet<String> = remove.into_iter().map(|label| label.key).collect();
        let labels: Vec<_> = labels.into_iter().filter(|label| seen.insert(label.key.clone())).collect();
        if labels.len() > MAX_LABELS {
            let rule = format!(
                "must leave a conversation with at most {MAX_LABELS} labels, it would have {}",
                labels.len()
            );
            return Err(Invalid::new(argument, rule));
        }
        Ok(Labels(labels))
    }
}

/// A label with the number of conversations that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelCount {
    /// The label, in one of its spellings.
    pub label: String,
    /// The number of conversations, without those in the trash.
    pub conversations: i64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(texts: &[&str]) -> Vec<Label> {
        texts.iter().map(|text| Label::new("label", (*text).to_owned()).unwrap()).collect()
    }

    fn texts(labels: &Labels) -> Vec<&str> {
        labels.iter().map(Label::as_str).collect()
    }

    #[test]
    fn labels_are_compared_without_case_and_kept_as_typed() {
        let before = LabelPatch::Replace(labels(&["Work", "WORK", "Straße", "cafe", "café"]));
        let before = before.apply(&Labels::default()).unwrap();
        assert_eq!(texts(&before), ["Work", "Straße", "cafe", "café"]);
        let change =
            LabelPatch::Change { add: labels(&["work", "New"]), remove: labels(&["STRASSE", "gone"]) };
        let after = change.apply(&before).unwrap();
        assert_eq!(texts(&after), ["Work", "cafe", "café", "New"]);
        assert_eq!(texts(&Labels::stored(after.to_json())), texts(&after));
        let both = LabelPatch::Change { add: labels(&["x"]), remove: labels(&["X"]) };
        assert_eq!(both.apply(&after).unwrap(), after, "removing wins");
    }

    #[test]
    fn there_are_at_most_32_labels_of_64_characters() {
        let many: Vec<String> = (0..33).map(|number| format!("label {number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let full = LabelPatch::Replace(labels(&many[..32])).apply(&Labels::default()).unwrap();
        assert!(LabelPatch::Replace(labels(&many)).apply(&Labels::default()).is_err());
        let one_more = || LabelPatch::Change { add: labels(&["label 32"]), remove: Vec::new() };
        let error = one_more().apply(&full).unwrap_err().to_string();
        assert_eq!(
            error,
            "`input.addLabels` must leave a conversation with at most 32 labels, it would have 33"
        );
        let LabelPatch::Change { add, .. } = one_more() else { unreachable!() };
        let exchange = LabelPatch::Change { add, remove: labels(&["LABEL 0"]) };
        assert_eq!(exchange.apply(&full).unwrap().iter().count(), 32);
        for (text, is_valid) in
            [("", false), (" \u{3000}", false), ("a\0b", false), ("a\nb", false), ("é", true)]
        {
            assert_eq!(Label::new("label", text.to_owned()).is_ok(), is_valid, "{text:?}");
        }
        assert!(Label::new("label", "😀".repeat(64)).is_ok());
        assert!(Label::new("label", "😀".repeat(65)).is_err());
    }
}
