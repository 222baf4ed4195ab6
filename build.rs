//! Names the commit in the version, and bundles GraphiQL for `src/server/pages/graphiql.rs`, in the build folder, with npm and node.
//!
//! The build does not fail without npm: without it, or with `SCROLLBACK_GRAPHIQL=off`, the server has a plain
//! page instead of GraphiQL, and the build prints a warning.

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The sources of the page. Files that are not listed are not part of the build.
const SOURCES: &str = "src/server/pages/graphiql";
const FILES: [&str; 10] = [
    "package.json",
    "package-lock.json",
    "bundle.mjs",
    "index.html",
    "main.jsx",
    "page.css",
    "credentials.js",
    "storage.js",
    "tabs.js",
    "fallback.html",
];
const SWITCH: &str = "SCROLLBACK_GRAPHIQL";
const COMMIT: &str = "SCROLLBACK_COMMIT";
const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

/// Installs the versions of the lock file, without package scripts and without long network timeouts.
const INSTALL: [&str; 8] = [
    "ci",
    "--ignore-scripts",
    "--include=optional",
    "--prefer-offline",
    "--no-audit",
    "--no-fund",
    "--fetch-retry-mintimeout=1000",
    "--fetch-retry-maxtimeout=5000",
];

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-env=PROGRAM_VERSION={}", version());
    println!("cargo:rerun-if-env-changed={SWITCH}");
    for file in FILES {
        println!("cargo:rerun-if-changed={SOURCES}/{file}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("OUT_DIR is not set"))?);
    let folder = copy_sources(&out)?;

    let bundled = env::var_os(SWITCH).is_none_or(|value| value != "off")
        && bundle(&folder)
            .inspect_err(|fault| println!("cargo:warning=built without GraphiQL: {fault}"))
            .is_ok();
    fs::write(out.join("graphiql.rs"), generated(&folder, bundled)?)
}

/// The version, with the commit in builds that are for others: `0.1.0 (0123456789ab)`. The commit is that of the variable
/// `SCROLLBACK_COMMIT`, or of the work tree.
fn version() -> String {
    println!("cargo:rerun-if-env-changed={COMMIT}");
    let version = env!("CARGO_PKG_VERSION");
    // Every commit would build the whole crate again.
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = env::var(COMMIT).ok().filter(|commit| !commit.is_empty());
    let commit = commit.or_else(|| is_release.then(commit_of_work_tree).flatten());
    commit.map_or_else(|| version.to_owned(), |commit| format!("{version} ({commit})"))
}

/// The commit of the work tree; with a mark if files differ from it. `None` without git.
fn commit_of_work_tree() -> Option<String> {
    let git = |arguments: &[&str]| {
        let output =
            Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    println!("cargo:rerun-if-changed={log}");
    git(&["describe", "--always", "--dirty=-changed", "--abbrev=12", "--exclude=*"])
}

/// Copies the sources. The source tree is not written to.
fn copy_sources(out: &Path) -> io::Result<PathBuf> {
    let folder = out.join("graphiql");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    for file in FILES {
        fs::copy(Path::new(SOURCES).join(file), folder.join(file))?;
    }
    Ok(folder)
}

/// Builds the bundle in `dist` and deletes everything else.
fn bundle(folder: &Path) -> Result<(), String> {
    let result = run(folder, "node", &["--version"])
        .and_then(|()| run(folder, NPM, &INSTALL))
        .and_then(|()| run(folder, "node", &["bundle.mjs"]));
    let modules = folder.join("node_modules");
    if modules.exists() {
        fs::remove_dir_all(modules).map_err(|fault| format!("cannot tidy up: {fault}"))?;
    }
    result
}

/// Runs a program. A failure is reported in one line.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).current_dir(folder).output().map_err(|fault| {
        rerun_when_installed();
        format!("{program} cannot be run ({fault}); install Node.js 20 or newer with npm and build again")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let mut lines = errors.lines().map(str::trim).filter(|line| !line.is_empty());
    let told = lines.clone().find(|line| line.to_lowercase().contains("error")).or(lines.next());
    let command = format!("{program} {}", arguments.first().unwrap_or(&""));
    Err(format!("`{command}` failed: {}; touch build.rs to try again", told.unwrap_or("it does not say why")))
}

/// Makes cargo run this again when programs are installed.
fn rerun_when_installed() {
    println!("cargo:rerun-if-env-changed=PATH");
    let path = env::var_os("PATH").unwrap_or_default();
    for folder in env::split_paths(&path).filter(|folder| folder.is_dir()) {
        println!("cargo:rerun-if-changed={}", folder.display());
    }
}

/// The source code that `graphiql.rs` includes: the files with their types and ETags.
fn generated(folder: &Path, bundled: bool) -> io::Result<String> {
    const HTML: &str = "text/html; charset=utf-8";
    let fallback = asset(folder, "fallback.html", HTML)?;
    let bundle = if bundled {
        let page = asset(folder, "dist/index.html", HTML)?;
        let script = asset(folder, "dist/main.js", "text/javascript; charset=utf-8")?;
        let style = asset(folder, "dist/main.css", "text/css; charset=utf-8")?;
        let licenses = asset(folder, "dist/licenses.txt", "text/plain; charset=utf-8")?;
        format!("Some(Bundle {{ page: {page}, script: {script}, style: {style}, licenses: {licenses} }})")
    } else {
        "None".to_owned()
    };
    Ok(format!("const FALLBACK: Asset = {fallback};\nconst BUNDLE: Option<Bundle> = {bundle};\n"))
}

/// An `Asset`, with the encodings that exist.
fn asset(folder: &Path, file: &str, content_type: &str) -> io::Result<String> {
    let identity = encoded(folder, file)?;
    let [gzip, br] = ["gz", "br"].map(|suffix| {
        encoded(folder, &format!("{file}.{suffix}")).map_or("None".to_owned(), |it| format!("Some({it})"))
    });
    Ok(format!("Asset {{ content_type: {content_type:?}, identity: {identity}, gzip: {gzip}, br: {br} }}"))
}

/// An `Encoded`. Its ETag is derived from its bytes, so each encoding has a different one.
fn encoded(folder: &Path, file: &str) -> io::Result<String> {
    let mut hasher = DefaultHasher::new();
    fs::read(folder.join(file))?.hash(&mut hasher);
    let etag = format!("\"{:016x}\"", hasher.finish());
    let bytes = format!("include_bytes!(concat!(env!(\"OUT_DIR\"), \"/graphiql/{file}\"))");
    Ok(format!("Encoded {{ etag: {etag:?}, bytes: {bytes} }}"))
}
