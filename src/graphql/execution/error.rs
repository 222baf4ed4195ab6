//! Errors of the API: a code, a helpful message, and no internals.
//!
//! Resolvers return a [`store::Error`], which async-graphql carries as the source of its error. [`complete`]
//! sets the code of every error. Internal errors are logged once with the request's id, and clients get
//! INTERNAL_SERVER_ERROR with that id.

use std::time::Duration;

use async_graphql::{ErrorExtensionValues, PathSegment, Response, ServerError, Value};

use super::request_id::RequestId;
use crate::memory::MemoryError;
use crate::model::Invalid;
use crate::store;

/// The error code in `extensions.code`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// The credentials are missing or not valid.
    Unauthenticated,
    /// The credentials do not allow this operation.
    Forbidden,
    /// The viewer has no such object.
    NotFound,
    /// An argument is not valid.
    BadUserInput,
    /// The id was used for something else, or another message is the head.
    Conflict,
    /// The document is not GraphQL.
    ParseFailed,
    /// The document is not valid for the schema.
    ValidationFailed,
    /// The document has no operation with this name, or several and no name was sent.
    OperationResolutionFailure,
    /// The document or the response exceeds a limit.
    QueryTooComplex,
    /// Introspection is disabled.
    IntrospectionDisabled,
    /// No document has this id (code of Apollo).
    PersistedQueryNotFound,
    /// Persisted documents are disabled (code of Apollo).
    PersistedQueryNotSupported,
    /// The document is not trusted (code of Apollo).
    NotInSafelist,
    /// The request body is too large.
    PayloadTooLarge,
    /// The request is not a valid GraphQL request.
    BadRequest,
    /// Changes after this cursor were already deleted.
    CursorExpired,
    /// The user is being erased, or was a moment ago.
    BeingErased,
    /// The subscriber was too slow.
    SlowConsumer,
    /// The rate limit of the owner is exceeded.
    RateLimited,
    /// The database is unavailable, or the write queue or the memory is used up.
    Unavailable,
    /// An internal error.
    Internal,
}

impl Code {
    /// All codes.
    pub const ALL: [Self; 21] = [
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::BadUserInput,
        Self::Conflict,
        Self::ParseFailed,
        Self::ValidationFailed,
        Self::OperationResolutionFailure,
        Self::QueryTooComplex,
        Self::IntrospectionDisabled,
        Self::PersistedQueryNotFound,
        Self::PersistedQueryNotSupported,
        Self::NotInSafelist,
        Self::PayloadTooLarge,
        Self::BadRequest,
        Self::CursorExpired,
        Self::BeingErased,
        Self::SlowConsumer,
        Self::RateLimited,
        Self::Unavailable,
        Self::Internal,
    ];

    /// The code in responses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::NotFound => "NOT_FOUND",
            Self::BadUserInput => "BAD_USER_INPUT",
            Self::Conflict => "CONFLICT",
            Self::ParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::ValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::OperationResolutionFailure => "OPERATION_RESOLUTION_FAILURE",
            Self::QueryTooComplex => "QUERY_TOO_COMPLEX",
            Self::IntrospectionDisabled => "INTROSPECTION_DISABLED",
            Self::PersistedQueryNotFound => "PERSISTED_QUERY_NOT_FOUND",
            Self::PersistedQueryNotSupported => "PERSISTED_QUERY_NOT_SUPPORTED",
            Self::NotInSafelist => "QUERY_NOT_IN_SAFELIST",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::BadRequest => "BAD_REQUEST",
            Self::CursorExpired => "CURSOR_EXPIRED",
            Self::BeingErased => "BEING_ERASED",
            Self::SlowConsumer => "SLOW_CONSUMER",
            Self::RateLimited => "RATE_LIMITED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL_SERVER_ERROR",
        }
    }
}

impl Code {
    /// Whether a retry may succeed.
    fn is_retryable(self) -> bool {
        matches!(self, Self::SlowConsumer | Self::RateLimited | Self::Unavailable)
    }
}

/// A response with one error, for requests that fail before execution.
pub fn error_response(code: Code, message: impl Into<String>) -> Response {
    let mut error = ServerError::new(message, None);
    set_code(&mut error, code);
    Response::from_errors(vec![error])
}

/// The response to an operation that panicked. The panic hook has logged the panic.
pub fn panicked(request: RequestId) -> Response {
    tracing::error!(%request, "an operation panicked");
    let mut error = ServerError::new(FAULT, None);
    set_fault(&mut error, request);
    Response::from_errors(vec![error])
}

/// The message of an internal error.
const FAULT: &str = "internal server error";

/// The response to a request over the rate limit.
pub fn rate_limited(wait: Duration) -> Response {
    let millis = u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
    let mut error = ServerError::new(format!("the rate limit is exceeded: retry in {millis} ms"), None);
    set_code(&mut error, Code::RateLimited);
    extend(&mut error, "retryAfterMs", Value::from(millis));
    Response::from_errors(vec![error])
}

