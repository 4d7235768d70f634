//! `copresence credentials`: sets, lists and removes credentials in the keychain. Values come from a prompt or stdin.

use crate::common_options::CommonOptions;
use crate::failure::CommandFailure;
use crate::no_echo::TerminalEchoGuard;
use crate::{context, output};
use clap::Subcommand;
use copresence_engine::credentials::{
    CredentialKind, CredentialOrigin, CredentialStore, credential_kinds_usable_by_profile, find_credentials,
};
use copresence_engine::profile::Profile;
use secrecy::{ExposeSecret, SecretString};
use std::io::{BufRead, IsTerminal};

#[derive(Debug, Clone, Subcommand)]
pub(crate) enum CredentialsCommand {
    /// Store credentials in the keychain; values come from a prompt, or from stdin as `NAME=value` lines
    Set {
        /// Credentials to set (default: all that the profile can use): api-key, session-token, username, password,
        /// partner-key
        #[arg(value_name = "WHICH", value_parser = parse_credential_kind)]
        which: Vec<CredentialKind>,
    },
    /// Print which credentials are set and where they were found (never the value)
    Status,
    /// Remove credentials from the keychain
    Remove {
        /// Credentials to remove (default: all of the profile), or passport-key, which signs passports for all profiles
        #[arg(value_name = "WHICH", value_parser = parse_removable_credential_kind)]
        which: Vec<CredentialKind>,
    },
}

/// Runs `copresence credentials`: sets, shows or removes the credentials of a profile. Returns the exit code.
pub(crate) fn run_credentials_command(
    common: &CommonOptions,
    command: &CredentialsCommand,
) -> Result<u8, CommandFailure> {
    let profile = context::load_profiles(common)?.build_profile_by_name(common.selected_profile_name())?;
    let credential_store = CredentialStore::keychain_backed_store();
    match command {
        CredentialsCommand::Set { which } => set_credentials(&profile, &credential_store, which),
        CredentialsCommand::Status => print_credential_status(common, &profile, &credential_store),
        CredentialsCommand::Remove { which } => remove_credentials(&profile, &credential_store, which),
    }
}

/// Reads the credentials from a prompt, or from stdin without a terminal, and stores them in the keychain.
fn set_credentials(
    profile: &Profile,
    credential_store: &CredentialStore,
    which: &[CredentialKind],
) -> Result<u8, CommandFailure> {
    // Report a locked keychain before the user types anything.
    credential_store.check_keychain()?;
    let slots = if which.is_empty() { credential_kinds_usable_by_profile(profile) } else { which.to_vec() };
    if slots.is_empty() {
        return Err(CommandFailure::usage_error(format!("the profile `{}` needs no credentials", profile.name)));
    }
    let values = if std::io::stdin().is_terminal() {
        prompt_for_credentials(profile, &slots)?
    } else {
        read_credentials_from_stdin(&slots)?
    };
    if values.is_empty() {
        return Err(CommandFailure::usage_error("no value was given, so nothing was stored"));
    }
    for (slot, value) in &values {
        credential_store.set_credential(&profile.name, *slot, value)?;
        output::eprint_sanitized_line(format_args!("{} of `{}` is in the keychain.", slot.as_str(), profile.name));
    }
    Ok(0)
}

/// Prompts for the profile's credentials and keeps them in memory until the program ends.
pub(crate) fn prompt_and_remember_credentials_for_run(
    profile: &Profile,
    credential_store: &CredentialStore,
) -> Result<(), CommandFailure> {
    output::eprint_sanitized_line(format_args!("You can type them now for this run only; they are not stored."));
    for (slot, value) in prompt_for_credentials(profile, &credential_kinds_usable_by_profile(profile))? {
        credential_store.remember_credential_for_run(&profile.name, slot, &value);
    }
    Ok(())
}

/// Asks for each credential without echo. Empty answers are left out.
fn prompt_for_credentials(
    profile: &Profile,
    slots: &[CredentialKind],
) -> Result<Vec<(CredentialKind, SecretString)>, CommandFailure> {
    let _unseen = TerminalEchoGuard::hide_typing();
    output::eprint_sanitized_line(format_args!(
        "Credentials of `{}` (typing stays hidden; leave empty to keep the current value)",
        profile.name
    ));
    output::await_written_output();
    let mut values = Vec::new();
    for slot in slots {
        let typed = rpassword::prompt_password(format!("  {}: ", slot.as_str()))
            .map_err(|error| failure_from_prompt_error(&error))?;
        let typed = SecretString::from(typed);
        if !typed.expose_secret().trim().is_empty() {
            values.push((*slot, typed));
        }
    }
    Ok(values)
}

/// The command failure for an error at a prompt. Ctrl-C is an interruption (exit 130), not a usage error.
fn failure_from_prompt_error(error: &std::io::Error) -> CommandFailure {
    match error.kind() {
        std::io::ErrorKind::Interrupted => CommandFailure::interrupted_before_start_error(),
        _ => CommandFailure::usage_error(format!("cannot read from the terminal: {error}")),
    }
}

