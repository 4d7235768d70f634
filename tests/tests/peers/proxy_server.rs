//! mitmproxy between a console and everything else; see `tests/peers/proxy`.

use crate::HarnessError;
use crate::peer_process::{PeerProcess, python_bin_dir, scripts_dir};
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;
use test_port::ReservedPort;

pub(crate) struct ProxyServer {
    process: Option<PeerProcess>,
    port: ReservedPort,
    options: Vec<String>,
    config: TempDir,
}

impl ProxyServer {
    /// Starts a proxy with these options of mitmdump. It connects to 127.0.0.1 for every host name.
    pub(crate) fn start(options: &[&str]) -> Result<Self, HarnessError> {
        let config = tempfile::Builder::new().prefix("copresence-peer-proxy-").tempdir()?;
        let port = ReservedPort::reserve_port()?.hand_over_to_child_process();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut proxy = Self { process: None, port, options, config };
        proxy.start_again()?;
        Ok(proxy)
    }

    /// Starts the proxy after [`Self::kill`].
    pub(crate) fn start_again(&mut self) -> Result<(), HarnessError> {
        let mut command = Command::new(scripts_dir().join("proxy/start.sh"));
        command.arg(python_bin_dir()).arg(self.port.reserved_port_number().to_string()).arg(self.config.path());
        command.args(&self.options);
        self.process =
            Some(PeerProcess::start("mitmproxy", command, self.port.reserved_port_number(), self.config.path())?);
        Ok(())
    }

    pub(crate) fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// The proxy's URL, for `HTTP_PROXY` and `HTTPS_PROXY`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.port)
    }

    /// The proxy's URL with a user name and a password.
    pub(crate) fn url_with_login(&self, login: &str) -> String {
        format!("http://{login}@{}", self.port)
    }

    /// Path of the root certificate with which the proxy signs certificates when it inspects TLS connections.
    pub(crate) fn root_certificate(&self) -> PathBuf {
        self.config.path().join("mitmproxy-ca-cert.pem")
    }

    /// What the proxy has logged: each request and each connection.
    pub(crate) fn log(&self) -> Result<String, HarnessError> {
        Ok(std::fs::read_to_string(self.config.path().join("mitmproxy.log"))?)
    }
}
