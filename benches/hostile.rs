//! Measures the time to reject hostile requests, from a client's first byte to the response's last: `cargo
//! bench --bench hostile`.
#![expect(clippy::unwrap_used, reason = "what a benchmark does not expect ends it")]

#[path = "../tests/it/hostile/documents.rs"]
mod documents;

use std::time::{Duration, Instant};

use documents::{Hostile, all, body, deep_body};
use scrollback::app::App;
use scrollback::auth::{TokenRequirements, sign};
use scrollback::clock::Clock;
use scrollback::config::{self, Sources};
use scrollback::model::{OwnerId, Timestamp};
use serde_json::json;
use tokio::net::TcpListener;

const SECRET: &str = "a secret that only the benchmark knows";
const RUNS: usize = 11;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    let flags = vec![
        ("data_dir", folder.path().display().to_string()),
        ("auth.jwt_secret", SECRET.to_owned()),
        ("server.listen", "127.0.0.1:0".to_owned()),
    ];
    let config = config::load(Sources { flags, ..Sources::default() }).unwrap();
    let app = App::open(config.clone(), Clock::system()).await.unwrap();
    let listener = TcpListener::bind(config.server.listen).await.unwrap();
    let url = format!("http://{}/graphql", listener.local_addr().unwrap());
    tokio::spawn(app.serve(listener, std::future::pending()));

    let comment = |size: usize| body(&format!("{{viewer{{id}}}}#{}", "x".repeat(size)), &json!({}));
    let too_large = r#"{"code":"PAYLOAD_TOO_LARGE"}"#;
    let mut requests = vec![("a query, to compare", body("{ viewer { id } }", &json!({})), r#""data""#)];
    let limit = format!("{{ viewer {{ {} }} }}", "id ".repeat(999));
    requests.push(("all selections there may be", body(&limit, &json!({})), r#""data""#));
    let types = "types { fields { name type { fields { name type { name } } } } }";
    let limit = format!("{{ {} }}", format!("__schema {{ {types} }}").repeat(20));
    requests.push(("the schema, 20 times", body(&limit, &json!({})), r#""data""#));
    requests.extend(all().into_iter().map(|Hostile { name, query, variables, limit }| {
        (name, body(&query, &variables), if limit.is_empty() { "GRAPHQL_VALIDATION_FAILED" } else { limit })
    }));
    requests.push(("variables, 50,000 deep", deep_body(), "QUERY_TOO_COMPLEX"));
    requests.push(("a body of 2 MB", comment(2_000_000), too_large));
    requests.push(("a body of 5 MB", comment(5_000_000), ""));
    requests.push(("a body of 32 MiB", comment(32 * 1024 * 1024), ""));

    println!("{:<32}{:>10}{:>10}{:>10}  answer", "", "bytes", "median", "worst");
    for (name, body, expected) in requests {
        let mut times = Vec::new();
        let mut answer = String::new();
        for _ in 0..RUNS {
            let (time, said) = send(&url, &body).await;
            assert!(said.contains(expected), "{name}: {said}");
            times.push(time);
            answer = said;
        }
        times.sort_unstable();
        let [median, worst] =
            [times[RUNS / 2], times[RUNS - 1]].map(|time| format!("{:.1} ms", time.as_secs_f64() * 1e3));
        let answer: String = answer.chars().take(130).collect();
        println!("{name:<32}{:>10}{median:>10}{worst:>10}  {answer}", body.len());
    }
}

/// Uses a new connection: a request that is much too large may close it.
async fn send(url: &str, body: &str) -> (Duration, String) {
    let expires_at = Timestamp(Clock::system().now().0 + 600_000_000);
    let token =
        sign(SECRET.as_bytes(), &OwnerId::new("ada").unwrap(), expires_at, &TokenRequirements::default())
            .unwrap();
    let request =
        reqwest::Client::new().post(url).bearer_auth(token).header("content-type", "application/json");
    let request = request.body(body.to_owned());
    let start = Instant::now();
    let answer = match request.send().await {
        Ok(response) => {
            let status = response.status().as_u16();
            format!("{status} {}", response.text().await.unwrap_or_default())
        }
        Err(_) => "cut off while sending".to_owned(),
    };
    (start.elapsed(), answer)
}
