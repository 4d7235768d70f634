//! The backend to check, and who operates the phone.

use super::options::ValidateOptions;
use super::phone_command::CommandInvitationDisplay;
use super::terminal_phone::TerminalInvitationDisplay;
use crate::common_options::CommonOptions;
use crate::context;
use crate::failure::CommandFailure;
use crate::remote_target::load_target_prompting_if_keychain_fails;
use copresence_engine::credentials::CredentialKind;
use copresence_engine::profile::Profile;
use copresence_sandbox::{SandboxSettings, Server};
use copresence_validate::{
    ApiKey, BackendWithRoutes, CheckTarget, Credentials, PhoneDriver, SandboxControl, SessionToken,
};
use std::io::IsTerminal;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use url::Url;

/// The backend to check, with its phone driver.
pub(super) struct BackendAndPhoneDriver {
    pub(super) target: CheckTarget,
    pub(super) phone_driver: PhoneDriver,
    /// The embedded sandbox, if this run started it.
    embedded_sandbox: Option<Server>,
}

/// Environment variable with the operator key, which gives access to the tester API of a sandbox on another machine.
const OPERATOR_KEY: &str = "COPRESENCE_OPERATOR_KEY";

impl BackendAndPhoneDriver {
    /// Opens the backend to check: starts the embedded sandbox if the profile uses it, and chooses the phone
    /// driver.
    pub(super) async fn open_backend_under_test(
        common: &CommonOptions,
        options: &ValidateOptions,
    ) -> Result<Self, CommandFailure> {
        let profile = context::load_selected_profile(common)?;
        if let Some(url) = &options.upstream {
            context::reject_url_credentials(url, "--upstream")?;
        }
        if profile.uses_embedded_sandbox() {
            return Self::open_embedded_sandbox(&profile).await;
        }
        let found = load_target_prompting_if_keychain_fails(&profile)
            .await
            .map_err(|failure| failure.with_remedy_if_credentials_missing(&profile))?;
        let mut target = target_from_profile(&profile, found.api_url, found.link, found.credentials);
        add_environment_credentials_to_leak_search(&mut target.credentials);
        let phone_driver = choose_phone_driver(&target, options, common).await?;
        Ok(Self { target, phone_driver, embedded_sandbox: None })
    }

    /// Starts the embedded sandbox on a free port, and opens it as the backend to check.
    async fn open_embedded_sandbox(profile: &Profile) -> Result<Self, CommandFailure> {
        let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = Server::start(SandboxSettings::default(), anywhere).await;
        let server = server
            .map_err(|error| CommandFailure::usage_error(format!("the embedded sandbox cannot start: {error}")))?;
        let accepted = server.sandbox().accepted_credentials();
        let credentials = Credentials {
            api_key: Some(accepted.api_key.clone()),
            login: Some((accepted.username.clone(), accepted.password.clone())),
            ..Credentials::default()
        };
        let link = server.qr_link_template().parse();
        let link =
            link.map_err(|error: copresence_engine::LinkTemplateError| CommandFailure::usage_error(error.to_string()))?;
        let target = target_from_profile(profile, server.local_url(), link, credentials);
        let tester = detect_sandbox_control(server.local_url(), None).await?;
        let tester = tester.ok_or_else(|| CommandFailure::usage_error("the embedded sandbox does not answer"))?;
        Ok(Self { target, phone_driver: PhoneDriver::Sandbox(tester), embedded_sandbox: Some(server) })
    }

    /// Whether a sandbox simulates the phone: the backend itself, or the upstream given by `--upstream`.
    pub(super) fn has_sandbox_phone_driver(&self) -> bool {
        matches!(self.phone_driver, PhoneDriver::Sandbox(_))
    }

    /// Stops the embedded sandbox, if one was started.
    pub(super) async fn stop_embedded_sandbox(self) {
        if let Some(server) = self.embedded_sandbox {
            server.shut_down_server().await;
        }
    }
}

/// Adds credentials of the environment, so that responses are searched for them even if no request sends them: a relay
/// holds credentials that its console does not have.
fn add_environment_credentials_to_leak_search(credentials: &mut Credentials) {
    let named = |slot: CredentialKind| {
        context::read_unicode_environment_variable(slot.overriding_env_var_name())
            .filter(|value| !value.trim().is_empty())
    };
    let Credentials { api_key, session_token, .. } = credentials;
    if api_key.is_none() {
        *api_key = named(CredentialKind::ApiKey).map(ApiKey::new);
    }
    if session_token.is_none() {
        *session_token = named(CredentialKind::SessionToken).map(SessionToken::new);
    }
}

/// The target to check, from a profile with its URL, link and credentials.
fn target_from_profile(
    profile: &Profile,
    base_url: Url,
    link: copresence_engine::LinkTemplate,
    credentials: Credentials,
) -> CheckTarget {
    CheckTarget {
        name: profile.name.clone(),
        backend: BackendWithRoutes {
            base_url,
            login_route: profile.login_route.clone(),
            token_source: profile.token_source.clone(),
            redeem_route: profile.redeem_route.clone(),
            download_exceptions: profile.download_exceptions,
        },
        credentials,
        link_template: link,
        time_outs: profile.timeouts,
        patience: profile.limits.patience,
    }
}

/// Chooses the command of `--phone`, the upstream sandbox, the backend's own sandbox, a person at the terminal, or no
/// phone, in this order.
async fn choose_phone_driver(
    target: &CheckTarget,
    options: &ValidateOptions,
    common: &CommonOptions,
) -> Result<PhoneDriver, CommandFailure> {
    if let Some(command) = &options.phone {
        return Ok(PhoneDriver::Person(Arc::new(CommandInvitationDisplay::new(command.clone(), common))));
    }
    let operator = context::read_unicode_environment_variable(OPERATOR_KEY).filter(|key| !key.trim().is_empty());
    if let Some(url) = &options.upstream {
        let tester = detect_sandbox_control(url.clone(), operator).await?;
        return tester.map(PhoneDriver::Sandbox).ok_or_else(|| {
            CommandFailure::usage_error(format!(
                "--upstream {url}: no sandbox answers there (one on another machine asks for {OPERATOR_KEY})"
            ))
        });
    }
    let tester = SandboxControl::detect_controllable_sandbox(&target.backend.base_url, operator.map(ApiKey::new)).await;
    if let Some(tester) = tester.map_err(|error| CommandFailure::usage_error(error.to_string()))? {
        return Ok(PhoneDriver::Sandbox(tester));
    }
    let somebody = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if somebody && !options.no_phone {
        return Ok(PhoneDriver::Person(Arc::new(TerminalInvitationDisplay::new(common))));
    }
    Ok(PhoneDriver::Unavailable)
}

/// Asks the URL whether it is a sandbox. `None` if it is not.
async fn detect_sandbox_control(url: Url, operator: Option<String>) -> Result<Option<SandboxControl>, CommandFailure> {
    let operator = operator.map(ApiKey::new);
    SandboxControl::detect_sandbox_at_url(url, operator)
        .await
        .map_err(|error| CommandFailure::usage_error(error.to_string()))
}
