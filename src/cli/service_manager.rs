//! Tells a service manager such as systemd about the server, with the protocol of sd_notify(3).

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::unix::net::UnixDatagram;

/// The variable with the path of the service manager's socket. Without it there is nobody to tell.
const SOCKET: &str = "NOTIFY_SOCKET";

/// Sends a state, for example `READY=1`. A failure is logged: the server works without a service manager.
pub(super) fn notify(state: &str) {
    let Some(socket) = env::var_os(SOCKET) else { return };
    if let Err(error) = send(&socket, state) {
        tracing::warn!(%error, "cannot tell the service manager about {state} (`{SOCKET}`)");
    }
}

fn send(socket: &OsStr, state: &str) -> io::Result<()> {
    UnixDatagram::unbound()?.send_to(state.as_bytes(), socket)?;
    Ok(())
}
