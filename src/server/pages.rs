//! Pages for browsers.

pub(super) mod graphiql;
