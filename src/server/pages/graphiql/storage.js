// Where GraphiQL keeps its tabs, its history and its layout: localStorage, but never headers.
//
// With shouldPersistHeaders off, GraphiQL leaves them out of its tabs and still writes them to its
// history. They carry the token, so they are taken out here, and an entry that is read back gets
// the headers of the moment: choosing it must not empty the headers editor.

import { currentHeaders } from "./credentials.js";

const PREFIX = "scrollback:";
const HISTORY = ["graphiql:queries", "graphiql:favorites"];

export const storage = {
  getItem(key) {
    const value = localStorage.getItem(PREFIX + key);
    return value && HISTORY.includes(key) ? withHeaders(value, currentHeaders()) : value;
  },
  setItem(key, value) {
    localStorage.setItem(PREFIX + key, HISTORY.includes(key) ? withHeaders(value, undefined) : value);
  },
  removeItem(key) {
    localStorage.removeItem(PREFIX + key);
  },
  clear() {
    ownKeys().forEach((key) => localStorage.removeItem(key));
  },
  get length() {
    return ownKeys().length;
  },
};

function ownKeys() {
  return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX));
}

/** The stored history with every entry's headers set, or left out when they are undefined. */
function withHeaders(value, headers) {
  const stored = JSON.parse(value);
  for (const entries of Object.values(stored)) {
    if (Array.isArray(entries)) entries.forEach((entry) => (entry.headers = headers));
  }
  return JSON.stringify(stored);
}
