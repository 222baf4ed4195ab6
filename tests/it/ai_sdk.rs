//! The entries of the TypeScript client for the Vercel AI SDK and for assistant-ui, with the packages themselves: in
//! Node.js, and in a browser.

use crate::harness::{TestApp, assert_browser, on_each_database, run_typescript_client};

on_each_database!(
    ai_sdk_messages_come_back_equal,
    ai_sdk_chats_store_what_is_new_once,
    every_chunk_of_an_answer_comes_to_every_reader,
    answers_survive_networks_that_break,
    answers_survive_the_death_of_their_writer,
    an_answer_survives_a_reload_and_is_stopped_from_another_tab,
    assistant_ui_histories_come_back_equal,
    assistant_ui_threads_have_their_branches,
    assistant_ui_stores_messages_of_the_ai_sdk,
    the_ai_sdk_section_of_the_readme_works,
    the_assistant_ui_section_of_the_readme_works,
);

async fn ai_sdk_messages_come_back_equal(app: TestApp) {
    run_typescript_client(&app, "ai-sdk/conversion.mjs", &[]).await;
}

async fn ai_sdk_chats_store_what_is_new_once(app: TestApp) {
    let bob = app.client("bob");
    run_typescript_client(&app, "ai-sdk/store.mjs", &[("OTHER_TOKEN", bob.token())]).await;
}

async fn every_chunk_of_an_answer_comes_to_every_reader(app: TestApp) {
    run_typescript_client(&app, "ai-sdk/streams.mjs", &[]).await;
}

async fn answers_survive_networks_that_break(app: TestApp) {
    run_typescript_client(&app, "ai-sdk/network.mjs", &[]).await;
}

async fn answers_survive_the_death_of_their_writer(app: TestApp) {
    // A silent writer is there every two seconds.
    let app = TestApp::start_with(app.engine, &[("feed.lease", "5s")]).await;
    run_typescript_client(&app, "ai-sdk/crash.mjs", &[]).await;
}

async fn an_answer_survives_a_reload_and_is_stopped_from_another_tab(app: TestApp) {
    assert_browser();
    run_typescript_client(&app, "ai-sdk/browser.mjs", &[]).await;
}

async fn assistant_ui_histories_come_back_equal(app: TestApp) {
    run_typescript_client(&app, "assistant-ui/history.mjs", &[]).await;
}

async fn assistant_ui_threads_have_their_branches(app: TestApp) {
    assert_browser();
    run_typescript_client(&app, "assistant-ui/browser.mjs", &[]).await;
}

async fn assistant_ui_stores_messages_of_the_ai_sdk(app: TestApp) {
    assert_browser();
    run_typescript_client(&app, "assistant-ui/ai-sdk.mjs", &[]).await;
}

async fn the_ai_sdk_section_of_the_readme_works(app: TestApp) {
    assert_browser();
    run_typescript_client(&app, "ai-sdk/readme.mjs", &[]).await;
}

async fn the_assistant_ui_section_of_the_readme_works(app: TestApp) {
    assert_browser();
    run_typescript_client(&app, "assistant-ui/readme.mjs", &[]).await;
}
