//! Dependencies between modules, and the length of files.

mod imports;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Component, Path, PathBuf};

use imports::Imports;

/// The modules that each module may use. `model` and `permissions` use no others.
const ARROWS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    (
        "cli",
        &[
            "app",
            "auth",
            "backup",
            "clock",
            "config",
            "export",
            "graphql",
            "import",
            "model",
            "permissions",
            "server",
            "signals",
            "store",
            "telemetry",
        ],
    ),
    (
        "app",
        &[
            "auth",
            "clock",
            "config",
            "feed",
            "graphql",
            "memory",
            "model",
            "permissions",
            "rate_limit",
            "server",
            "signals",
            "store",
            "telemetry",
            "traces",
            "webhooks",
        ],
    ),
    (
        "server",
        &[
            "auth",
            "clock",
            "export",
            "graphql",
            "histogram",
            "import",
            "memory",
            "model",
            "openai",
            "panics",
            "rate_limit",
            "store",
            "telemetry",
            "traces",
            "webhooks",
        ],
    ),
    ("openai", &["model"]),
    ("backup", &["clock", "export", "import", "model", "store"]),
    ("export", &["model", "store"]),
    ("import", &["clock", "model", "store"]),
    ("graphql", &["feed", "memory", "model", "store", "traces"]),
    ("feed", &["memory", "model", "signals", "store"]),
    ("webhooks", &["clock", "model", "signals", "store", "tls", "traces"]),
    (
        "store",
        &["clock", "histogram", "memory", "model", "permissions", "signals", "tls", "tokens", "traces"],
    ),
    ("signals", &["histogram", "model"]),
    ("auth", &["model", "permissions", "tls"]),
    ("memory", &["model"]),
    ("rate_limit", &["model"]),
    ("telemetry", &["config", "panics"]),
    ("panics", &[]),
    ("histogram", &[]),
    ("traces", &["tls"]),
    ("tls", &[]),
    ("tokens", &["model"]),
    ("config", &["model"]),
    ("clock", &["model"]),
    ("model", &[]),
    ("permissions", &[]),
];

/// Crates that only some modules may know.
const CRATES: &[(&str, &[&str])] = &[
    ("axum", &["server"]),
    ("tokio_tungstenite", &["server"]),
    ("tower_http", &["server"]),
    ("hyper", &["app", "auth", "server", "traces", "webhooks"]),
    ("opentelemetry", &["traces"]),
    ("opentelemetry_proto", &["traces"]),
    ("opentelemetry_sdk", &["traces"]),
    ("prost", &["traces"]),
    ("prometheus_client", &["server"]),
    ("async_graphql", &["app", "graphql", "server"]),
    ("async_graphql_value", &["graphql"]),
    ("sea_orm", &["store", "model"]),
    ("sqlx", &["store", "signals"]),
    ("rusqlite", &["store"]),
    ("jsonwebtoken", &["auth"]),
    ("rustls", &["auth", "tls", "traces", "webhooks"]),
    ("object_store", &["store"]),
    ("governor", &["rate_limit"]),
    ("clap", &["cli", "main"]),
    ("tiktoken_rs", &["tokens"]),
    ("zip", &["export", "import"]),
    ("zstd", &["backup"]),
];

const LONGEST: usize = 400;

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The code of each module of the crate, without comments and without its tests.
fn modules() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let mut modules: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for path in sources(Path::new("src")) {
        let inside = path.strip_prefix("src").unwrap();
        let module = inside.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = module.trim_end_matches(".rs").to_owned();
        let is_test =
            |part: Component<'_>| ["tests", "tests.rs"].iter().any(|name| part.as_os_str() == *name);
        if module == "lib" || inside.components().any(is_test) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        let code =
            code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        modules.entry(module).or_default().push((path, code));
    }
    modules
}

/// Whether `code` names `prefix::…` as a path, `prefix` beginning a word.
fn names(code: &str, prefix: &str) -> bool {
    code.match_indices(prefix).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let after = code[at + prefix.len()..].chars().next();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
            && after.is_none_or(|c| !c.is_alphanumeric() && c != '_')
    })
}

#[test]
fn modules_use_only_allowed_modules() {
    let modules = modules();
    let known: Vec<&str> = ARROWS.iter().map(|(module, _)| *module).collect();
    assert_eq!(modules.keys().map(String::as_str).collect::<Vec<_>>(), {
        let mut sorted = known.clone();
        sorted.sort_unstable();
        sorted
    });
    for (module, allowed) in ARROWS {
        for (path, code) in &modules[*module] {
            for other in known.iter().filter(|other| *other != module && !allowed.contains(other)) {
                for root in ["crate", "scrollback"] {
                    let prefix = format!("{root}::{other}");
                    assert!(!names(code, &prefix), "{} uses {prefix}", path.display());
                }
            }
        }
    }
}

