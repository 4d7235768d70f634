//! `copresence sandbox -- COMMAND`: runs a command while the sandbox is up, and ends with its exit code.

use super::{print_request_log_line, without_trailing_slash};
use crate::common_options::CommonOptions;
use crate::failure::CommandFailure;
use crate::signals::ForwardedSignals;
use copresence_sandbox::{RequestLine, Server};
use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::ExitStatus;
use tokio::process::{Child, Command};
use tokio::sync::broadcast;

/// Runs the command with the sandbox's URL and credentials in its environment. Returns its exit code; 128 and the number
/// of the signal if a signal ended it.
///
/// Stdin, stdout and stderr are the command's. With `-v` the request log goes to stderr.
pub(super) async fn run_command_beside_server(
    common: &CommonOptions,
    server: &Server,
    words: &[OsString],
) -> Result<u8, CommandFailure> {
    let Some((program, args)) = words.split_first() else { return Ok(0) };
    // Before the command starts, so that no signal is missed.
    let signals = ForwardedSignals::listen_for_signals();
    let requests = server.subscribe_to_request_log();
    let mut command = Command::new(program);
    command.args(args).envs(sandbox_environment(server)).kill_on_drop(true);
    let child = command.spawn().map_err(|error| {
        let exit_code = if error.kind() == ErrorKind::NotFound { 127 } else { 126 };
        let name = program.to_string_lossy();
        CommandFailure::command_start_error(exit_code, format!("the command `{name}` cannot start: {error}"))
    })?;
    let status = wait_for_command_and_forward_signals(common, child, signals, requests).await;
    status.map(shell_exit_code_of_status).map_err(|error| {
        CommandFailure::command_start_error(126, format!("the end of the command cannot be awaited: {error}"))
    })
}

/// The variables that the command finds in its environment.
fn sandbox_environment(server: &Server) -> Vec<(&'static str, String)> {
    let accepted = server.sandbox().accepted_credentials();
    let url = |url: url::Url| without_trailing_slash(url.as_str()).to_owned();
    let mut variables = vec![
        ("COPRESENCE_SANDBOX_URL", url(server.local_url())),
        ("COPRESENCE_SANDBOX_PHONE_URL", url(server.phone_url())),
        ("COPRESENCE_API_KEY", accepted.api_key.expose().to_owned()),
        ("COPRESENCE_SESSION_TOKEN", accepted.session_token.expose().to_owned()),
        ("COPRESENCE_USERNAME", accepted.username.expose().to_owned()),
        ("COPRESENCE_PASSWORD", accepted.password.expose().to_owned()),
        ("COPRESENCE_OPERATOR_KEY", accepted.operator_key.expose().to_owned()),
    ];
    if let Some(fingerprint) = server.certificate_fingerprint() {
        variables.push(("COPRESENCE_SANDBOX_CERTIFICATE_SHA256", fingerprint.to_owned()));
    }
    variables
}

/// Waits for the end of the command. Passes signals on to it, and prints requests with `-v`.
async fn wait_for_command_and_forward_signals(
    common: &CommonOptions,
    mut child: Child,
    mut signals: ForwardedSignals,
    mut requests: broadcast::Receiver<RequestLine>,
) -> std::io::Result<ExitStatus> {
    loop {
        tokio::select! {
            status = child.wait() => return status,
            signal = signals.wait_for_signal() => signal.send_to_child_unless_already_sent(&child),
            line = requests.recv(), if common.verbose > 0 => {
                // Requests that came too fast are left out.
                if let Ok(line) = line {
                    print_request_log_line(common, &line);
                }
            }
        }
    }
}

/// The exit code of the command, as a shell has it in `$?`.
fn shell_exit_code_of_status(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(u8::MAX);
    }
    // Windows has codes above 255.
    status.code().map_or(1, |code| u8::try_from(code).unwrap_or(1))
}
