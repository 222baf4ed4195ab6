//! Persisted documents: clients send an id instead of the text.
//!
//! Trusted documents come from a manifest that the build of a front end writes, with the ids of that build.
//! They can be the only accepted documents. Automatic ones (automatic persisted queries of Apollo,
//! <https://www.apollographql.com/docs/apollo-server/performance/apq>) are documents that clients have sent
//! once: they are cached by SHA-256, in this process only, until they are evicted. If a document is missing,
//! the client sends it again, so a restart or another replica costs one round trip.
//!
//! A document is stored only under its own hash, so no client can replace another's document. All limits
//! apply to persisted documents too.

mod manifest;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::{Request, Response, Value};
use lru::LruCache;
use sha2::{Digest, Sha256};

use super::error::{Code, error_response};
use super::limits::Limits;
use super::validation::Validator;

/// The parameter with the id of a document. It is passed in the extensions of the request.
pub const DOCUMENT_ID: &str = "documentId";

/// The limits of the cache of automatic documents.
#[derive(Debug, Clone, Copy)]
pub struct PersistedDocumentLimits {
    /// The number of documents.
    pub entries: usize,
    /// The bytes of all documents.
    pub bytes: usize,
}

/// Persisted documents by id. Clones share them.
#[derive(Clone, Default)]
pub struct PersistedDocuments(Arc<Inner>);

#[derive(Default)]
struct Inner {
    trusted: HashMap<String, Arc<str>>,
    only_trusted: bool,
    automatic: Option<Automatic>,
}

struct Automatic {
    room: PersistedDocumentLimits,
    kept: Mutex<Kept>,
}

struct Kept {
    documents: LruCache<String, Arc<str>>,
    bytes: usize,
}

/// The id in a request.
enum Named {
    Nothing,
    /// `documentId` of the appendix of the GraphQL over HTTP draft.
    Id(String),
    /// `extensions.persistedQuery.sha256Hash`.
    Hash(String),
}

impl PersistedDocuments {
    /// Loads the documents of manifests, each given with its file name. With `only_trusted` other documents
    /// are rejected, otherwise automatic ones are cached if there is a limit for them.
    ///
    /// # Errors
    /// A manifest cannot be parsed, a document in it is not valid, or two documents have the same id. The
    /// error names file and id.
    pub(in crate::graphql) fn new(
        manifests: &[(String, String)],
        only_trusted: bool,
        automatic: Option<PersistedDocumentLimits>,
        limits: &Limits,
        validator: impl FnOnce() -> Validator,
    ) -> Result<Self, String> {
        let mut trusted: HashMap<String, Arc<str>> = HashMap::new();
        let validator = (!manifests.is_empty()).then(validator);
        for (file, text) in manifests {
            for (id, document) in manifest::parse(text).map_err(|fault| format!("{file}: {fault}"))? {
                let fault = |fault: String| format!("{file}: the document {id}: {fault}");
                if let Some(validator) = &validator {
                    validator.read(&document, limits).map_err(|response| fault(first_error(&response)))?;
                }
                let document: Arc<str> = document.into();
                for id in [document_hash(&document), id.clone()] {
                    let before = trusted.insert(id, document.clone());
                    if before.is_some_and(|before| before != document) {
                        return Err(fault("another has the same id".into()));
                    }
                }
            }
        }
        let automatic = automatic.filter(|_| !only_trusted).map(|room| Automatic {
            room,
            kept: Mutex::new(Kept { documents: LruCache::unbounded(), bytes: 0 }),
        });
        Ok(Self(Arc::new(Inner { trusted, only_trusted, automatic })))
    }

    /// The number of trusted ids.
    pub fn trusted(&self) -> usize {
        self.0.trusted.len()
    }

