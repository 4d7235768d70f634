//! moto as an S3 server with presigned URLs; see `tests/peers/s3`.

use crate::HarnessError;
use crate::avatar_files::encode_content;
use crate::peer_process::{PeerProcess, http_request, python_bin_dir, scripts_dir};
use std::process::Command;
use tempfile::TempDir;
use test_port::ReservedPort;

pub(crate) struct S3Server {
    process: Option<PeerProcess>,
    port: ReservedPort,
    bytes_per_second: usize,
    files: TempDir,
}

impl S3Server {
    /// Starts the server with this content as `avatar.glb` in each of these content encodings. `identity` is none, and
    /// a name that is no encoding labels the plain content. `bytes_per_second` limits each response; 0 does not.
    pub(crate) fn start(glb: &[u8], encodings: &[&str], bytes_per_second: usize) -> Result<Self, HarnessError> {
        let files = tempfile::Builder::new().prefix("copresence-peer-s3-").tempdir()?;
        for encoding in encodings {
            let content = match *encoding {
                "gzip" | "br" | "zstd" => encode_content(glb, encoding)?,
                _ => glb.to_vec(),
            };
            std::fs::create_dir_all(files.path().join("files").join(encoding))?;
            std::fs::write(files.path().join("files").join(encoding).join("avatar.glb"), content)?;
        }
        let port = ReservedPort::reserve_port()?.hand_over_to_child_process();
        let mut server = Self { process: None, port, bytes_per_second, files };
        server.start_again()?;
        Ok(server)
    }

    /// Starts the server after [`Self::kill`], with the same objects.
    pub(crate) fn start_again(&mut self) -> Result<(), HarnessError> {
        let mut command = Command::new(scripts_dir().join("s3/start.sh"));
        command.arg(python_bin_dir().join("python")).arg(self.port.reserved_port_number().to_string());
        command.arg(self.files.path().join("files")).arg(self.bytes_per_second.to_string());
        self.process = Some(PeerProcess::start("s3", command, self.port.reserved_port_number(), self.files.path())?);
        Ok(())
    }

    pub(crate) fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// A presigned URL of `avatar.glb` in an encoding, valid for some seconds.
    pub(crate) fn presigned_url(&self, encoding: &str, seconds: u32) -> Result<String, HarnessError> {
        self.presigned_url_by_a_fast_clock(encoding, seconds, 0)
    }

    /// The same by a backend whose clock is fast by `skew` seconds.
    pub(crate) fn presigned_url_by_a_fast_clock(
        &self,
        encoding: &str,
        seconds: u32,
        skew: u32,
    ) -> Result<String, HarnessError> {
        let path = format!("/control/presign?key={encoding}/avatar.glb&expires={seconds}&skew={skew}");
        http_request(self.port.reserved_port_number(), &path, &[], None)
    }
}
