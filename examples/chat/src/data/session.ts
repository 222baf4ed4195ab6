/** Who is signed in, and where their conversations are. */
export interface UserSession {
  user: string;
  url: string;
}

interface SessionBody extends UserSession {
  token: string;
  lifetime: number;
}

/** How long before its end a token is replaced. */
const MARGIN_MS = 60_000;

let current: { token: string; until: number } | undefined;

/** The session, if somebody is signed in. */
export async function fetchSession(): Promise<UserSession | undefined> {
  const response = await fetch("/api/session");
  if (!response.ok) throw new Error(`The chat's server answered with status ${response.status}.`);
  const { user, url, token, lifetime } = (await response.json()) as Partial<SessionBody>;
  if (user === undefined || url === undefined || token === undefined || lifetime === undefined) return undefined;
  current = { token, until: Date.now() + lifetime * 1000 - MARGIN_MS };
  return { user, url };
}

/** A token of the user. It stays in memory. */
export async function fetchToken({ rejected }: { rejected: string | undefined }): Promise<string> {
  if (!current || current.token === rejected || current.until < Date.now()) {
    if (!(await fetchSession())) throw new Error("you are signed out");
  }
  return current!.token;
}

export async function signIn(name: string): Promise<void> {
  await post("/api/sign-in", { name });
}

export async function signOut(): Promise<void> {
  await post("/api/sign-out", {});
  current = undefined;
}

/** Asks the back end for an answer. It is written even if this page is closed. */
export async function requestAnswer(conversationId: string, questionId: string, answerId?: string): Promise<void> {
  await post("/api/answers", { conversationId, questionId, answerId });
}

async function post(path: string, body: object): Promise<void> {
  const headers = { "Content-Type": "application/json" };
  const response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  if (response.ok) return;
  const { error } = (await response.json().catch(() => ({}))) as { error?: string };
  throw new Error(error ?? `The chat's server answered with status ${response.status}.`);
}
