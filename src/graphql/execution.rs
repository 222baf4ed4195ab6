//! Execution of operations, independent of the schema: documents, limits, validation, variables, selection
//! plans and responses.
//!
//! No code here names a type or field of the API. The schema provides its [`limits::FieldSizes`], its SDL and
//! the writers of its objects, and its resolvers use this module.

pub(in crate::graphql) mod context;
pub(in crate::graphql) mod document_cache;
pub(in crate::graphql) mod error;
pub(in crate::graphql) mod event_stream;
pub(in crate::graphql) mod json_writer;
pub(in crate::graphql) mod limits;
pub(in crate::graphql) mod loaders;
pub(in crate::graphql) mod number;
pub(in crate::graphql) mod operation;
pub(in crate::graphql) mod persisted_documents;
pub(in crate::graphql) mod prerender;
mod prerendered;
pub(in crate::graphql) mod related;
pub(in crate::graphql) mod rendered_list;
pub(in crate::graphql) mod request_id;
pub(in crate::graphql) mod response;
pub(in crate::graphql) mod selection_plan;
pub(in crate::graphql) mod subscription_state;
pub(in crate::graphql) mod validation;
pub(in crate::graphql) mod value_size;
pub(in crate::graphql) mod variables;
pub(in crate::graphql) mod variables_size;
