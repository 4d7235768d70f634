//! nginx as a file host, and as the TLS end of another backend; see `tests/peers/nginx`.

use crate::HarnessError;
use crate::avatar_files::encode_content;
use crate::peer_process::{PeerProcess, scripts_dir};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use test_port::ReservedPort;

/// The host name in the certificate of the TLS server.
pub(crate) const TLS_HOST: &str = "backend.example";

pub(crate) struct NginxServer {
    process: Option<PeerProcess>,
    port: ReservedPort,
    tls_port: ReservedPort,
    root: TempDir,
}

impl NginxServer {
    /// Starts nginx with this content as `avatar.glb` of all locations of `tests/peers/nginx/nginx.conf`.
    pub(crate) fn start(glb: &[u8]) -> Result<Self, HarnessError> {
        let mut nginx = Self::prepare(0)?;
        nginx.write_file("identity/avatar.glb", glb)?;
        nginx.start_again()?;
        Ok(nginx)
    }

    /// Starts nginx as the TLS end of a backend on this port of 127.0.0.1.
    pub(crate) fn start_tls_for_backend(backend_port: u16, glb: &[u8]) -> Result<Self, HarnessError> {
        let mut nginx = Self::prepare(backend_port)?;
        nginx.write_file("identity/avatar.glb", glb)?;
        nginx.start_again()?;
        Ok(nginx)
    }

    fn prepare(backend_port: u16) -> Result<Self, HarnessError> {
        let root = tempfile::Builder::new().prefix("copresence-peer-nginx-").tempdir()?;
        let port = ReservedPort::reserve_port()?.hand_over_to_child_process();
        let tls_port = ReservedPort::reserve_port()?.hand_over_to_child_process();
        let template = std::fs::read_to_string(scripts_dir().join("nginx/nginx.conf"))?;
        let config = template
            .replace("@ROOT@", &root.path().to_string_lossy())
            .replace("@PORT@", &port.reserved_port_number().to_string())
            .replace("@TLS_PORT@", &tls_port.reserved_port_number().to_string())
            .replace("@BACKEND_PORT@", &backend_port.max(1).to_string());
        std::fs::write(root.path().join("nginx.conf"), config)?;
        write_certificates(root.path())?;
        Ok(Self { process: None, port, tls_port, root })
    }

    /// Starts nginx after [`Self::stop`] or [`Self::kill`].
    pub(crate) fn start_again(&mut self) -> Result<(), HarnessError> {
        let mut command = Command::new(scripts_dir().join("nginx/start.sh"));
        command.arg(self.root.path().join("nginx.conf"));
        self.process = Some(PeerProcess::start("nginx", command, self.port.reserved_port_number(), self.root.path())?);
        Ok(())
    }

    /// Starts nginx so that every location has the file and responds at full speed.
    pub(crate) fn serve_everywhere(&mut self) -> Result<(), HarnessError> {
        let config = self.root.path().join("nginx.conf");
        let text = std::fs::read_to_string(&config)?;
        let everywhere = "location ~ ^/ { try_files /identity/avatar.glb =404; }";
        std::fs::write(config, text.replace("location /identity/ { }", everywhere))?;
        self.start_again()
    }

    /// Stops nginx at once. It closes its connections, also in the middle of a file.
    pub(crate) fn stop(&mut self) -> Result<(), HarnessError> {
        self.process.take().map_or(Ok(()), PeerProcess::stop)
    }

    /// Kills nginx. The system closes its connections.
    pub(crate) fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// Writes a file below the server's root.
    pub(crate) fn write_file(&self, path: &str, content: &[u8]) -> Result<(), HarnessError> {
        let file = self.root.path().join("files").join(path);
        std::fs::create_dir_all(file.parent().ok_or("no folder")?)?;
        // A rename, so that a transfer in progress keeps the old content.
        let new = file.with_extension("new");
        std::fs::write(&new, content)?;
        Ok(std::fs::rename(new, file)?)
    }

    /// Writes `avatar.glb` encoded into the folder of its encoding.
    pub(crate) fn write_encoded(&self, glb: &[u8], encoding: &str) -> Result<(), HarnessError> {
        self.write_file(&format!("{encoding}/avatar.glb"), &encode_content(glb, encoding)?)
    }

    /// The URL of `avatar.glb` at a location, with a signature in its query as file hosts have it.
    pub(crate) fn glb_url(&self, location: &str) -> String {
        format!("http://{}/{location}/avatar.glb?signature=peer-signature", self.port)
    }

    /// The port of the TLS server.
    pub(crate) fn tls_port(&self) -> u16 {
        self.tls_port.reserved_port_number()
    }

    /// Path of the root certificate that signed the TLS server's certificate.
    pub(crate) fn root_certificate(&self) -> PathBuf {
        self.root.path().join("root.pem")
    }

    /// The requests since the first start: method, path, status, Range and If-Range.
    pub(crate) fn requests(&self) -> Result<Vec<String>, HarnessError> {
        let log = std::fs::read_to_string(self.root.path().join("requests.log"))?;
        Ok(log.lines().map(str::to_owned).collect())
    }
}

/// Writes a root certificate, and a certificate of [`TLS_HOST`] with its key.
fn write_certificates(dir: &Path) -> Result<(), HarnessError> {
    let mut params = CertificateParams::new(Vec::new())?;
    // OpenSSL takes a certificate with the name of its issuer for a self-signed one.
    params.distinguished_name.push(DnType::CommonName, "root of the tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec![TLS_HOST.to_owned()])?.signed_by(&key, &issuer)?;
    std::fs::write(dir.join("root.pem"), issuer.pem())?;
    std::fs::write(dir.join("certificate.pem"), certificate.pem())?;
    Ok(std::fs::write(dir.join("key.pem"), key.serialize_pem())?)
}
