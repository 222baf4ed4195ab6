//! The packages of OpenAI themselves, and their own tests.

use crate::harness::{TestApp, on_each_database, run_python_packages, run_script, with_row_level_security};

on_each_database!(
    the_python_package_gets_every_item_back,
    the_javascript_package_gets_every_item_back,
    the_tests_of_the_python_package_pass,
);

with_row_level_security!(the_python_package_gets_every_item_back);

async fn the_python_package_gets_every_item_back(app: TestApp) {
    run_python_packages(&app, "openai_items.py").await;
}

async fn the_javascript_package_gets_every_item_back(app: TestApp) {
    run_script(&app, "openai.mjs").await;
}

async fn the_tests_of_the_python_package_pass(app: TestApp) {
    run_python_packages(&app, "openai_suite.py").await;
}
