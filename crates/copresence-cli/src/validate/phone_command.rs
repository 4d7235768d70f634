//! `--phone CMD`: runs a command when a phone is needed, so that a script, a device farm or a test can play the phone.
//!
//! The command is split into words as a POSIX shell would, and started without a shell: no part of the link is ever
//! interpreted. `{link}` in a word is replaced after the split. The link is also in the environment, because other
//! users of the machine can read arguments.

use super::render::print_json_line;
use crate::common_options::CommonOptions;
use crate::output;
use copresence_engine::credentials::CredentialKind;
use copresence_validate::{InvitationDisplay, InvitationEndWithoutAvatar, ScanInvitation};
use futures_util::future::BoxFuture;
use serde_json::json;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The placeholder of the link in an argument.
const LINK_PLACEHOLDER: &str = "{link}";
/// Environment variable with the link.
const LINK_VARIABLE: &str = "COPRESENCE_PHONE_LINK";
/// Environment variable that says what the avatar is needed for.
const PURPOSE_VARIABLE: &str = "COPRESENCE_PHONE_PURPOSE";

/// A program with its arguments, in which [`LINK_PLACEHOLDER`] is replaced by the link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PhoneCommand(Vec<String>);

impl PhoneCommand {
    /// Splits a command line into words, without a shell.
    ///
    /// # Errors
    /// If it is empty, or a quote is not closed.
    pub(crate) fn parse_command_line_without_shell(text: &str) -> Result<Self, String> {
        // A backslash separates folders on Windows, and escapes the next character elsewhere.
        let text = if cfg!(windows) { text.replace('\\', "\\\\") } else { text.to_owned() };
        match shlex::split(&text) {
            Some(words) if !words.is_empty() => Ok(Self(words)),
            Some(_) => Err("it names no program".to_owned()),
            None => Err("a quote in it is not closed".to_owned()),
        }
    }

    /// The process for an invitation. Its output goes to stderr, because stdout has the results of the run.
    pub(crate) fn build_process_for_invitation(&self, invitation: &ScanInvitation) -> Command {
        let mut words = self.0.iter().map(|word| word.replace(LINK_PLACEHOLDER, &invitation.link));
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).env(LINK_VARIABLE, &invitation.link).env(PURPOSE_VARIABLE, invitation.purpose);
        // It plays a visitor, who has no credentials.
        for credential in CredentialKind::ALL.into_iter().chain([CredentialKind::PassportKey]) {
            command.env_remove(credential.overriding_env_var_name());
        }
        command.stdin(Stdio::null()).stdout(std::io::stderr()).kill_on_drop(true);
        command
    }
}

/// Runs a [`PhoneCommand`] for each invitation, and ends the invitation if the command fails.
pub(super) struct CommandInvitationDisplay {
    command: PhoneCommand,
    json: bool,
    /// Why the command of the current invitation failed.
    failure: watch::Sender<Option<String>>,
    /// The command of the last invitation. It is killed when the next one begins and when the run has ended.
    running: Mutex<Option<CommandTaskKilledOnDrop>>,
}

/// A task that waits for a command. The command is killed when this is dropped.
struct CommandTaskKilledOnDrop(JoinHandle<()>);

impl Drop for CommandTaskKilledOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl CommandInvitationDisplay {
    pub(super) fn new(command: PhoneCommand, common: &CommonOptions) -> Self {
        Self { command, json: common.json, failure: watch::Sender::new(None), running: Mutex::default() }
    }
}

impl InvitationDisplay for CommandInvitationDisplay {
    /// Shows an invitation by starting the command with its link. Must be called within a tokio runtime.
    fn show_invitation(&self, invitation: &ScanInvitation) {
        self.failure.send_replace(None);
        if self.json {
            print_phone_needed_json_line(invitation);
        } else {
            output::eprint_sanitized_line(format_args!("A phone is needed for {}.", invitation.purpose));
        }
        let program = self.command.0.first().cloned().unwrap_or_default();
        let mut process = self.command.build_process_for_invitation(invitation);
        let failure = self.failure.clone();
        let task = tokio::spawn(async move {
            let why = match process.status().await {
                Ok(status) if status.success() => return,
                Ok(status) => format!("the command of --phone failed: {program}: {status}"),
                Err(error) => format!("the command of --phone cannot start: {program}: {error}"),
            };
            failure.send_replace(Some(why));
        });
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        *running = Some(CommandTaskKilledOnDrop(task));
    }

    fn show_avatar_status(&self, _: &str) {}

    /// Does nothing at the end of an invitation: the command runs on, because it may have to clean up.
    fn end_invitation(&self) {}

    fn wait_for_end_without_avatar(&self) -> BoxFuture<'_, InvitationEndWithoutAvatar> {
        Box::pin(async {
            let mut failures = self.failure.subscribe();
            // Cannot fail: `self` keeps the sender alive.
            let why = failures.wait_for(Option::is_some).await.ok().and_then(|why| why.clone());
            InvitationEndWithoutAvatar::PhoneFailed(why.unwrap_or_default())
        })
    }

    fn sleep_real_time(&self, time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// Prints the JSON line that a phone is needed, with the link.
pub(super) fn print_phone_needed_json_line(invitation: &ScanInvitation) {
    print_json_line(&json!({
        "event": "phone_needed", "link": invitation.link, "purpose": invitation.purpose,
        "timeout_ms": u64::try_from(invitation.timeout.as_millis()).unwrap_or(u64::MAX),
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_one_argument_and_is_not_interpreted() {
        let link = "https://app.test/?exportToken=a%20b&x='$(touch pwned)\" ;{link}";
        let invitation = ScanInvitation { link: link.to_owned(), purpose: "a check", timeout: Duration::ZERO };
        let command =
            PhoneCommand::parse_command_line_without_shell(r#"adb shell "am start" -d '{link}' --x={link} $HOME"#);
        let process = command.expect("a command").build_process_for_invitation(&invitation);
        let arguments: Vec<_> = process.as_std().get_args().map(|word| word.to_str().expect("UTF-8")).collect();
        let with_link = format!("--x={link}");
        assert_eq!(arguments, ["shell", "am start", "-d", link, &with_link, "$HOME"]);
        let variable = process.as_std().get_envs().find(|(name, _)| *name == LINK_VARIABLE);
        assert_eq!(variable.and_then(|(_, value)| value), Some(link.as_ref()));
        assert!(PhoneCommand::parse_command_line_without_shell("  ").is_err());
        assert!(PhoneCommand::parse_command_line_without_shell("sh -c 'open").is_err());
    }
}
