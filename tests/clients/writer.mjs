// A writer that goes on until it is killed: says which message it writes, then after every piece how
// many code points were acknowledged.

import { post, run } from "./common.mjs";

const { CONVERSATION, QUESTION } = process.env;

const BEGIN = `mutation ($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }`;
const ADD = `mutation ($input: AppendMessageTextInput!) { appendMessageText(input: $input) { length } }`;

await run("writer", async () => {
  const input = { conversationId: CONVERSATION, parentId: QUESTION, role: "ASSISTANT", status: "STREAMING" };
  const messageId = (await post(BEGIN, { input })).appendMessage.message.id;
  console.log(messageId);
  for (let number = 0, offset = 0; ; number++) {
    const input = { messageId, offset, text: `${number}: é👍 ` };
    offset = (await post(ADD, { input })).appendMessageText.length;
    console.log(offset);
  }
});
