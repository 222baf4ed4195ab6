//! A cache of parsed and validated documents.
//!
//! Clients send the same few documents again and again. Whether a document is valid depends only on its text,
//! so it is parsed and validated once, and copied from then on. Limits that depend on variables are checked
//! for every request.
//!
//! Only valid documents up to a length are cached, and the total size is limited. Frequently used documents
//! stay, so no client can flush the cache with new ones.

use std::sync::Arc;

use async_graphql::Response;
use async_graphql::parser::types::ExecutableDocument;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::limits::{FieldSizes, Limits};
use super::validation::Validator;

/// The longest cached text, and the limit of all texts, in bytes. A parsed document takes about ten times as
/// much memory.
const LONGEST: usize = 4 * 1024;
const ALL: u64 = 512 * 1024;

/// The cache. Clones share it.
#[derive(Clone)]
pub(in crate::graphql) struct DocumentCache(Arc<Inner>);

struct Inner {
    validator: Arc<Validator>,
    cache: Cache<Arc<str>, Arc<ExecutableDocument>, ByText>,
}

#[derive(Clone)]
struct ByText;

impl Weighter<Arc<str>, Arc<ExecutableDocument>> for ByText {
    fn weight(&self, text: &Arc<str>, _: &Arc<ExecutableDocument>) -> u64 {
        text.len() as u64
    }
}

impl DocumentCache {
    /// An empty cache for this validator.
    pub(in crate::graphql) fn new(validator: Validator) -> Self {
        Self::over(Arc::new(validator))
    }

    fn over(validator: Arc<Validator>) -> Self {
        Self(Arc::new(Inner { validator, cache: Cache::with_weighter(1024, ALL, ByText) }))
    }

    /// An empty cache for the same validator: documents that are cached are within the limits at that time.
    pub(in crate::graphql) fn emptied(&self) -> Self {
        Self::over(self.0.validator.clone())
    }

    /// The sizes of the schema's fields.
    pub(in crate::graphql) fn field_sizes(&self) -> &'static FieldSizes {
        self.0.validator.field_sizes()
    }

    /// Returns the document of a text, from the cache or parsed and validated.
    ///
    /// # Errors
    /// A response to send instead: the text exceeds a limit, is not GraphQL, or is not valid.
    pub(in crate::graphql) fn read(
        &self,
        text: &str,
        limits: &Limits,
    ) -> Result<ExecutableDocument, Box<Response>> {
        if let Some(document) = self.0.cache.get(text) {
            return Ok(ExecutableDocument::clone(&document));
        }
        let document = self.0.validator.read(text, limits)?;
        if text.len() <= LONGEST {
            self.0.cache.insert(text.into(), Arc::new(document.clone()));
        }
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn parsed() -> DocumentCache {
        DocumentCache::new(crate::graphql::schema::validator())
    }

    #[test]
    fn repeated_documents_come_from_the_cache() {
        let (parsed, limits) = (parsed(), crate::app::limits(&Config::default()));
        let text = "query Q($n: Int = 3) { a: viewer { id } ...F } fragment F on Query { conversations(first: $n) { nodes { id } } }";
        let first = parsed.read(text, &limits).unwrap();
        assert!(parsed.0.cache.get(text).is_some());
        let again = parsed.read(text, &limits).unwrap();
        assert_eq!(format!("{first:?}"), format!("{again:?}"));
    }

    #[test]
    fn invalid_and_long_documents_are_not_cached() {
        let (parsed, limits) = (parsed(), crate::app::limits(&Config::default()));
        let long = format!("{{ viewer {{ id }} }} # {}", "x".repeat(LONGEST));
        assert!(parsed.read(&long, &limits).is_ok());
        assert!(parsed.read("{", &limits).is_err());
        let deep = "{a".repeat(100);
        assert!(parsed.read(&deep, &limits).is_err());
        assert_eq!(parsed.0.cache.len(), 0);
    }

    #[test]
    fn frequently_used_documents_stay_cached() {
        let (parsed, limits) = (parsed(), crate::app::limits(&Config::default()));
        let used = "{ viewer { id } }";
        for number in 0..5_000 {
            parsed.read(used, &limits).unwrap();
            parsed
                .read(&format!("{{ a{number}: viewer {{ id }} }} # {}", "x".repeat(1000)), &limits)
                .unwrap();
        }
        assert!(parsed.0.cache.get(used).is_some());
        assert!(parsed.0.cache.weight() <= ALL);
    }
}
