//! A stand at a sandbox of its own, which serves small files and can be told to do wrong.

use crate::Trouble;
use crate::files;
use crate::stand::Stand;
use copresence_sandbox::{AvatarChoice, Sandbox, Server, Settings};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use tokio::runtime::Handle;

/// The avatar's files, in the order in which the sandbox names them; all of one size.
pub(crate) const FILES: [(&str, Make); 3] =
    [("avatar.glb", files::glb), ("avatar.png", files::png), ("avatar_fbx.zip", files::zip)];
/// Makes a file of so many bytes.
type Make = fn(u32) -> Vec<u8>;
/// Of each file, in bytes: several of the sandbox's chunks, so that a delivery that breaks off leaves its URL usable.
pub(crate) const SIZE: u32 = 300_000;

/// The profile's name.
pub(crate) const PROFILE: &str = "matrix";

/// Long enough for a machine with much to do, short enough to be tried hundreds of times.
const LIMITS: &str = r#"
patience = "3s"
timeout = "20s"
polling.fixed = "50ms"
downloads.max_file_size = "1MiB"
network = { connect = "1s", silence = "1500ms", call = "3s" }
"#;

/// A stand, and the sandbox that its program visits.
pub(crate) struct Booth {
    pub(crate) stand: Stand,
    /// Its profiles.
    pub(crate) config: PathBuf,
    server: Server,
}

impl Booth {
    pub(crate) fn open(program: &Path, runtime: &Handle, settings: Settings) -> Result<Self, Trouble> {
        let stand = Stand::new(program)?;
        let assets = stand.root().join("assets");
        lay_out(&assets.join("anna"))?;
        let settings = Settings { assets: Some(assets), ..settings };
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = runtime.block_on(Server::start(settings, anywhere))?;
        let config = stand.root().join("profiles.toml");
        let link = "https://app.test/scan?exportToken={token}";
        let profile =
            format!("[profiles.{PROFILE}]\napi_url = \"{}\"\nlink = \"{link}\"{LIMITS}", server.local_url());
        std::fs::write(&config, profile)?;
        Ok(Self { stand, config, server })
    }

    pub(crate) fn sandbox(&self) -> &Sandbox {
        self.server.sandbox()
    }

    /// `copresence visit --json` here.
    pub(crate) fn visit(&self) -> Command {
        let mut command = self.command(&["visit", "--json"]);
        command.arg("--out").arg(self.stand.out());
        command
    }

    /// `copresence recover --json` here.
    pub(crate) fn recover(&self) -> Command {
        self.command(&["recover", "--json"])
    }

    fn command(&self, what: &[&str]) -> Command {
        let mut command = self.stand.command(what);
        command.arg("--profile").arg(PROFILE).arg("--config").arg(&self.config);
        self.let_in(&mut command);
        command
    }

    /// Gives a command what the sandbox accepts: a login, and no session token that already works.
    pub(crate) fn let_in(&self, command: &mut Command) {
        let accepted = self.sandbox().credentials();
        command.env_remove("COPRESENCE_SESSION_TOKEN");
        command.env("COPRESENCE_API_KEY", accepted.api_key.expose());
        command.env("COPRESENCE_USERNAME", accepted.username.expose());
        command.env("COPRESENCE_PASSWORD", accepted.password.expose());
    }
}

/// Associates an avatar with each token that has none.
pub(crate) fn scan(sandbox: &Sandbox) {
    for token in sandbox.state().tokens {
        // One that has an avatar, or is over, stays as it is.
        _ = sandbox.associate_avatar(&token.token, &AvatarChoice::New, None);
    }
}

fn lay_out(folder: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    FILES.iter().try_for_each(|(name, make)| std::fs::write(folder.join(name), make(SIZE)))
}
