//! `copresence credentials`: sets, lists and removes credentials in the keychain. Values come from a prompt or stdin.

use crate::args::CredentialsCommand;
use crate::common_options::Common;
use crate::failure::Failure;
use crate::unseen::Unseen;
use crate::{ground, output};
use kiosk::credentials::{Origin, Slot, Vault, find, wanted};
use kiosk::profile::Profile;
use secrecy::{ExposeSecret, SecretString};
use std::io::{BufRead, IsTerminal};

pub(crate) fn run(common: &Common, command: &CredentialsCommand) -> Result<u8, Failure> {
    let profile = ground::profiles(common)?.get(common.profile())?;
    let vault = Vault::os();
    match command {
        CredentialsCommand::Set { which } => set(&profile, &vault, which),
        CredentialsCommand::Status => status(common, &profile, &vault),
        CredentialsCommand::Remove { which } => remove(&profile, &vault, which),
    }
}

fn set(profile: &Profile, vault: &Vault, which: &[Slot]) -> Result<u8, Failure> {
    // Report a locked keychain before the user types anything.
    vault.check()?;
    let slots = if which.is_empty() { wanted(profile) } else { which.to_vec() };
    if slots.is_empty() {
        return Err(Failure::usage(format!("the profile `{}` needs no credentials", profile.name)));
    }
    let values = if std::io::stdin().is_terminal() { ask(profile, &slots)? } else { read(&slots)? };
    if values.is_empty() {
        return Err(Failure::usage("no value was given, so nothing was stored"));
    }
    for (slot, value) in &values {
        vault.set(&profile.name, *slot, value)?;
        output::people(format_args!("{} of `{}` is in the keychain.", slot.word(), profile.name));
    }
    Ok(0)
}

/// Prompts for the profile's credentials and keeps them in memory until the program ends.
pub(crate) fn ask_for_this_run(profile: &Profile, vault: &Vault) -> Result<(), Failure> {
    output::people(format_args!("You can type them now for this run only; they are not stored."));
    for (slot, value) in ask(profile, &wanted(profile))? {
        vault.remember_for_this_run(&profile.name, slot, &value);
    }
    Ok(())
}

fn ask(profile: &Profile, slots: &[Slot]) -> Result<Vec<(Slot, SecretString)>, Failure> {
    let _unseen = Unseen::begin();
    output::people(format_args!(
        "Credentials of `{}` (typing stays hidden; leave empty to keep the current value)",
        profile.name
    ));
    let mut values = Vec::new();
    for slot in slots {
        let typed = rpassword::prompt_password(format!("  {}: ", slot.word()))
            .map_err(|error| failed_prompt(&error))?;
        let typed = SecretString::from(typed);
        if !typed.expose_secret().trim().is_empty() {
            values.push((*slot, typed));
        }
    }
    Ok(values)
}

/// Ctrl-C at a prompt is an interruption (exit 130), not a usage error.
fn failed_prompt(error: &std::io::Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::Interrupted => Failure::interrupted(),
        _ => Failure::usage(format!("cannot read from the terminal: {error}")),
    }
}

/// Reads `NAME=value` lines, or a bare value if only one credential is requested.
fn read(slots: &[Slot]) -> Result<Vec<(Slot, SecretString)>, Failure> {
    let mut values = Vec::new();
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = SecretString::from(line.map_err(|error| Failure::usage(format!("stdin: {error}")))?);
        let text = line.expose_secret().trim();
        if text.is_empty() {
            continue;
        }
        let named = text.split_once('=').and_then(|(name, value)| {
            let slot = slots.iter().find(|slot| slot.word() == name.trim())?;
            Some((*slot, SecretString::from(value.trim())))
        });
        match (named, slots) {
            (Some(named), _) => values.push(named),
            (None, [only]) => values.push((*only, SecretString::from(text))),
            (None, _) => {
                let known: Vec<_> = slots.iter().map(|slot| slot.word()).collect();
                return Err(Failure::usage(format!(
                    "stdin, line {}: expected NAME=value with NAME one of {}",
                    number + 1,
                    known.join(", ")
                )));
            }
        }
    }
    Ok(values)
}

fn status(common: &Common, profile: &Profile, vault: &Vault) -> Result<u8, Failure> {
    if profile.is_embedded_sandbox() && common.api_url.is_none() {
        output::people(format_args!(
            "`{}` needs none: its backend is the embedded sandbox. What is set counts with --api-url; \
             --profile NAME chooses another profile.",
            profile.name
        ));
    } else if wanted(profile).is_empty() {
        output::people(format_args!("`{}` needs none: the partner's backend asks for no key.", profile.name));
        return Ok(0);
    }
    let found = match find(profile, vault, &ground::env) {
        // The embedded sandbox needs no credentials, so an unusable keychain is only a note.
        Err(error) if profile.is_embedded_sandbox() && common.api_url.is_none() => {
            output::people(format_args!("note: {error}"));
            return Ok(0);
        }
        found => found?,
    };
    let wanted = wanted(profile);
    for slot in Slot::ALL {
        let place = match found.origin(slot) {
            Some(Origin::Environment) => Some(format!("set, in the environment ({})", slot.env_name())),
            Some(Origin::ThisRun) => Some("set, for this run".to_owned()),
            Some(Origin::Keychain) => Some("set, in the keychain".to_owned()),
            None => None,
        };
        if common.json {
            let line = serde_json::json!({"credential": slot.word(), "set": place.is_some(), "used": wanted.contains(&slot)});
            output::result(format_args!("{line}"));
        } else if let Some(place) = place {
            output::result(format_args!("{:<14} {place}", slot.word()));
        } else if wanted.contains(&slot) {
            output::result(format_args!("{:<14} not set", slot.word()));
        }
    }
    if let Some(note) = &found.note {
        output::people(format_args!("note: {note}\n  what to do: {}", note.remedy()));
    }
    Ok(0)
}

fn remove(profile: &Profile, vault: &Vault, which: &[Slot]) -> Result<u8, Failure> {
    let slots = if which.is_empty() { Slot::ALL.to_vec() } else { which.to_vec() };
    for slot in slots {
        if vault.remove(&profile.name, slot)? {
            output::people(format_args!("{} of `{}` is out of the keychain.", slot.word(), profile.name));
        } else if !which.is_empty() {
            output::people(format_args!("{} of `{}` was not in the keychain.", slot.word(), profile.name));
        }
    }
    Ok(0)
}
