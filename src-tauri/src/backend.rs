//! Opens the backend at the start of the window: of the profile that was named, or of the one chosen last.

use crate::Failure;
use crate::args::Args;
use kiosk::panel::{Opened, SettingsFile, Sources};
use kiosk::problem::message;
use kiosk::profile::SANDBOX;

/// Opens the backend, and returns it with its profile's name. If a profile chosen in an earlier run cannot be used, the
/// booth starts closed.
///
/// # Errors
/// The profile named on the command line cannot be used, or the embedded sandbox cannot start.
pub(crate) async fn open(
    args: &Args,
    settings: &SettingsFile,
    sources: &Sources,
) -> Result<(String, Opened), Failure> {
    let set = settings.get();
    let phones = set.phones || args.let_phones_in;
    let named = args.profile.clone();
    let sources = sources.clone();
    // The keychain can block on a person, so this does not run on an async worker.
    let opened = tokio::task::spawn_blocking(move || {
        if let Some(name) = named {
            return sources.open(&name, phones).map(|opened| (name, opened));
        }
        let name = set.profile.unwrap_or_else(|| SANDBOX.to_owned());
        sources.open_or_closed(&name, phones).map(|opened| (name, opened))
    });
    let (name, opened) =
        opened.await.map_err(Failure::usage)?.map_err(|problem| Failure::usage(message(&problem)))?;
    if let Some(closed) = &opened.closed {
        eprintln!("the booth is closed: {}", message(closed));
    }
    Ok((name, opened))
}
