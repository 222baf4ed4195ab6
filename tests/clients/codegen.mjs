// graphql-codegen's client preset, with the project in `codegen`.

import assert from "node:assert/strict";
import { withProject } from "./build.mjs";
import { httpUrl, run, step, token } from "./common.mjs";

await run("codegen", () =>
  withProject("codegen", { path: "@graphql-codegen/cli/cjs/bin.js", args: ["--config", "codegen.json"] }, ({ main }) =>
    main({ url: httpUrl, token, step, equal: assert.deepEqual })));
