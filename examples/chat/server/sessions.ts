import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";

const COOKIE = "chat_session";
const LIFETIME = 7 * 24 * 3600;

/**
 * Who is signed in, in a signed cookie that scripts cannot read. This example asks for a name and no password: replace
 * `signIn` by your own sign-in.
 */
export class Sessions {
  readonly #key: Buffer;

  constructor(secret: string) {
    // Not the key of the tokens: a cookie is never a token.
    this.#key = createHmac("sha256", secret).update("sessions").digest();
  }

  /** The header that signs a user in. */
  signIn(user: string): string {
    const content = Buffer.from(JSON.stringify([user, Date.now() + LIFETIME * 1000])).toString("base64url");
    return this.#cookie(`${content}.${this.#sign(content).toString("base64url")}`, LIFETIME);
  }

  /** The header that signs a user out. */
  signOut(): string {
    return this.#cookie("", 0);
  }

  /** The user of a request. */
  user(request: IncomingMessage): string | undefined {
    const cookies = (request.headers.cookie ?? "").split("; ").map((cookie) => cookie.split("="));
    const [content = "", signature = ""] = (cookies.find(([name]) => name === COOKIE)?.[1] ?? "").split(".");
    const expected = this.#sign(content);
    const given = Buffer.from(signature, "base64url");
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    const [user, end] = JSON.parse(Buffer.from(content, "base64url").toString()) as [string, number];
    return Date.now() < end ? user : undefined;
  }

  #sign(content: string): Buffer {
    return createHmac("sha256", this.#key).update(content).digest();
  }

  #cookie(value: string, age: number): string {
    // Behind HTTPS, add `Secure`.
    return `${COOKIE}=${value}; HttpOnly; SameSite=Strict; Path=/; Max-Age=${age}`;
  }
}
