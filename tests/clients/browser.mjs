// A real browser, started alike for every script that needs one.

import { chromium } from "playwright-core";

const { CHROMIUM = "/usr/bin/chromium" } = process.env;
const ARGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts a browser, with further arguments. */
export const launch = (...more) => chromium.launch({ executablePath: CHROMIUM, args: [...ARGS, ...more] });

/** Notes what a page complains about. */
export function watch(page, faults) {
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(String(error)));
}
