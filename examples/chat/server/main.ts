// The back end of the chat: signs users in, gives them tokens, and writes the answers.

import { fileURLToPath } from "node:url";
import { Answers } from "./answers.js";
import { createChatServer } from "./http.js";
import { findScrollback } from "./scrollback.js";
import { Sessions } from "./sessions.js";

const folder = fileURLToPath(new URL("../..", import.meta.url));
const port = Number(process.env["CHAT_PORT"] ?? 5173);
const origins = [`http://localhost:${port}`, `http://127.0.0.1:${port}`];

try {
  const scrollback = await findScrollback(folder, origins);
  const server = createChatServer({
    page: fileURLToPath(new URL("../page", import.meta.url)),
    scrollback,
    sessions: new Sessions(scrollback.secret),
    answers: new Answers(scrollback, { wordDelayMs: Number(process.env["CHAT_WORD_DELAY_MS"] ?? 35) }),
  });
  server.on("error", fail);
  server.listen(port, "127.0.0.1", () => console.log(`The chat is at ${origins[0]}`));
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => {
      scrollback.stop();
      process.exit(0);
    });
  }
  process.on("exit", () => scrollback.stop());
} catch (error) {
  fail(error);
}

function fail(error: unknown): never {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
