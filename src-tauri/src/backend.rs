//! Opens the backend at the start of the window: of the profile that was named, or of the one chosen last.

use crate::StartError;
use crate::args::Args;
use copresence_booth::panel::{OpenedBackendAndClosedReason, ProfileAndCredentialSources, SettingsFileHandle};
use copresence_engine::problem::operator_message_with_hint;
use copresence_engine::profile::SANDBOX_PROFILE;

/// Opens the backend, and returns it with its profile's name. If a profile chosen in an earlier run cannot be used, the
/// booth starts closed.
///
/// # Errors
/// The profile named on the command line cannot be used, or the embedded sandbox cannot start.
pub(crate) async fn open_startup_backend_or_start_closed(
    args: &Args,
    settings: &SettingsFileHandle,
    sources: &ProfileAndCredentialSources,
) -> Result<(String, OpenedBackendAndClosedReason), StartError> {
    let set = settings.current_settings();
    let phones = set.phone_access || args.let_phones_in;
    let named = args.profile.clone();
    let sources = sources.clone();
    // The keychain can block on a person, so this does not run on an async worker.
    let opened = tokio::task::spawn_blocking(move || {
        if let Some(name) = named {
            return sources.open_backend_despite_missing_credentials(&name, phones).map(|opened| (name, opened));
        }
        let name = set.profile.unwrap_or_else(|| SANDBOX_PROFILE.to_owned());
        sources.open_backend_or_closed_sandbox(&name, phones).map(|opened| (name, opened))
    });
    let (name, opened) = opened
        .await
        .map_err(StartError::usage)?
        .map_err(|problem| StartError::usage(operator_message_with_hint(&problem)))?;
    if let Some(closed) = &opened.closed_reason {
        eprintln!("the booth is closed: {}", operator_message_with_hint(closed));
    }
    Ok((name, opened))
}
