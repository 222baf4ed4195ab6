//! An item on its way to its followers.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Bytes of renderings that an item keeps: it may wait for a slow follower, and they with it.
const MAX_RENDERED_BYTES: usize = 16 * 1024;

/// An item that was read once for many, and what they made of it for each other.
pub struct SharedItem<T> {
    item: Arc<T>,
    renderings: Mutex<Vec<Rendering>>,
}

/// What is sent of an item to all who ask for the same of it.
#[derive(Clone)]
pub struct Rendering {
    /// What was asked for: the same text, the same bytes.
    pub shape: Arc<str>,
    /// As it is sent.
    pub bytes: Bytes,
    /// Where a follower stands after it.
    pub cursor: Arc<str>,
}

impl<T> SharedItem<T> {
    pub(super) fn new(item: T) -> Arc<Self> {
        Arc::new(Self { item: Arc::new(item), renderings: Mutex::default() })
    }

    /// The item, which may be kept for longer than its renderings.
    pub fn item(&self) -> &Arc<T> {
        &self.item
    }

    /// What another follower made of it, where it asked for the same.
    pub fn rendering(&self, shape: &str) -> Option<Rendering> {
        let renderings = self.renderings.lock().unwrap_or_else(PoisonError::into_inner);
        renderings.iter().find(|rendering| *rendering.shape == *shape).cloned()
    }

    /// Keeps what was made of it for others, if that is small.
    pub fn add_rendering(&self, rendering: &Rendering) {
        let mut renderings = self.renderings.lock().unwrap_or_else(PoisonError::into_inner);
        let kept: usize = renderings.iter().map(|kept| kept.bytes.len()).sum();
        let is_new = renderings.iter().all(|kept| kept.shape != rendering.shape);
        if is_new && kept + rendering.bytes.len() <= MAX_RENDERED_BYTES {
            renderings.push(rendering.clone());
        }
    }
}

impl<T> Deref for SharedItem<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendering(shape: &str, length: usize) -> Rendering {
        Rendering { shape: shape.into(), bytes: vec![b' '; length].into(), cursor: "c".into() }
    }

    #[test]
    fn renderings_are_found_by_selection() {
        let item = SharedItem::new(1);
        assert!(item.rendering("a").is_none());
        item.add_rendering(&rendering("a", 1));
        item.add_rendering(&rendering("a", 2));
        item.add_rendering(&rendering("b", 3));
        assert_eq!(item.rendering("a").unwrap().bytes.len(), 1);
        assert_eq!(item.rendering("b").unwrap().bytes.len(), 3);
    }

    #[test]
    fn cached_renderings_are_bounded_in_bytes() {
        let item = SharedItem::new(1);
        item.add_rendering(&rendering("a", MAX_RENDERED_BYTES - 1));
        item.add_rendering(&rendering("b", 2));
        item.add_rendering(&rendering("c", 1));
        assert!(item.rendering("b").is_none());
        assert!(item.rendering("a").is_some() && item.rendering("c").is_some());
    }
}
