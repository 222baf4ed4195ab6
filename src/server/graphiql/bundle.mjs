// Bundles the page: main.jsx and all it imports become dist/main.js and dist/main.css, and each
// file that is served gets a .gz and a .br beside it. Run by build.rs in a copy of this folder.

import { copyFile, readFile, readdir, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { build } from "esbuild";

const DIST = "dist";

// GraphiQL's style sheet carries its fonts, 0.3 MB of them; the reader's own do.
const withoutFonts = {
  name: "without-fonts",
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, async ({ path }) => ({
      contents: (await readFile(path, "utf8")).replace(/@font-face\s*\{[^}]*\}/g, ""),
      loader: "css",
    }));
  },
};

await build({
  entryPoints: ["main.jsx"],
  outdir: DIST,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
  legalComments: "eof",
  plugins: [withoutFonts],
  logLevel: "error",
});
await copyFile("index.html", `${DIST}/index.html`);

for (const name of await readdir(DIST)) {
  if (!/\.(html|js|css)$/.test(name)) continue;
  const content = await readFile(`${DIST}/${name}`);
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
  };
  await writeFile(`${DIST}/${name}.br`, await promisify(brotliCompress)(content, { params }));
  await writeFile(`${DIST}/${name}.gz`, await promisify(gzip)(content, { level: 9 }));
}
