// A receiver of webhooks that can be killed at any time. It verifies signatures with the `standardwebhooks` package, drops
// repeats, and writes each event to FILE before it accepts it: owner, revision and id. What it must never see, it writes as
// `fault`. It prints its port, and then a line for each event.

import { existsSync, fsyncSync, openSync, readFileSync, truncateSync, writeSync } from "node:fs";
import { createServer } from "node:http";

import { Webhook } from "standardwebhooks";

const { FILE, PORT, SECRET } = process.env;

const webhook = new Webhook(SECRET);
const last = new Map();
if (existsSync(FILE)) {
  const text = readFileSync(FILE, "utf8");
  // A line that was cut off was not accepted.
  const whole = text.slice(0, text.lastIndexOf("\n") + 1);
  truncateSync(FILE, Buffer.byteLength(whole));
  for (const line of whole.split("\n").slice(0, -1)) {
    const [owner, revision] = JSON.parse(line);
    last.set(owner, revision);
  }
}
const file = openSync(FILE, "a");

function note(entry) {
  writeSync(file, `${JSON.stringify(entry)}\n`);
  fsyncSync(file);
}

function receive(headers, body) {
  let event;
  try {
    event = webhook.verify(body, headers);
  } catch (error) {
    note(["fault", -1, String(error)]);
    return 400;
  }
  const { owner, revision, cursor } = event.data;
  const before = last.get(owner) ?? 0;
  if (revision <= before) return 200;
  if (revision !== before + 1 || headers["webhook-id"] !== cursor) note(["fault", -1, body]);
  note([owner, revision, cursor]);
  console.log(revision);
  last.set(owner, revision);
  return 200;
}

const server = createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    response.writeHead(receive(request.headers, Buffer.concat(chunks).toString("utf8")));
    response.end("thank you, this is not read");
  });
});
server.listen(Number(PORT), "127.0.0.1", () => console.log(server.address().port));
