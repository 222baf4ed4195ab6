//! Parses a WebSocket message and prepares its document.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use scrollback::app;
use scrollback::config::Config;
use scrollback::graphql::Limits;
use scrollback::graphql::probe::Reader;
use scrollback::server::probe::socket_message;

static ALL: LazyLock<(Reader, Limits)> =
    LazyLock::new(|| (Reader::default(), app::limits(&Config::default())));

fuzz_target!(|text: &str| {
    let (reader, limits) = &*ALL;
    match socket_message(text) {
        Ok(Some(request)) => {
            reader.prepare(request, limits);
        }
        Ok(None) => {}
        Err(reason) => assert!(reason.len() <= 123, "{reason}"),
    }
});
