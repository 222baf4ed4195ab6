//! Requests that are upgraded to a WebSocket: RFC 6455 over HTTP/1.1, RFC 8441 over HTTP/2.

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::ext::Protocol;
use hyper::upgrade::OnUpgrade;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::protocol::SUBPROTOCOL;

/// What is appended to the key of a client before it is hashed (RFC 6455, 1.3).
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A request that can be upgraded to a WebSocket.
pub(in crate::server) struct WebSocketUpgrade {
    /// Resolves when the response has been sent.
    pub(super) on_upgrade: OnUpgrade,
    /// Whether the client offers the supported subprotocol.
    pub(super) has_subprotocol: bool,
    /// The header `Sec-WebSocket-Accept` of the response. `None` over HTTP/2.
    accept: Option<HeaderValue>,
}

impl WebSocketUpgrade {
    /// The upgrade that a request asks for. `None` if it is another request.
    pub(in crate::server) fn of_request(request: &mut Request) -> Option<Self> {
        let headers = request.headers();
        let (asks, accept) = if request.version() <= Version::HTTP_11 {
            let asks = request.method() == Method::GET
                && tokens(headers, header::CONNECTION).any(|token| token.eq_ignore_ascii_case(b"upgrade"))
                && is(headers, header::UPGRADE, "websocket");
            (asks, Some(accept(headers.get(header::SEC_WEBSOCKET_KEY)?)?))
        } else {
            let protocol = request.extensions().get::<Protocol>();
            let is_websocket = protocol.is_some_and(|protocol| protocol.as_str() == "websocket");
            (request.method() == Method::CONNECT && is_websocket, None)
        };
        if !asks || !is(headers, header::SEC_WEBSOCKET_VERSION, "13") {
            return None;
        }
        let mut offered = tokens(headers, header::SEC_WEBSOCKET_PROTOCOL);
        let has_subprotocol = offered.any(|name| name == SUBPROTOCOL.as_bytes());
        drop(offered);
        let on_upgrade = request.extensions_mut().remove::<OnUpgrade>()?;
        Some(Self { on_upgrade, has_subprotocol, accept })
    }

    /// The response that accepts the upgrade.
    pub(super) fn response(&self) -> Response {
        let mut response = Response::new(Body::empty());
        if let Some(accept) = &self.accept {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            let headers = response.headers_mut();
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept.clone());
        }
        if self.has_subprotocol {
            let subprotocol = HeaderValue::from_static(SUBPROTOCOL);
            response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, subprotocol);
        }
        response
    }
}

/// The value of `Sec-WebSocket-Accept` for a key.
fn accept(key: &HeaderValue) -> Option<HeaderValue> {
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key.as_bytes(), KEY_SUFFIX].concat());
    HeaderValue::try_from(STANDARD.encode(hash)).ok()
}

fn is(headers: &HeaderMap, name: HeaderName, value: &str) -> bool {
    headers.get(name).is_some_and(|given| given.as_bytes().eq_ignore_ascii_case(value.as_bytes()))
}

/// The elements of a header that is a list.
fn tokens(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = &[u8]> {
    let values = headers.get_all(name).into_iter();
    values.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPGRADE: &[(&str, &str)] = &[
        ("connection", "keep-alive, Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];

    fn request(method: Method, version: Version, headers: &[(&str, &str)]) -> Request {
        let mut request = Request::builder().method(method).version(version).uri("/graphql");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        let on_upgrade = hyper::upgrade::on(&mut request);
        request.extensions_mut().insert(on_upgrade);
        request
    }

    #[test]
    fn http1_requests_are_upgraded_with_the_hash_of_their_key() {
        for (offered, is_chosen) in
            [(None, false), (Some("graphql-ws"), false), (Some("graphql-ws, graphql-transport-ws"), true)]
        {
            let offer = offered.map(|offered| ("sec-websocket-protocol", offered));
            let headers: Vec<_> = UPGRADE.iter().copied().chain(offer).collect();
            let upgrade = WebSocketUpgrade::of_request(&mut request(Method::GET, Version::HTTP_11, &headers));
            let response = upgrade.unwrap().response();
            assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
            // The example of RFC 6455, 1.3.
            assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
            assert_eq!(response.headers()["connection"], "upgrade");
            assert_eq!(response.headers()["upgrade"], "websocket");
            let chosen = response.headers().get("sec-websocket-protocol");
            assert_eq!(chosen.is_some_and(|chosen| chosen == SUBPROTOCOL), is_chosen, "{offered:?}");
        }
    }

    #[test]
    fn http2_requests_are_upgraded_with_status_200() {
        let upgrade = |method, protocol: Option<&'static str>, headers: &[_]| {
            let mut request = request(method, Version::HTTP_2, headers);
            if let Some(protocol) = protocol {
                request.extensions_mut().insert(Protocol::from_static(protocol));
            }
            WebSocketUpgrade::of_request(&mut request)
        };
        let headers = [("sec-websocket-version", "13"), ("sec-websocket-protocol", SUBPROTOCOL)];
        let response = upgrade(Method::CONNECT, Some("websocket"), &headers).unwrap().response();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["sec-websocket-protocol"], SUBPROTOCOL);
        assert_eq!(response.headers().len(), 1);
        assert!(upgrade(Method::GET, Some("websocket"), &headers).is_none());
        assert!(upgrade(Method::CONNECT, Some("connect-udp"), &headers).is_none());
        assert!(upgrade(Method::CONNECT, None, &headers).is_none());
        assert!(upgrade(Method::CONNECT, Some("websocket"), &[]).is_none(), "without a version");
    }

    #[test]
    fn other_requests_are_not_upgraded() {
        let upgrade = |method, headers: &[_]| {
            WebSocketUpgrade::of_request(&mut request(method, Version::HTTP_11, headers)).is_some()
        };
        assert!(upgrade(Method::GET, UPGRADE));
        assert!(!upgrade(Method::POST, UPGRADE));
        for missing in 0..UPGRADE.len() {
            let mut headers = UPGRADE.to_vec();
            headers.remove(missing);
            assert!(!upgrade(Method::GET, &headers), "{missing}");
        }
        let mut other = UPGRADE.to_vec();
        other[2].1 = "8";
        assert!(!upgrade(Method::GET, &other), "another version");
        let mut without = request(Method::GET, Version::HTTP_11, UPGRADE);
        without.extensions_mut().clear();
        assert!(WebSocketUpgrade::of_request(&mut without).is_none(), "a connection without upgrades");
    }
}
