// What the tests of assistant-ui share.

import { watch } from "../../../../tests/clients/browser.mjs";
import { httpUrl, token } from "../ai-sdk/common.mjs";

/** The requests of the page go to Scrollback, as through a proxy of the application. */
export const proxy = async (request) => {
  const headers = { "content-type": "application/json", authorization: request.headers.get("authorization"), accept: request.headers.get("accept") };
  const { status, body, headers: answered } = await fetch(httpUrl, { method: "POST", headers, body: await request.text() });
  return new Response(body, { status, headers: { "content-type": answered.get("content-type") } });
};

/** Opens tabs with the page, each under a name. */
export const opener = (context, address, faults) => async (name, more = "") => {
  const tab = await context.newPage();
  watch(tab, faults);
  await tab.goto(`${address}/#token=${token}&name=${name}${more}`);
  await tab.waitForFunction(() => window.runtime?.threads.getState().isLoading === false);
  return tab;
};

/** The messages that a tab shows. */
export const state = (tab) =>
  tab.evaluate(() => JSON.parse(JSON.stringify(window.runtime.thread.getState().messages)));

/** The text of a message. */
export const textOf = ({ content }) => content.filter(({ type }) => type === "text").map(({ text }) => text).join("");

/** Waits until a tab shows so many messages, the last one with a text, and none is being written. */
export const settled = (tab, count, text) =>
  tab.waitForFunction(
    ([count, text]) => {
      const { messages, isRunning } = window.runtime.thread.getState();
      const shown = messages.at(-1)?.content.map((part) => part.text ?? "").join("");
      return !isRunning && messages.length === count && shown.includes(text);
    },
    [count, text],
  );
