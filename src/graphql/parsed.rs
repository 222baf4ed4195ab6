//! Documents that were read before.
//!
//! Clients send the same few documents again and again. What a document says depends on its text alone,
//! so it is parsed once: a copy costs a fraction. Whether an operation may run depends on its variables
//! too, so that is looked at each time.
//!
//! Only what passed the first look at its text is kept, and only texts as short as clients write them; the
//! whole cache is bounded by their bytes. Those that are used most stay, so nobody can empty it by
//! sending new ones.

use std::sync::Arc;

use async_graphql::Response;
use async_graphql::parser::parse_query;
use async_graphql::parser::types::ExecutableDocument;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::error;
use super::guard::Limits;

/// Longest text that is kept, and of all kept together, in bytes. Parsed, a text takes some ten times as
/// much.
const LONGEST: usize = 4 * 1024;
const ALL: u64 = 512 * 1024;

/// Documents that were read. Clones share them.
#[derive(Clone)]
pub(super) struct Parsed(Arc<Cache<Arc<str>, Arc<ExecutableDocument>, ByText>>);

#[derive(Clone)]
struct ByText;

impl Weighter<Arc<str>, Arc<ExecutableDocument>> for ByText {
    fn weight(&self, text: &Arc<str>, _: &Arc<ExecutableDocument>) -> u64 {
        text.len() as u64
    }
}

impl Default for Parsed {
    fn default() -> Self {
        Self(Arc::new(Cache::with_weighter(1024, ALL, ByText)))
    }
}

impl Parsed {
    /// The document of a text.
    ///
    /// # Errors
    /// A response to send instead: the text asks for too much, or is not GraphQL.
    pub(super) fn read(&self, text: &str, limits: &Limits) -> Result<ExecutableDocument, Box<Response>> {
        if let Some(document) = self.0.get(text) {
            return Ok(ExecutableDocument::clone(&document));
        }
        limits.check_text(text).map_err(|refusal| refusal.response())?;
        let document = parse_query(text).map_err(|error| error::unreadable(error.into()))?;
        if text.len() <= LONGEST {
            self.0.insert(text.into(), Arc::new(document.clone()));
        }
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn a_document_that_was_read_before_is_the_same() {
        let (parsed, limits) = (Parsed::default(), crate::app::limits(&Config::default()));
        let text = "query Q($n: Int = 3) { a: viewer { id } ...F } fragment F on Query { viewer { id } }";
        let first = parsed.read(text, &limits).unwrap();
        assert!(parsed.0.get(text).is_some());
        let again = parsed.read(text, &limits).unwrap();
        assert_eq!(format!("{first:?}"), format!("{again:?}"));
    }

    #[test]
    fn what_is_refused_or_long_is_not_kept() {
        let (parsed, limits) = (Parsed::default(), crate::app::limits(&Config::default()));
        let long = format!("{{ viewer {{ id }} }} # {}", "x".repeat(LONGEST));
        assert!(parsed.read(&long, &limits).is_ok());
        assert!(parsed.read("{", &limits).is_err());
        let deep = "{a".repeat(100);
        assert!(parsed.read(&deep, &limits).is_err());
        assert_eq!(parsed.0.len(), 0);
    }

    #[test]
    fn what_is_used_stays_however_many_new_ones_come() {
        let (parsed, limits) = (Parsed::default(), crate::app::limits(&Config::default()));
        let used = "{ viewer { id } }";
        for number in 0..5_000 {
            parsed.read(used, &limits).unwrap();
            parsed
                .read(&format!("{{ a{number}: viewer {{ id }} }} # {}", "x".repeat(1000)), &limits)
                .unwrap();
        }
        assert!(parsed.0.get(used).is_some());
        assert!(parsed.0.weight() <= ALL);
    }
}
