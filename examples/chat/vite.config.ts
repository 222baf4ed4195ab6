import { fileURLToPath } from "node:url";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** The client's sources in this repository. Elsewhere: `npm install scrollback-client`, and no alias. */
const client = (file: string) =>
  fileURLToPath(new URL(`../../clients/typescript/src/${file}.ts`, import.meta.url));

export default defineConfig(({ isSsrBuild }) => ({
  plugins: [react()],
  resolve: {
    alias: [
      { find: /^scrollback-client$/, replacement: client("index") },
      { find: /^scrollback-client\/graphql-ws$/, replacement: client("graphql-ws") },
    ],
    dedupe: ["graphql-ws"],
  },
  build: { outDir: "dist/page", target: "es2022", modulePreload: { polyfill: false }, copyPublicDir: !isSsrBuild },
  worker: { format: "es" },
}));
