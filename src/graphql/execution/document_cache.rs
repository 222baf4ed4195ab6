//! A cache of documents that were parsed and validated.
//!
//! Clients send the same few documents again and again. What a document says and whether it is valid depends on
//! its text alone, so it is parsed and validated once: a copy costs a fraction. Whether an operation may run depends on its variables
//! too, so that is looked at each time.
//!
//! Only valid documents are kept, and only texts as short as clients write them; the
//! whole cache is bounded by their bytes. Those that are used most stay, so nobody can empty it by
//! sending new ones.

use std::sync::Arc;

use async_graphql::Response;
use async_graphql::parser::types::ExecutableDocument;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::limits::{FieldSizes, Limits};
use super::validation::Validator;

/// Longest text that is kept, and of all kept together, in bytes. Parsed, a text takes some ten times as
/// much.
const LONGEST: usize = 4 * 1024;
const ALL: u64 = 512 * 1024;

/// Documents that were parsed and validated. Clones share them.
#[derive(Clone)]
pub(in crate::graphql) struct DocumentCache(Arc<Inner>);

struct Inner {
    validator: Validator,
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
    /// No document yet. What is read is validated by this.
    pub(in crate::graphql) fn new(validator: Validator) -> Self {
        Self(Arc::new(Inner { validator, cache: Cache::with_weighter(1024, ALL, ByText) }))
    }

    /// The sizes of the schema's fields.
    pub(in crate::graphql) fn field_sizes(&self) -> &'static FieldSizes {
        self.0.validator.field_sizes()
    }

    /// The valid document of a text.
    ///
    /// # Errors
    /// A response to send instead: the text asks for too much, is not GraphQL, or is not valid.
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
