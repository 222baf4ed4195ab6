"""The GraphQL documents of the client."""

from __future__ import annotations

PARTS = """fragment Parts on MessagePart {
  __typename
  ... on TextPart { text extra }
  ... on ReasoningPart { text extra }
  ... on FilePart { mediaType filename url extra }
  ... on ToolPart { toolCallId toolName state input output errorText extra }
  ... on SourceUrlPart { sourceId url title extra }
  ... on SourceDocumentPart { sourceId mediaType title filename extra }
  ... on DataPart { name data extra }
  ... on CustomPart { kind data extra }
}
"""

MESSAGE = PARTS + """fragment Full on Message {
  id position role content status model metadata createdAt editedAt deletedAt
  feedback { rating tags comment }
  parts { ...Parts }
}
"""

CONVERSATION = """fragment Summary on Conversation {
  id title metadata messageCount createdAt updatedAt labels
}
"""

PAGE = """fragment Cursors on PageInfo { hasNextPage hasPreviousPage startCursor endCursor }
"""

VIEWER = "query Viewer { viewer { id } }"

CONVERSATION_BY_ID = CONVERSATION + "query Conversation($id: ID!) { conversation(id: $id) { ...Summary } }"

CONVERSATIONS = CONVERSATION + PAGE + """query Conversations(
  $first: Int, $after: String, $last: Int, $before: String, $filter: ConversationFilter, $orderBy: ConversationOrder
) {
  conversations(first: $first, after: $after, last: $last, before: $before, filter: $filter, orderBy: $orderBy) {
    changeCursor nodes { ...Summary } pageInfo { ...Cursors }
  }
}"""

HISTORY = MESSAGE + PAGE + """query History(
  $id: ID!, $first: Int, $after: String, $last: Int, $before: String, $includeDeleted: Boolean
) {
  conversation(id: $id) {
    messages(first: $first, after: $after, last: $last, before: $before, includeDeleted: $includeDeleted) {
      nodes { ...Full } pageInfo { ...Cursors }
    }
  }
}"""

MESSAGES_BY_ID = MESSAGE + "query Messages($ids: [ID!]!) { nodes(ids: $ids) { ... on Message { ...Full } } }"

CREATE_CONVERSATION = CONVERSATION + """mutation CreateConversation($input: CreateConversationInput!) {
  createConversation(input: $input) { conversation { ...Summary } }
}"""

UPDATE_CONVERSATION = CONVERSATION + """mutation UpdateConversation($input: UpdateConversationInput!) {
  updateConversation(input: $input) { conversation { ...Summary } }
}"""

DELETE_CONVERSATION = """mutation DeleteConversation($id: ID!) {
  deleteConversation(input: { id: $id }) { deletedConversationId }
}"""

CLEAR_CONVERSATION = """mutation ClearConversation($id: ID!) {
  clearConversation(input: { id: $id }) { conversation { id } }
}"""

APPEND = MESSAGE + """mutation Append($input: AppendMessagesInput!) {
  appendMessages(input: $input) { messages { ...Full } }
}"""

# The same without the contents, which the caller has.
WRITE = """mutation Write($append: AppendMessagesInput!) { appendMessages(input: $append) { messages { id } } }"""

CREATE_AND_WRITE = """mutation CreateAndWrite($create: CreateConversationInput!, $append: AppendMessagesInput!) {
  createConversation(input: $create) { conversation { id } }
  appendMessages(input: $append) { messages { id } }
}"""

UPDATE_MESSAGE = MESSAGE + """mutation UpdateMessage($input: UpdateMessageInput!) {
  updateMessage(input: $input) { message { ...Full } }
}"""

DELETE_MESSAGE = MESSAGE + """mutation DeleteMessage($id: ID!, $deletion: ID!) {
  deleteMessage(input: { id: $id, deletionId: $deletion }) { wasDeleted message { ...Full } }
}"""

SET_FEEDBACK = MESSAGE + """mutation SetFeedback($input: SetMessageFeedbackInput!) {
  setMessageFeedback(input: $input) { message { ...Full } }
}"""

APPEND_TEXT = """mutation AppendText($id: ID!, $offset: Int!, $text: String!) {
  appendMessageText(input: { messageId: $id, offset: $offset, text: $text }) { length stopRequested }
}"""

FINISH = MESSAGE + """mutation Finish($input: FinishMessageInput!) {
  finishMessage(input: $input) { message { ...Full } }
}"""

STOP = "mutation Stop($id: ID!) { stopMessage(input: { messageId: $id }) { message { id } } }"

SEARCH = MESSAGE + PAGE + """query Search($query: String!, $filter: MessageSearchFilter, $first: Int, $after: String, $orderBy: SearchOrder) {
  searchMessages(query: $query, filter: $filter, first: $first, after: $after, orderBy: $orderBy) {
    edges { cursor snippet node { ...Full conversation { id } } } pageInfo { ...Cursors }
  }
}"""

# With the cursor of each message: for `follow`.
EDGES = MESSAGE + """query Edges($id: ID!, $first: Int, $before: String, $last: Int, $after: String) {
  conversation(id: $id) {
    messages(first: $first, before: $before, last: $last, after: $after) {
      edges { cursor node { ...Full } } pageInfo { hasNextPage endCursor }
    }
  }
}"""

CHANGE_CURSOR = "query ChangeCursor { conversations(first: 1) { changeCursor } }"

FOLLOW = MESSAGE + """subscription Follow($id: ID!, $after: String) {
  messageAdded(conversationId: $id, after: $after) { cursor node { ...Full } }
}"""

FOLLOW_TEXT = """subscription FollowText($id: ID!, $offset: Int) {
  messageText(messageId: $id, offset: $offset) { offset text status }
}"""

CHANGES = MESSAGE + CONVERSATION + """subscription Changes($after: String) {
  changes(after: $after) {
    __typename cursor changedAt conversationId actor
    ... on ConversationCreated { conversation { ...Summary } }
    ... on ConversationUpdated { conversation { ...Summary } }
    ... on MessageAdded { messageId message { ...Full } }
    ... on MessageUpdated { messageId message { ...Full } }
    ... on MessageDeleted { messageId }
  }
}"""

CREATE_ATTACHMENT = """mutation CreateAttachment($input: CreateAttachmentInput!) {
  createAttachment(input: $input) {
    attachment { id } upload { url method headers { name value } }
  }
}"""

DOWNLOAD_URLS = "query DownloadUrls($ids: [ID!]!) { nodes(ids: $ids) { ... on Attachment { id downloadUrl } } }"
