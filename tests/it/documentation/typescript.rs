//! Modules of TypeScript on a page. They use the packages that the page installs with `npm install`, which are those of
//! the tests, and the packed `scrollback-client`.

use std::fs;
use std::path::Path;

use tokio::process::Command;
use tokio::sync::OnceCell;

use super::shell::write_program;
use crate::harness::built_typescript_client;

/// Installs packages without a network: the client as `npm pack` makes it, others as links to those of the tests.
const NPM: &str = "#!/usr/bin/env bash
set -euo pipefail
[[ $1 == install ]] || { echo \"the tests replace npm and know only npm install\" >&2; exit 1; }
for package in \"${@:2}\"; do
  [[ $package != -* ]] || continue
  mkdir -p \"node_modules/$package\"
  if [[ $package == scrollback-client ]]; then
    tar -xzf \"$PACKED\"/scrollback-client-*.tgz -C \"node_modules/$package\" --strip-components=1
    continue
  fi
  rmdir \"node_modules/$package\"
  for folder in tests/clients clients/typescript; do
    if [[ -d $ROOT/$folder/node_modules/$package ]]; then
      ln -s \"$ROOT/$folder/node_modules/$package\" \"node_modules/$package\"
      continue 2
    fi
  done
  echo \"$package is not among the packages of the tests\" >&2
  exit 1
done
";

/// Runs a program of an installed package.
const NPX: &str = "#!/usr/bin/env bash
set -euo pipefail
program=$(node -p 'const { name, bin } = require(`${process.cwd()}/node_modules/${process.argv[1]}/package.json`);
  typeof bin === \"string\" ? bin : bin[name] ?? Object.values(bin)[0]' \"$1\")
exec node \"node_modules/$1/$program\" \"${@:2}\"
";

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PACKED: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/scrollback-client");

const OPTIONS: &str = "--strict --noUncheckedIndexedAccess --exactOptionalPropertyTypes --skipLibCheck --target es2022 \
                       --lib es2023,dom --module nodenext --rootDir . --outDir out";

/// Makes modules and `npm` work in a page's folder.
pub(super) fn prepare(folder: &Path) {
    fs::write(folder.join("package.json"), "{ \"type\": \"module\" }").unwrap();
    for (name, text) in [("npm", NPM), ("npx", NPX)] {
        let settings = format!("\nROOT='{ROOT}' PACKED='{PACKED}'\n");
        write_program(&folder.join("bin").join(name), &text.replacen('\n', &settings, 1));
    }
}

/// Packs the client as it would be published, once.
pub(super) async fn pack_client() {
    static PACKED_ONCE: OnceCell<()> = OnceCell::const_new();
    let pack = async || {
        built_typescript_client().await;
        let _ = fs::remove_dir_all(PACKED);
        fs::create_dir_all(PACKED).unwrap();
        let mut npm = Command::new("npm");
        npm.args(["pack", "--ignore-scripts", "--pack-destination", PACKED]);
        let output = npm.current_dir(Path::new(ROOT).join("clients/typescript")).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    PACKED_ONCE.get_or_init(pack).await;
}

/// A module that can use these names, unless it declares them itself.
pub(super) fn with_values(text: &str, values: &[(&str, &str)]) -> String {
    let is_declared =
        |name: &str| ["const", "let"].iter().any(|kind| text.contains(&format!("{kind} {name}")));
    let free = values.iter().filter(|(name, _)| !is_declared(name));
    let declarations: String =
        free.map(|(name, value)| format!("const {name}: string = {value:?};\n")).collect();
    format!("{declarations}{text}")
}

/// The commands for a module.
pub(super) fn build_and_run(file: &str) -> String {
    let compiler = Path::new(ROOT).join("clients/typescript/node_modules/typescript/bin/tsc");
    format!(
        "types=$([[ ! -d node_modules/@types/node ]] || echo node)\n\
         node {} {OPTIONS} --types \"$types\" {file}\nnode out/{}\n",
        compiler.display(),
        file.replace(".ts", ".js")
    )
}
