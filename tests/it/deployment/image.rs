//! The file system of the image, and its program in it.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::time::timeout;

use super::read;
use super::tools::{succeed, system_program};
use crate::harness::{SECRET, TIMEOUT, files_in};

/// The user of the image.
pub(super) const USER: u32 = 65532;

/// What the image may have besides the program, in bytes.
const MOST_BESIDES: u64 = 10 * 1024 * 1024;

/// Whether the tests run as root.
pub(super) fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// The permissions of a file and the number of its user.
pub(super) fn mode_and_user(path: &Path) -> (u32, u32) {
    let found = fs::metadata(path).unwrap();
    (found.mode() & 0o7777, found.uid())
}

/// The instructions of the image itself, with continued lines joined.
fn instructions() -> Vec<(String, String)> {
    let text = read("deploy/docker/Dockerfile").replace("\\\n", "");
    let (_, image) = text.split_once("\nFROM scratch\n").expect("the image is made of nothing");
    let lines = image.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once(' ').unwrap()).map(|(name, rest)| (name.into(), rest.into())).collect()
}

/// The arguments of an instruction in the form of JSON.
fn arguments(instructions: &[(String, String)], name: &str) -> Vec<String> {
    let (_, rest) = instructions.iter().find(|(instruction, _)| instruction == name).expect(name);
    serde_json::from_str(&rest[rest.find('[').unwrap()..]).unwrap()
}

/// The rest of each instruction of a name.
fn values(instructions: &[(String, String)], name: &str) -> Vec<String> {
    let of_name = instructions.iter().filter(|(instruction, _)| instruction == name);
    of_name.map(|(_, rest)| rest.clone()).collect()
}

/// A command in the file system, as the user of the image.
fn command(
    root: &Path,
    arguments: &[String],
    environment: &BTreeMap<String, String>,
) -> tokio::process::Command {
    let chroot = system_program("chroot");
    let mut command = if is_root() {
        let mut command = tokio::process::Command::new(chroot);
        command.arg(format!("--userspec={USER}:{USER}"));
        command
    } else {
        let mut command = tokio::process::Command::new(system_program("unshare"));
        command.args(["--user", "--map-root-user"]).arg(chroot);
        command
    };
    command.arg(root).args(arguments).env_clear().envs(environment).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[tokio::test]
async fn the_program_serves_in_the_image_and_checks_itself() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    succeed(Command::new("deploy/docker/rootfs").arg(env!("CARGO_BIN_EXE_scrollback")).arg(&root));
    let program = root.join("usr/bin/scrollback");
    let besides = files_in(&root).into_iter().filter(|file| *file != program);
    let besides: u64 = besides.map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(besides < MOST_BESIDES, "{besides} bytes");

    let instructions = instructions();
    assert_eq!(values(&instructions, "USER"), [format!("{USER}:{USER}")]);
    let environment = values(&instructions, "ENV").join(" ");
    let pairs = environment.split_whitespace().map(|pair| pair.split_once('=').unwrap());
    let mut environment: BTreeMap<String, String> =
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(values(&instructions, "EXPOSE"), ["8000 9000"]);
    for (variable, port) in [("SCROLLBACK_SERVER_LISTEN", 8000), ("SCROLLBACK_SERVER_ADMIN_LISTEN", 9000)] {
        // The tests share a machine: a free port.
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let address = environment.insert(variable.to_owned(), free.to_string());
        assert_eq!(address, Some(format!("0.0.0.0:{port}")));
    }
    let data = root.join(environment["SCROLLBACK_DATA_DIR"].trim_start_matches('/'));
    environment.insert("SCROLLBACK_AUTH_JWT_SECRET".to_owned(), SECRET.to_owned());

    let mut server = command(&root, &arguments(&instructions, "ENTRYPOINT"), &environment).spawn().unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let line = timeout(TIMEOUT, lines.next_line()).await.expect("a line in time").unwrap();
    let Some(line) = line else {
        let mut log = String::new();
        server.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
        panic!("it ended: {log}")
    };
    assert!(line.starts_with("Scrollback is listening on "), "{line}");
    let check = arguments(&instructions, "HEALTHCHECK");
    let checked = timeout(TIMEOUT, command(&root, &check, &environment).output()).await.unwrap().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    assert_eq!(String::from_utf8(checked.stdout).unwrap(), "ready\n");
    if is_root() {
        assert_eq!(mode_and_user(&data), (0o700, USER));
        assert_eq!(mode_and_user(&data.join("scrollback.db")), (0o600, USER));
    }
    succeed(Command::new("sh").args(["-c", "kill -TERM \"$0\"", &server.id().unwrap().to_string()]));
    let mut log = String::new();
    server.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
    assert!(timeout(TIMEOUT, server.wait()).await.unwrap().unwrap().success(), "{log}");
    assert!(!log.contains("other users"), "{log}");
    let checked = timeout(TIMEOUT, command(&root, &check, &environment).output()).await.unwrap().unwrap();
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
}
