//! Finds the backend of a profile with its credentials.

use crate::context::read_unicode_environment_variable;
use crate::failure::CommandFailure;
use crate::{credentials, output};
use copresence_engine::credentials::CredentialStore;
use copresence_engine::profile::Profile;
use copresence_engine::setup::{ProfileBackendError, ProfileOrSandboxBackend};
use std::io::IsTerminal;

/// The profile's backend with its credentials. If the keychain fails and stdin is a terminal, prompts for the
/// credentials and keeps them in memory for this run.
pub(crate) async fn load_target_prompting_if_keychain_fails(
    profile: &Profile,
) -> Result<ProfileOrSandboxBackend, CommandFailure> {
    let profile = profile.clone();
    // The keychain may wait for a person, so it must not run on an async worker.
    let found = tokio::task::spawn_blocking(move || {
        let credential_store = CredentialStore::keychain_backed_store();
        match ProfileOrSandboxBackend::find_credentials_and_build_backend(
            &profile,
            &credential_store,
            &read_unicode_environment_variable,
        ) {
            Err(ProfileBackendError::Keychain(error))
                if error.can_use_memory_instead() && std::io::stdin().is_terminal() =>
            {
                output::eprint_sanitized_line(format_args!("{error}"));
                output::eprint_sanitized_line(format_args!("  what to do: {}", error.remedy()));
                credentials::prompt_and_remember_credentials_for_run(&profile, &credential_store)?;
                Ok::<_, CommandFailure>(ProfileOrSandboxBackend::find_credentials_and_build_backend(
                    &profile,
                    &credential_store,
                    &read_unicode_environment_variable,
                )?)
            }
            other => Ok(other?),
        }
    });
    let (target, note) =
        found.await.map_err(|error| CommandFailure::missing_credentials_error(error.to_string()))??;
    if let Some(note) = &note {
        output::eprint_sanitized_line(format_args!("note: {note}; going on without the keychain"));
    }
    Ok(target)
}
