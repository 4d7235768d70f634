//! What commands stand on: profile, data folder, credentials, backend.

use crate::args::Common;
use crate::failure::Failure;
use kiosk::profile::{Profile, Profiles};
use kiosk::setup::Disk;
use std::path::{Path, PathBuf};
use url::Url;

pub(crate) fn profiles(common: &Common) -> Result<Profiles, Failure> {
    Ok(Profiles::load(common.config.as_deref())?)
}

/// The profile asked for, with what the command line says instead.
pub(crate) fn profile(common: &Common) -> Result<Profile, Failure> {
    let mut profile = profiles(common)?.get(common.profile())?;
    if let Some(url) = &common.api_url {
        bare(url, "--api-url")?;
        profile.api_url = Some(url.clone());
    }
    if let Some(link) = &common.link {
        profile.link = Some(link.clone());
    }
    Ok(profile)
}

/// Not clap's to say: it would repeat the URL, password and all.
pub(crate) fn bare(url: &Url, flag: &str) -> Result<(), Failure> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{flag}: a URL must carry no user name or password: other programs see it (`copresence credentials set` \
         puts them into the keychain)"
    )))
}

pub(crate) fn disk(common: &Common) -> Result<Disk, Failure> {
    let path = common.data_dir.clone().unwrap_or_else(Disk::default_path);
    Ok(Disk::open(&absolute(&path)?)?)
}

/// Where avatars go, whole in its name (`recover` may be called from elsewhere), there, and writable: found out
/// now, because after the redeem there are no other URLs.
pub(crate) fn out(common: &Common, profile: &Profile, disk: &Disk) -> Result<PathBuf, Failure> {
    let out = common.out.clone().or_else(|| profile.out.clone()).unwrap_or_else(|| disk.default_out());
    let out = absolute(&out)?;
    try_writing(&out).map_err(|error| {
        Failure::usage(format!(
            "avatars cannot be saved in {}: {error}; choose another folder with --out",
            out.display()
        ))
    })?;
    Ok(out)
}

/// Makes a folder that only its owner may look into: what is in it is somebody's face, or says who came when.
pub(crate) fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn try_writing(folder: &Path) -> std::io::Result<()> {
    private_folder(folder)?;
    // Without a name where the system can: what a power cut leaves of a trial would stand among the avatars for good.
    tempfile::tempfile_in(folder).map(drop)
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

pub(crate) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
