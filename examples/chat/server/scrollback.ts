import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { createInterface } from "node:readline";

/** The server that keeps the conversations. */
export interface Scrollback {
  url: string;
  /** What its tokens are signed with. */
  secret: string;
  stop(): void;
}

/**
 * Uses the server that `CHAT_SCROLLBACK_URL` names, with the secret in `CHAT_SCROLLBACK_SECRET`. Without them it starts
 * one with SQLite, and keeps its data in `data`.
 */
export async function findScrollback(folder: string, origins: readonly string[]): Promise<Scrollback> {
  const { CHAT_SCROLLBACK_URL: url, CHAT_SCROLLBACK_SECRET: secret } = process.env;
  if (!url) return startScrollback(folder, origins);
  if (!secret) throw new Error("CHAT_SCROLLBACK_SECRET is not set: it must be the server's auth.jwt_secret");
  return { url, secret, stop() {} };
}

async function startScrollback(folder: string, origins: readonly string[]): Promise<Scrollback> {
  const data = process.env["SCROLLBACK_DATA_DIR"] ?? join(folder, "data");
  mkdirSync(data, { recursive: true, mode: 0o700 });
  const secretFile = join(data, "token-secret");
  if (!existsSync(secretFile)) writeFileSync(secretFile, randomBytes(32).toString("hex"), { mode: 0o600 });
  const [program, ...parameters] = findProgram(folder);
  const child = spawn(program as string, parameters, {
    env: {
      SCROLLBACK_DATA_DIR: data,
      SCROLLBACK_LOG_LEVEL: "warn",
      ...process.env,
      SCROLLBACK_AUTH_JWT_SECRET_FILE: secretFile,
      SCROLLBACK_SERVER_CORS_ORIGINS: origins.join(","),
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const url = await listeningUrl(child);
  child.on("exit", (code) => {
    console.error(`Scrollback has ended with ${code}.`);
    process.exit(1);
  });
  const stop = () => {
    child.removeAllListeners("exit");
    child.kill();
  };
  return { url, secret: readFileSync(secretFile, "utf8").trim(), stop };
}

/** The newest build in this repository, the program in the PATH, or cargo, which builds it first. */
function findProgram(folder: string): string[] {
  const { CHAT_SCROLLBACK_PROGRAM: named, PATH = "" } = process.env;
  if (named) return [named];
  const root = join(folder, "../..");
  const builds = ["release", "debug"].map((profile) => join(root, "target", profile, "scrollback"));
  const installed = PATH.split(delimiter).map((directory) => join(directory, "scrollback"));
  const found = [...builds, ...installed].find((path) => existsSync(path));
  if (found) return [found];
  console.log("Building Scrollback. The first time, this takes some minutes.");
  return ["cargo", "run", "--release", "--manifest-path", join(root, "Cargo.toml"), "--"];
}

function listeningUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`Scrollback did not start: it ended with ${code}`)));
    createInterface({ input: child.stdout! }).on("line", (line) => {
      const url = /^Scrollback is listening on (.*)\/graphql$/.exec(line)?.[1];
      if (!url) return;
      child.removeAllListeners("exit");
      resolve(url);
    });
  });
}
