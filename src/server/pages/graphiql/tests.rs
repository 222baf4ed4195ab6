use axum::http::HeaderName;
use axum::http::header::IF_NONE_MATCH;

use super::*;

const PLAIN: Encoded = Encoded { etag: "\"plain\"", bytes: b"plain" };
const GZIP: Encoded = Encoded { etag: "\"gzip\"", bytes: b"gz" };
const BR: Encoded = Encoded { etag: "\"br\"", bytes: b"b" };
const FILE: Asset =
    Asset { content_type: "text/css; charset=utf-8", identity: PLAIN, gzip: Some(GZIP), br: Some(BR) };

fn chosen(accept_encoding: &str) -> &'static str {
    choose(&FILE, accept_encoding).0.unwrap_or("identity")
}

fn request(headers: &[(HeaderName, &'static str)]) -> HeaderMap {
    headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
}

#[test]
fn the_smallest_encoding_that_is_accepted_is_sent() {
    assert_eq!(chosen("gzip, deflate, br, zstd"), "br");
    assert_eq!(chosen("gzip, deflate"), "gzip");
    assert_eq!(chosen("GZIP;q=1.0"), "gzip");
    assert_eq!(chosen("*"), "br");
    assert_eq!(chosen("br;q=0, *;q=0.5"), "gzip");
}

#[test]
fn weights_come_before_size() {
    assert_eq!(chosen("br;q=0.5, gzip;q=0.8"), "gzip");
    assert_eq!(chosen("identity, gzip;q=0.5"), "identity");
    assert_eq!(chosen("identity;q=0.5, gzip; q=1"), "gzip");
}

#[test]
fn clients_without_accept_encoding_get_the_plain_file() {
    for accept_encoding in ["", "zstd", "br;q=0", "gzip;q=nonsense", "identity;q=0", "identity;q=0, *;q=0"] {
        assert_eq!(chosen(accept_encoding), "identity", "{accept_encoding:?}");
    }
}

#[test]
fn an_encoding_that_was_not_built_is_not_sent() {
    let bare = Asset { gzip: None, br: None, ..FILE };
    assert_eq!(choose(&bare, "br, gzip").0, None);
}

#[test]
fn files_have_content_type_etag_and_policy_headers() {
    let response = respond(&FILE, &request(&[(ACCEPT_ENCODING, "gzip"), (ACCEPT_ENCODING, "br")]));
    assert_eq!(response.status(), StatusCode::OK);
    let headers = response.headers();
    assert_eq!(headers[CONTENT_TYPE], FILE.content_type);
    assert_eq!(headers[CONTENT_ENCODING], "br");
    assert_eq!(headers[ETAG], BR.etag);
    assert_eq!(headers[VARY], "accept-encoding");
    assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(headers[REFERRER_POLICY], "no-referrer");
    let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"), "{policy}");
}

#[test]
fn a_matching_etag_gets_304() {
    for tags in ["\"br\"", "W/\"br\"", "\"old\", \"br\"", "*"] {
        let response = respond(&FILE, &request(&[(ACCEPT_ENCODING, "br"), (IF_NONE_MATCH, tags)]));
        assert_eq!(response.status(), StatusCode::NOT_MODIFIED, "{tags}");
        assert_eq!(response.headers()[ETAG], BR.etag);
        assert!(!response.headers().contains_key(CONTENT_ENCODING));
    }
    let response = respond(&FILE, &request(&[(ACCEPT_ENCODING, "br"), (IF_NONE_MATCH, "\"gzip\"")]));
    assert_eq!(response.status(), StatusCode::OK, "another encoding is another file");
}

#[tokio::test]
async fn without_a_bundle_the_fallback_page_is_served() {
    let origin = listen(None).await;
    for path in ["/", "/graphiql"] {
        let page = reqwest::get(format!("{origin}{path}")).await.unwrap();
        assert_eq!(page.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        let text = page.text().await.unwrap();
        assert!(text.contains("curl") && text.contains("Node.js"), "{text}");
    }
    let script = reqwest::get(format!("{origin}/graphiql/main.js")).await.unwrap();
    assert_eq!(script.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn with_a_bundle_the_page_and_its_files_are_served() {
    let origin = listen(Some(Bundle { page: FALLBACK, script: FILE, style: FILE, licenses: FILE })).await;
    for path in ["/", "/graphiql", "/graphiql/main.js", "/graphiql/main.css", "/graphiql/licenses.txt"] {
        let response = reqwest::get(format!("{origin}{path}")).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
}

/// Serves the routes on a port of their own until the test ends.
async fn listen(bundle: Option<Bundle>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes::<()>(bundle)).await });
    origin
}