    /// Replaces the id in a request by its document. Returns the hash for [`remember`] if the request sends a
    /// document to cache, once that is valid.
    ///
    /// # Errors
    /// A response to send instead: the id is unknown, or the document is not allowed.
    ///
    /// [`remember`]: Self::remember
    pub(in crate::graphql) fn resolve(&self, request: &mut Request) -> Result<Option<String>, Box<Response>> {
        let named = Named::read(request)?;
        let is_sent = !request.query.is_empty();
        let (id, hash) = match named {
            Named::Nothing => (None, None),
            Named::Id(_) if is_sent => return Err(bad("send either `query` or `documentId`")),
            Named::Id(id) => (Some(id), None),
            Named::Hash(hash) if !is_sent => (Some(hash), None),
            Named::Hash(hash) if hash == document_hash(&request.query) => (None, Some(hash)),
            Named::Hash(_) => return Err(bad("the document's SHA-256 is not `sha256Hash`")),
        };
        if let Some(id) = id {
            let found = self.find(&id).ok_or_else(|| self.not_found())?;
            found.as_ref().clone_into(&mut request.query);
            return Ok(None);
        }
        if self.0.only_trusted && !self.0.trusted.contains_key(&document_hash(&request.query)) {
            let message =
                "only trusted documents are accepted (setting `documents.only`): send the id of one";
            return Err(Box::new(error_response(Code::NotInSafelist, message)));
        }
        Ok(hash.filter(|hash| self.0.automatic.is_some() && !self.0.trusted.contains_key(hash)))
    }

    /// Caches a valid document under its hash.
    pub(in crate::graphql) fn remember(&self, hash: String, document: &str) {
        let Some(automatic) = &self.0.automatic else { return };
        let mut kept = automatic.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes += weight(document);
        if let Some(before) = kept.documents.put(hash, document.into()) {
            kept.bytes -= weight(&before);
        }
        while kept.documents.len() > automatic.room.entries || kept.bytes > automatic.room.bytes {
            let Some((_, oldest)) = kept.documents.pop_lru() else { break };
            kept.bytes -= weight(&oldest);
        }
    }

    fn find(&self, id: &str) -> Option<Arc<str>> {
        // The appendix has the prefix "sha256:" before a hash.
        let id = id.strip_prefix("sha256:").unwrap_or(id);
        let automatic = || {
            let kept = &self.0.automatic.as_ref()?.kept;
            kept.lock().unwrap_or_else(PoisonError::into_inner).documents.get(id).cloned()
        };
        self.0.trusted.get(id).cloned().or_else(automatic)
    }

    /// The messages that Apollo's clients expect: after the first they send the document, after the second
    /// they stop sending ids.
    fn not_found(&self) -> Box<Response> {
        Box::new(if self.0.automatic.is_none() && self.0.trusted.is_empty() {
            error_response(Code::PersistedQueryNotSupported, "PersistedQueryNotSupported")
        } else {
            error_response(Code::PersistedQueryNotFound, "PersistedQueryNotFound")
        })
    }
}

impl Named {
    fn read(request: &mut Request) -> Result<Self, Box<Response>> {
        let id = match request.extensions.remove(DOCUMENT_ID) {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) => Some(id),
            Some(_) => return Err(bad("`documentId` must be a string")),
        };
        let hash = match request.extensions.remove("persistedQuery") {
            None | Some(Value::Null) => None,
            Some(Value::Object(asked)) => match (asked.get("version"), asked.get("sha256Hash")) {
                (Some(Value::Number(version)), Some(Value::String(hash)))
                    if version.as_u64() == Some(1) && is_hash(hash) =>
                {
                    Some(hash.clone())
                }
                _ => {
                    return Err(bad(
                        "`extensions.persistedQuery` must have version 1 and a sha256Hash of 64 \
                                    hexadecimal digits in lower case",
                    ));
                }
            },
            Some(_) => return Err(bad("`extensions.persistedQuery` must be an object")),
        };
        match (id, hash) {
            (None, None) if request.query.is_empty() => {
                Err(Box::new(error_response(Code::ParseFailed, "the document is empty")))
            }
            (None, None) => Ok(Self::Nothing),
            (Some(id), None) => Ok(Self::Id(id)),
            (None, Some(hash)) => Ok(Self::Hash(hash)),
            (Some(_), Some(_)) => Err(bad("send either `documentId` or `extensions.persistedQuery`")),
        }
    }
}

/// The message of a rejected document, with line and column.
fn first_error(response: &Response) -> String {
    let error = response.errors.first();
    let message = error.map(|error| error.message.as_str()).unwrap_or_default();
    match error.and_then(|error| error.locations.first()) {
        Some(at) => format!("{message} (line {}, column {})", at.line, at.column),
        None => message.to_owned(),
    }
}

fn bad(message: &str) -> Box<Response> {
    Box::new(error_response(Code::BadRequest, message))
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The SHA-256 of a document in hexadecimal digits, as clients compute it.
pub fn document_hash(document: &str) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(document) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The memory of a document, including its hash and its cache entry.
fn weight(document: &str) -> usize {
    document.len() + 256
}

#[cfg(test)]
mod tests;
