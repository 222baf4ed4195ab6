//! Parameters of requests: the query of a URL, the fields of a body, and the header `Idempotency-Key`.

use axum::http::{HeaderMap, HeaderName};

use super::error::ApiError;
use crate::model::{Invalid, JsonObject, MAX_PAGE};
use crate::server::query::once;

/// The items of a page if the client does not say how many.
const DEFAULT_LIMIT: u32 = 20;

/// The header that makes a request repeatable.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The longest key, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// What a client can ask for in addition. Scrollback always sends all of it.
const INCLUDABLE: [&str; 8] = [
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
];

/// The parameters of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ListParameters {
    pub(super) limit: u32,
    pub(super) is_ascending: bool,
    pub(super) after: Option<String>,
    pub(super) before: Option<String>,
}

/// Which parameters a list has besides `limit`, `order` and `after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Further {
    Before,
    Include,
}

/// Reads the parameters of a list.
pub(super) fn of_list(query: &str, further: Further) -> Result<ListParameters, ApiError> {
    let (mut limit, mut order, mut after, mut before) = (None, None, None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "limit" => once("limit", &mut limit, parse_limit(&value)?)?,
            "order" => once("order", &mut order, parse_order(&value)?)?,
            "after" => once("after", &mut after, value.into_owned())?,
            "before" if further == Further::Before => once("before", &mut before, value.into_owned())?,
            name if further == Further::Include && is_include(name) => check_include(&value)?,
            name => return Err(ApiError::unknown_parameter(name)),
        }
    }
    Ok(ListParameters {
        limit: limit.unwrap_or(DEFAULT_LIMIT),
        is_ascending: order.unwrap_or(false),
        after,
        before,
    })
}

/// Allows `include` and nothing else.
pub(super) fn include_only(query: &str) -> Result<(), ApiError> {
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if !is_include(&name) {
            return Err(ApiError::unknown_parameter(&name));
        }
        check_include(&value)?;
    }
    Ok(())
}

/// Allows no parameters.
pub(super) fn none(query: &str) -> Result<(), ApiError> {
    match form_urlencoded::parse(query.as_bytes()).next() {
        None => Ok(()),
        Some((name, _)) => Err(ApiError::unknown_parameter(&name)),
    }
}

/// Refuses other fields of a body than these.
pub(super) fn only(body: &JsonObject, known: &[&str]) -> Result<(), ApiError> {
    match body.keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(ApiError::unknown_parameter(name)),
    }
}

/// The key of a request that may be repeated.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else { return Ok(None) };
    let is_printable = |text: &&str| text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    let text =
        value.to_str().ok().filter(|text| (1..=MAX_KEY_BYTES).contains(&text.len())).filter(is_printable);
    let rule = || format!("must be 1 to {MAX_KEY_BYTES} printable ASCII characters");
    text.map(|text| Some(text.to_owned())).ok_or_else(|| Invalid::new("Idempotency-Key", rule()).into())
}

fn parse_limit(value: &str) -> Result<u32, Invalid> {
    let limit = value.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
    limit.ok_or_else(|| {
        let got: String = value.chars().take(64).collect();
        Invalid::new("limit", format!("must be between 1 and {MAX_PAGE}, got {got}"))
    })
}

fn parse_order(value: &str) -> Result<bool, Invalid> {
    match value {
        "asc" => Ok(true),
        "desc" => Ok(false),
        _ => {
            let got: String = value.chars().take(64).collect();
            Err(Invalid::new("order", format!("must be asc or desc, got {got:?}")))
        }
    }
}

/// Clients write lists as `include`, `include[]` or `include[0]`.
fn is_include(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("include") else { return false };
    let index = rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    rest.is_empty() || index.is_some_and(|index| index.bytes().all(|byte| byte.is_ascii_digit()))
}

fn check_include(value: &str) -> Result<(), Invalid> {
    if INCLUDABLE.contains(&value) {
        return Ok(());
    }
    let got: String = value.chars().take(64).collect();
    Err(Invalid::new("include", format!("must be one of {}, got {got:?}", INCLUDABLE.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_defaults_and_limits() {
        let of = |query: &str| of_list(query, Further::Include);
        let found = of("").unwrap();
        assert_eq!((found.limit, found.is_ascending, found.after), (20, false, None));
        let found = of("limit=100&order=asc&after=msg_1&include[]=reasoning.encrypted_content").unwrap();
        assert_eq!((found.limit, found.is_ascending, found.after.as_deref()), (100, true, Some("msg_1")));
        for wrong in [
            "limit=0",
            "limit=101",
            "limit=x",
            "order=up",
            "include=x",
            "before=a",
            "x=1",
            "order=asc&order=asc",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        assert!(of_list("before=a&after=b", Further::Before).is_ok());
        assert!(of_list("include=reasoning.encrypted_content", Further::Before).is_err());
        assert!(
            include_only("include[0]=reasoning.encrypted_content&include=message.output_text.logprobs")
                .is_ok()
        );
        assert!(include_only("include[x]=reasoning.encrypted_content").is_err());
    }
}
