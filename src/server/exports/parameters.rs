//! The parameters of an export.

use crate::export::{ExportBranches, ExportFormat, ExportRequest};
use crate::model::{ConversationId, Invalid};
use crate::server::query::once;

const FORMAT: &str = "format";
const CONVERSATION: &str = "conversation";
const BRANCHES: &str = "branches";

/// Reads the query of a URL.
///
/// # Errors
/// A parameter is unknown, given twice or not valid.
pub(super) fn parse(query: &str) -> Result<ExportRequest, Invalid> {
    let (mut format, mut branches, mut conversations) = (None, None, Vec::new());
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            FORMAT => once(FORMAT, &mut format, ExportFormat::parse(FORMAT, &value)?)?,
            BRANCHES => once(BRANCHES, &mut branches, ExportBranches::parse(BRANCHES, &value)?)?,
            CONVERSATION => conversations.push(conversation(&value)?),
            unknown => {
                let unknown: String = unknown.chars().take(64).collect();
                return Err(Invalid::new(unknown, "is unknown: there are format, conversation and branches"));
            }
        }
    }
    ExportRequest::new(format.unwrap_or(ExportFormat::Scrollback), conversations, (BRANCHES, branches))
}

fn conversation(value: &str) -> Result<ConversationId, Invalid> {
    ConversationId::parse(CONVERSATION, value).map_err(|invalid| {
        let got: String = value.chars().take(64).collect();
        Invalid::new(CONVERSATION, format!("{}, got {got:?}", invalid.rule))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_argument_value_and_rule() {
        let id = "0197a1b2-0000-7000-8000-000000000000";
        for query in
            ["", "format=html&branches=all", &format!("conversation={id}&conversation={id}&format=markdown")]
        {
            assert!(parse(query).is_ok(), "{query}");
        }
        for (query, expected) in [
            (
                "format=pdf",
                "`format` must be one of scrollback, uimessage, openai-jsonl, markdown, html, got \"pdf\"",
            ),
            ("format=html&format=html", "`format` must be given once"),
            ("conversation=1%20", "`conversation` must be a UUID, got \"1 \""),
            ("branches=all", "`branches` cannot be used with the format scrollback"),
            ("format=uimessage&branches=all", "`branches` must be active with the format uimessage, got all"),
            ("user=bob", "`user` is unknown: there are format, conversation and branches"),
        ] {
            let said = parse(query).unwrap_err().to_string();
            assert!(said.starts_with(expected), "{said}");
        }
    }
}
