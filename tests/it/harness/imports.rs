//! Imports within a test.

use std::path::Path;

use scrollback::clock::Clock;
use scrollback::import::{
    ConversationReport, Import, ImportError, ImportOptions, MAX_CONVERSATION_BYTES, Observer, Report, Sources,
};
use scrollback::model::{ContentLimits, OwnerId, Viewer};
use scrollback::store::Store;

struct Nobody;

impl Observer for Nobody {
    fn conversation(&mut self, _: &ConversationReport) -> std::io::Result<()> {
        Ok(())
    }
}

/// Imports a file for a user.
pub(crate) async fn import(store: &Store, user: &str, file: &Path) -> Report {
    let owner = OwnerId::new(user).unwrap();
    let scope = store.viewed_by(&Viewer::new(owner.clone()));
    let options = ImportOptions {
        owner,
        format: None,
        limits: ContentLimits::LARGEST,
        conversation_bytes: MAX_CONVERSATION_BYTES,
        clock: Clock::system(),
    };
    let import = Import::start(Sources::open(&[file.to_owned()]).unwrap(), options).unwrap();
    import.write(async || Ok::<_, ImportError>(scope), &mut Nobody).await.unwrap()
}
