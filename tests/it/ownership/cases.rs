//! What another user requests through each root field.

use serde_json::{Value, json};

use crate::harness::APPEND;

/// The data that another user requests.
pub(super) struct Target {
    pub(super) conversation: String,
    pub(super) message: String,
    pub(super) attachment: String,
}

impl Target {
    pub(super) fn nothing() -> Self {
        Self {
            conversation: "0197a1b2-0000-7000-8000-000000000001".into(),
            message: "0197a1b2-0000-7000-8000-000000000002".into(),
            attachment: "0197a1b2-0000-7000-8000-000000000003".into(),
        }
    }

    /// The same answer, whichever target it was about.
    pub(super) fn hide(&self, answer: &Value) -> String {
        let text = answer.to_string().replace(&self.conversation, "<conversation>");
        text.replace(&self.message, "<message>").replace(&self.attachment, "<attachment>")
    }
}

/// For each root field: a document, its variables, and the code a stranger is answered with; an empty
/// code stands for plain nulls.
pub(super) type Case = (&'static str, &'static str, fn(&Target) -> Value, &'static str);

pub(super) const CASES: &[Case] = &[
    (
        "Query.conversation",
        "query($id: ID!) { conversation(id: $id) { id title messages { nodes { content } } } }",
        |target| json!({ "id": target.conversation }),
        "NOT_FOUND",
    ),
    ("Query.node", "query($id: ID!) { node(id: $id) { id } }", |target| json!({ "id": target.message }), ""),
    (
        "Query.nodes",
        "query($ids: [ID!]!) { nodes(ids: $ids) { id } }",
        |target| json!({ "ids": [target.conversation, target.message, target.attachment] }),
        "",
    ),
    (
        "Query._entities",
        "query($all: [_Any!]!) { _entities(representations: $all) { __typename ... on Conversation { title } } }",
        |target| {
            let reference = |name: &str, id: &str| json!({ "__typename": name, "id": id });
            json!({ "all": [
                reference("Conversation", &target.conversation),
                reference("Message", &target.message),
                reference("Attachment", &target.attachment),
                reference("Message", &target.conversation),
            ] })
        },
        "",
    ),
    (
        "Query.searchMessages",
        "query($ids: [ID!]) { searchMessages(query: \"own\", filter: { conversationIds: $ids }) { nodes { content } indexing } }",
        |target| json!({ "ids": [target.conversation] }),
        "",
    ),
    (
        "Query.usageReport",
        "query { usageReport(since: \"2000-01-01T00:00:00Z\", until: \"2100-01-01T00:00:00Z\", first: 100) { nodes { subject } } }",
        |_| json!({}),
        "FORBIDDEN",
    ),
    (
        "Query.sharedConversation",
        "query($id: String!) { sharedConversation(secret: $id) { title } }",
        |target| json!({ "id": target.conversation }),
        "",
    ),
    (
        "Mutation.shareConversation",
        "mutation($id: ID!) { shareConversation(input: { conversationId: $id }) { secret } }",
        |target| json!({ "id": target.conversation }),
        "NOT_FOUND",
    ),
    (
        "Mutation.revokeShare",
        "mutation($id: ID!) { revokeShare(input: { id: $id }) { revokedShareId } }",
        |target| json!({ "id": target.conversation }),
        "",
    ),
    (
        "Mutation.deleteAttachment",
        "mutation($id: ID!) { deleteAttachment(input: { id: $id }) { deletedAttachmentId } }",
        |target| json!({ "id": target.attachment }),
        "",
    ),
    (
        "Mutation.eraseUser",
        "mutation { eraseUser(input: { subject: \"ada\" }) { receipt { document } } }",
        |_| json!({}),
        "FORBIDDEN",
    ),
    (
        "Mutation.updateConversation",
        "mutation($id: ID!) { updateConversation(input: { id: $id, title: \"mine\" }) { conversation { id } } }",
        |target| json!({ "id": target.conversation }),
        "NOT_FOUND",
    ),
    (
        "Mutation.trashConversation",
        "mutation($id: ID!) { trashConversation(input: { id: $id }) { conversation { id } } }",
        |target| json!({ "id": target.conversation }),
        "NOT_FOUND",
    ),
    (
        "Mutation.restoreConversation",
        "mutation($id: ID!) { restoreConversation(input: { id: $id }) { conversation { id } } }",
        |target| json!({ "id": target.conversation }),
        "NOT_FOUND",
    ),
    (
        "Mutation.markRead",
        "mutation($id: ID!) { markRead(input: { conversationId: $id, position: 99 }) { conversation { id } } }",
        |target| json!({ "id": target.conversation }),
        "NOT_FOUND",
    ),
    (
        "Mutation.clearConversation",
        "mutation($id: ID!) { clearConversation(input: { id: $id }) { conversation { id } } }",
        |target| json!({ "id": target.conversation }),
        "NOT_FOUND",
    ),
    (
        "Mutation.deleteConversation",
        "mutation($id: ID!) { deleteConversation(input: { id: $id }) { deletedConversationId } }",
        |target| json!({ "id": target.conversation }),
        "NOT_FOUND",
    ),
    (
        "Mutation.appendMessage",
        APPEND,
        |target| json!({ "input": { "conversationId": target.conversation, "role": "USER", "content": "x", "id": target.message } }),
        "NOT_FOUND",
    ),
    (
        "Mutation.appendMessages",
        "mutation($input: AppendMessagesInput!) { appendMessages(input: $input) { messages { id } } }",
        |target| json!({ "input": { "conversationId": target.conversation, "messages": [{ "role": "USER", "content": "x" }] } }),
        "NOT_FOUND",
    ),
    (
        "Mutation.switchBranch",
        "mutation($input: SwitchBranchInput!) { switchBranch(input: $input) { conversation { id } } }",
        |target| json!({ "input": { "conversationId": target.conversation, "leafId": target.message } }),
        "NOT_FOUND",
    ),
    (
        "Mutation.updateMessage",
        "mutation($id: ID!) { updateMessage(input: { id: $id, content: \"mine\" }) { message { id } } }",
        |target| json!({ "id": target.message }),
        "NOT_FOUND",
    ),
    (
        "Mutation.deleteMessage",
        "mutation($id: ID!) { deleteMessage(input: { id: $id }) { message { id } } }",
        |target| json!({ "id": target.message }),
        "NOT_FOUND",
    ),
    (
        "Mutation.appendMessageText",
        "mutation($id: ID!) { appendMessageText(input: { messageId: $id, offset: 0, text: \"x\" }) { length } }",
        |target| json!({ "id": target.message }),
        "NOT_FOUND",
    ),
    (
        "Mutation.finishMessage",
        "mutation($id: ID!) { finishMessage(input: { messageId: $id, status: COMPLETE }) { message { id } } }",
        |target| json!({ "id": target.message }),
        "NOT_FOUND",
    ),
    (
        "Mutation.stopMessage",
        "mutation($id: ID!) { stopMessage(input: { messageId: $id }) { message { id } } }",
        |target| json!({ "id": target.message }),
        "NOT_FOUND",
    ),
    (
        "Mutation.setMessageFeedback",
        "mutation($id: ID!) { setMessageFeedback(input: { messageId: $id, rating: DOWN }) { message { id } } }",
        |target| json!({ "id": target.message }),
        "NOT_FOUND",
    ),
    (
        "Subscription.messageText",
        "subscription($id: ID!) { messageText(messageId: $id) { text } }",
        |target| json!({ "id": target.message }),
        "NOT_FOUND",
    ),
    (
        "Subscription.messageAdded",
        "subscription($id: ID!) { messageAdded(conversationId: $id) { node { content } } }",
        |target| json!({ "id": target.conversation }),
        "NOT_FOUND",
    ),
];
