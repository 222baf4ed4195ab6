//! The licences of what is in the program.

use crate::server;

/// The notices of the crates. `.ci/licenses` writes them.
pub(super) const LICENSES: &str = include_str!("licenses.txt");

/// The notices of the packages in the page with GraphiQL, if it is in the program.
pub(super) fn of_graphiql() -> Option<String> {
    server::graphiql_licenses().map(|text| format!("\n{text}"))
}
