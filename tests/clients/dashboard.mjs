// The dashboard has the types that Grafana publishes for its own: no unknown field, no value of another type.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const dashboard = readFileSync(join(here, "../../deploy/monitoring/dashboard.json"), "utf8");

/** What the compiler says about a dashboard. */
function check(json) {
  const folder = mkdtempSync(join(here, "node_modules/.dashboard-"));
  try {
    const types = "../@grafana/schema/dist/types/raw/dashboard/x/types.gen";
    // In JSON, the members of an enum are their values.
    const module = `import type { Dashboard } from "${types}";
      type Json<T> = T extends string ? \`\${T}\` : T extends number ? number : T extends (infer U)[] ? Json<U>[]
        : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
      export const dashboard: Json<Dashboard> = ${json};`;
    writeFileSync(join(folder, "dashboard.ts"), module);
    const compiler = join(here, "node_modules/typescript/bin/tsc");
    const options = ["--noEmit", "--strict", "--skipLibCheck", "--module", "esnext", "--moduleResolution", "bundler"];
    const { status, stdout } = spawnSync(process.execPath, [compiler, ...options, join(folder, "dashboard.ts")]);
    return status === 0 ? "" : `${stdout}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

assert.equal(check(dashboard), "");
assert.match(check(dashboard.replace('"schemaVersion": 39', '"schemaVersion": "39"')), /not assignable/);
assert.match(check(dashboard.replace('"graphTooltip"', '"graphTooltips"')), /graphTooltips/);
console.log("dashboard: ok");
