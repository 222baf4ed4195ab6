// What a new reader finds: four operations, ready to run, in the order in which one tries them.

const conversations = `# Welcome to Scrollback. Your token is in the Headers tab;
# press Ctrl-Enter to run.
query Conversations {
  viewer { id }
  conversations(first: 20) {
    nodes {
      id title updatedAt messageCount
      messages(last: 2) {
        nodes { position role content createdAt }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}
`;

const create = `# A conversation with its first message.
mutation Create {
  createConversation(input: {
    title: "My first conversation"
    messages: [{ role: USER, content: "Hello" }]
  }) {
    conversation { id }
  }
}
`;

const append = `# Put a conversation's id into the Variables tab.
mutation Append($id: ID!) {
  appendMessage(input: { conversationId: $id, role: ASSISTANT, content: "Hello to you" }) {
    message { id position createdAt }
  }
}
`;

const follow = `# Put a conversation's id into the Variables tab, run this,
# and append from another window.
subscription Follow($id: ID!) {
  messageAdded(conversationId: $id) {
    cursor
    node { position role content }
  }
}
`;

const variables = JSON.stringify({ id: "<a conversation's id>" }, null, 2);

export const tabs = [
  { query: conversations },
  { query: create },
  { query: append, variables },
  { query: follow, variables },
];
