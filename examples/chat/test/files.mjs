// A picture and a file of 200 MB: sent, interrupted, seen in the chat, downloaded, and in the export.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import {
  answers, assertAccessible, authorization, composer, ended, messages, run, screenshot, signedIn, startBrowser, startChat, step, url,
} from "./common.mjs";

const BLOCK = 1024 * 1024;
const BLOCKS = Number(process.env.FILE_MIB ?? 200);

/** A PNG of 48 by 32 pixels, drawn by the browser. */
async function drawPicture(page) {
  const data = await page.evaluate(() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 480, height: 320 });
    const context = canvas.getContext("2d");
    const sky = context.createLinearGradient(0, 0, 0, 320);
    for (const [at, colour] of [[0, "#f6c667"], [0.55, "#e98a63"], [0.56, "#2a6f7f"], [1, "#123943"]]) sky.addColorStop(at, colour);
    context.fillStyle = sky;
    context.fillRect(0, 0, 480, 320);
    context.fillStyle = "#fff3d0";
    context.beginPath();
    context.arc(330, 130, 34, 0, 7);
    context.fill();
    return canvas.toDataURL("image/png").split(",")[1];
  });
  return Buffer.from(data, "base64");
}

/** A file whose blocks differ, and its hash. */
async function writeLarge(path) {
  const hash = createHash("sha256");
  const file = await open(path, "w");
  for (let index = 0; index < BLOCKS; index++) {
    const block = Buffer.alloc(BLOCK, 7);
    block.writeUInt32LE(index);
    hash.update(block);
    await file.write(block);
  }
  await file.close();
  return hash.digest("hex");
}

/** The hash of what a link gives. */
async function hashOf(link) {
  const hash = createHash("sha256");
  const response = await fetch(link);
  assert.equal(response.status, 200);
  for await (const chunk of response.body) hash.update(chunk);
  return hash.digest("hex");
}

/** The names and hashes of the files of an export, and its messages. */
async function readExport() {
  const response = await fetch(`${url}/v1/export`, { headers: authorization });
  assert.equal(response.status, 200);
  const files = [];
  const contents = [];
  let hash;
  const finish = () => hash && (files.at(-1).contentSha256 = hash.digest("hex"));
  for await (const line of createInterface({ input: Readable.fromWeb(response.body) })) {
    const entry = JSON.parse(line);
    if (entry.attachment) {
      finish();
      hash = createHash("sha256");
      files.push({ filename: entry.attachment.filename, sha256: Buffer.from(entry.attachment.sha256, "base64").toString("hex") });
    }
    const chunk = entry.attachmentChunk;
    if (chunk !== undefined) hash.update(Buffer.from(chunk, "base64"));
    if (entry.message) contents.push(entry.message);
  }
  finish();
  return { files, messages: contents };
}

await run("files", async () => {
  await startChat();
  const folder = await mkdtemp(join(tmpdir(), "chat-files-"));
  const browser = await startBrowser();
  const { page, faults } = await signedIn(browser);
  const picture = join(folder, "sunset.png");
  const film = join(folder, "film.mp4");
  const bytes = await drawPicture(page);
  await writeFile(picture, bytes);
  const pictureHash = createHash("sha256").update(bytes).digest("hex");
  const filmHash = await writeLarge(film);

  step("choose both; an upload that is interrupted goes on");
  // Not with `page.route`, which takes every body apart.
  await page.evaluate(() => {
    const { fetch } = window;
    window.parts = 0;
    window.fetch = (target, options) => {
      const headers = new Headers(options?.headers);
      const isPart = headers.get("content-range")?.startsWith("bytes 16777216-");
      if (isPart && window.parts++ === 0) return Promise.reject(new TypeError("the connection broke"));
      return fetch(target, options);
    };
  });
  await page.getByLabel("Files", { exact: true }).setInputFiles([picture, film]);
  const chosen = page.getByRole("list", { name: "Chosen files" });
  await chosen.getByText("film.mp4").waitFor();
  await composer(page).fill("What do you see?");
  assert.equal(await page.getByRole("button", { name: "Send", exact: true }).isDisabled(), true);
  await chosen.getByText("sending").first().waitFor({ timeout: 120_000 });
  await screenshot(page, "upload");
  await chosen.locator("[data-status=ready]").nth(1).waitFor({ timeout: 120_000 });
  assert.equal(await page.evaluate(() => window.parts), 2);

  step("a file that is chosen and removed again");
  await page.getByLabel("Files", { exact: true }).setInputFiles({ name: "note.txt", mimeType: "text/plain", buffer: Buffer.from("a note") });
  await page.getByRole("button", { name: "Remove note.txt" }).click();
  await chosen.getByText("note.txt").waitFor({ state: "detached" });

  step("see them in the chat, and download them");
  await composer(page).press("Enter");
  await ended(page);
  const question = messages(page).first();
  const shown = question.getByRole("img", { name: "sunset.png" });
  await page.waitForFunction(() => document.querySelector(".picture img")?.naturalWidth === 480);
  assert.deepEqual([await shown.getAttribute("width"), await shown.getAttribute("height")], ["480", "320"]);
  await question.getByText(`video/mp4 · ${Math.round((BLOCKS * BLOCK) / 1e6)} MB`).waitFor();
  await answers(page).first().getByText("sunset.png").waitFor();
  await assertAccessible(page, "files");
  await screenshot(page, "files");
  assert.equal(await hashOf(await question.locator(".picture").getAttribute("href")), pictureHash);
  assert.equal(await hashOf(await question.locator(".file").getAttribute("href")), filmHash);

  step("they are there after a reload, and in the export");
  await page.reload();
  await page.waitForFunction(() => document.querySelector(".picture img")?.naturalWidth === 480);
  const all = await readExport();
  const files = all.files.filter(({ filename }) => filename !== "note.txt");
  assert.deepEqual(files.sort((one, other) => (one.filename < other.filename ? -1 : 1)), [
    { filename: "film.mp4", sha256: filmHash, contentSha256: filmHash },
    { filename: "sunset.png", sha256: pictureHash, contentSha256: pictureHash },
  ]);
  assert.equal(all.messages[0].parts.filter((part) => part.file).length, 2);
  assert.deepEqual(faults, []);
  await rm(folder, { recursive: true });
  await browser.close();
});
