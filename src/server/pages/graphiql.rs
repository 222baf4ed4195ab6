//! The page at `/` and `/graphiql`: GraphiQL, or a plain page if the build has no bundle.
//!
//! `build.rs` bundles and compresses the files in `graphiql/`; they are part of the binary. The page loads
//! nothing from other hosts, which its Content-Security-Policy enforces. It works without a network. It
//! contains no secret: the token is in the fragment of the URL, which browsers do not send.
//!
//! Every file is revalidated by its ETag, so that a new binary takes effect at once.

use axum::Router;
use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};

use crate::server::request_header;

/// Inline styles are allowed because GraphiQL's dialogs use them. Inline scripts are not.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

// `FALLBACK: Asset` and `BUNDLE: Option<Bundle>`.
include!(concat!(env!("OUT_DIR"), "/graphiql.rs"));

/// The bundled files.
#[derive(Clone, Copy)]
struct Bundle {
    page: Asset,
    script: Asset,
    style: Asset,
    /// The licences of the packages in the script and the style.
    licenses: Asset,
}

/// A file, uncompressed and compressed.
#[derive(Clone, Copy)]
struct Asset {
    content_type: &'static str,
    identity: Encoded,
    gzip: Option<Encoded>,
    br: Option<Encoded>,
}

/// The bytes to send, and their ETag.
#[derive(Clone, Copy)]
struct Encoded {
    etag: &'static str,
    bytes: &'static [u8],
}

/// The licences of the packages in the script and the style. `None` if the program has no GraphiQL.
pub(crate) fn licenses() -> Option<&'static str> {
    BUNDLE.and_then(|bundle| std::str::from_utf8(bundle.licenses.identity.bytes).ok())
}

/// The routes of the page and its files.
pub(crate) fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    routes(BUNDLE)
}

/// The routes with a bundle, or of the fallback page.
fn routes<S: Clone + Send + Sync + 'static>(bundle: Option<Bundle>) -> Router<S> {
    let page = bundle.map_or(FALLBACK, |bundle| bundle.page);
    let router = Router::new().route("/", serve(page)).route("/graphiql", serve(page));
    match bundle {
        None => router,
        Some(Bundle { script, style, licenses, .. }) => router
            .route("/graphiql/main.js", serve(script))
            .route("/graphiql/main.css", serve(style))
            .route("/graphiql/licenses.txt", serve(licenses)),
    }
}

/// The route of one file.
fn serve<S: Clone + Send + Sync + 'static>(asset: Asset) -> MethodRouter<S> {
    get(move |headers: HeaderMap| async move { respond(&asset, &headers) })
}

/// The file in the encoding that the client prefers, or 304 if the client has it.
fn respond(asset: &Asset, request: &HeaderMap) -> Response {
    let (coding, encoded) = choose(asset, &request_header::list(request, &ACCEPT_ENCODING));
    let rules = [
        (ETAG, encoded.etag),
        (CACHE_CONTROL, "no-cache"),
        (VARY, "accept-encoding"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    if request_header::has_version(request, encoded.etag) {
        return (StatusCode::NOT_MODIFIED, rules).into_response();
    }
    let body = (rules, [(CONTENT_TYPE, asset.content_type)], Body::from(encoded.bytes));
    match coding {
        Some(coding) => ([(CONTENT_ENCODING, coding)], body).into_response(),
        None => body.into_response(),
    }
}

/// The encoding with the highest weight in `Accept-Encoding`; among equals, the smallest.
///
/// An encoding that the client does not name explicitly is the last choice. If the client accepts none, it
/// gets the uncompressed file.
fn choose(asset: &Asset, accept_encoding: &str) -> (Option<&'static str>, Encoded) {
    let mut best = (None, asset.identity);
    let mut best_weight = weight(accept_encoding, "identity").unwrap_or(0.0);
    for (coding, encoded) in [("gzip", asset.gzip), ("br", asset.br)] {
        let weight = weight(accept_encoding, coding).or_else(|| weight(accept_encoding, "*")).unwrap_or(0.0);
        if let Some(encoded) = encoded.filter(|_| weight > 0.0 && weight >= best_weight) {
            (best, best_weight) = ((Some(coding), encoded), weight);
        }
    }
    best
}

/// The weight of a coding that `Accept-Encoding` names, by default 1.
fn weight(accept_encoding: &str, coding: &str) -> Option<f32> {
    accept_encoding.split(',').find_map(|entry| {
        let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
        let quality =
            parameters.trim().strip_prefix("q=").map_or(Some(1.0), |value| value.trim().parse().ok());
        name.trim().eq_ignore_ascii_case(coding).then_some(quality.unwrap_or(0.0))
    })
}

#[cfg(test)]
mod tests;
