//! What is exported, and how.

use std::collections::BTreeSet;

use crate::model::{ConversationId, Invalid};

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    /// Records that can be imported without loss.
    Scrollback,
    /// Messages of the AI SDK, a conversation a line.
    UiMessage,
    /// Messages of OpenAI's chat completions, a conversation a line.
    OpenAiJsonl,
    /// Markdown, a file a conversation.
    Markdown,
    /// HTML, a page a conversation.
    Html,
}

/// The branches of a conversation that are exported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ExportBranches {
    /// The active branch.
    #[default]
    Active,
    /// All branches.
    All,
}

impl ExportFormat {
    /// All formats.
    pub const ALL: [Self; 5] =
        [Self::Scrollback, Self::UiMessage, Self::OpenAiJsonl, Self::Markdown, Self::Html];

    /// The name in the API and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scrollback => "scrollback",
            Self::UiMessage => "uimessage",
            Self::OpenAiJsonl => "openai-jsonl",
            Self::Markdown => "markdown",
            Self::Html => "html",
        }
    }

    /// The format with this name. Errors name `argument`.
    ///
    /// # Errors
    /// There is no such format.
    pub fn parse(argument: &str, name: &str) -> Result<Self, Invalid> {
        let named = Self::ALL.into_iter().find(|format| format.name() == name);
        named.ok_or_else(|| one_of(argument, &Self::ALL.map(Self::name), name))
    }

    /// Whether each conversation is a page of its own.
    pub(super) fn is_page(self) -> bool {
        matches!(self, Self::Markdown | Self::Html)
    }

    /// How the names of its files end. Archives of pages end with `zip`.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Scrollback | Self::UiMessage | Self::OpenAiJsonl => "jsonl",
            Self::Markdown => "md",
            Self::Html => "html",
        }
    }
}

impl ExportBranches {
    /// The name in the API and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::All => "all",
        }
    }

    /// The branches with this name. Errors name `argument`.
    ///
    /// # Errors
    /// There are no such branches.
    pub fn parse(argument: &str, name: &str) -> Result<Self, Invalid> {
        let all = [Self::Active, Self::All];
        let named = all.into_iter().find(|branches| branches.name() == name);
        named.ok_or_else(|| one_of(argument, &all.map(Self::name), name))
    }
}

fn one_of(argument: &str, names: &[&str], got: &str) -> Invalid {
    // The value is quoted, and not longer than a name can be.
    let got: String = got.chars().take(64).collect();
    Invalid::new(argument, format!("must be one of {}, got {got:?}", names.join(", ")))
}

/// What is exported, and how.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    pub(super) format: ExportFormat,
    /// Only these, each once. `None`: everything.
    pub(super) conversations: Option<Vec<ConversationId>>,
    pub(super) branches: ExportBranches,
}

impl ExportRequest {
    /// Everything of a user, in the format of Scrollback.
    pub(super) fn everything() -> Self {
        Self { format: ExportFormat::Scrollback, conversations: None, branches: ExportBranches::default() }
    }

    /// An export of some conversations, or of everything if there are none. `branches` is the argument that chooses the
    /// branches, with its name.
    ///
    /// # Errors
    /// The format has no such choice of branches.
    pub fn new(
        format: ExportFormat,
        conversations: Vec<ConversationId>,
        (argument, branches): (&str, Option<ExportBranches>),
    ) -> Result<Self, Invalid> {
        match (format, branches) {
            (ExportFormat::Scrollback, Some(got)) => {
                let rule = "cannot be used with the format scrollback, which always has all branches, got";
                return Err(Invalid::new(argument, format!("{rule} {}", got.name())));
            }
            (ExportFormat::UiMessage | ExportFormat::OpenAiJsonl, Some(ExportBranches::All)) => {
                let rule = format!(
                    "must be active with the format {}, got all: use the format markdown, html or scrollback",
                    format.name()
                );
                return Err(Invalid::new(argument, rule));
            }
            _ => {}
        }
        let some: BTreeSet<_> = conversations.into_iter().collect();
        let conversations = (!some.is_empty()).then(|| some.into_iter().collect());
        Ok(Self { format, conversations, branches: branches.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_errors_name_argument_value_and_rule() {
        for format in ExportFormat::ALL {
            assert_eq!(ExportFormat::parse("format", format.name()), Ok(format));
        }
        assert_eq!(
            ExportFormat::parse("--format", "pdf").unwrap_err().to_string(),
            "`--format` must be one of scrollback, uimessage, openai-jsonl, markdown, html, got \"pdf\""
        );
        assert_eq!(
            ExportBranches::parse("branches", "").unwrap_err().to_string(),
            "`branches` must be one of active, all, got \"\""
        );
        assert!(ExportFormat::parse("format", &"x".repeat(9000)).unwrap_err().rule.len() < 200);
    }

    #[test]
    fn only_pages_have_all_branches() {
        for format in ExportFormat::ALL {
            let of = |branches| ExportRequest::new(format, Vec::new(), ("branches", branches));
            assert!(of(None).is_ok());
            assert_eq!(of(Some(ExportBranches::All)).is_ok(), format.is_page());
            assert_eq!(of(Some(ExportBranches::Active)).is_ok(), format != ExportFormat::Scrollback);
        }
    }
}
