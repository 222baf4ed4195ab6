// Builds a TypeScript project of this folder as its users do: code generators first, then `tsc --strict`.

import { execFile } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { step } from "./common.mjs";

const folder = fileURLToPath(new URL(".", import.meta.url));
const execute = promisify(execFile);

/** Runs the program of an installed package; a failure says what it printed. */
async function execPackage(path, args, cwd) {
  try {
    await execute(process.execPath, [join(folder, "node_modules", path), ...args], { cwd });
  } catch (error) {
    throw new Error(`${path} ${args.join(" ")}: ${error.message}\n${error.stdout}\n${error.stderr}`);
  }
}

/**
 * Builds a copy of a project, next to the packages that it uses, and gives the module `main` to `use`. `before` the
 * build files may be added to the copy, and `after` it changed. Several copies may be built at the same time.
 */
export async function withProject(name, generator, use, { before = async () => {}, after = async () => {} } = {}) {
  const copy = await mkdtemp(join(folder, `.build-${name.replace("/", "-")}-`));
  try {
    await cp(join(folder, name), copy, { recursive: true });
    await before(copy);
    await cp(join(folder, "../../schema.graphql"), join(copy, "schema.graphql"));
    if (generator) {
      step(`generate the code of ${name}`);
      await execPackage(generator.path, generator.args, copy);
    }
    step(`compile ${name} with tsc --strict`);
    await execPackage("typescript/bin/tsc", ["--strict", "--project", "tsconfig.json"], copy);
    await after(copy);
    await use(await import(pathToFileURL(join(copy, "dist/main.js"))));
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}
