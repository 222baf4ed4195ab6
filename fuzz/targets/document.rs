//! Runs a document with the variables after a line `---`: what passes the limits is validated and executed.
#![no_main]

use std::sync::LazyLock;

use async_graphql::{Request, Variables};
use libfuzzer_sys::fuzz_target;
use scrollback::app;
use scrollback::config::Config;
use scrollback::graphql::Limits;
use scrollback::graphql::probe::Runner;
use tokio::runtime::{Builder, Runtime};

struct All {
    runtime: Runtime,
    limits: Limits,
    runner: Runner,
}

static ALL: LazyLock<All> = LazyLock::new(|| {
    let limits = app::limits(&Config::default());
    let runner = Runner::within(&limits);
    All { runtime: Builder::new_current_thread().build().expect("a runtime"), limits, runner }
});

fuzz_target!(|text: &str| {
    let (document, variables) = text.split_once("\n---\n").unwrap_or((text, ""));
    let variables = serde_json::from_str(variables).map(Variables::from_json).unwrap_or_default();
    let request = Request::new(document).variables(variables);
    ALL.runtime.block_on(ALL.runner.run(request, &ALL.limits));
});
