//! The names of files.

use std::collections::HashMap;

use crate::model::{Conversation, Timestamp, fold};

/// The longest title in a name, in characters and in bytes. Most systems allow 255 bytes for a name.
const TITLE_LENGTH: usize = 80;
const TITLE_BYTES: usize = 160;

/// The day of a time, in UTC.
pub(super) fn day(time: Timestamp) -> String {
    time.to_string().chars().take(10).collect()
}

/// The name of the page of a conversation: date and title.
pub(super) fn page_name(conversation: &Conversation, extension: &str) -> String {
    format!("{}.{extension}", stem(conversation))
}

/// Names are never those of devices on Windows, and never hidden, because they begin with a date.
fn stem(conversation: &Conversation) -> String {
    let title = safe_title(conversation.title.as_deref().unwrap_or_default());
    format!("{} {title}", day(conversation.created_at))
}

/// A title that can be in the name of a file on every system: without separators of paths, control characters, and
/// characters that have no width or change the direction of others.
fn safe_title(title: &str) -> String {
    let safe = |char: char| match char {
        '/' | '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|' => Some('_'),
        char if char.is_whitespace() => Some(' '),
        char if char.is_control() => None,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' => None,
        '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e0fff}' => None,
        char => Some(char),
    };
    let title: String = title.chars().filter_map(safe).collect();
    let mut words = title.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if let Some((end, _)) = words.char_indices().nth(TITLE_LENGTH) {
        words.truncate(end);
    }
    while words.len() > TITLE_BYTES {
        words.pop();
    }
    let words = words.trim_end_matches([' ', '.']).trim_start();
    if words.is_empty() { "Untitled".to_owned() } else { words.to_owned() }
}

/// Names that differ from each other on every system, also where case and accents do not count.
#[derive(Default)]
pub(super) struct PageNames {
    /// How often each folded name was taken.
    taken: HashMap<String, u64>,
}

impl PageNames {
    /// A name that none had before.
    pub(super) fn add(&mut self, conversation: &Conversation, extension: &str) -> String {
        let stem = stem(conversation);
        let mut name = stem.clone();
        loop {
            let count = self.taken.entry(fold(&name)).or_default();
            *count += 1;
            if *count == 1 {
                return format!("{name}.{extension}");
            }
            let number = *count;
            name = format!("{stem} ({number})");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_safe_in_every_file_system() {
        for (title, safe) in [
            ("", "Untitled"),
            (" \u{202e}\u{0}\u{200b}. ", "Untitled"),
            ("../../etc/passwd", ".._.._etc_passwd"),
            ("C:\\Users\\x|y?.txt", "C__Users_x_y_.txt"),
            ("line\r\nbreak\ttab", "line break tab"),
            ("ends. . .", "ends"),
            ("Grüße 東京 😀", "Grüße 東京 😀"),
            ("gnp\u{202e}exe.", "gnpexe"),
        ] {
            assert_eq!(safe_title(title), safe, "{title:?}");
        }
        assert_eq!(safe_title(&"x".repeat(500)).len(), TITLE_LENGTH);
        assert_eq!(safe_title(&"東".repeat(500)).len(), TITLE_BYTES / 3 * 3);
    }
}