/// The response to a request over a limit.
pub(in crate::graphql) fn too_complex(message: String, limit: &str, maximum: u32, actual: u64) -> Response {
    let mut error = ServerError::new(message, None);
    set_code(&mut error, Code::QueryTooComplex);
    extend(&mut error, "limit", Value::from(limit));
    extend(&mut error, "maximum", Value::from(maximum));
    extend(&mut error, "actual", Value::from(actual));
    Response::from_errors(vec![error])
}

/// The response to a request with an invalid value.
pub(in crate::graphql) fn invalid(invalid: &Invalid) -> Response {
    let mut error = ServerError::new(invalid.to_string(), None);
    set_code(&mut error, Code::BadUserInput);
    extend(&mut error, "argument", Value::from(invalid.argument.as_str()));
    Response::from_errors(vec![error])
}

/// The response to an invalid document, with all errors.
pub(in crate::graphql) fn document_errors(code: Code, mut errors: Vec<ServerError>) -> Response {
    errors.iter_mut().for_each(|error| set_code(error, code));
    Response::from_errors(errors)
}

/// The response to an operation without enough memory: one error, no data.
pub(in crate::graphql) fn refuse(response: &mut Response, refused: MemoryError) {
    let mut error = ServerError::new(refused.to_string(), None);
    set_refused(&mut error, refused);
    // The operation was executed, so the error has a path.
    if let Value::Object(fields) = std::mem::take(&mut response.data) {
        let first = fields.keys().next().map(|name| PathSegment::Field(name.to_string()));
        error = error.with_path(first.into_iter().collect());
    }
    response.errors = vec![error];
}

/// If a field lacks memory, the whole response is replaced, because a partial one is of no use.
fn leave_refusal_alone(response: &mut Response) {
    let is_refusal = |error: &ServerError| {
        let source = error.source.as_deref().and_then(|source| source.downcast_ref::<store::Error>());
        matches!(source, Some(store::Error::Memory(_)))
    };
    if let Some(at) = response.errors.iter().position(is_refusal) {
        response.errors.swap(0, at);
        response.errors.truncate(1);
        response.data = Value::Null;
    }
}

/// Sets the code of every error of an executed operation, and logs internal errors.
pub(in crate::graphql) fn complete(response: &mut Response, request: RequestId) {
    leave_refusal_alone(response);
    for error in &mut response.errors {
        if error.extensions.as_ref().is_none_or(|extensions| extensions.get("code").is_none()) {
            complete_one(error, request);
        }
    }
}

/// Why a subscription ended.
#[derive(Debug, Clone, thiserror::Error)]
pub(in crate::graphql) enum SubscriptionError {
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The queue of the subscriber is full. It has received everything up to this cursor.
    #[error("the subscriber is too slow: resume from the cursor")]
    Lagged { cursor: String },
}

fn complete_one(error: &mut ServerError, request: RequestId) {
    let source = error.source.take();
    let source = source.as_deref();
    if let Some(failure) = source.and_then(|source| source.downcast_ref::<SubscriptionError>()) {
        match failure {
            SubscriptionError::Store(failure) => complete_store(error, failure, request),
            SubscriptionError::Lagged { cursor } => {
                set_code(error, Code::SlowConsumer);
                extend(error, "cursor", Value::from(cursor.as_str()));
            }
        }
    } else if let Some(failure) = source.and_then(|source| source.downcast_ref::<store::Error>()) {
        complete_store(error, failure, request);
    } else {
        let code = code_without_source(error);
        set_code(error, code);
    }
}

fn complete_store(error: &mut ServerError, failure: &store::Error, request: RequestId) {
    match failure {
        store::Error::NotFound(_) => set_code(error, Code::NotFound),
        store::Error::ScopeRequired(_) | store::Error::SharesDisabled | store::Error::FilesDisabled => {
            set_code(error, Code::Forbidden);
        }
        store::Error::BeingErased => set_code(error, Code::BeingErased),
        store::Error::Conflict => set_code(error, Code::Conflict),
        store::Error::HeadMoved(head) => {
            set_code(error, Code::Conflict);
            extend(error, "headId", head.map_or(Value::Null, |id| Value::from(id.to_string())));
        }
        store::Error::Hole(length) => {
            set_code(error, Code::Conflict);
            extend(error, "length", Value::from(*length));
        }
        store::Error::State(_) | store::Error::Trashed | store::Error::AttachmentInUse => {
            set_code(error, Code::Conflict);
        }
        // Of uploads over HTTP; inside an operation they are tried again.
        store::Error::UploadMoved | store::Error::TooManyBytes(_) | store::Error::WrongHash => {
            set_code(error, Code::Conflict);
        }
        store::Error::Expired => set_code(error, Code::CursorExpired),
        store::Error::Invalid(invalid) => {
            set_code(error, Code::BadUserInput);
            extend(error, "argument", Value::from(invalid.argument.as_str()));
        }
        store::Error::ContextTooSmall { required, .. } => {
            set_code(error, Code::BadUserInput);
            extend(error, "argument", Value::from("maxTokens"));
            extend(error, "requiredTokens", Value::from(*required));
        }
        store::Error::Memory(refused) => set_refused(error, *refused),
        store::Error::Unavailable(cause) => {
            tracing::warn!(%request, %cause, "the database is not available");
            set_code(error, Code::Unavailable);
        }
        store::Error::Busy => {
            set_code(error, Code::Unavailable);
            extend(error, "retryable", Value::from(true));
        }
        store::Error::Internal(cause) => {
            tracing::error!(%request, %cause, "an operation failed");
            FAULT.clone_into(&mut error.message);
            set_fault(error, request);
        }
    }
}

