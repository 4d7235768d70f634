//! `copresence sandbox`: the simulated backend, until stopped.

use crate::args::{Common, SandboxOptions};
use crate::failure::Failure;
use crate::{ground, output, stop};
use sandbox::{RequestLine, Server, Settings};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

pub(crate) async fn run(common: &Common, options: SandboxOptions) -> Result<u8, Failure> {
    if options.list_scenarios {
        list_scenarios(common);
        return Ok(0);
    }
    if let Some(url) = &options.public_url {
        ground::bare(url, "--public-url")?;
    }
    let stopping = stop::on_signal("stopping …");
    let defaults = Settings::default();
    let settings = Settings {
        scenario: options.world.scenario,
        speed: options.world.speed,
        seed: options.world.seed.unwrap_or(defaults.seed),
        assets: options.world.assets,
        public_url: options.public_url,
        api_key: options.api_key.unwrap_or(defaults.api_key),
        username: options.username.unwrap_or(defaults.username),
        password: options.password.unwrap_or(defaults.password),
    };
    let server = Server::start(settings, options.listen).await;
    let server = server.map_err(|error| Failure::usage(error.to_string()))?;
    let mut requests = server.requests();
    if common.json {
        listening_json(&server);
    } else {
        listening(&server);
    }
    loop {
        tokio::select! {
            () = stopping.cancelled() => break,
            line = requests.recv() => match line {
                Ok(line) => served(common, &line),
                Err(RecvError::Lagged(missed)) => {
                    output::people(format_args!("({missed} requests came faster than they could be shown)"));
                }
                Err(RecvError::Closed) => break,
            },
        }
    }
    server.stop().await;
    Ok(0)
}

fn list_scenarios(common: &Common) {
    for entry in sandbox::scenario::CATALOGUE {
        if common.json {
            output::result(format_args!("{}", json!({"scenario": entry.name, "does": entry.does})));
        } else {
            output::result(format_args!("{:<18} {}", entry.name, entry.does));
        }
    }
}

fn listening_json(server: &Server) {
    let accepted = server.sandbox().credentials();
    let line = json!({
        "event": "listening",
        "url": base(server.url().as_str()),
        "phone_url": base(server.phone_url().as_str()),
        "api_key": accepted.api_key.expose(),
        "session_token": accepted.session_token.expose(),
        "username": accepted.username.expose(),
        "password": accepted.password.expose(),
        "operator_key": accepted.operator_key.expose(),
    });
    output::result(format_args!("{line}"));
}

/// For people, and on purpose with the credentials: they are the sandbox's own and open no other door.
fn listening(server: &Server) {
    let accepted = server.sandbox().credentials();
    let url = base(server.url().as_str()).to_owned();
    let (key, session) = (accepted.api_key.expose(), accepted.session_token.expose());
    output::result(format_args!("Simulated Copresence backend at {url}   (no real one; Ctrl-C stops it)\n"));
    if server.is_open_to_network() {
        output::result(format_args!(
            "  Phones and anybody else on this network reach it at {}\n",
            base(server.phone_url().as_str())
        ));
    }
    output::result(format_args!("  REST API key   {key}"));
    output::result(format_args!("  session token  {session}"));
    output::result(format_args!(
        "  login          {} / {}",
        accepted.username.expose(),
        accepted.password.expose()
    ));
    output::result(format_args!("  operator key   {}\n", accepted.operator_key.expose()));
    let (api_key, session_token) = (kiosk::headers::API_KEY, kiosk::headers::SESSION_TOKEN);
    output::result(format_args!(
        "Log in:\n  curl -X POST {url}/login -H '{api_key}: {key}' -H 'Content-Type: application/json' \\\n    -d '{{\"username\":\"{}\",\"password\":\"{}\"}}'",
        accepted.username.expose(),
        accepted.password.expose()
    ));
    output::result(format_args!(
        "Generate an Export Token:\n  curl -X POST {url}/generateExportToken -H '{api_key}: {key}' -H '{session_token}: {session}'"
    ));
    output::result(format_args!(
        "Redeem it:\n  curl {url}/redeemExportToken -H '{api_key}: {key}' -H '{}: TOKEN'",
        kiosk::headers::EXPORT_TOKEN
    ));
    output::result(format_args!(
        "Play the phone:\n  open {}/phone?exportToken=TOKEN   or\n  curl -X POST {url}/sandbox/tokens/TOKEN/associate -H 'Content-Type: application/json' -d '{{\"avatar\":\"new\"}}'\n",
        base(server.phone_url().as_str())
    ));
}

fn served(common: &Common, line: &RequestLine) {
    if common.json {
        let mut object = serde_json::Map::from_iter([("event".to_owned(), "request".into())]);
        if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(line) {
            object.extend(fields);
        }
        output::result(format_args!("{}", serde_json::Value::Object(object)));
        return;
    }
    output::people(format_args!(
        "{} {:<4} {} → {} ({} ms)",
        line.at, line.method, line.path, line.status, line.duration_ms
    ));
}

fn base(url: &str) -> &str {
    url.trim_end_matches('/')
}
