//! An item that is delivered to several subscribers.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Limit of the cached renderings of one item, in bytes. An item in the queue of a slow subscriber keeps them in
/// memory.
const MAX_RENDERED_BYTES: usize = 16 * 1024;

/// An item that was read once for all subscribers, with a cache of its renderings.
pub struct SharedItem<T> {
    item: Arc<T>,
    renderings: Mutex<Vec<Rendering>>,
}

/// The bytes to send for an item, shared by subscribers with the same selection.
#[derive(Clone)]
pub struct Rendering {
    /// Identifies the selection: equal keys, equal bytes.
    pub shape: Arc<str>,
    /// The rendered response.
    pub bytes: Bytes,
    /// The cursor of the item.
    pub cursor: Arc<str>,
}

impl<T> SharedItem<T> {
    pub(super) fn new(item: T) -> Arc<Self> {
        Arc::new(Self { item: Arc::new(item), renderings: Mutex::default() })
    }

    /// The item. It can outlive the cached renderings.
    pub fn item(&self) -> &Arc<T> {
        &self.item
    }

    /// The cached rendering for this selection.
    pub fn rendering(&self, shape: &str) -> Option<Rendering> {
        let renderings = self.renderings.lock().unwrap_or_else(PoisonError::into_inner);
        renderings.iter().find(|rendering| *rendering.shape == *shape).cloned()
    }

    /// Caches a rendering, unless the cache of the item is full.
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