fn set_refused(error: &mut ServerError, refused: MemoryError) {
    match refused {
        MemoryError::OperationTooLarge(most) | MemoryError::ResponseTooLarge(most) => {
            set_code(error, Code::QueryTooComplex);
            extend(error, "limit", Value::from("answer_bytes"));
            extend(error, "maximum", Value::from(most));
        }
        MemoryError::Exhausted | MemoryError::RequestsExhausted | MemoryError::ReservationRequired => {
            set_code(error, Code::Unavailable);
        }
    }
}

/// The code of errors of async-graphql itself: with a path, a value does not fit its type; without one, the
/// document is not valid.
fn code_without_source(error: &ServerError) -> Code {
    if error.path.is_empty() { Code::ValidationFailed } else { Code::BadUserInput }
}

/// Marks an internal error, with the id of the log entry.
fn set_fault(error: &mut ServerError, request: RequestId) {
    set_code(error, Code::Internal);
    extend(error, "requestId", Value::from(request.to_string()));
}

fn set_code(error: &mut ServerError, code: Code) {
    extend(error, "code", Value::from(code.as_str()));
    if code.is_retryable() {
        extend(error, "retryable", Value::from(true));
    }
}

fn extend(error: &mut ServerError, name: &str, value: Value) {
    error.extensions.get_or_insert_with(ErrorExtensionValues::default).set(name, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scope;

    fn completed(source: store::Error) -> serde_json::Value {
        let error: async_graphql::Error = source.into();
        let mut response = Response::from_errors(vec![error.into_server_error(Default::default())]);
        complete(&mut response, RequestId(uuid::Uuid::nil()));
        let error = serde_json::to_value(&response.errors[0]).unwrap();
        serde_json::json!([error["message"], error["extensions"]])
    }

    #[test]
    fn every_store_error_has_its_code() {
        let cases = [
            (store::Error::NotFound("message"), r#"["no such message",{"code":"NOT_FOUND"}]"#),
            (
                store::Error::ScopeRequired(Scope::Usage),
                r#"["this requires a token with the scope `scrollback:usage`",{"code":"FORBIDDEN"}]"#,
            ),
            (
                store::Error::HeadMoved(None),
                r#"["another message is the head",{"code":"CONFLICT","headId":null}]"#,
            ),
            (
                store::Error::Hole(3),
                r#"["the text has a hole: it is 3 code points long",{"code":"CONFLICT","length":3}]"#,
            ),
            (store::Error::State("deleted"), r#"["the message is deleted",{"code":"CONFLICT"}]"#),
            (
                store::Error::ContextTooSmall { required: 7, given: 5 },
                r#"["`maxTokens` must be at least 7 for the SYSTEM and pinned messages of this branch and the tool calls that belong to them, got 5",{"argument":"maxTokens","code":"BAD_USER_INPUT","requiredTokens":7}]"#,
            ),
            (store::Error::Conflict, r#"["the id has been used for something else",{"code":"CONFLICT"}]"#),
            (
                Invalid::new("first", "must be between 1 and 100, got 0").into(),
                r#"["`first` must be between 1 and 100, got 0",{"argument":"first","code":"BAD_USER_INPUT"}]"#,
            ),
            (
                store::Error::Unavailable(sea_orm::DbErr::Custom("secret address".into())),
                r#"["the database is not available just now",{"code":"UNAVAILABLE","retryable":true}]"#,
            ),
            (
                store::Error::Busy,
                r#"["too many writes are waiting: try again",{"code":"UNAVAILABLE","retryable":true}]"#,
            ),
            (
                store::Error::Memory(MemoryError::ResponseTooLarge(7)),
                r#"["the response has more than 7 bytes: request less at once",{"code":"QUERY_TOO_COMPLEX","limit":"answer_bytes","maximum":7}]"#,
            ),
            (
                store::Error::Memory(MemoryError::Exhausted),
                r#"["too many large responses are in progress: retry later",{"code":"UNAVAILABLE","retryable":true}]"#,
            ),
            (
                store::Error::Internal(sea_orm::DbErr::Custom("SELECT secret".into())),
                r#"["internal server error",{"code":"INTERNAL_SERVER_ERROR","requestId":"00000000-0000-0000-0000-000000000000"}]"#,
            ),
        ];
        for (error, expected) in cases {
            assert_eq!(completed(error).to_string(), expected);
        }
    }
}
