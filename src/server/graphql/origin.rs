//! Checks the origin of WebSocket upgrades. CORS does not apply to WebSockets: browsers send the origin of
//! the page and leave the check to the server.

use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Uri, header};

/// Whether a WebSocket may be opened: by clients other than browsers, by pages of the same host, and by the
/// origins that CORS allows.
pub(in crate::server) fn may_open(headers: &HeaderMap, uri: &Uri, allowed: &[String]) -> bool {
    let Some(origin) = headers.get(header::ORIGIN) else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    // HTTP/2 has the host in `:authority`.
    let host = headers.get(header::HOST).map(HeaderValue::to_str).and_then(Result::ok);
    let host = host.or(uri.authority().map(Authority::as_str));
    let of_this_host = || is_of(origin, host?).then_some(());
    allowed.iter().any(|allowed| allowed == origin) || of_this_host().is_some()
}

/// Whether an origin is of this host. The scheme is not known: TLS ends at a proxy.
fn is_of(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let standard = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |authority: &str| authority.strip_suffix(standard).unwrap_or(authority).to_ascii_lowercase();
    !authority.is_empty() && bare(authority) == bare(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opens(origin: Option<&str>, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        may_open(&headers, &Uri::from_static("/graphql"), &["https://chat.example".to_owned()])
    }

    #[test]
    fn the_same_host_and_configured_origins_are_allowed() {
        assert!(opens(None, "api.example"), "what is no browser");
        for origin in ["https://chat.example", "https://api.example", "http://api.example:80"] {
            assert!(opens(Some(origin), "api.example"), "{origin}");
        }
        assert!(opens(Some("https://api.example"), "API.example:443"));
        assert!(opens(Some("http://127.0.0.1:8000"), "127.0.0.1:8000"));
        for origin in [
            "null",
            "",
            "://api.example",
            "file://",
            "http://chat.example",
            "https://chat.example.evil.example",
            "https://evil.example",
            "https://api.example:8443",
            "https://api.example:80",
            "chrome-extension://api.example",
        ] {
            assert!(!opens(Some(origin), "api.example"), "{origin}");
        }
        let (mut headers, none) = (HeaderMap::new(), Uri::from_static("/graphql"));
        headers.insert(header::ORIGIN, HeaderValue::from_static("https://api.example"));
        assert!(!may_open(&headers, &none, &[]));
        assert!(may_open(&headers, &Uri::from_static("https://api.example/graphql"), &[]));
    }
}
