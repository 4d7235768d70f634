//! A Copresence backend on a real Parse Server with `PostgreSQL`; see `tests/peers/parse`.

use crate::HarnessError;
use crate::avatar_files::{PNG, generate_glb};
use crate::console::Console;
use crate::peer_process::{PeerProcess, http_request, scripts_dir};
use serde_json::Value;
use std::process::Command;
use tempfile::TempDir;
use test_port::ReservedPort;

/// The values of `tests/peers/parse/config.js`.
pub(crate) const API_KEY: &str = "peer-rest-key-0123456789abcdef";
pub(crate) const BUSINESS: (&str, &str) = ("business@example.com", "correct horse battery");
pub(crate) const ACCOUNT_WITHOUT_ROLE: (&str, &str) = ("plain@example.com", "plain pass word");

/// The running parts. A part is `None` while it is stopped.
pub(crate) struct ParseStack {
    postgres: Option<PeerProcess>,
    parse: Option<PeerProcess>,
    backend: Option<PeerProcess>,
    postgres_port: ReservedPort,
    parse_port: ReservedPort,
    backend_port: ReservedPort,
    /// The base of all download URLs, if it is not the backend's own address.
    public_url: Option<String>,
    glb: Vec<u8>,
    state_dir: TempDir,
    /// Not in `state_dir`, because `PostgreSQL` may run as another user.
    postgres_dir: TempDir,
}

/// How the stack is started.
#[derive(Default)]
pub(crate) struct ParseOptions {
    /// Parse Server's `publicServerURL`; the default is right.
    pub(crate) public_url: Option<String>,
    /// Bytes of the avatar's GLB; 0: 200 kB.
    pub(crate) glb_size: usize,
}

impl ParseStack {
    /// Starts `PostgreSQL`, Parse Server and the backend.
    pub(crate) fn start() -> Result<Self, HarnessError> {
        Self::start_with(ParseOptions::default())
    }

    pub(crate) fn start_with(options: ParseOptions) -> Result<Self, HarnessError> {
        let state_dir = tempfile::Builder::new().prefix("copresence-peer-parse-").tempdir()?;
        let glb = generate_glb(if options.glb_size == 0 { 200_000 } else { options.glb_size }, 1);
        std::fs::write(state_dir.path().join("avatar.glb"), &glb)?;
        std::fs::write(state_dir.path().join("portrait.png"), PNG)?;
        let mut stack = Self {
            postgres: None,
            parse: None,
            backend: None,
            postgres_port: ReservedPort::reserve_port()?.hand_over_to_child_process(),
            parse_port: ReservedPort::reserve_port()?.hand_over_to_child_process(),
            backend_port: ReservedPort::reserve_port()?.hand_over_to_child_process(),
            public_url: options.public_url,
            glb,
            state_dir,
            postgres_dir: tempfile::Builder::new().prefix("copresence-peer-postgres-").tempdir()?,
        };
        stack.start_postgres()?;
        stack.start_parse()?;
        let seed = stack.node_command("seed").output()?;
        if !seed.status.success() {
            return Err(format!("seed.js: {}", String::from_utf8_lossy(&seed.stderr)).into());
        }
        stack.start_backend()?;
        Ok(stack)
    }

    pub(crate) fn start_postgres(&mut self) -> Result<(), HarnessError> {
        let mut command = Command::new(scripts_dir().join("parse/postgres.sh"));
        command.arg(self.postgres_dir.path()).arg(self.postgres_port.reserved_port_number().to_string());
        let log_dir = self.state_dir.path();
        self.postgres =
            Some(PeerProcess::start("postgres", command, self.postgres_port.reserved_port_number(), log_dir)?);
        Ok(())
    }

    pub(crate) fn start_parse(&mut self) -> Result<(), HarnessError> {
        let (command, port) = (self.node_command("parse-server"), self.parse_port.reserved_port_number());
        self.parse = Some(PeerProcess::start("parse-server", command, port, self.state_dir.path())?);
        Ok(())
    }

    pub(crate) fn start_backend(&mut self) -> Result<(), HarnessError> {
        let (command, port) = (self.node_command("backend"), self.backend_port.reserved_port_number());
        self.backend = Some(PeerProcess::start("backend", command, port, self.state_dir.path())?);
        Ok(())
    }

    /// Stops `PostgreSQL` as its operator would.
    pub(crate) fn stop_postgres(&mut self) -> Result<(), HarnessError> {
        self.postgres.take().map_or(Ok(()), PeerProcess::stop)
    }

    pub(crate) fn kill_parse(&mut self) {
        if let Some(process) = self.parse.take() {
            process.kill();
        }
    }

