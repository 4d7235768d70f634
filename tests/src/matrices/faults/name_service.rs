//! The name service of one run of the program: its own `/etc/hosts` and `/etc/resolv.conf`, which only it sees.
//!
//! The program runs in a mount namespace of its own (`unshare`), so its lookups are those of the system's resolver. While
//! the name is in the hosts file, it has the address of the backend. During an outage it is absent, and the resolver asks
//! a name server that does not know it, does not answer or does not exist; or it has an address without a route.

use crate::HarnessError;
use crate::outage::OutageKind;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};

/// Name of the backend.
pub(super) const BACKEND_NAME: &str = "backend.matrices.test";

/// Mounts the two files, then runs the program in place of the shell.
const SCRIPT: &str = r#"mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/resolv.conf && shift 2 && exec "$@""#;

/// `connect` to this address fails with `ENETUNREACH`: Linux has no route for TCP to the broadcast address.
const ADDRESS_WITHOUT_ROUTE: &str = "255.255.255.255";

/// The name service of one home.
#[derive(Clone)]
pub(super) struct NameService {
    hosts: PathBuf,
    resolv_conf: PathBuf,
}

impl NameService {
    /// Writes the files, for outages of this kind, in a folder.
    pub(super) fn new(folder: &Path, kind: OutageKind) -> Result<Self, HarnessError> {
        let names = Self { hosts: folder.join("hosts"), resolv_conf: folder.join("resolv.conf") };
        let server = match kind {
            OutageKind::NameServerSilent => &NAME_SERVERS.as_ref().ok_or("no port 53")?.silent,
            OutageKind::NameServerGone => &NAME_SERVERS.as_ref().ok_or("no port 53")?.gone,
            _ => &NAME_SERVERS.as_ref().ok_or("no port 53")?.unknowing,
        };
        std::fs::write(&names.resolv_conf, format!("nameserver {server}\noptions timeout:2 attempts:1\n"))?;
        names.end_outage()?;
        Ok(names)
    }

    /// Begins an outage of this kind.
    pub(super) fn begin_outage(&self, kind: OutageKind) -> std::io::Result<()> {
        match kind {
            OutageKind::Unreachable => self.write_hosts(Some(ADDRESS_WITHOUT_ROUTE)),
            _ => self.write_hosts(None),
        }
    }

    /// Ends every outage.
    pub(super) fn end_outage(&self) -> std::io::Result<()> {
        self.write_hosts(Some("127.0.0.1"))
    }

    /// Writes the same file again, because it is mounted.
    fn write_hosts(&self, address: Option<&str>) -> std::io::Result<()> {
        let line = address.map_or_else(String::new, |address| format!("{address} {BACKEND_NAME}\n"));
        std::fs::write(&self.hosts, format!("127.0.0.1 localhost\n{line}"))
    }

    /// The command with this name service.
    pub(super) fn wrap_command(&self, command: &Command) -> Command {
        let mut wrapped = unshare_command();
        wrapped.args(["sh", "-c", SCRIPT, "sh"]).arg(&self.hosts).arg(&self.resolv_conf);
        wrapped.arg(command.get_program()).args(command.get_args()).env_clear();
        wrapped.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = command.get_current_dir() {
            wrapped.current_dir(folder);
        }
        wrapped.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        wrapped
    }
}

/// Why programs cannot have their own name service here; `None` if they can.
pub(super) fn missing_for_name_service() -> Option<String> {
    if NAME_SERVERS.is_none() {
        return Some("no UDP port 53 of 127.53.0.0/16 can be bound: run as root".to_owned());
    }
    let folder = tempfile::tempdir().ok()?;
    let names = NameService::new(folder.path(), OutageKind::NameNotFound).ok()?;
    let mut lookup = Command::new("getent");
    lookup.args(["hosts", BACKEND_NAME]).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    match names.wrap_command(&lookup).output() {
        Ok(found) if found.status.success() => None,
        Ok(found) => {
            Some(format!("`unshare` or `mount --bind` failed: {}", String::from_utf8_lossy(&found.stderr).trim()))
        }
        Err(error) => Some(format!("`unshare`: {error}")),
    }
}

/// `unshare` with a mount namespace; for a user other than root, also with a user namespace, which permits the mounts.
fn unshare_command() -> Command {
    let mut command = Command::new("unshare");
    command.arg("--mount");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command
}

/// Addresses of name servers on port 53.
struct NameServers {
    /// Answers that no name exists.
    unknowing: String,
    /// Never answers.
    silent: String,
    /// Nothing listens there.
    gone: String,
    /// Bound and never read.
    _silent: Arc<UdpSocket>,
}

static NAME_SERVERS: LazyLock<Option<NameServers>> = LazyLock::new(|| {
    // Other programs on this machine may run the same test.
    let mut networks = (1..=250_u8).filter_map(|net| {
        let bind = |host: u8| UdpSocket::bind((format!("127.53.{net}.{host}"), 53)).ok();
        Some((net, bind(1)?, bind(2)?))
    });
    let (net, unknowing, silent) = networks.next()?;
    std::thread::spawn(move || answer_that_no_name_exists(&unknowing));
    let address = |host: u8| format!("127.53.{net}.{host}");
    Some(NameServers { unknowing: address(1), silent: address(2), gone: address(3), _silent: Arc::new(silent) })
});

/// Answers each question with NXDOMAIN.
fn answer_that_no_name_exists(socket: &UdpSocket) {
    let mut packet = [0; 512];
    while let Ok((size, from)) = socket.recv_from(&mut packet) {
        if size < 12 {
            continue;
        }
        // A response, recursion available, code 3; one question, no records.
        packet[2..4].copy_from_slice(&[0x81, 0x83]);
        packet[4..12].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 0]);
        let end = size.min(end_of_question(&packet[..size]));
        // Fails if the program was killed.
        _ = socket.send_to(&packet[..end], from);
    }
}

/// The offset behind the first question of a packet: labels, a zero, type and class.
fn end_of_question(packet: &[u8]) -> usize {
    let mut at = 12;
    while let Some(length) = packet.get(at).filter(|length| **length > 0) {
        at += 1 + usize::from(*length);
    }
    at + 5
}
