//! `copresence sandbox`: runs the simulated backend until it is stopped, or while a command runs.

mod child_command;
mod lists;

use crate::args::SandboxOptions;
use crate::common_options::CommonOptions;
use crate::embedded_sandbox::load_sandbox_settings_from_options;
use crate::failure::CommandFailure;
use crate::{context, output, signals};
use copresence_sandbox::{CertificateSource, RequestLine, SandboxSettings, Server};
use serde_json::json;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// Port without `--listen` and without a command.
const DEFAULT_PORT: u16 = 8787;

/// Runs `copresence sandbox`: prints a catalogue, or serves a simulated backend until it is stopped or the command
/// beside it ends. Returns the exit code.
pub(crate) async fn run_sandbox_command(common: &CommonOptions, options: SandboxOptions) -> Result<u8, CommandFailure> {
    if options.list_scenarios {
        lists::print_scenario_catalogue(common);
        return Ok(0);
    }
    if let Some(scenario) = options.print_scenario {
        output::print_stdout_line(format_args!("{}", scenario.scenario_file_text().trim_end()));
        return Ok(0);
    }
    if options.list_faults {
        lists::print_fault_catalogue(common);
        return Ok(0);
    }
    if let Some(url) = &options.public_url {
        context::reject_url_credentials(url, "--public-url")?;
    }
    if common.json && !options.command.is_empty() {
        let message = "--json cannot be used with a command, because stdout is the command's";
        return Err(CommandFailure::usage_error(message));
    }
    let defaults = load_sandbox_settings_from_options(&options.world)?;
    let tls = match (options.tls_cert, options.tls_key) {
        (Some(cert), Some(key)) => Some(CertificateSource::Files { cert, key }),
        _ => options.tls_self_signed.then_some(CertificateSource::SelfSigned),
    };
    let settings = SandboxSettings {
        public_url: options.public_url,
        tls,
        rate_limit: NonZeroU32::new(options.rate_limit),
        world_idle_limit: options.world_idle_limit,
        api_key: options.api_key.unwrap_or(defaults.api_key),
        username: options.username.unwrap_or(defaults.username),
        password: options.password.unwrap_or(defaults.password),
        ..defaults
    };
    // A command gets the URL in its environment. Its port is free, so that several can run at the same time.
    let default_port = if options.command.is_empty() { DEFAULT_PORT } else { 0 };
    let listen = options.listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, default_port)));
    // Before the server starts, so that no signal is missed. A command handles signals itself.
    let stopping = options.command.is_empty().then(|| signals::token_cancelled_by_first_signal("stopping …"));
    if let Some(stopping) = stopping.clone().filter(|_| options.until_stdin_closes) {
        cancel_when_stdin_closes(stopping);
    }
    let server = Server::start(settings, listen).await;
    let server = server.map_err(|error| CommandFailure::usage_error(error.to_string()))?;
    let exit = match stopping {
        Some(stopping) => {
            print_requests_until_stopped(common, &server, &stopping).await;
            Ok(0)
        }
        None => child_command::run_command_beside_server(common, &server, &options.command).await,
    };
    server.shut_down_server().await;
    exit
}

/// Cancels the token at the end of stdin. What is read is not used.
fn cancel_when_stdin_closes(stopping: CancellationToken) {
    // A thread of its own: a read of stdin cannot be interrupted, and must not keep the program from ending.
    std::thread::spawn(move || {
        // An error means that there is no stdin.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        stopping.cancel();
    });
}

/// Prints URL, credentials and requests until the program is stopped.
async fn print_requests_until_stopped(common: &CommonOptions, server: &Server, stopping: &CancellationToken) {
    let mut requests = server.subscribe_to_request_log();
    if common.json {
        print_listening_json(server);
    } else {
        print_url_and_credentials(server);
    }
    loop {
        tokio::select! {
            () = stopping.cancelled() => break,
            line = requests.recv() => match line {
                Ok(line) => print_request_log_line(common, &line),
                Err(RecvError::Lagged(missed)) => {
                    output::eprint_sanitized_line(format_args!("({missed} requests were not printed because they arrived too fast)"));
                }
                Err(RecvError::Closed) => break,
            },
        }
    }
}