#[test]
fn modules_use_each_other_in_one_direction() {
    let order: Vec<&str> = ARROWS.iter().map(|(module, _)| *module).collect();
    let place = |module: &str| order.iter().position(|other| *other == module).unwrap();
    let leaves = ["config", "clock", "model", "panics", "permissions", "auth", "telemetry"];
    for (module, allowed) in ARROWS {
        for other in allowed.iter().filter(|other| !leaves.contains(other)) {
            assert!(place(other) > place(module), "{module} -> {other}");
        }
    }
}

#[test]
fn no_files_use_each_other_in_a_circle() {
    let circle = Imports::of(Path::new("src")).circle();
    assert_eq!(circle, None, "these files use each other");
}

#[test]
fn import_circles_are_found() {
    let imports = |files: &[(&str, &str)]| {
        let module = |path: &str| path.split('/').map(str::to_owned).collect();
        Imports::of_texts(files.iter().map(|(path, text)| (module(path), (*text).to_owned())).collect())
    };
    let (one, two) = (("a", "mod b; mod c; pub use b::B;"), ("a/b", "pub struct B;"));
    for (fine, third) in [
        (true, ("a/c", "use super::B; pub(in crate::a) struct C(B);")),
        (true, ("a/c", "#[cfg(test)] mod tests { use super::super::d::D; }")),
        (false, ("a/c", "use super::d::D;")),
        (false, ("a/c", "use crate::a::d::D as Other;")),
        (false, ("a/c", "fn f() -> u8 { super::d::f() }")),
        (false, ("a/c", "use super::{B, d::{D, E}};")),
    ] {
        let fourth = ("a/d", "use super::c::C; pub struct D; pub struct E;");
        assert_eq!(imports(&[one, two, third, fourth]).circle().is_none(), fine, "{third:?}");
    }
    // A file and its own parts.
    let parent = ("a", "mod b; use b::B; pub struct A;");
    assert!(imports(&[parent, ("a/b", "use super::A; pub struct B;")]).circle().is_some());
    assert!(imports(&[parent, two]).circle().is_none());
}

#[test]
fn execution_names_no_noun_of_the_schema() {
    for (path, code) in &modules()["graphql"] {
        let is_execution = path.starts_with("src/graphql/execution");
        assert!(!is_execution || !names(code, "schema::"), "{} uses the schema", path.display());
    }
}

#[test]
fn crates_are_used_only_by_their_modules() {
    for (module, files) in modules() {
        for (path, code) in files {
            for (name, allowed) in CRATES {
                let knows = names(&code, &format!("{name}::")) || names(&code, &format!("use {name}"));
                assert!(!knows || allowed.contains(&module.as_str()), "{} knows {name}", path.display());
            }
        }
    }
}

#[test]
fn only_context_rs_reads_the_context() {
    for (path, code) in &modules()["graphql"] {
        let is_door = path.ends_with("context.rs");
        assert!(is_door || !names(code, ".data::<"), "{} looks into the context", path.display());
    }
}

#[test]
fn files_have_at_most_400_lines() {
    let files = sources(Path::new("src"))
        .into_iter()
        .chain(sources(Path::new("tests")))
        .chain(sources(Path::new("migration")))
        .chain(sources(Path::new("fold")));
    for path in files {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines", path.display());
    }
}

/// The places that the documentation of the crate names, such as `server/graphql/http.rs: graphql`.
fn named_places(text: &str) -> Vec<(&str, &str)> {
    let code = text.split('`').skip(1).step_by(2);
    let place = |code| match str::split_once(code, ": ") {
        Some((file, name)) => (file, name),
        None => (code, ""),
    };
    code.map(place).filter(|(file, _)| file.ends_with(".rs") && file.contains('/')).collect()
}

/// Why there is no such place.
fn missing(file: &str, name: &str) -> Option<String> {
    let paths = [Path::new("src").join(file), PathBuf::from(file)];
    let Some(text) = paths.iter().find_map(|path| fs::read_to_string(path).ok()) else {
        return Some(format!("there is no file {file}"));
    };
    let last = name.rsplit("::").next().unwrap_or_default();
    let defines = |kind: &str| names(&text, &format!("{kind} {last}"));
    let is_there = last.is_empty() || ["fn", "struct", "enum", "trait"].into_iter().any(defines);
    (!is_there).then(|| format!("{file} has no {name}"))
}

#[test]
fn places_that_the_documentation_of_the_crate_names_exist() {
    let text = fs::read_to_string("src/lib.rs").unwrap();
    let places = named_places(&text);
    assert!(places.len() > 30, "{places:?}");
    let missing: Vec<_> = places.iter().filter_map(|(file, name)| missing(file, name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_place_that_does_not_exist_is_found() {
    let text =
        "`server/none.rs` and `store/hot/reads.rs: Reads::open`, `store/hot/reads.rs: Reads::conversation`";
    let missing: Vec<_> = named_places(text).iter().filter_map(|(file, name)| missing(file, name)).collect();
    assert_eq!(missing, ["there is no file server/none.rs", "store/hot/reads.rs has no Reads::open"]);
}
