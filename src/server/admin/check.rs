//! Asks a running server whether it is ready, as a container engine or a script does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, bail};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Longer than `/readyz` waits for the database.
const TIMEOUT: Duration = Duration::from_secs(4);

/// The largest reason that is read, in bytes.
const MAX_REASON_BYTES: usize = 1024;

/// Asks the server that listens on `address`, on this machine if the address is that of all interfaces.
///
/// # Errors
/// The server does not answer, or is not ready: the reason is that of `/readyz`.
pub async fn check_readiness(address: SocketAddr) -> anyhow::Result<()> {
    if address.port() == 0 {
        bail!("cannot ask {address}: the port must not be 0");
    }
    let address = reachable(address);
    let asked = tokio::time::timeout(TIMEOUT, ask(address)).await;
    asked.with_context(|| format!("{address} does not answer within {} seconds", TIMEOUT.as_secs()))?
}

async fn ask(address: SocketAddr) -> anyhow::Result<()> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the connection.
    tokio::spawn(connection);
    let request = Request::get("/readyz").header(HOST, address.to_string()).body(Empty::<Bytes>::new())?;
    let response =
        sender.send_request(request).await.with_context(|| format!("{address} does not speak HTTP"))?;
    match response.status() {
        StatusCode::OK => Ok(()),
        StatusCode::NOT_FOUND => bail!("{address} has no /readyz: is it `server.admin_listen`?"),
        status => {
            let reason = match Limited::new(response.into_body(), MAX_REASON_BYTES).collect().await {
                Ok(body) => body.to_bytes(),
                Err(_) => Bytes::new(),
            };
            bail!("not ready: {} ({status})", String::from_utf8_lossy(&reason).trim())
        }
    }
}

/// The same port of this machine if the address is that of all interfaces, to which nothing can connect.
fn reachable(address: SocketAddr) -> SocketAddr {
    let loopback = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(loopback, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_all_interfaces_become_those_of_this_machine() {
        for (address, expected) in [
            ("0.0.0.0:9000", "127.0.0.1:9000"),
            ("[::]:9000", "[::1]:9000"),
            ("127.0.0.2:9000", "127.0.0.2:9000"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(reachable(address.parse().unwrap()), expected.parse().unwrap());
        }
    }
}
