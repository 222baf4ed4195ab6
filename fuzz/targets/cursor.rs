//! Parses texts and raw cursor bytes: whatever parses must be a cursor that the server creates.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use scrollback::graphql::probe::cursors_of;
use scrollback::model::{ConversationId, OwnerId};
use uuid::Uuid;

static ADA: LazyLock<OwnerId> = LazyLock::new(|| OwnerId::new("ada").expect("a name"));

fuzz_target!(|bytes: &[u8]| {
    let encoded = URL_SAFE_NO_PAD.encode(bytes);
    for text in [std::str::from_utf8(bytes).unwrap_or_default(), &encoded] {
        for written in cursors_of(text, ConversationId(Uuid::nil()), &ADA) {
            assert_eq!(written, text);
        }
    }
});
