//! Parses a file in each import format and prepares its conversations.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use scrollback::import::{Format, probe};
use scrollback::model::OwnerId;

static ADA: LazyLock<OwnerId> = LazyLock::new(|| OwnerId::new("ada").expect("a name"));

fuzz_target!(|bytes: &[u8]| {
    for format in Format::ALL {
        let (good, all) = probe(&ADA, format, bytes);
        assert!(good <= all);
    }
});
