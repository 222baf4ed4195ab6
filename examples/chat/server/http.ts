import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import type { AnswerRequest, Answers } from "./answers.js";
import type { Scrollback } from "./scrollback.js";
import type { Sessions } from "./sessions.js";
import { TOKEN_LIFETIME, signToken } from "./tokens.js";

/** What the server consists of. */
export interface ChatServerOptions {
  /** The folder with the built page. */
  page: string;
  scrollback: Scrollback;
  sessions: Sessions;
  answers: Answers;
}

/** An error that the client sees. */
class HttpError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};
const BODY_LIMIT = 16_384;

export function createChatServer(options: ChatServerOptions): Server {
  return createServer((request, response) => {
    handle(request, response, options).catch((error: unknown) => {
      const status = error instanceof HttpError ? error.status : 500;
      if (status === 500) console.error(error);
      if (response.headersSent) return response.destroy();
      sendJson(response, status, { error: error instanceof HttpError ? error.message : "internal error" });
    });
  });
}

async function handle(request: IncomingMessage, response: ServerResponse, options: ChatServerOptions): Promise<void> {
  const { pathname } = new URL(request.url ?? "/", "http://localhost");
  const { sessions, scrollback, answers } = options;
  const user = sessions.user(request);
  switch (`${request.method} ${pathname}`) {
    case "POST /api/sign-in": {
      const { name } = await readJson<{ name?: unknown }>(request);
      if (typeof name !== "string" || !/^[\p{L}\p{N}._-]{1,64}$/u.test(name)) {
        throw new HttpError(400, "A name has 1 to 64 letters, digits, dots, dashes and underscores.");
      }
      response.setHeader("Set-Cookie", sessions.signIn(name));
      return sendJson(response, 200, {});
    }
    case "POST /api/sign-out":
      response.setHeader("Set-Cookie", sessions.signOut());
      return sendJson(response, 200, {});
    case "GET /api/session": {
      if (!user) return sendJson(response, 200, {});
      const token = signToken(scrollback.secret, { sub: user });
      return sendJson(response, 200, { user, url: scrollback.url, token, lifetime: TOKEN_LIFETIME });
    }
    case "POST /api/answers": {
      if (!user) throw new HttpError(401, "Sign in first.");
      const id = await answers.begin(user, answerRequest(await readJson(request)));
      if (id === undefined) throw new HttpError(404, "There is no such question.");
      return sendJson(response, 202, { id });
    }
  }
  if (pathname.startsWith("/api/")) throw new HttpError(404, "There is nothing here.");
  if (request.method !== "GET" && request.method !== "HEAD") throw new HttpError(405, "Use GET.");
  await sendFile(pathname, response, options);
}

function answerRequest({ conversationId, questionId, answerId }: Record<string, unknown>): AnswerRequest {
  const isId = (value: unknown): value is string => typeof value === "string" && /^[0-9a-f-]{36}$/i.test(value);
  if (!isId(conversationId) || !isId(questionId) || !(answerId === undefined || isId(answerId))) {
    throw new HttpError(400, "conversationId, questionId and answerId must be UUIDs.");
  }
  return { conversationId, questionId, answerId };
}

async function readJson<T = Record<string, unknown>>(request: IncomingMessage): Promise<T> {
  // With another type, a form on another site could send it.
  if (request.headers["content-type"] !== "application/json") throw new HttpError(415, "Send application/json.");
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) {
    text += chunk;
    if (text.length > BODY_LIMIT) throw new HttpError(413, "The body is too large.");
  }
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new HttpError(400, "The body is not JSON.");
  }
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store" });
  response.end(JSON.stringify(value));
}

async function sendFile(pathname: string, response: ServerResponse, options: ChatServerOptions): Promise<void> {
  const wanted = join(options.page, normalize(pathname));
  const isFile = wanted.startsWith(options.page) && extname(wanted) !== "" && (await stat(wanted).catch(() => null));
  const path = isFile ? wanted : join(options.page, "index.html");
  const { url } = options.scrollback;
  response.writeHead(200, {
    "Content-Type": TYPES[extname(path)] ?? "application/octet-stream",
    "Cache-Control": pathname.startsWith("/assets/") && isFile ? "public, max-age=31536000, immutable" : "no-cache",
    "Content-Security-Policy":
      `default-src 'self'; connect-src 'self' ${url} ${url.replace(/^http/, "ws")}; img-src 'self' blob: ${url}; ` +
      "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
  });
  createReadStream(path).pipe(response);
}
