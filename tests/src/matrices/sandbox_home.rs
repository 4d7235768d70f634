//! A test home with its own sandbox, which serves small files and can inject faults.

use crate::HarnessError;
use crate::asset_files;
use crate::test_home::TestHome;
use copresence_sandbox::{AvatarChoice, Sandbox, SandboxSettings, Server};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use tokio::runtime::Handle;

/// The avatar's files, in the order in which the sandbox lists them.
pub(crate) const FILES: [(&str, MakeFile); 3] = [
    ("avatar.glb", asset_files::glb_file),
    ("avatar.png", asset_files::png_file),
    ("avatar_fbx.zip", asset_files::zip_file),
];
/// Creates the content of a file of this many bytes.
pub(crate) type MakeFile = fn(u32) -> Vec<u8>;
/// Size of each file in bytes: several chunks of the sandbox, so that the URL of an interrupted delivery stays usable.
pub(crate) const FILE_BYTES: u32 = 300_000;

/// Name of the profile.
pub(crate) const PROFILE: &str = "matrix";

/// Timeouts of the profile: long enough for a busy machine, short enough for hundreds of visits.
const PROFILE_LIMITS: &str = r#"
patience = "5s"
timeout = "20s"
polling.fixed = "50ms"
downloads.max_file_size = "1MiB"
downloads.first_byte = "1500ms"
network = { connect = "1s", silence = "1500ms", call = "3s" }
"#;

/// A test home and the sandbox that its program visits.
pub(crate) struct SandboxHome {
    pub(crate) home: TestHome,
    /// The file with the profile.
    pub(crate) config: PathBuf,
    server: Server,
}

impl SandboxHome {
    pub(crate) fn start(program: &Path, runtime: &Handle, settings: SandboxSettings) -> Result<Self, HarnessError> {
        let home = TestHome::new(program)?;
        let assets = home.root().join("assets");
        write_asset_files(&assets.join("anna"))?;
        let settings = SandboxSettings { assets: Some(assets), ..settings };
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = runtime.block_on(Server::start(settings, any_port))?;
        let config = home.root().join("profiles.toml");
        let link = "https://app.test/scan?exportToken={token}";
        let profile =
            format!("[profiles.{PROFILE}]\napi_url = \"{}\"\nlink = \"{link}\"{PROFILE_LIMITS}", server.local_url());
        std::fs::write(&config, profile)?;
        Ok(Self { home, config, server })
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        self.server.sandbox()
    }

    /// The command `copresence visit --json`.
    pub(crate) fn visit_command(&self) -> Command {
        let mut command = self.command(&["visit", "--json"]);
        command.arg("--out").arg(self.home.out());
        command
    }

    /// The command `copresence recover --json`.
    pub(crate) fn recover_command(&self) -> Command {
        self.command(&["recover", "--json"])
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.home.command(args);
        command.arg("--profile").arg(PROFILE).arg("--config").arg(&self.config);
        self.set_credentials(&mut command);
        command
    }

    /// Sets the credentials that the sandbox accepts: a login, and no session token.
    pub(crate) fn set_credentials(&self, command: &mut Command) {
        let accepted = self.sandbox().accepted_credentials();
        command.env_remove("COPRESENCE_SESSION_TOKEN");
        command.env("COPRESENCE_API_KEY", accepted.api_key.expose());
        command.env("COPRESENCE_USERNAME", accepted.username.expose());
        command.env("COPRESENCE_PASSWORD", accepted.password.expose());
    }
}

/// Associates an avatar with each token that has none.
pub(crate) fn associate_avatars(sandbox: &Sandbox) {
    for token in sandbox.sandbox_state().tokens {
        // Fails for a token that has an avatar or is no longer active.
        _ = sandbox.associate_avatar(&token.token, &AvatarChoice::New, None);
    }
}

fn write_asset_files(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    FILES.iter().try_for_each(|(name, make)| std::fs::write(folder.join(name), make(FILE_BYTES)))
}
