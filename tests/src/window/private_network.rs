//! A network of its own for a test, and a hall's network with other machines beside it.
//!
//! Both are network namespaces. In its own one a test may add interfaces, and no other program of this machine is
//! reached. The machines of the hall have addresses of their own, so that servers tell them apart from this machine.

use super::HarnessError;
use super::child_program::ChildProgram;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Command, Stdio};

/// Set in a process that runs in a private network.
const PRIVATE_NETWORK_VARIABLE: &str = "COPRESENCE_TEST_PRIVATE_NETWORK";

/// Options of `unshare` for a private network. Without root, a user namespace gives the rights; some systems allow only
/// root to create one.
const UNSHARE_OPTIONS: [&[&str]; 2] = [&["--map-root-user", "--net"], &["--net"]];

/// Shows whether namespaces and pairs of virtual interfaces can be created.
const PROBE_SCRIPT: &str = "ip link set lo up && ip link add hall0 type veth peer name guests0";

/// This machine's address in the hall's network.
const KIOSK_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);

/// Whether this process runs in a private network.
pub fn is_in_private_network() -> bool {
    std::env::var_os(PRIVATE_NETWORK_VARIABLE).is_some()
}

/// Runs a test of the current test program again, in a private network, and fails if it fails there. Only prints why
/// not if this system allows no namespaces; in CI, that is an error.
pub fn run_test_in_private_network(test: &str) -> Result<(), HarnessError> {
    let mut refusals = Vec::new();
    for options in UNSHARE_OPTIONS {
        let probe = Command::new("unshare").args(options).args(["sh", "-c", PROBE_SCRIPT]).output();
        match probe {
            Ok(probe) if probe.status.success() => return run_in_namespace(options, test),
            Ok(probe) => refusals.push(String::from_utf8_lossy(&probe.stderr).trim().to_owned()),
            Err(error) => refusals.push(format!("unshare: {error}")),
        }
    }
    let refusal = format!(
        "{test} needs a network namespace with virtual interfaces (util-linux, iproute2, and root or user namespaces), \
         which this system does not allow: {}",
        refusals.join("; ")
    );
    if std::env::var_os("CI").is_some() {
        return Err(refusal.into());
    }
    eprintln!("skipped: {refusal}");
    Ok(())
}

fn run_in_namespace(options: &[&str], test: &str) -> Result<(), HarnessError> {
    let mut command = Command::new("unshare");
    command.args(options).args(["sh", "-c", "ip link set lo up && exec \"$0\" \"$@\""]);
    command.arg(std::env::current_exe()?).args(test_arguments(test)).env(PRIVATE_NETWORK_VARIABLE, "1");
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("in its private network, {test} ended with {status}").into()) }
}

/// Arguments of a test program that runs only this test.
fn test_arguments(test: &str) -> [&str; 4] {
    ["--exact", test, "--ignored", "--nocapture"]
}

/// A network with other machines, connected to the private network of this process. Ends when dropped.
#[derive(Debug)]
pub struct HallNetwork {
    /// Keeps the namespace.
    _keeper: ChildProgram,
    keeper_id: String,
}

impl HallNetwork {
    /// Creates the network with this number of machines. This process must run in a private network.
    pub fn connect(machine_count: u8, logs: &Path) -> Result<Self, HarnessError> {
        if !is_in_private_network() {
            return Err("a hall's network is only connected to a private network".into());
        }
        let mut keeper = Command::new("unshare");
        keeper.args(["--net", "sh", "-c", "echo $$; exec sleep infinity"]);
        let (keeper, keeper_id) = ChildProgram::start_with_first_line("hall", &mut keeper, logs)?;
        let hall = Self { _keeper: keeper, keeper_id };
        run(ip_command(&[
            "link",
            "add",
            "hall0",
            "type",
            "veth",
            "peer",
            "name",
            "guests0",
            "netns",
            &hall.keeper_id,
        ]))?;
        run(ip_command(&["address", "add", &format!("{KIOSK_ADDRESS}/16"), "dev", "hall0"]))?;
        run(ip_command(&["link", "set", "hall0", "up"]))?;
        for machine in 0..machine_count {
            let address = format!("{}/16", Self::machine_address(machine));
            run(hall.guest_command("ip", &["address", "add", &address, "dev", "guests0"]))?;
        }
        run(hall.guest_command("ip", &["link", "set", "guests0", "up"]))?;
        Ok(hall)
    }

    /// The address of one of the machines.
    pub fn machine_address(machine: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 1, machine + 1)
    }

    /// A command that runs on the machines of the hall. It chooses one of their addresses itself.
    pub fn guest_command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--net", "--target", &self.keeper_id, program]).args(args);
        command
    }

    /// Starts a test of the current test program on the machines of the hall. Its output is piped to this process.
    pub(super) fn start_guest_test(
        &self,
        test: &str,
        variable: (&str, &str),
        logs: &Path,
    ) -> Result<ChildProgram, HarnessError> {
        let program = std::env::current_exe()?;
        let program = program.to_str().ok_or("a path that is not UTF-8")?;
        let mut command = self.guest_command(program, &test_arguments(test));
        command.env(variable.0, variable.1).stdin(Stdio::piped());
        ChildProgram::start_with_piped_output(test, &mut command, logs)
    }
}

fn ip_command(args: &[&str]) -> Command {
    let mut command = Command::new("ip");
    command.args(args);
    command
}

fn run(mut command: Command) -> Result<(), HarnessError> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}
