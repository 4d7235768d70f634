//! The backend to check, and who operates the phone.

use super::options::Options;
use super::people::AtTheTerminal;
use crate::common_options::Common;
use crate::failure::Failure;
use crate::ground;
use crate::visit::remote::remote;
use kiosk::credentials::Slot;
use kiosk::profile::Profile;
use sandbox::{Server, Settings};
use std::io::IsTerminal;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use url::Url;
use validate::{ApiKey, Backend, Credentials, Hand, SessionToken, Target, Tester};

/// A backend to check, with its phone driver.
pub(super) struct Place {
    pub(super) target: Target,
    pub(super) hand: Hand,
    embedded: Option<Server>,
}

/// Environment variable with the operator key, which gives access to the tester API of a sandbox on another machine.
const OPERATOR_KEY: &str = "COPRESENCE_OPERATOR_KEY";

impl Place {
    /// Starts the embedded sandbox if the profile uses it, and chooses the phone driver.
    pub(super) async fn open(common: &Common, options: &Options) -> Result<Self, Failure> {
        let profile = ground::profile(common)?;
        if let Some(url) = &options.upstream {
            ground::bare(url, "--upstream")?;
        }
        if profile.is_embedded_sandbox() {
            return Self::embedded(&profile).await;
        }
        let found = remote(&profile).await.map_err(|failure| failure.at(&profile))?;
        let mut target = target(&profile, found.api_url, found.link, found.credentials);
        look_for_too(&mut target.credentials);
        let hand = hand(&target, options, common).await?;
        Ok(Self { target, hand, embedded: None })
    }

    async fn embedded(profile: &Profile) -> Result<Self, Failure> {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::start(Settings::default(), anywhere).await;
        let server =
            server.map_err(|error| Failure::usage(format!("the embedded sandbox cannot start: {error}")))?;
        let accepted = server.sandbox().credentials();
        let credentials = Credentials {
            api_key: Some(accepted.api_key.clone()),
            login: Some((accepted.username.clone(), accepted.password.clone())),
            ..Credentials::default()
        };
        let link = server.link_template().parse();
        let link = link.map_err(|error: kiosk::LinkError| Failure::usage(error.to_string()))?;
        let target = target(profile, server.url(), link, credentials);
        let tester = tester(server.url(), None).await?;
        let tester = tester.ok_or_else(|| Failure::usage("the embedded sandbox does not answer"))?;
        Ok(Self { target, hand: Hand::Sandbox(tester), embedded: Some(server) })
    }

    /// Whether the backend is a sandbox, where tokens and avatars are free.
    pub(super) fn is_sandbox(&self) -> bool {
        matches!(self.hand, Hand::Sandbox(_))
    }

    pub(super) async fn close(self) {
        if let Some(server) = self.embedded {
            server.stop().await;
        }
    }
}

/// Adds credentials of the environment, so that responses are searched for them even if no request sends them: a relay
/// holds credentials that its console does not have.
fn look_for_too(credentials: &mut Credentials) {
    let named = |slot: Slot| ground::env(slot.env_name()).filter(|value| !value.trim().is_empty());
    let Credentials { api_key, session_token, .. } = credentials;
    if api_key.is_none() {
        *api_key = named(Slot::ApiKey).map(ApiKey::new);
    }
    if session_token.is_none() {
        *session_token = named(Slot::SessionToken).map(SessionToken::new);
    }
}

fn target(profile: &Profile, base_url: Url, link: kiosk::LinkTemplate, credentials: Credentials) -> Target {
    Target {
        name: profile.name.clone(),
        backend: Backend {
            base_url,
            login: profile.login.clone(),
            source: profile.source.clone(),
            redeem: profile.redeem.clone(),
        },
        credentials,
        link,
        time_outs: profile.network,
    }
}

async fn hand(target: &Target, options: &Options, common: &Common) -> Result<Hand, Failure> {
    let operator = ground::env(OPERATOR_KEY).filter(|key| !key.trim().is_empty());
    if let Some(url) = &options.upstream {
        let tester = tester(url.clone(), operator).await?;
        return tester.map(Hand::Sandbox).ok_or_else(|| {
            Failure::usage(format!(
                "--upstream {url}: no sandbox answers there (one on another machine asks for {OPERATOR_KEY})"
            ))
        });
    }
    let tester = Tester::of_backend(&target.backend.base_url, operator.map(ApiKey::new)).await;
    if let Some(tester) = tester.map_err(|error| Failure::usage(error.to_string()))? {
        return Ok(Hand::Sandbox(tester));
    }
    let somebody = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if somebody && !options.no_phone {
        return Ok(Hand::People(Arc::new(AtTheTerminal::new(common))));
    }
    Ok(Hand::Nobody)
}

async fn tester(url: Url, operator: Option<String>) -> Result<Option<Tester>, Failure> {
    let operator = operator.map(ApiKey::new);
    Tester::find(url, operator).await.map_err(|error| Failure::usage(error.to_string()))
}
