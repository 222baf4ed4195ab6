// Bundles the page: main.jsx and all it imports become dist/main.js and dist/main.css, and each
// file that is served gets a .gz and a .br beside it. licenses.txt holds the licences of what is in them. Run by build.rs in a copy of this folder.

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

/** The licences of the packages that these files are from. */
async function licenses(files) {
  const folders = files.map((file) => file.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0]).filter(Boolean);
  const texts = [...new Set(folders)].sort().map(async (folder) => {
    const { name, version, license } = JSON.parse(await readFile(`${folder}/package.json`, "utf8"));
    const file = (await readdir(folder)).find((file) => /^(licen[cs]e|copying)/i.test(file));
    const text = file ? await readFile(`${folder}/${file}`, "utf8") : "";
    return `${name} ${version} (${license})\n\n${text.trim()}\n`;
  });
  return (await Promise.all(texts)).join(`\n${"-".repeat(80)}\n\n`);
}

const { metafile } = await build({
  entryPoints: ["main.jsx"],
  outdir: DIST,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
  legalComments: "none",
  banner: { js: "/*! Licences: /graphiql/licenses.txt */", css: "/*! Licences: /graphiql/licenses.txt */" },
  metafile: true,
  plugins: [withoutFonts],
  logLevel: "error",
});
await copyFile("index.html", `${DIST}/index.html`);
await writeFile(`${DIST}/licenses.txt`, await licenses(Object.keys(metafile.inputs)));

for (const name of await readdir(DIST)) {
  if (!/\.(html|js|css|txt)$/.test(name)) continue;
  const content = await readFile(`${DIST}/${name}`);
  const params = {
    [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
    [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
  };
  await writeFile(`${DIST}/${name}.br`, await promisify(brotliCompress)(content, { params }));
  await writeFile(`${DIST}/${name}.gz`, await promisify(gzip)(content, { level: 9 }));
}
