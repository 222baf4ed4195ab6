//! Feedback on messages.

use std::sync::Arc;

use async_graphql::{ComplexObject, Context, Enum, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::message::Message;
use super::message::connection::MessageEdge;
use super::scalar::DateTime;
use crate::graphql::execution::context::ContextExt;
use crate::graphql::schema::argument;
use crate::model::{self, FeedbackComment, FeedbackPatch, FeedbackTags, Invalid, MessageId};
use crate::store::Result;

/// Whether a message was good.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "model::Rating")]
enum FeedbackRating {
    /// It was good.
    Up,
    /// It was not good.
    Down,
}

/// What the user thinks of a message.
pub(in crate::graphql) struct Feedback(Arc<model::Feedback>);

impl Feedback {
    /// The feedback on a message, if there is some.
    pub(in crate::graphql) async fn of(ctx: &Context<'_>, message: &model::Message) -> Result<Option<Self>> {
        let found = ctx.loaders()?.feedback((message.conversation, message.id)).await?;
        if let Some(feedback) = &found {
            let texts: usize = feedback.tags.iter().chain(&feedback.comment).map(String::len).sum();
            ctx.memory_budget()?.grow(texts).await?;
        }
        Ok(found.map(Self))
    }
}

/// What the user thinks of a message.
#[Object]
impl Feedback {
    /// Whether the message was good. Null if the user did not say.
    async fn rating(&self) -> Option<FeedbackRating> {
        self.0.rating.map(FeedbackRating::from)
    }

    /// Tags, as they were typed and in the same order.
    async fn tags(&self) -> &[String] {
        &self.0.tags
    }

    /// A text of the user. Null if there is none.
    async fn comment(&self) -> Option<&str> {
        self.0.comment.as_deref()
    }

    /// The time of the last change.
    async fn updated_at(&self) -> DateTime {
        DateTime(self.0.updated_at)
    }
}

/// Changes to the feedback on a message. Absent fields keep their values.
#[derive(InputObject)]
struct SetMessageFeedbackInput {
    /// The id of the message.
    message_id: ID,
    /// Whether the message was good. Null clears it.
    rating: MaybeUndefined<FeedbackRating>,
    /// At most 32 tags of 1 to 64 characters, which must differ in more than case. They replace the tags that the message
    /// has. Null and the empty list clear them.
    tags: MaybeUndefined<Vec<String>>,
    /// At most 4 KiB of UTF-8 without NUL. Null and the empty text clear it.
    comment: MaybeUndefined<String>,
}

impl SetMessageFeedbackInput {
    fn parse(self) -> std::result::Result<(MessageId, FeedbackPatch), Invalid> {
        let id = argument::message_id("messageId", &self.message_id)?;
        let tags = match self.tags {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(FeedbackTags::default()),
            MaybeUndefined::Value(tags) => Some(FeedbackTags::new("tags", tags)?),
        };
        let comment = match self.comment {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(text) => Some(Some(FeedbackComment::new("comment", text)?)),
        };
        let rating = match self.rating {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(rating) => Some(Some(rating.into())),
        };
        Ok((id, FeedbackPatch { rating, tags, comment }))
    }
}

/// The message whose feedback was set.
#[derive(SimpleObject)]
#[graphql(complex)]
struct SetMessageFeedbackPayload {
    /// The message with its feedback.
    message: Message,
}

#[ComplexObject]
impl SetMessageFeedbackPayload {
    /// The message as an edge of the conversation's messages.
    async fn message_edge(&self) -> MessageEdge {
        self.message.clone().into()
    }
}

/// Mutations of feedback.
#[derive(Default)]
pub(in crate::graphql) struct FeedbackMutation;

#[Object]
impl FeedbackMutation {
    /// Sets what the user thinks of a message: the given fields. If nothing is left, the message has no feedback. Neither
    /// `editedAt` of the message nor `updatedAt` of the conversation changes. Error CONFLICT: the message is deleted.
    async fn set_message_feedback(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message and its feedback.")] input: SetMessageFeedbackInput,
    ) -> Result<SetMessageFeedbackPayload> {
        let (id, patch) = input.parse().map_err(|invalid| invalid.within("input"))?;
        let message = ctx.store()?.set_message_feedback(id, patch).await?;
        Ok(SetMessageFeedbackPayload { message: message.into() })
    }
}