/// Reads `NAME=value` lines, or a bare value if only one credential is requested.
fn read_credentials_from_stdin(
    slots: &[CredentialKind],
) -> Result<Vec<(CredentialKind, SecretString)>, CommandFailure> {
    let mut values = Vec::new();
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = SecretString::from(line.map_err(|error| CommandFailure::usage_error(format!("stdin: {error}")))?);
        let text = line.expose_secret().trim();
        if text.is_empty() {
            continue;
        }
        let named = text.split_once('=').and_then(|(name, value)| {
            let slot = slots.iter().find(|slot| slot.as_str() == name.trim())?;
            Some((*slot, SecretString::from(value.trim())))
        });
        match (named, slots) {
            (Some(named), _) => values.push(named),
            (None, [only]) => values.push((*only, SecretString::from(text))),
            (None, _) => {
                let known: Vec<_> = slots.iter().map(|slot| slot.as_str()).collect();
                return Err(CommandFailure::usage_error(format!(
                    "stdin, line {}: expected NAME=value with NAME one of {}",
                    number + 1,
                    known.join(", ")
                )));
            }
        }
    }
    Ok(values)
}

/// Prints which credentials are set, and where.
fn print_credential_status(
    common: &CommonOptions,
    profile: &Profile,
    credential_store: &CredentialStore,
) -> Result<u8, CommandFailure> {
    if profile.uses_embedded_sandbox() && common.api_url.is_none() {
        output::eprint_sanitized_line(format_args!(
            "`{}` needs none: its backend is the embedded sandbox. What is set counts with --api-url; \
             --profile NAME chooses another profile.",
            profile.name
        ));
    } else if credential_kinds_usable_by_profile(profile).is_empty() {
        output::eprint_sanitized_line(format_args!(
            "`{}` needs none: the partner's backend asks for no key.",
            profile.name
        ));
        return Ok(0);
    }
    let found = match find_credentials(profile, credential_store, &context::read_unicode_environment_variable) {
        // The embedded sandbox needs no credentials, so an unusable keychain is only a note.
        Err(error) if profile.uses_embedded_sandbox() && common.api_url.is_none() => {
            output::eprint_sanitized_line(format_args!("note: {error}"));
            return Ok(0);
        }
        found => found?,
    };
    let wanted = credential_kinds_usable_by_profile(profile);
    for slot in CredentialKind::ALL {
        let place = match found.origin_of_credential(slot) {
            Some(CredentialOrigin::Environment) => {
                Some(format!("set, in the environment ({})", slot.overriding_env_var_name()))
            }
            Some(CredentialOrigin::ThisRun) => Some("set, for this run".to_owned()),
            Some(CredentialOrigin::Keychain) => Some("set, in the keychain".to_owned()),
            None => None,
        };
        if common.json {
            let line = serde_json::json!({"credential": slot.as_str(), "set": place.is_some(), "used": wanted.contains(&slot)});
            output::print_json_line(&line);
        } else if let Some(place) = place {
            output::print_stdout_line(format_args!("{:<14} {place}", slot.as_str()));
        } else if wanted.contains(&slot) {
            output::print_stdout_line(format_args!("{:<14} not set", slot.as_str()));
        }
    }
    if let Some(note) = &found.keychain_error {
        output::eprint_sanitized_line(format_args!("note: {note}"));
        output::eprint_sanitized_line(format_args!("  what to do: {}", note.remedy()));
    }
    Ok(0)
}

/// Removes the named credentials, or all of the profile's, from the keychain.
fn remove_credentials(
    profile: &Profile,
    credential_store: &CredentialStore,
    which: &[CredentialKind],
) -> Result<u8, CommandFailure> {
    let slots = if which.is_empty() { CredentialKind::ALL.to_vec() } else { which.to_vec() };
    for slot in slots {
        if credential_store.remove_credential(&profile.name, slot)? {
            output::eprint_sanitized_line(format_args!(
                "{} of `{}` is out of the keychain.",
                slot.as_str(),
                profile.name
            ));
        } else if !which.is_empty() {
            output::eprint_sanitized_line(format_args!(
                "{} of `{}` was not in the keychain.",
                slot.as_str(),
                profile.name
            ));
        }
    }
    Ok(0)
}

/// Parses the name of a credential kind that can be removed: one of a profile, or the user's own signing key. The error
/// lists the names.
fn parse_removable_credential_kind(word: &str) -> Result<CredentialKind, String> {
    let passport_key = CredentialKind::PassportKey;
    if word == passport_key.as_str() {
        return Ok(passport_key);
    }
    parse_credential_kind(word).map_err(|names| format!("{names}, {}", passport_key.as_str()))
}

/// Parses the name of a credential kind of a profile. The error lists the names.
fn parse_credential_kind(word: &str) -> Result<CredentialKind, String> {
    let all = CredentialKind::ALL;
    all.into_iter().find(|slot| slot.as_str() == word).ok_or_else(|| {
        let words: Vec<_> = all.iter().map(|slot| slot.as_str()).collect();
        format!("one of {}", words.join(", "))
    })
}
