//! Credentials of requests on every transport, and the responses to invalid ones.
//!
//! A back end names the owner it acts for in `Scrollback-Act-As`. An invalid value is rejected, not ignored:
//! otherwise the back end would write to its own account.

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response as HttpResponse;

use super::media_type::MediaType;
use super::response::write;
use super::websocket::Close;
use crate::auth::{ACT_AS, AuthError, Credentials};
use crate::graphql::{Code, error_response};
use crate::model::{Invalid, JsonObject, JsonValue, Viewer};
use crate::server::state::ServerState;

/// The header with the owner that a back end acts for.
pub(in crate::server) const ACT_AS_HEADER: HeaderName = HeaderName::from_static("scrollback-act-as");

/// Seconds after which a client should retry if its credentials could not be verified.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// The credentials of a request or a WebSocket.
#[derive(Debug, Clone, Default)]
pub(in crate::server) struct RequestCredentials {
    authorization: Option<String>,
    act_as: Option<String>,
}

impl RequestCredentials {
    /// Reads the headers.
    pub(in crate::server) fn of_headers(headers: &HeaderMap) -> Result<Self, AuthError> {
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let mut named = headers.get_all(ACT_AS_HEADER).iter();
        let act_as = match (named.next(), named.next()) {
            (None, _) => None,
            (Some(value), None) => {
                let text = std::str::from_utf8(value.as_bytes());
                Some(text.map_err(|_| wrong("must be in UTF-8"))?.to_owned())
            }
            (Some(_), Some(_)) => return Err(wrong("must be given once")),
        };
        Ok(Self { authorization: authorization.map(str::to_owned), act_as })
    }

    /// Reads the payload of `connection_init`, with keys in any case. It overrides the headers of the
    /// upgrade.
    pub(in crate::server) fn with_payload(mut self, payload: &JsonObject) -> Result<Self, AuthError> {
        let all = |name: &'static str| {
            payload.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
        };
        if let Some(JsonValue::String(text)) = all("authorization").next() {
            self.authorization = Some(text.clone());
        }
        let mut named = all(ACT_AS);
        match (named.next(), named.next()) {
            (None, _) => {}
            (Some(JsonValue::String(text)), None) => self.act_as = Some(text.clone()),
            (Some(_), None) => return Err(wrong("must be a string")),
            (Some(_), Some(_)) => return Err(wrong("must be given once")),
        }
        Ok(self)
    }

    /// Verifies the credentials.
    pub(in crate::server) async fn viewer(&self, shared: &ServerState) -> Result<Viewer, AuthError> {
        let credentials =
            Credentials { authorization: self.authorization.as_deref(), act_as: self.act_as.as_deref() };
        shared.authenticator.viewer(credentials).await
    }
}

fn wrong(rule: &str) -> AuthError {
    AuthError::InvalidActAs(Invalid::new(ACT_AS, rule))
}

/// The response to invalid credentials. The body is not read yet, so the status is the same for every media
/// type.
pub(in crate::server) fn reject(media_type: MediaType, refused: &AuthError) -> HttpResponse {
    let (status, code, challenge) = refusal(refused);
    let mut response = write(status, media_type, &error_response(code, refused.to_string()));
    add_headers(response.headers_mut(), challenge, refused);
    response
}

/// The status and the code for invalid credentials, and the challenge of `WWW-Authenticate` (RFC 6750, 3.1).
pub(in crate::server) fn refusal(refused: &AuthError) -> (StatusCode, Code, Option<&'static str>) {
    match refused {
        AuthError::Missing => (StatusCode::UNAUTHORIZED, Code::Unauthenticated, Some("Bearer")),
        AuthError::Expired
        | AuthError::Revoked
        | AuthError::LivesTooLong(_)
        | AuthError::Invalid
        | AuthError::TooLong => {
            (StatusCode::UNAUTHORIZED, Code::Unauthenticated, Some("Bearer error=\"invalid_token\""))
        }
        AuthError::ActAsForbidden => {
            let challenge = "Bearer error=\"insufficient_scope\", scope=\"scrollback:act-as\"";
            (StatusCode::FORBIDDEN, Code::Forbidden, Some(challenge))
        }
        AuthError::InvalidActAs(_) => (StatusCode::BAD_REQUEST, Code::BadUserInput, None),
        AuthError::KeysUnavailable => (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable, None),
    }
}

/// Adds the headers of a response to invalid credentials.
pub(in crate::server) fn add_headers(
    headers: &mut HeaderMap,
    challenge: Option<&'static str>,
    refused: &AuthError,
) {
    if let Some(challenge) = challenge {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    }
    if *refused == AuthError::KeysUnavailable {
        headers.insert(header::RETRY_AFTER, RETRY_AFTER);
    }
}

/// The close frame for invalid credentials.
pub(in crate::server) fn close(refused: &AuthError) -> Close {
    match refused {
        AuthError::KeysUnavailable => Close::try_again_later(&refused.to_string()),
        _ => Close::forbidden(&refused.to_string()),
    }
}
