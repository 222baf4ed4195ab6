// The headers that the editor starts with, kept for this browser tab only.
//
// `scrollback` prints a link that ends in #token=…. A fragment never reaches a server or its logs;
// taking it out of the address keeps it out of the history and of links that are passed on.

const KEY = "scrollback:headers";

const bearer = (token) => JSON.stringify({ Authorization: `Bearer ${token}` }, null, 2);

// What the editor says when there is no token. ASCII: it has to be a valid header value.
const PLACEHOLDER = bearer("<run: scrollback token --user ada>");

/** Moves a token from the address into this tab's storage; says whether there was one. */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return false;
  history.replaceState(history.state, "", location.pathname + location.search);
  sessionStorage.setItem(KEY, bearer(token));
  return true;
}

/** The text for the headers editor: what was last used in this tab, or the placeholder. */
export function currentHeaders() {
  return sessionStorage.getItem(KEY) ?? PLACEHOLDER;
}

/** Keeps headers that were used and carry credentials; answers the text to start from now. */
export function rememberHeaders(headers) {
  const text = JSON.stringify(headers, null, 2);
  const credentials = Object.keys(headers).some((name) => name.toLowerCase() === "authorization");
  if (credentials && text !== PLACEHOLDER) sessionStorage.setItem(KEY, text);
  return currentHeaders();
}
