// The modules of the README, word for word, in bundles for Node.js and browsers.

import { readFile } from "node:fs/promises";
import { build } from "esbuild";

const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
const blocks = readme.matchAll(/^```tsx? (\S+)\n([\s\S]*?)^```$/gm);
export const modules = new Map(Array.from(blocks, ([, name, text]) => [name, text]));

/** Bundles a module of the test with those of the README. */
export async function bundle(contents, platform, more = {}) {
  const resolveDir = new URL(".", import.meta.url).pathname;
  const texts = new Map([...modules, ...Object.entries(more)]);
  const plugin = {
    name: "readme",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^\.\/.*\.js$/ }, ({ path, importer, namespace }) => {
        if (namespace !== "readme" && importer !== "<stdin>") return undefined;
        const name = [".ts", ".tsx"].map((end) => path.slice(2).replace(/\.js$/, end)).find((name) => texts.has(name));
        return { path: name, namespace: "readme" };
      });
      onLoad({ filter: /.*/, namespace: "readme" }, ({ path }) => ({ contents: texts.get(path), loader: "tsx", resolveDir }));
    },
  };
  const { outputFiles } = await build({
    stdin: { contents, loader: "tsx", resolveDir },
    bundle: true,
    write: false,
    format: "esm",
    platform,
    target: "es2022",
    jsx: "automatic",
    logLevel: "silent",
    plugins: [plugin],
    ...(platform === "browser" ? { define: { "process.env.NODE_ENV": '"development"' } } : { packages: "external" }),
  });
  return outputFiles[0].text;
}
