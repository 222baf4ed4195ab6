//! Consistency of streamed texts: what their writers know, what subscribers received and what readers read.

use std::time::Instant;

use super::log::Entry;

/// What the writer of a streaming message knows.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) id: String,
    /// The acknowledged chunks, joined.
    pub(super) acknowledged: String,
    /// The times at which lengths were acknowledged, in code points.
    pub(super) lengths: Vec<(Instant, usize)>,
    /// The last chunk, if it is unknown whether it was stored.
    pub(super) unsure: String,
    /// The final status that the writer set. `None` if it left or lost its lease.
    pub(super) ended: Option<&'static str>,
}

/// The chunks that a subscriber received, with their offsets, and the final status.
#[derive(Debug, Clone, Default)]
pub(super) struct ReceivedText {
    pub(super) pieces: Vec<(usize, String)>,
    pub(super) ended: Option<String>,
}

impl ReceivedText {
    /// The offset of the next chunk.
    pub(super) fn length(&self) -> usize {
        self.pieces.iter().map(|(_, text)| text.chars().count()).sum()
    }
}

/// A read of a text, and its start time.
#[derive(Debug, Clone)]
pub(super) struct TextRead {
    pub(super) began: Instant,
    pub(super) text: String,
}

/// Checks that a message is stored as acknowledged, that subscribers received exactly this text, and that no
/// read missed acknowledged text.
pub(super) fn check(
    answer: &Answer,
    stored: &Entry,
    received: &[ReceivedText],
    reads: &[TextRead],
) -> Result<(), String> {
    let Entry { content, status, .. } = stored;
    let whole = format!("{}{}", answer.acknowledged, answer.unsure);
    if *content != answer.acknowledged && *content != whole {
        return Err(format!("{content:?} is not what was acknowledged: {answer:?}"));
    }
    let ended = answer.ended.unwrap_or("INTERRUPTED");
    if status != ended {
        return Err(format!("it is {status} and should be {ended}"));
    }
    for received in received {
        follows(received, content, status)?;
    }
    for TextRead { began, text } in reads {
        if !content.starts_with(text) {
            return Err(format!("{text:?} was read of {content:?}"));
        }
        let known = answer.lengths.iter().filter(|(at, _)| at < began).map(|(_, length)| *length).max();
        if text.chars().count() < known.unwrap_or(0) {
            return Err(format!("{text:?} was read after {known:?} code points were acknowledged"));
        }
    }
    Ok(())
}

/// Whether a follower's pieces, joined, are a beginning of the text at any time and all of it at the end.
fn follows(received: &ReceivedText, content: &str, status: &str) -> Result<(), String> {
    let mut joined = String::new();
    for (offset, text) in &received.pieces {
        if *offset != joined.chars().count() {
            return Err(format!("a hole or a repeat at {offset}: {received:?}"));
        }
        joined.push_str(text);
        if !content.starts_with(&joined) {
            return Err(format!("{joined:?} is not a beginning of {content:?}"));
        }
    }
    if joined != content || received.ended.as_deref() != Some(status) {
        return Err(format!("it ended {status} with {content:?}, not as was told: {received:?}"));
    }
    Ok(())
}

mod tests {
    use std::slice::from_ref;
    use std::time::Duration;

    use super::*;

    /// An answer of two pieces and perhaps a third, with a follower and a read that are right.
    struct Example {
        answer: Answer,
        stored: Entry,
        received: ReceivedText,
        reads: TextRead,
    }

    impl Example {
        fn valid() -> Self {
            let start = Instant::now();
            let at = |second| start + Duration::from_secs(second);
            let pieces = [(0, "é".to_owned()), (1, "👍!".to_owned()), (3, "?".to_owned())];
            Self {
                answer: Answer {
                    id: "a".into(),
                    acknowledged: "é👍!".into(),
                    lengths: vec![(at(1), 1), (at(3), 3)],
                    unsure: "?".into(),
                    ended: None,
                },
                stored: Entry {
                    position: 1,
                    id: "a".into(),
                    content: "é👍!?".into(),
                    status: "INTERRUPTED".into(),
                },
                received: ReceivedText { pieces: pieces.into(), ended: Some("INTERRUPTED".into()) },
                reads: TextRead { began: at(2), text: "é".into() },
            }
        }

        fn check(&self) -> Result<(), String> {
            check(&self.answer, &self.stored, from_ref(&self.received), from_ref(&self.reads))
        }
    }

    #[test]
    fn consistent_histories_are_accepted() {
        let mut case = Example::valid();
        assert_eq!(case.check(), Ok(()));
        // The piece that nobody was sure of is not there.
        case.stored.content = "é👍!".into();
        case.received.pieces.pop();
        assert_eq!(case.check(), Ok(()));
        // A last chunk without text.
        case.received.pieces.push((3, String::new()));
        (case.answer.ended, case.stored.status) = (Some("COMPLETE"), "COMPLETE".into());
        case.received.ended = Some("COMPLETE".into());
        assert_eq!(case.check(), Ok(()));
    }

    #[test]
    fn violations_are_found() {
        type Fault = fn(&mut Example);
        let breaks: [(&str, Fault, &str); 13] = [
            ("a piece is lost", |case| case.stored.content = "é".into(), "not what was acknowledged"),
            ("all is lost", |case| case.stored.content.clear(), "not what was acknowledged"),
            (
                "a piece stands twice",
                |case| case.stored.content = "éé👍!?".into(),
                "not what was acknowledged",
            ),
            ("half a piece", |case| case.answer.unsure = "?!".into(), "not what was acknowledged"),
            ("it never ended", |case| case.stored.status = "STREAMING".into(), "should be INTERRUPTED"),
            ("its end is lost", |case| case.answer.ended = Some("COMPLETE"), "should be COMPLETE"),
            ("a follower misses a piece", |case| drop(case.received.pieces.remove(1)), "a hole or a repeat"),
            (
                "a follower gets text twice",
                |case| case.received.pieces.insert(1, (0, "é".into())),
                "a hole or a repeat",
            ),
            (
                "a follower gets another text",
                |case| case.received.pieces[1].1 = "👍?".into(),
                "not a beginning",
            ),
            (
                "a follower is not told the last piece",
                |case| drop(case.received.pieces.pop()),
                "not as was told",
            ),
            ("a follower is not told the end", |case| case.received.ended = None, "not as was told"),
            ("a read shows what is not there", |case| case.reads.text = "éé".into(), "was read of"),
            (
                "a read lacks what was acknowledged",
                |case| case.reads.began += Duration::from_secs(2),
                "were acknowledged",
            ),
        ];
        for (name, broken, expected) in breaks {
            let mut case = Example::valid();
            broken(&mut case);
            let fault = case.check().expect_err(name);
            assert!(fault.contains(expected), "{name}: {fault}");
        }
    }
}