/// Prints the `listening` event: the URLs and the accepted credentials as one line of JSON.
fn print_listening_json(server: &Server) {
    let accepted = server.sandbox().accepted_credentials();
    let mut line = json!({
        "event": "listening",
        "url": without_trailing_slash(server.local_url().as_str()),
        "phone_url": without_trailing_slash(server.phone_url().as_str()),
        "api_key": accepted.api_key.expose(),
        "session_token": accepted.session_token.expose(),
        "username": accepted.username.expose(),
        "password": accepted.password.expose(),
        "operator_key": accepted.operator_key.expose(),
    });
    if let Some(fingerprint) = server.certificate_fingerprint() {
        line["certificate_sha256"] = fingerprint.into();
    }
    output::print_json_line(&line);
}

/// Prints URL and credentials for people. The credentials are printed on purpose: they are valid for this sandbox only.
fn print_url_and_credentials(server: &Server) {
    let accepted = server.sandbox().accepted_credentials();
    let url = without_trailing_slash(server.local_url().as_str()).to_owned();
    let (key, session) = (accepted.api_key.expose(), accepted.session_token.expose());
    output::print_stdout_line(format_args!("Simulated Copresence backend at {url}   (no real one; Ctrl-C stops it)\n"));
    if server.is_open_to_network() {
        output::print_stdout_line(format_args!(
            "  Phones and anybody else on this network reach it at {}\n",
            without_trailing_slash(server.phone_url().as_str())
        ));
    }
    if let Some(fingerprint) = server.certificate_fingerprint() {
        output::print_stdout_line(format_args!("  certificate    SHA-256 {fingerprint}   (curl: -k, or --cacert)"));
    }
    output::print_stdout_line(format_args!("  REST API key   {key}"));
    output::print_stdout_line(format_args!("  session token  {session}"));
    output::print_stdout_line(format_args!(
        "  login          {} / {}",
        accepted.username.expose(),
        accepted.password.expose()
    ));
    output::print_stdout_line(format_args!("  operator key   {}\n", accepted.operator_key.expose()));
    let (api_key, session_token) = (copresence_engine::headers::API_KEY, copresence_engine::headers::SESSION_TOKEN);
    output::print_stdout_line(format_args!(
        "Log in:\n  curl -X POST {url}/login -H '{api_key}: {key}' -H 'Content-Type: application/json' \\\n    -d '{{\"username\":\"{}\",\"password\":\"{}\"}}'",
        accepted.username.expose(),
        accepted.password.expose()
    ));
    output::print_stdout_line(format_args!(
        "Generate an Export Token:\n  curl -X POST {url}/generateExportToken -H '{api_key}: {key}' -H '{session_token}: {session}'"
    ));
    output::print_stdout_line(format_args!(
        "Redeem it:\n  curl {url}/redeemExportToken -H '{api_key}: {key}' -H '{}: TOKEN'",
        copresence_engine::headers::EXPORT_TOKEN
    ));
    output::print_stdout_line(format_args!(
        "Play the phone:\n  open {}/phone?exportToken=TOKEN   or\n  curl -X POST {url}/sandbox/tokens/TOKEN/associate -H 'Content-Type: application/json' -d '{{\"avatar\":\"new\"}}'\n",
        without_trailing_slash(server.phone_url().as_str())
    ));
}

/// Prints a line of the request log, as JSON with `--json`.
fn print_request_log_line(common: &CommonOptions, line: &RequestLine) {
    if common.json {
        let mut object = serde_json::Map::from_iter([("event".to_owned(), "request".into())]);
        if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(line) {
            object.extend(fields);
        }
        return output::print_json_line(&object);
    }
    let status = if line.status == 0 { "no answer".to_owned() } else { line.status.to_string() };
    let faults = if line.faults.is_empty() { String::new() } else { format!(", faults: {}", line.faults.join(", ")) };
    let world = line.world.as_ref().map_or_else(String::new, |id| format!("world {id}: "));
    output::eprint_sanitized_line(format_args!(
        "{} {world}{:<4} {} → {status} ({} ms{faults})",
        line.at, line.method, line.path, line.duration_ms
    ));
}

/// The URL without slashes at its end.
fn without_trailing_slash(url: &str) -> &str {
    url.trim_end_matches('/')
}
