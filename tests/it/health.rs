//! `scrollback health`, and what the server tells a service manager.

use std::net::TcpListener;

use tokio::net::UnixDatagram;
use tokio::time::timeout;

use crate::harness::{Cluster, Engine, Program, TIMEOUT};

/// An address of this machine where nobody listens.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

async fn a_server_says_whether_it_is_ready(engine: Engine) {
    let address = free_address();
    let everywhere = address.replace("127.0.0.1", "0.0.0.0");
    let program = Program::over(engine).await.with("SCROLLBACK_SERVER_ADMIN_LISTEN", everywhere);
    let nobody = format!("scrollback: cannot connect to {address}: Connection refused (os error 111)\n");
    assert_eq!(program.refused(&["health"]).await, nobody);
    let server = program.serve(&[]).await;
    assert_eq!(program.printed(&["health"]).await, "ready\n");
    let public = server.url.strip_prefix("http://").unwrap();
    let refused = program.refused(&["health", "--address", public]).await;
    assert!(refused.contains(&format!("{public} has no /readyz: is it `server.admin_listen`?")), "{refused}");
    server.terminate().await;
    let (status, log) = server.ended().await;
    assert!(status.success(), "{log}");
    assert_eq!(program.refused(&["health"]).await, nobody);
}

#[tokio::test]
async fn a_server_says_whether_it_is_ready_on_sqlite() {
    a_server_says_whether_it_is_ready(Engine::Sqlite).await;
}

#[tokio::test]
async fn a_server_says_whether_it_is_ready_on_postgres() {
    a_server_says_whether_it_is_ready(Engine::Postgres).await;
}

#[tokio::test]
async fn the_reason_is_told_if_a_server_is_not_ready() {
    let cluster = Cluster::start(&[]);
    let program = Program::believing().with("SCROLLBACK_DATABASE_URL", cluster.create_database().await);
    let server = program.serve(&[]).await;
    let address = server.url.strip_prefix("http://").unwrap();
    assert_eq!(program.printed(&["health", "--address", address]).await, "ready\n");
    cluster.crash();
    let refused = program.refused(&["health", "--address", address]).await;
    assert_eq!(refused, "scrollback: not ready: the database does not answer (503 Service Unavailable)\n");
    let keyless = Program::new().with("SCROLLBACK_AUTH_JWKS_URL", format!("http://{}/", free_address()));
    let server = keyless.serve(&[]).await;
    let address = server.url.strip_prefix("http://").unwrap();
    let refused = keyless.refused(&["health", "--address", address]).await;
    assert!(refused.contains("not ready: no keys to verify tokens with"), "{refused}");
}

/// The checks of `/readyz?verbose` without their times.
async fn checks(url: &str) -> (u16, Vec<String>) {
    let answer = reqwest::get(format!("{url}/readyz?verbose")).await.unwrap();
    let (status, text) = (answer.status().as_u16(), answer.text().await.unwrap());
    let without_time = |line: &str| match line.rsplit_once(" (") {
        Some((check, time)) => {
            let millis = time.strip_suffix(" ms)").unwrap().parse::<f64>();
            assert!(millis.is_ok_and(|millis| millis >= 0.0), "{line}");
            check.to_owned()
        }
        None => line.to_owned(),
    };
    (status, text.lines().map(without_time).collect())
}

#[tokio::test]
async fn each_check_is_shown_with_its_state_and_time() {
    let cluster = Cluster::start(&[]);
    let program = Program::believing().with("SCROLLBACK_DATABASE_URL", cluster.create_database().await);
    let server = program.serve(&[]).await;
    let ready = ["[+]shutdown ok", "[+]keys ok", "[+]database ok", "readyz check passed"];
    assert_eq!(checks(&server.url).await, (200, ready.map(str::to_owned).to_vec()));
    cluster.crash();
    let fault = "[-]database failed: the database does not answer";
    let broken = ["[+]shutdown ok", "[+]keys ok", fault, "readyz check failed"];
    assert_eq!(checks(&server.url).await, (503, broken.map(str::to_owned).to_vec()));
    let keyless = Program::new().with("SCROLLBACK_AUTH_JWKS_URL", format!("http://{}/", free_address()));
    let server = keyless.serve(&[]).await;
    let fault = "[-]keys failed: no keys to verify tokens with";
    let broken = ["[+]shutdown ok", fault, "[+]database ok", "readyz check failed"];
    assert_eq!(checks(&server.url).await, (503, broken.map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn a_port_that_the_system_chose_must_be_named() {
    let program = Program::new().with("SCROLLBACK_SERVER_LISTEN", "127.0.0.1:0");
    let refused = program.refused(&["health"]).await;
    assert_eq!(refused, "scrollback: cannot ask 127.0.0.1:0: the port must not be 0\n");
}

/// The next state that the service manager receives.
async fn told(socket: &UnixDatagram) -> String {
    let mut state = [0; 100];
    let size = timeout(TIMEOUT, socket.recv(&mut state)).await.expect("a state in time").unwrap();
    String::from_utf8(state[..size].to_vec()).unwrap()
}

#[tokio::test]
async fn a_service_manager_is_told_when_the_server_is_ready_and_when_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let program = Program::new().with("NOTIFY_SOCKET", path.to_str().unwrap());
    let server = program.serve(&[]).await;
    assert_eq!(told(&socket).await, "READY=1");
    assert_eq!(reqwest::get(format!("{}/readyz", server.url)).await.unwrap().status(), 200);
    server.terminate().await;
    assert_eq!(told(&socket).await, "STOPPING=1");
    let (status, log) = server.ended().await;
    assert!(status.success() && !log.contains("NOTIFY_SOCKET"), "{log}");
    // The server works without one.
    drop(socket);
    let server = program.serve(&[]).await;
    assert_eq!(reqwest::get(format!("{}/readyz", server.url)).await.unwrap().status(), 200);
    server.terminate().await;
    let (status, log) = server.ended().await;
    assert!(status.success(), "{log}");
    assert!(log.contains("cannot tell the service manager about READY=1 (`NOTIFY_SOCKET`)"), "{log}");
}