    pub(crate) fn kill_backend(&mut self) {
        if let Some(process) = self.backend.take() {
            process.kill();
        }
    }

    /// Waits for the end that the setting `exit_after_delivery` asked for.
    pub(crate) fn wait_for_end_of_backend(&mut self) -> Result<(), HarnessError> {
        self.backend.take().map_or(Ok(()), PeerProcess::wait_for_end)
    }

    fn node_command(&self, program: &str) -> Command {
        let mut command = Command::new(scripts_dir().join("parse/start.sh"));
        // Parse Server stores files and logs below its working directory.
        command.arg(program).current_dir(self.state_dir.path());
        command.env("POSTGRES_PORT", self.postgres_port.reserved_port_number().to_string());
        command.env("PARSE_PORT", self.parse_port.reserved_port_number().to_string());
        command.env("BACKEND_PORT", self.backend_port.reserved_port_number().to_string());
        command.env("STATE_DIR", self.state_dir.path());
        command.env("GLB", self.state_dir.path().join("avatar.glb"));
        command.env("PNG", self.state_dir.path().join("portrait.png"));
        if let Some(url) = &self.public_url {
            command.env("PUBLIC_URL", url);
        }
        command
    }

    pub(crate) fn backend_port(&self) -> u16 {
        self.backend_port.reserved_port_number()
    }

    /// The base URL of the API.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/1", self.backend_port)
    }

    /// Changes settings of `tests/peers/parse/backend.js`.
    pub(crate) fn change_settings(&self, json: &str) -> Result<(), HarnessError> {
        http_request(self.backend_port(), "/control/settings", &[], Some(json)).map(drop)
    }

    /// The requests of consoles since the backend's start: method and path.
    pub(crate) fn requests(&self) -> Result<Vec<String>, HarnessError> {
        Ok(serde_json::from_str(&http_request(self.backend_port(), "/control/requests", &[], None)?)?)
    }

    /// Number of requests with this method and path since the backend's start.
    pub(crate) fn count_requests(&self, request: &str) -> Result<usize, HarnessError> {
        Ok(self.requests()?.iter().filter(|made| *made == request).count())
    }

    /// Number of sessions that Parse Server has.
    pub(crate) fn count_sessions(&self) -> Result<u64, HarnessError> {
        self.count_rows("/control/sessions")
    }

    /// Number of Export Tokens that were issued.
    pub(crate) fn count_tokens(&self) -> Result<u64, HarnessError> {
        self.count_rows("/control/tokens")
    }

    fn count_rows(&self, path: &str) -> Result<u64, HarnessError> {
        let answer: Value = serde_json::from_str(&http_request(self.backend_port(), path, &[], None)?)?;
        answer["count"].as_u64().ok_or_else(|| format!("no count: {answer}").into())
    }

    /// The files that a complete avatar has.
    pub(crate) fn files(&self) -> [(&'static str, &[u8]); 2] {
        [("avatar.glb", &self.glb), ("avatar.png", PNG)]
    }

    /// A console for this backend with its API key. `profile` has additional keys of the profile.
    pub(crate) fn console(&self, profile: &str) -> Result<Console, HarnessError> {
        let mut console = Console::new(&format!("api_url = \"{}\"\n{profile}", self.url()))?;
        console.set_env("COPRESENCE_API_KEY", API_KEY);
        Ok(console)
    }

    /// A console that logs in with this account.
    pub(crate) fn console_with_login(
        &self,
        (username, password): (&str, &str),
        profile: &str,
    ) -> Result<Console, HarnessError> {
        let mut console = self.console(profile)?;
        console.set_env("COPRESENCE_USERNAME", username);
        console.set_env("COPRESENCE_PASSWORD", password);
        Ok(console)
    }

    /// Logs the business account in, as its owner would by hand, and returns the session token.
    pub(crate) fn log_in(&self) -> Result<String, HarnessError> {
        let body = serde_json::json!({ "username": BUSINESS.0, "password": BUSINESS.1 }).to_string();
        let answer =
            http_request(self.backend_port(), "/1/login", &[("X-Copresence-REST-API-Key", API_KEY)], Some(&body))?;
        let answer: Value = serde_json::from_str(&answer)?;
        let token = answer["sessionToken"].as_str();
        token.map(str::to_owned).ok_or_else(|| format!("no session token: {answer}").into())
    }

    /// Logs a session out.
    pub(crate) fn log_out(&self, session_token: &str) -> Result<(), HarnessError> {
        let headers = [("X-Copresence-REST-API-Key", API_KEY), ("X-Copresence-Session-Token", session_token)];
        http_request(self.backend_port(), "/1/logout", &headers, Some("{}")).map(drop)
    }
}
