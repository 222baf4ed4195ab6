//! What a listener is woken with.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::model::CommittedText;

/// The maximum texts that wait for one listener, and their bytes. Beyond that the listener reads the database.
const MAX_TEXTS: usize = 64;
const MAX_TEXT_BYTES: usize = 64 * 1024;

/// Why a listener was woken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notification {
    /// Something was committed, or may have been: the database has it.
    Signal,
    /// Only these texts were committed in this process, in this order, the first at this time. Other replicas signal
    /// theirs.
    Texts(Vec<Arc<CommittedText>>, Instant),
}

/// What a listener was not notified of yet.
#[derive(Default)]
pub(super) struct Mailbox {
    unread: Mutex<Unread>,
    filled: Notify,
}

#[derive(Default)]
struct Unread {
    /// There was a signal: it covers all texts before and after it.
    signalled: bool,
    texts: Vec<Arc<CommittedText>>,
    bytes: usize,
    /// When the first text was added.
    since: Option<Instant>,
}

impl Mailbox {
    pub(super) fn signal(&self) {
        self.unread().signal();
        self.filled.notify_one();
    }

    pub(super) fn add_text(&self, text: &Arc<CommittedText>) {
        self.unread().add_text(text);
        self.filled.notify_one();
    }

    /// What came since the last call, as soon as there is something.
    pub(super) async fn notified(&self) -> Notification {
        loop {
            if let Some(notification) = self.take() {
                return notification;
            }
            self.filled.notified().await;
        }
    }

    fn take(&self) -> Option<Notification> {
        let Unread { signalled, texts, since, .. } = mem::take(&mut *self.unread());
        if signalled {
            return Some(Notification::Signal);
        }
        since.map(|since| Notification::Texts(texts, since))
    }

    fn unread(&self) -> MutexGuard<'_, Unread> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Unread {
    fn signal(&mut self) {
        *self = Self { signalled: true, ..Self::default() };
    }

    fn add_text(&mut self, text: &Arc<CommittedText>) {
        if self.signalled {
            return;
        }
        self.bytes += text.chunk.text.len();
        if self.texts.len() == MAX_TEXTS || self.bytes > MAX_TEXT_BYTES {
            return self.signal();
        }
        self.texts.push(text.clone());
        self.since.get_or_insert_with(Instant::now);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use uuid::Uuid;

    use super::*;
    use crate::model::{MessageId, MessageStatus, OwnerId, TextChunk};

    fn text(offset: i64, text: &str) -> Arc<CommittedText> {
        let chunk = TextChunk { offset, text: text.into(), status: MessageStatus::Streaming };
        let (owner, message) = (OwnerId::new("ada").unwrap(), MessageId(Uuid::nil()));
        Arc::new(CommittedText { owner, message, chunk })
    }

    #[test]
    fn texts_are_handed_over_in_order_until_there_is_a_signal() {
        let mailbox = Mailbox::default();
        mailbox.add_text(&text(0, "a"));
        mailbox.add_text(&text(1, "b"));
        let Some(Notification::Texts(texts, _)) = mailbox.notified().now_or_never() else { panic!() };
        assert_eq!(texts, [text(0, "a"), text(1, "b")]);
        assert_eq!(mailbox.notified().now_or_never(), None);
        mailbox.add_text(&text(2, "c"));
        mailbox.signal();
        mailbox.add_text(&text(3, "d"));
        assert_eq!(mailbox.notified().now_or_never(), Some(Notification::Signal));
        assert_eq!(mailbox.notified().now_or_never(), None);
    }

    #[test]
    fn too_many_and_too_long_texts_become_a_signal() {
        let half = "x".repeat(MAX_TEXT_BYTES / 2);
        for (count, length, kept) in [(64, "x", true), (65, "x", false), (2, &half, true), (3, &half, false)]
        {
            let mailbox = Mailbox::default();
            (0..count).for_each(|offset| mailbox.add_text(&text(offset, length)));
            let notification = mailbox.notified().now_or_never().unwrap();
            assert_eq!(notification != Notification::Signal, kept, "{count} texts");
        }
    }
}
