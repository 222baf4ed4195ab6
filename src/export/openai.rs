//! Messages of OpenAI's chat completions: a line for each conversation, with the messages of its active branch.
//!
//! Every line is valid as training data and as a request: the result of each tool call follows it. Conversations without
//! messages have no line.

mod chat_message;
mod conversion;

use std::collections::BTreeMap;

use super::error::ExportError;
use super::images::Images;
use super::json_lines::{CONVERSATIONS, JsonLine};
use super::output::{ExportOutput, OutputBuffer};
use crate::model::ExportEnd;
use crate::store::ExportSnapshot;
use conversion::Conversion;

/// The line has no fields but the messages.
const HEAD: BTreeMap<&str, &str> = BTreeMap::new();

/// Writes a line for each conversation that has messages.
pub(super) async fn write<O: ExportOutput>(
    snapshot: &ExportSnapshot,
    output: &mut OutputBuffer<'_, O>,
) -> Result<ExportEnd, ExportError> {
    let mut end = ExportEnd::default();
    for ids in snapshot.conversation_ids().chunks(CONVERSATIONS) {
        for conversation in snapshot.conversations(ids).await? {
            let mut line = JsonLine::new(output, &HEAD)?;
            let mut conversion = Conversion::default();
            let mut pages = snapshot.active_messages(&conversation).await?;
            while let Some(page) = pages.next().await? {
                for message in page.iter().filter(|message| message.deleted_at.is_none()) {
                    let images = Images::of(snapshot, message).await?;
                    for converted in conversion.convert(message, &images) {
                        line.add(&converted).await?;
                    }
                    end.messages += 1;
                }
            }
            for converted in conversion.finish() {
                line.add(&converted).await?;
            }
            line.end().await?;
            end.conversations += 1;
        }
    }
    Ok(end)
}
