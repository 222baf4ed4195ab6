//! The clients that front ends use, each in a script of its own: urql, Apollo Client, and GraphiQL in
//! a browser.

use std::path::Path;

use crate::harness::{TestApp, on_each_database, run_script};

on_each_database!(urql_works, apollo_client_works, graphiql_works_in_a_browser);

async fn urql_works(app: TestApp) {
    run_script(&app, "urql.mjs").await;
}

async fn apollo_client_works(app: TestApp) {
    run_script(&app, "apollo.mjs").await;
}

async fn graphiql_works_in_a_browser(app: TestApp) {
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "/usr/bin/chromium".into());
    assert!(Path::new(&chromium).exists(), "{chromium} is missing: `tests/run` installs it");
    let script = reqwest::get(format!("{}/graphiql/main.js", app.url)).await.unwrap();
    assert_eq!(script.status(), 200, "built without GraphiQL: see the build's warning, then touch build.rs");
    run_script(&app, "graphiql.mjs").await;
}
