//! Messages that can be stored.

use super::metadata;
use super::target::{EARLIEST, Target, uuid, without_nul};
use crate::import::format::Format;
use crate::import::losses::Losses;
use crate::import::parsed::{Dropped, ParsedMessage};
use crate::import::rejection::Rejection;
use crate::model::{
    Content, ExportedMessage, Feedback, FeedbackComment, FeedbackTags, Json, JsonObject, JsonValue,
    MessageId, MessageStatus, ModelName, Part, Parts, Source, Timestamp,
};

/// What the messages of a conversation are prepared with.
pub(super) struct Context<'c> {
    pub(super) target: &'c Target,
    pub(super) format: Format,
    /// The id of the conversation at the source.
    pub(super) conversation: &'c str,
    pub(super) created_at: Timestamp,
    pub(super) now: Timestamp,
    pub(super) losses: &'c mut Losses,
    pub(super) dropped: &'c mut Dropped,
}

impl Context<'_> {
    /// The message at `index` of the parsed ones. `None`: it has no content and is left out. `before` is the time of its
    /// parent.
    pub(super) fn message(
        &mut self,
        index: usize,
        found: ParsedMessage,
        (position, parent_position): (i64, i64),
        before: Option<Timestamp>,
    ) -> Result<Option<ExportedMessage>, Rejection> {
        let Target { owner, limits, .. } = self.target;
        let rejected = |invalid: crate::model::Invalid| Rejection::from(invalid.to_string());
        let argument = format!("messages[{index}]");
        let may_be_empty = matches!(found.status, MessageStatus::Interrupted | MessageStatus::Failed);
        let parts: Vec<Part> = found.parts.into_iter().filter_map(|part| self.part(part)).collect();
        if parts.is_empty() && !may_be_empty {
            self.dropped.add("message", "it has no content");
            return Ok(None);
        }
        for part in &parts {
            self.losses.mapped(kind(part));
        }
        let (content, parts) = match <[Part; 1]>::try_from(parts) {
            Ok([Part::Text { text, extra: None }]) => (
                Content::within(&argument, text, limits.message_bytes).map_err(rejected)?.into_string(),
                None,
            ),
            Ok([part]) => self.parts(&argument, vec![part]).map_err(rejected)?,
            Err(parts) if parts.is_empty() => (String::new(), None),
            Err(parts) => self.parts(&argument, parts).map_err(rejected)?,
        };
        self.losses.mapped("message");
        let mut rest = found.metadata;
        let time = found.created_at.filter(|time| *time >= EARLIEST).map(|time| time.min(self.now));
        let created_at = time.or(before).unwrap_or(self.created_at);
        let model = found.model.and_then(|model| self.model(model, &mut rest));
        let usage = found.usage.filter(|usage| {
            let is_valid = usage.check("usage").is_ok();
            if !is_valid {
                self.dropped.add("message usage", "counts must not be negative");
            }
            is_valid
        });
        let feedback = found.feedback.and_then(|feedback| self.feedback(feedback, created_at));
        let origin = found.origin.unwrap_or_else(|| format!("#{index}"));
        let metadata =
            metadata::of_message(self.format, found.hidden, rest, self.target, (self.losses, self.dropped));
        Ok(Some(ExportedMessage {
            id: MessageId(uuid(owner, self.format, &format!("{}\0{origin}", self.conversation))),
            position,
            parent_position,
            role: found.role,
            status: found.status,
            model,
            content,
            parts,
            metadata,
            usage,
            created_at,
            edited_at: None,
            deleted_at: None,
            pinned: false,
            feedback,
            fingerprint: None,
        }))
    }

    fn parts(
        &self,
        argument: &str,
        parts: Vec<Part>,
    ) -> Result<(String, Option<Parts>), crate::model::Invalid> {
        let limits = self.target.limits;
        let parts = if limits.has_attachments {
            Parts::to_attach(argument, parts, limits.message_bytes)?
        } else {
            Parts::within(argument, parts, limits.message_bytes)?
        };
        Ok((parts.content(), Some(parts)))
    }

    /// The part without NUL. One that breaks a rule, such as an address that is too long, is kept as data. Empty texts
    /// are left out.
    fn part(&mut self, mut part: Part) -> Option<Part> {
        let mut clean =
            |text: &mut String, what| *text = without_nul(std::mem::take(text), what, self.dropped);
        match &mut part {
            Part::Text { text, .. } | Part::Reasoning { text, .. } => clean(text, "a text"),
            Part::File { media_type, filename, url, .. } => {
                clean(media_type, "a media type");
                clean(url, "an address");
                filename.iter_mut().for_each(|name| clean(name, "a file name"));
            }
            Part::Tool { tool_call_id, tool_name, error_text, input, output, .. } => {
                clean(tool_call_id, "an id");
                clean(tool_name, "a name");
                error_text.iter_mut().for_each(|text| clean(text, "a text"));
                [input, output].into_iter().flatten().for_each(|json| self.json(json));
            }
            Part::Source(Source::Url { url, title, .. }) => {
                clean(url, "an address");
                title.iter_mut().for_each(|title| clean(title, "a title"));
            }
            Part::Source(Source::Document { title, filename, .. }) => {
                title.iter_mut().chain(filename.iter_mut()).for_each(|text| clean(text, "a title"));
            }
            Part::Data { data, .. } | Part::Custom { data, .. } => self.json(data),
        }
        part.extra_mut().iter_mut().for_each(|extra| self.json(extra));
        if matches!(&part, Part::Text { text, .. } | Part::Reasoning { text, .. } if text.is_empty()) {
            return None;
        }
        if part.check().is_ok() {
            return Some(part);
        }
        let kind = kind(&part);
        let json = serde_json::to_string(&part).ok()?;
        let data = Part::Data {
            name: format!("{}/{kind}", self.format.name()),
            data: Json::stored(json),
            extra: None,
        };
        if data.check().is_ok() {
            return Some(data);
        }
        self.dropped.add(kind, "it is not valid");
        None
    }

    /// A value that cannot be stored as it is becomes a string with its text.
    fn json(&mut self, json: &mut Json) {
        let text = json.as_str();
        if Json::within("data", text.to_owned(), usize::MAX).is_ok() {
            return;
        }
        let text = text.replace("\\u0000", "");
        *json = Json::within("data", text.clone(), usize::MAX)
            .unwrap_or_else(|_| Json::stored(JsonValue::from(text).to_string()));
        self.dropped
            .add("NUL or nesting in data", "JSON cannot contain U+0000 or nest deeper than 200 levels");
    }

    /// The name of a model. One that is too long stays in the metadata.
    fn model(&mut self, model: String, rest: &mut JsonObject) -> Option<String> {
        let model = without_nul(model, "a model", self.dropped);
        if model.is_empty() {
            return None;
        }
        match ModelName::new("model", model.clone()) {
            Ok(model) => Some(model.into_string()),
            Err(_) => {
                rest.insert("model".to_owned(), JsonValue::from(model));
                None
            }
        }
    }

    fn feedback(&mut self, found: Feedback, created_at: Timestamp) -> Option<Feedback> {
        let tags = FeedbackTags::new("tags", found.tags).map(FeedbackTags::into_vec).unwrap_or_else(|_| {
            self.dropped.add("feedback tags", "there are at most 32 of at most 64 characters");
            Vec::new()
        });
        let comment = found.comment.filter(|comment| !comment.is_empty()).and_then(|comment| {
            let comment = FeedbackComment::new("comment", comment).map(FeedbackComment::into_string);
            comment.map_err(|_| self.dropped.add("feedback comment", "it has more than 4096 bytes")).ok()
        });
        let feedback = Feedback { rating: found.rating, tags, comment, updated_at: created_at };
        let says_something =
            feedback.rating.is_some() || !feedback.tags.is_empty() || feedback.comment.is_some();
        says_something.then_some(feedback)
    }
}

fn kind(part: &Part) -> &'static str {
    match part {
        Part::Text { .. } => "text",
        Part::Reasoning { .. } => "reasoning",
        Part::File { .. } => "file",
        Part::Tool { .. } => "tool call",
        Part::Source(_) => "source",
        Part::Data { .. } => "data",
        Part::Custom { .. } => "custom part",
    }
}
