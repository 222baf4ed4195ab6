//! Responses as they go over the wire, alike on every transport.

use async_graphql::{Response, Value};

use crate::graphql::write_value;

/// What GraphQL calls a response, as JSON. A request error has no `data` at all.
/// <https://spec.graphql.org/draft/#sec-Response-Format>
///
/// # Errors
/// An error's extensions are not JSON.
pub(super) fn write(out: &mut Vec<u8>, response: &Response) -> serde_json::Result<()> {
    let mut separator = b'{';
    let mut key = |out: &mut Vec<u8>, name: &str| {
        out.push(std::mem::replace(&mut separator, b','));
        out.extend_from_slice(name.as_bytes());
    };
    if !response.errors.is_empty() {
        key(out, r#""errors":"#);
        serde_json::to_writer(&mut *out, &response.errors)?;
    }
    if !is_request_error(response) {
        key(out, r#""data":"#);
        write_value(out, &response.data);
    }
    if !response.extensions.is_empty() {
        key(out, r#""extensions":"#);
        serde_json::to_writer(&mut *out, &response.extensions)?;
    }
    out.push(b'}');
    Ok(())
}

/// The same as text.
pub(super) fn text(response: &Response) -> String {
    let mut out = Vec::new();
    write(&mut out, response).map(|()| String::from_utf8(out).unwrap_or_default()).unwrap_or_default()
}

/// Whether nothing was executed: the document or the request as a whole was refused.
pub(super) fn is_request_error(response: &Response) -> bool {
    !response.errors.is_empty()
        && response.data == Value::Null
        && response.errors.iter().all(|error| error.path.is_empty())
}

/// Whether a subscription has ended with this response: there is no event, only errors.
pub(super) fn has_failed(response: &Response) -> bool {
    !response.errors.is_empty() && response.data == Value::Null
}
