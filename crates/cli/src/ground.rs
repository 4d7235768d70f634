//! What commands stand on: profile, data folder, credentials, backend.

use crate::args::Common;
use crate::failure::Failure;
use crate::output;
use kiosk::LinkTemplate;
use kiosk::credentials::{Vault, find, for_client};
use kiosk::profile::{Profile, Profiles};
use kiosk::setup::{Disk, Target};

pub(crate) fn profiles(common: &Common) -> Result<Profiles, Failure> {
    Ok(Profiles::load(common.config.as_deref())?)
}

/// The profile asked for, with what the command line says instead.
pub(crate) fn profile(common: &Common) -> Result<Profile, Failure> {
    let mut profile = profiles(common)?.get(&common.profile)?;
    if let Some(url) = &common.api_url {
        profile.api_url = Some(url.clone());
    }
    if let Some(link) = &common.link {
        profile.link = Some(link.clone());
    }
    Ok(profile)
}

pub(crate) fn disk(common: &Common) -> Result<Disk, Failure> {
    let path = common.data_dir.clone().unwrap_or_else(Disk::default_path);
    Ok(Disk::open(&path)?)
}

pub(crate) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A backend that is not the embedded sandbox.
pub(crate) async fn remote(profile: &Profile) -> Result<Target, Failure> {
    let api_url = profile.api_url.clone().or_else(|| partner_url(profile)).ok_or_else(|| {
        Failure::usage(format!("the profile `{}` has no `api_url`; add one, or use --api-url", profile.name))
    })?;
    let link = match &profile.link {
        Some(link) => link.clone(),
        // What stands behind a URL that was given without a link is most likely a sandbox: its phone page.
        None => {
            let base = api_url.as_str().trim_end_matches('/');
            let template = format!("{base}/phone?exportToken={{token}}");
            template.parse::<LinkTemplate>().map_err(|error| Failure::usage(error.to_string()))?
        }
    };
    let (wanted, name) = (profile.clone(), profile.name.clone());
    // The keychain may block on a person; not on the runtime's own threads.
    let found = tokio::task::spawn_blocking(move || find(&wanted, &Vault::os(), &env))
        .await
        .map_err(|error| Failure::credentials(error.to_string()))??;
    if let Some(note) = &found.note {
        output::people(format_args!("note: {note}; going on with what the environment gives for `{name}`"));
    }
    Ok(Target { api_url, link, credentials: for_client(&found), embedded_sandbox: false })
}

fn partner_url(profile: &Profile) -> Option<url::Url> {
    profile.partner_url().cloned()
}
