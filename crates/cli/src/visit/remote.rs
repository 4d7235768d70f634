//! Finds the backend of a profile with its credentials.

use crate::failure::Failure;
use crate::ground::env;
use crate::{credentials, output};
use kiosk::credentials::Vault;
use kiosk::profile::Profile;
use kiosk::setup::{Target, TargetError};
use std::io::IsTerminal;

/// The profile's backend with its credentials. If the keychain fails and stdin is a terminal, prompts for the
/// credentials and keeps them in memory for this run.
pub(crate) async fn remote(profile: &Profile) -> Result<Target, Failure> {
    let profile = profile.clone();
    // The keychain may wait for a person, so it must not run on an async worker.
    let found = tokio::task::spawn_blocking(move || {
        let vault = Vault::os();
        match Target::remote(&profile, &vault, &env) {
            Err(TargetError::Keychain(error))
                if error.memory_can_help() && std::io::stdin().is_terminal() =>
            {
                output::people(format_args!("{error}\n  what to do: {}", error.remedy()));
                credentials::ask_for_this_run(&profile, &vault)?;
                Ok::<_, Failure>(Target::remote(&profile, &vault, &env)?)
            }
            other => Ok(other?),
        }
    });
    let (target, note) = found.await.map_err(|error| Failure::credentials(error.to_string()))??;
    if let Some(note) = &note {
        output::people(format_args!("note: {note}; going on without the keychain"));
    }
    Ok(target)
}
