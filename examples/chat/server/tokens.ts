import { createHmac } from "node:crypto";

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** How long a token of a user is valid, in seconds. The page asks for another one in time. */
export const TOKEN_LIFETIME = 600;

/** Signs a JSON Web Token (HS256) with the secret that Scrollback verifies tokens with. */
export function signToken(secret: string, claims: { sub: string; scope?: string }): string {
  const exp = Math.floor(Date.now() / 1000) + TOKEN_LIFETIME;
  const content = `${encode({ alg: "HS256", typ: "JWT" })}.${encode({ ...claims, exp })}`;
  return `${content}.${createHmac("sha256", secret).update(content).digest("base64url")}`;
}
