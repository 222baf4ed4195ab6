// Relay: relay-compiler and relay-runtime, with the project in `relay`.

import assert from "node:assert/strict";
import WebSocket from "ws";
import { withProject } from "./build.mjs";
import { httpUrl, run, step, token } from "./common.mjs";

await run("relay", () =>
  withProject("relay", { path: "relay-compiler/cli.js", args: ["relay.config.json"] }, ({ main }) =>
    main({ url: httpUrl, token, webSocketImpl: WebSocket, step, equal: assert.deepEqual })));
