//! Shares, for their owners.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, SimpleObject};

use super::argument;
use super::conversation::Conversation;
use super::scalar::DateTime;
use crate::graphql::execution::context::ContextExt;
use crate::model::{self, ConversationId, Invalid, NewShare, ShareLabel, Title};
use crate::store::{Error, Result};

/// A copy of a branch that anybody with the secret can read.
pub(in crate::graphql) struct Share(model::Share);

impl From<model::Share> for Share {
    fn from(share: model::Share) -> Self {
        Self(share)
    }
}

/// A copy of a branch that anybody with the secret can read.
#[Object]
impl Share {
    /// The id. It gives no access.
    async fn id(&self) -> ID {
        ID::from(self.0.id.0)
    }

    /// The title that readers see.
    async fn title(&self) -> Option<&str> {
        self.0.title.as_deref()
    }

    /// A note for the owner, which readers do not see.
    async fn label(&self) -> Option<&str> {
        self.0.label.as_deref()
    }

    /// When the branch was shared.
    async fn created_at(&self) -> DateTime {
        DateTime(self.0.created_at)
    }

    /// When the share ends. Null: when it is revoked, or the conversation is deleted.
    async fn expires_at(&self) -> Option<DateTime> {
        self.0.expires_at.map(DateTime)
    }

    /// How many messages it has.
    async fn message_count(&self) -> i64 {
        self.0.message_count
    }

    /// How often it was read.
    async fn view_count(&self) -> i64 {
        self.0.view_count
    }
}

/// A branch to share.
#[derive(InputObject)]
struct ShareConversationInput {
    /// A UUID that the client created for this share only. A retry returns the same share, without the secret. Error
    /// CONFLICT: the id is that of another share.
    id: Option<ID>,
    /// The id of the conversation.
    conversation_id: ID,
    /// The last message of the branch. Default: that of the active branch.
    leaf_id: Option<ID>,
    /// The title that readers see, at most 1 KiB. Default: that of the conversation. Null: none.
    title: MaybeUndefined<String>,
    /// A note for the owner, at most 255 bytes. Readers do not see it.
    label: Option<String>,
    /// When the share ends. Default: when it is revoked, or the conversation is deleted.
    expires_at: Option<DateTime>,
    /// Whether readers see the metadata of messages.
    #[graphql(default)]
    include_metadata: bool,
}

impl ShareConversationInput {
    fn parse(self) -> std::result::Result<NewShare, Invalid> {
        let title = match self.title {
            MaybeUndefined::Undefined => None,
            MaybeUndefined::Null => Some(None),
            MaybeUndefined::Value(title) => Some(Some(Title::new("title", title)?)),
        };
        Ok(NewShare {
            id: self.id.map(|id| argument::share_id("id", &id)).transpose()?,
            conversation: argument::conversation_id("conversationId", &self.conversation_id)?,
            leaf: self.leaf_id.map(|id| argument::message_id("leafId", &id)).transpose()?,
            title,
            label: self.label.map(|label| ShareLabel::new("label", label)).transpose()?,
            expires_at: self.expires_at.map(|time| time.0),
            with_metadata: self.include_metadata,
        })
    }
}

/// The share that was made.
#[derive(SimpleObject)]
struct ShareConversationPayload {
    /// The share.
    share: Share,
    /// The secret that gives access: at `/shared/SECRET` on this server, and with `sharedConversation`. It is shown this once.
    /// Null for a retry: revoke the share and make another one.
    secret: Option<String>,
    /// The conversation that was shared.
    conversation: Conversation,
}

/// The share to end.
#[derive(InputObject)]
struct RevokeShareInput {
    /// The id of the share.
    id: ID,
}

/// The share that has ended.
#[derive(SimpleObject)]
struct RevokeSharePayload {
    /// The id of the share.
    revoked_share_id: ID,
}

/// Mutations of shares.
#[derive(Default)]
pub(in crate::graphql) struct ShareMutation;

#[Object]
impl ShareMutation {
    /// Makes a copy of a branch that anybody with the secret can read without credentials: texts and parts, authors, models
    /// and times, no usage, no ids. Deleted messages are left out, and those that are being written. Later edits and
    /// deletions of messages do not change it. It ends with the conversation, and cannot be read while that is in the trash
    /// (`shares.while_trashed`). Error FORBIDDEN: the server shares nothing. Error BAD_USER_INPUT: the branch has more than
    /// 1000 messages or 8 MiB, or the conversation has 100 shares.
    async fn share_conversation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The branch to share.")] input: ShareConversationInput,
    ) -> Result<ShareConversationPayload> {
        let new = input.parse().map_err(|invalid| invalid.within("input"))?;
        let id = new.conversation;
        let (share, secret) = ctx.store()?.share_conversation(new).await?;
        let conversation = shared_from(ctx, id).await?;
        let secret = secret.map(|secret| secret.as_str().to_owned());
        Ok(ShareConversationPayload { share: share.into(), secret, conversation })
    }

    /// Ends a share and removes the copy. A retry changes nothing. Caches may show the page for another minute.
    async fn revoke_share(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The share to end.")] input: RevokeShareInput,
    ) -> Result<RevokeSharePayload> {
        let id = argument::share_id("input.id", &input.id)?;
        ctx.store()?.revoke_share(id).await?;
        Ok(RevokeSharePayload { revoked_share_id: ID::from(id.0) })
    }
}

async fn shared_from(ctx: &Context<'_>, id: ConversationId) -> Result<Conversation> {
    let found = ctx.store()?.conversation(id).await?;
    found.map(Conversation::from).ok_or(Error::NotFound("conversation"))
}
