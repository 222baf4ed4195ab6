// An application's server over handlers of requests, as frameworks have them, and a page with its script.

import { createServer } from "node:http";
import { Readable } from "node:stream";
import { build } from "esbuild";

/** Bundles a module for a browser or for Node.js. `names` says what imports mean. */
export async function bundle(entry, { platform = "browser", names = {}, contents } = {}) {
  const named = {
    name: "named",
    setup({ onResolve }) {
      onResolve({ filter: /^\.\/|^\.\.\// }, ({ path }) => (names[path] ? { path: names[path] } : undefined));
    },
  };
  const { outputFiles } = await build({
    ...(contents ? { stdin: { contents, loader: "tsx", resolveDir: new URL("..", import.meta.url).pathname } } : { entryPoints: [entry] }),
    bundle: true,
    write: false,
    format: "esm",
    platform,
    target: "es2022",
    jsx: "automatic",
    logLevel: "silent",
    plugins: [named],
    define: { "process.env.NODE_ENV": '"development"' },
    external: platform === "node" ? ["ai", "scrollback-client", "scrollback-client/*"] : [],
  });
  return outputFiles[0].text;
}

const html = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><div id="root"></div>
<script type="module" src="/page.js"></script>`;

/** Serves a page, and what `handle` answers to other requests. Returns its address. */
export async function serve(script, handle) {
  const server = createServer(async (incoming, outgoing) => {
    const url = new URL(incoming.url, `http://${incoming.headers.host}`);
    const send = (body, type) => outgoing.writeHead(200, { "content-type": type }).end(body);
    if (url.pathname === "/") return send(html, "text/html");
    if (url.pathname === "/page.js") return send(script, "text/javascript");
    const body = ["GET", "HEAD"].includes(incoming.method) ? undefined : Readable.toWeb(incoming);
    const request = new Request(url, { method: incoming.method, headers: incoming.headers, body, duplex: "half" });
    try {
      await answer(await handle(request, url.pathname), outgoing);
    } catch (error) {
      console.error(error);
      outgoing.headersSent ? outgoing.destroy() : outgoing.writeHead(500).end(String(error));
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${server.address().port}`;
}

async function answer(response, outgoing) {
  outgoing.writeHead(response.status, Object.fromEntries(response.headers));
  if (!response.body) return outgoing.end();
  const reader = response.body.getReader();
  outgoing.on("close", () => void reader.cancel().catch(() => {}));
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return outgoing.end();
    outgoing.write(value);
  }
}
