// An assistant that knows one answer. In an application this is your back end, which has the model's
// pieces and sends them as they come; what it asks of the server is the same.

export const ANSWER = `A chat that is worth keeping outlives the tab it was written in. So the text you \
are reading is not held by this page: every few words go to the server, which answers once they are on \
disk, and tells every tab that follows. Reload this page and it goes on where it was. Close it, and the \
words so far stay. Open another tab and it gets what it lacks, then what is added. Press stop in any of \
them: the assistant hears of it with its next words, wherever it runs. Nothing is lost on the way, and \
nothing is said twice — not even „naïve café“ or 👩‍👩‍👧, for places are counted in code points.`;

const BEGIN = `mutation ($input: AppendMessageInput!) { appendMessage(input: $input) { message { id } } }`;

const ADD = `mutation ($input: AppendMessageTextInput!) {
  appendMessageText(input: $input) { length stopRequested }
}`;

const FINISH = `mutation ($input: FinishMessageInput!) { finishMessage(input: $input) { message { id } } }`;

/** The answer as a model gives it: a word at a time. */
async function* words(pace) {
  for (const word of ANSWER.split(/(?<= )/)) {
    await new Promise((resolve) => setTimeout(resolve, pace));
    yield word;
  }
}

/** Streams an answer into a conversation, a word every so many milliseconds, until it is whole or stopped. */
export async function answer(api, conversationId, pace) {
  const messageId = crypto.randomUUID();
  await api.send(BEGIN, {
    input: { id: messageId, conversationId, role: "ASSISTANT", status: "STREAMING", model: "one-answer" },
  });
  let status = "COMPLETE";
  let offset = 0;
  for await (const text of words(pace)) {
    const { length, stopRequested } = (await api.send(ADD, { input: { messageId, offset, text } })).appendMessageText;
    offset = length;
    if (stopRequested) {
      status = "INTERRUPTED";
      break;
    }
  }
  await api.send(FINISH, { input: { messageId, status } });
}
