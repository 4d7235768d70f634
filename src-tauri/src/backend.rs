//! The backend behind the window: the embedded sandbox, or the profile's own.

use crate::Failure;
use crate::args::Args;
use kiosk::credentials::Vault;
use kiosk::profile::Profile;
use kiosk::setup::{Target, TargetError};
use sandbox::{Server, Settings};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A backend, and the sandbox's server when it is that.
pub(crate) struct Backend {
    pub(crate) target: Target,
    pub(crate) server: Option<Server>,
}

impl Backend {
    pub(crate) async fn start(args: &Args, profile: &Profile) -> Result<Self, Failure> {
        if profile.is_embedded_sandbox() { embedded(args).await } else { remote(profile).await }
    }

    /// Where phones on this network reach the sandbox, once allowed.
    pub(crate) fn phones_at(&self) -> Option<String> {
        let open = self.server.as_ref().filter(|server| server.is_open_to_network())?;
        Some(open.phone_url().to_string())
    }
}

async fn embedded(args: &Args) -> Result<Backend, Failure> {
    let defaults = Settings::default();
    let settings = Settings {
        scenario: args.scenario,
        speed: args.speed,
        seed: args.seed.unwrap_or(defaults.seed),
        ..defaults
    };
    let address = if args.let_phones_in { Ipv4Addr::UNSPECIFIED } else { Ipv4Addr::LOCALHOST };
    let listen = SocketAddr::new(IpAddr::V4(address), 0);
    let server = Server::start(settings, listen).await;
    let server = server.map_err(|error| Failure::usage(format!("the sandbox cannot start: {error}")))?;
    let accepted = server.sandbox().credentials();
    let target = Target::embedded_sandbox(
        server.url(),
        &server.link_template(),
        accepted.api_key.clone(),
        (accepted.username.clone(), accepted.password.clone()),
    )
    .map_err(Failure::usage)?;
    Ok(Backend { target, server: Some(server) })
}

async fn remote(profile: &Profile) -> Result<Backend, Failure> {
    let profile = profile.clone();
    // The keychain may block on a person; not on the runtime's own threads.
    let found = tokio::task::spawn_blocking(move || {
        Target::remote(&profile, &Vault::os(), &|name| std::env::var(name).ok())
    });
    let (target, note) = found.await.map_err(Failure::credentials)?.map_err(|error| match error {
        TargetError::Keychain(error) => {
            Failure::credentials(format!("{error}\n  what to do: {}", error.remedy()))
        }
        error => Failure::usage(error),
    })?;
    if let Some(note) = note {
        tracing::warn!(%note, "going on with what the environment gives");
    }
    Ok(Backend { target, server: None })
}
