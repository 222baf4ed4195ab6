//! Documents that clients name instead of sending.
//!
//! Trusted documents come from a manifest that a front end's build writes, by whatever ids it gave them.
//! They may be the only ones that are run. Automatic ones (Apollo's protocol,
//! <https://www.apollographql.com/docs/apollo-server/performance/apq>) are what clients have sent once:
//! kept by their SHA-256, in this process alone, until others need the room. A client whose document is not
//! there sends it again, so a restart or another replica costs one round trip.
//!
//! A document is only ever kept under its own hash, so nobody can put theirs in the place of another. What
//! is named is looked at like what is sent: no limit is lifted.

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

/// The parameter that names a document, on its way among a request's extensions.
pub const DOCUMENT_ID: &str = "documentId";

/// How many automatic documents are kept.
#[derive(Debug, Clone, Copy)]
pub struct PersistedDocumentLimits {
    /// Documents.
    pub entries: usize,
    /// Bytes of them all together.
    pub bytes: usize,
}

/// Persisted documents by their ids. Clones share them.
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

/// What a request names.
enum Named {
    Nothing,
    /// `documentId`, as the appendix of GraphQL over HTTP's draft has it.
    Id(String),
    /// `extensions.persistedQuery.sha256Hash`.
    Hash(String),
}

impl PersistedDocuments {
    /// The documents of some manifests, each with the name of its file; with `only_trusted` no other is run,
    /// else automatic ones are kept where there is room for them.
    ///
    /// # Errors
    /// A manifest cannot be read, a document in it is not valid, or two have the same id: said with file and id.
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
                for id in [hash_of(&document), id.clone()] {
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

    /// How many ids of trusted documents there are.
    pub fn trusted(&self) -> usize {
        self.0.trusted.len()
    }

    /// Puts the document that a request names in its place. Gives the hash under which to [`remember`] the
    /// one that it sends, once that was found good.
    ///
    /// # Errors
    /// A response to send instead: there is none of that name, or it may not be run.
    ///
    /// [`remember`]: Self::remember
    pub(in crate::graphql) fn resolve(&self, request: &mut Request) -> Result<Option<String>, Box<Response>> {
        let named = Named::read(request)?;
        let is_sent = !request.query.is_empty();
        let (id, hash) = match named {
            Named::Nothing => (None, None),
            Named::Id(_) if is_sent => return Err(bad("give either `query` or `documentId`")),
            Named::Id(id) => (Some(id), None),
            Named::Hash(hash) if !is_sent => (Some(hash), None),
            Named::Hash(hash) if hash == hash_of(&request.query) => (None, Some(hash)),
            Named::Hash(_) => return Err(bad("the document's SHA-256 is not `sha256Hash`")),
        };
        if let Some(id) = id {
            let found = self.find(&id).ok_or_else(|| self.not_found())?;
            found.as_ref().clone_into(&mut request.query);
            return Ok(None);
        }
        if self.0.only_trusted && !self.0.trusted.contains_key(&hash_of(&request.query)) {
            let message = "only trusted documents are run here (`documents.only`): send the id of one";
            return Err(Box::new(error_response(Code::NotInSafelist, message)));
        }
        Ok(hash.filter(|hash| self.0.automatic.is_some() && !self.0.trusted.contains_key(hash)))
    }

    /// Keeps a document that was found good under its hash.
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
        // The appendix writes "sha256:" before a hash.
        let id = id.strip_prefix("sha256:").unwrap_or(id);
        let automatic = || {
            let kept = &self.0.automatic.as_ref()?.kept;
            kept.lock().unwrap_or_else(PoisonError::into_inner).documents.get(id).cloned()
        };
        self.0.trusted.get(id).cloned().or_else(automatic)
    }

    /// In the words that Apollo's clients know: after the first they send the document, after the second they
    /// stop naming any.
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
            (Some(_), Some(_)) => Err(bad("give either `documentId` or `extensions.persistedQuery`")),
        }
    }
}

/// The message of a refused document, with line and column.
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

/// SHA-256 in hexadecimal digits.
fn hash_of(document: &str) -> String {
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(document) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// What a document takes in memory, its hash and a place in the list included.
fn weight(document: &str) -> usize {
    document.len() + 256
}

#[cfg(test)]
mod tests;
