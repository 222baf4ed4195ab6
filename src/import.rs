//! Loading conversations from files of other systems.
//!
//! An import can be repeated: ids are made from the origin's own (UUID version 5 of the owner, the
//! format and the id there), so a conversation that is there already is left alone. What cannot be
//! read is reported with its place in the file and skipped; the rest goes on.

mod openassistant;
mod sharegpt;

use std::fmt;
use std::path::Path;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use uuid::Uuid;

use crate::model::{
    Body, Content, ConversationId, Invalid, Json, MessageId, MessageStatus, ModelName, NewConversation,
    NewMessage, OwnerId, Role, Title,
};
use crate::store::{Error, Scoped};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenAssistant message trees, one a line.
    OpenAssistant,
    /// ShareGPT conversations, one array.
    ShareGpt,
}

/// A conversation as a file tells it.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    /// Its id in the file.
    origin: String,
    title: Option<String>,
    turns: Vec<Turn>,
}

/// A message as a file tells it.
#[derive(Debug, PartialEq, Eq)]
struct Turn {
    /// Its id in the file, where it has one.
    origin: Option<String>,
    role: Role,
    text: String,
    model: Option<String>,
}

/// Everything in a file, by the line it begins on: a conversation, or why it cannot be read.
type Parsed = Vec<(usize, Result<Found, String>)>;

/// What an import did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Conversations that were written.
    pub conversations: usize,
    /// Messages in them.
    pub messages: usize,
    /// Conversations that were there already.
    pub present: usize,
    /// Lines that were refused.
    pub refused: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { conversations, messages, present, refused } = self;
        write!(
            f,
            "{conversations} conversations with {messages} messages imported, {present} were there already, {refused} refused"
        )
    }
}

/// Loads `file` for the owner of `scope`.
///
/// # Errors
/// The file cannot be read, or the database cannot be written. What was written stays; the same call
/// goes on from there.
pub async fn run(scope: &Scoped, format: Format, file: &Path) -> anyhow::Result<Report> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let parsed = match format {
        Format::OpenAssistant => openassistant::parse(&bytes),
        Format::ShareGpt => sharegpt::parse(&bytes),
    };
    let progress = ProgressBar::new(parsed.len() as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} conversations, {eta} left") {
        progress.set_style(style);
    }
    let mut report = Report::default();
    for (line, found) in parsed {
        let taken = match found
            .and_then(|found| conversation(scope.owner(), format, found).map_err(|e| e.to_string()))
        {
            Ok(new) => take(scope, new, &mut report).await?,
            Err(reason) => Err(reason),
        };
        if let Err(reason) = taken {
            report.refused += 1;
            progress.suspend(|| eprintln!("{}:{line}: {reason}", file.display()));
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(report)
}

/// Writes a conversation unless it is there. The inner error refuses it, the outer ends the import.
async fn take(
    scope: &Scoped,
    new: NewConversation,
    report: &mut Report,
) -> anyhow::Result<Result<(), String>> {
    if let Some(id) = new.id
        && scope.conversation(id).await?.is_some()
    {
        report.present += 1;
        return Ok(Ok(()));
    }
    let messages = new.messages.len();
    match scope.create_conversation(new).await {
        Ok(_) => {
            report.conversations += 1;
            report.messages += messages;
            Ok(Ok(()))
        }
        Err(Error::Conflict) => Ok(Err("a message in it has been imported in another conversation".into())),
        Err(error) => Err(error).context("cannot write a conversation"),
    }
}

fn conversation(owner: &OwnerId, format: Format, found: Found) -> Result<NewConversation, Invalid> {
    if found.turns.is_empty() {
        return Err(Invalid::new("messages", "must not be empty"));
    }
    let id = |origin: &str| {
        let name = format!("{}\0{format:?}\0{origin}", owner.as_str());
        Uuid::new_v5(&NAMESPACE, name.as_bytes())
    };
    let message = |(at, turn): (usize, Turn)| {
        let argument = format!("messages[{at}]");
        Ok(NewMessage {
            id: turn.origin.map(|origin| MessageId(id(&format!("{}\0{origin}", found.origin)))),
            role: turn.role,
            body: Some(Body::Text(Content::new(&argument, turn.text)?)),
            status: MessageStatus::Complete,
            model: turn.model.map(|name| ModelName::new(&argument, name)).transpose()?,
            usage: None,
            metadata: Json::empty_object(),
        })
    };
    let origin = serde_json::json!({ "source": format.name(), "sourceId": found.origin });
    Ok(NewConversation {
        id: Some(ConversationId(id(&found.origin))),
        title: found.title.map(|title| Title::new("title", title)).transpose()?,
        metadata: Json::new("metadata", origin.to_string())?,
        messages: found.turns.into_iter().enumerate().map(message).collect::<Result<_, Invalid>>()?,
    })
}

/// Of the ids that imports make.
const NAMESPACE: Uuid = Uuid::from_u128(0x9b1f_6c0e_52a4_4f0e_8f1d_3a6e_2c77_d501);

impl Format {
    fn name(self) -> &'static str {
        match self {
            Self::OpenAssistant => "openassistant",
            Self::ShareGpt => "sharegpt",
        }
    }
}

/// The beginning of a conversation's first message as its title: one line, at most 80 characters.
fn title_of(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(80) {
        None => line,
        Some(_) => format!("{}…", line.chars().take(79).collect::<String>().trim_end()),
    }
}
