//! A server that speaks S3, of the tests' own.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::{Program, TIMEOUT};

/// The bucket.
const BUCKET: &str = "files";

/// A server on a port of its own, gone when dropped.
pub(crate) struct S3 {
    url: String,
    child: Child,
}

impl S3 {
    /// A server with an empty bucket.
    pub(crate) async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/.venv/bin/moto_server");
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto is installed (`tests/run` installs it)");
        let server = Self { url: format!("http://127.0.0.1:{port}"), child };
        let deadline = Instant::now() + TIMEOUT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "the S3 server does not answer");
            tokio::task::yield_now().await;
        }
        let made = reqwest::Client::new().put(format!("{}/{BUCKET}", server.url)).send().await.unwrap();
        assert!(made.status().is_success(), "{}", made.status());
        server
    }

    /// A program whose attachments are here.
    pub(crate) fn for_files_of(&self, program: Program) -> Program {
        program
            .with("SCROLLBACK_FILES_STORAGE", format!("s3://{BUCKET}/of/scrollback"))
            .with("AWS_ENDPOINT", self.url.clone())
            .with("AWS_ALLOW_HTTP", "true")
            .with("AWS_REGION", "us-east-1")
            .with("AWS_ACCESS_KEY_ID", "id")
            .with("AWS_SECRET_ACCESS_KEY", "secret")
    }

    /// The names of the objects.
    pub(crate) async fn objects(&self) -> Vec<String> {
        let answer = reqwest::get(format!("{}/{BUCKET}?list-type=2", self.url)).await.unwrap();
        let text = answer.text().await.unwrap();
        let keys = text.split("<Key>").skip(1).map(|rest| rest.split("</Key>").next().unwrap().to_owned());
        keys.collect()
    }
}

impl Drop for S3 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
