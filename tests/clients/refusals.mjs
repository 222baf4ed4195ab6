// Sends requests that are answered before their bodies are read, with Node's fetch (undici).

const { SCROLLBACK_URL, SCROLLBACK_TOKEN, CASES } = process.env;

for (const { method, path, headers, bytes, status, code } of JSON.parse(CASES)) {
  const response = await fetch(SCROLLBACK_URL + path, {
    method,
    headers: { authorization: `Bearer ${SCROLLBACK_TOKEN}`, "content-type": "application/json", ...headers },
    body: " ".repeat(bytes),
    signal: AbortSignal.timeout(30_000),
  });
  const text = await response.text();
  const found = text.startsWith("{") ? JSON.parse(text).errors[0].extensions.code : null;
  if (response.status !== status || found !== code) {
    throw new Error(`${method} ${path} with ${bytes} bytes: expected ${status} ${code}, got ${response.status} ${text}`);
  }
}
