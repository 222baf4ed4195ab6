//! Writes prepared conversations to the store, many in a transaction.

use super::losses::Losses;
use super::prepare::Prepared;
use super::report::{ConversationReport, Outcome};
use crate::model::Invalid;
use crate::store::{Error, ExportedWhole, Scoped};

/// The most conversations, and about the most bytes, of a transaction.
const MAX_CONVERSATIONS: usize = 64;
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// Conversations that wait to be written, and reports that wait for those before.
#[derive(Default)]
pub(super) struct Batch {
    waiting: Vec<(ConversationReport, Option<Prepared>)>,
    bytes: usize,
}

impl Batch {
    /// Adds a conversation. `report` says what it is.
    pub(super) fn add(&mut self, report: ConversationReport, prepared: Prepared) {
        self.bytes += prepared.bytes();
        self.waiting.push((report, Some(prepared)));
    }

    /// Adds a report of a conversation that is not written.
    pub(super) fn add_report(&mut self, report: ConversationReport) {
        self.waiting.push((report, None));
    }

    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_CONVERSATIONS || self.bytes >= MAX_BYTES
    }

    /// Writes what is missing of each, and returns the reports in their order. Without a scope nothing is written.
    ///
    /// # Errors
    /// The database cannot be written.
    pub(super) async fn write(&mut self, scope: Option<&Scoped>) -> Result<Vec<ConversationReport>, Error> {
        let Self { waiting, .. } = std::mem::take(self);
        let are_new = match scope {
            Some(scope) => new_ones(scope, &waiting).await?,
            None => None,
        };
        let mut are_new = are_new.map(Vec::into_iter);
        let mut reports = Vec::with_capacity(waiting.len());
        for (mut report, prepared) in waiting {
            if let Some(prepared) = prepared {
                let is_new = are_new.as_mut().and_then(Iterator::next);
                let count = prepared.messages.len() as u64;
                let id = prepared.conversation.id;
                let written = match (scope, is_new) {
                    (None, _) | (_, Some(true)) => Ok((Outcome::Imported, count)),
                    (Some(scope), is_new) => write_one(scope, prepared, is_new == Some(false)).await?,
                };
                match written {
                    Ok((outcome, messages)) => {
                        (report.outcome, report.messages, report.conversation_id) =
                            (outcome, messages, Some(id));
                        if outcome == Outcome::Present {
                            // What was there before is not counted again.
                            report.losses = Losses::default();
                        }
                    }
                    Err(reason) => {
                        report.outcome = Outcome::Rejected;
                        (report.reason, report.losses) = (Some(reason), Losses::default());
                    }
                }
            }
            reports.push(report);
        }
        Ok(reports)
    }
}

/// Writes those that are new, and says which were. `None`: nothing was written, because one of them cannot be.
async fn new_ones(
    scope: &Scoped,
    waiting: &[(ConversationReport, Option<Prepared>)],
) -> Result<Option<Vec<bool>>, Error> {
    let prepared = waiting.iter().filter_map(|(_, prepared)| prepared.as_ref());
    let all: Vec<ExportedWhole> = prepared
        .map(|prepared| ExportedWhole {
            conversation: prepared.conversation.clone(),
            messages: prepared.messages.clone(),
        })
        .collect();
    // The same conversation may be in an export twice, and each write of a back end has an entry in the audit log.
    let mut ids: Vec<_> = all.iter().map(|whole| whole.conversation.id).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() < all.len() || scope.acts_for_another() {
        return Ok(None);
    }
    match scope.restore_all(all).await {
        Ok(written) => Ok(Some(written)),
        Err(error) => rejected(error).map(|_| None),
    }
}

/// Why a conversation cannot be imported. Other errors end the import.
pub(super) fn rejected(error: Error) -> Result<String, Error> {
    match error {
        Error::Invalid(Invalid { argument, rule }) => Ok(format!("`{argument}` {rule}")),
        Error::FilesDisabled => Ok(Error::FilesDisabled.to_string()),
        Error::Conflict => Ok("its id, or the id of a message in it, belongs to something else".into()),
        error => Err(error),
    }
}

/// Writes what is missing of a conversation. The inner error rejects it.
async fn write_one(
    scope: &Scoped,
    prepared: Prepared,
    is_known: bool,
) -> Result<Result<(Outcome, u64), String>, Error> {
    match write_missing(scope, prepared, is_known).await {
        Ok(written) => Ok(Ok(written)),
        Err(error) => rejected(error).map(Err),
    }
}

async fn write_missing(scope: &Scoped, prepared: Prepared, is_known: bool) -> Result<(Outcome, u64), Error> {
    let head = prepared.head();
    let Prepared { conversation, messages, .. } = prepared;
    let id = conversation.id;
    let count = messages.len() as u64;
    let updated_at = conversation.updated_at;
    if !is_known && let Some(mut restore) = scope.begin_restore(conversation).await? {
        for message in messages {
            restore.add(message).await?;
        }
        restore.finish().await?;
        return Ok((Outcome::Imported, count));
    }
    match scope.extend_conversation(id, messages, head, updated_at).await? {
        0 => Ok((Outcome::Present, 0)),
        added => Ok((Outcome::Grown, added)),
    }
}
