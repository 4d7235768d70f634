//! The backend behind the window at its start: the profile that was named, or the one that was chosen last.

use crate::Failure;
use crate::args::Args;
use kiosk::panel::{Opened, SettingsFile, Sources};
use kiosk::problem::message;
use kiosk::profile::SANDBOX;

/// The profile's name, and what it was opened to. A profile that was named must be usable; in place of one that was
/// chosen in an earlier run there is a closed booth with a panel.
pub(crate) async fn open(
    args: &Args,
    settings: &SettingsFile,
    sources: &Sources,
) -> Result<(String, Opened), Failure> {
    let set = settings.get();
    let phones = set.phones || args.let_phones_in;
    let named = args.profile.clone();
    let sources = sources.clone();
    // The keychain may block on a person; not on the runtime's own threads.
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
