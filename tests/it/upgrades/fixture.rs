//! Databases of older versions of the schema.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Engine, Program, shared_cluster};

pub(super) const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/upgrade");

/// A version of the schema, with the same data on both engines.
pub(super) struct Fixture(PathBuf);

impl Fixture {
    /// The oldest first.
    pub(super) fn all() -> Vec<Self> {
        let entries = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
        let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
        folders.sort();
        folders.into_iter().map(Self).collect()
    }

    pub(super) fn of(migrations: u32) -> Self {
        Self(Path::new(FOLDER).join(format!("{migrations:04}")))
    }

    /// What each user has.
    pub(super) fn known(&self) -> BTreeMap<String, Value> {
        serde_json::from_slice(&fs::read(self.0.join("known.json")).unwrap()).unwrap()
    }

    /// A program over a copy. No job removes what is old: the data must be there in years, too.
    pub(super) async fn program(&self, engine: Engine) -> Program {
        let program = keeping_everything(Program::over(engine).await);
        let unpacked = |name: &str| zstd::decode_all(fs::File::open(self.0.join(name)).unwrap()).unwrap();
        let data = program.folder().join("data");
        fs::create_dir(&data).unwrap();
        match engine {
            Engine::Sqlite => fs::write(data.join("scrollback.db"), unpacked("sqlite.db.zst")).unwrap(),
            _ => {
                let sql = String::from_utf8(unpacked("postgres.sql.zst")).unwrap();
                shared_cluster().load(program.variable("SCROLLBACK_DATABASE_URL"), &sql);
            }
        }
        if self.0.join("files").exists() {
            crate::backup::copy_folder(&self.0.join("files"), &data.join("files"));
        }
        program
    }
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.file_name().unwrap().display())
    }
}

/// With files where the fixtures have theirs, and without an end of what is old.
pub(super) fn keeping_everything(program: Program) -> Program {
    let program = program.with("SCROLLBACK_FILES_STORAGE", "data/files");
    program.with("SCROLLBACK_FEED_LEASE", "36500days").with("SCROLLBACK_FEED_KEEP", "36500days")
}
