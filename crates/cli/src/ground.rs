//! Context that commands share: profile, data folder, output folder, environment.

use crate::common_options::Common;
use crate::failure::Failure;
use kiosk::profile::{Profile, Profiles};
use kiosk::setup::Disk;
use std::path::{Path, PathBuf};
use url::Url;

pub(crate) fn profiles(common: &Common) -> Result<Profiles, Failure> {
    Ok(Profiles::load(common.config.as_deref())?)
}

/// The selected profile with the overrides of the command line applied.
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

/// Rejects a URL with a user name or password. Not a clap value parser, because clap would print the whole URL.
pub(crate) fn bare(url: &Url, flag: &str) -> Result<(), Failure> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{flag}: the URL must not contain a user name or password, because other programs can read it (use \
         `copresence credentials set` to store them in the keychain)"
    )))
}

pub(crate) fn disk(common: &Common) -> Result<Disk, Failure> {
    let path = common.data_dir.clone().unwrap_or_else(Disk::default_path);
    Ok(Disk::open(&absolute(&path)?)?)
}

/// Creates the output folder and checks that it is writable, before a token is spent. The path is absolute, because
/// `recover` may run from another working directory.
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

/// Creates a folder that only its owner can read: it holds avatars or visit times.
pub(crate) fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn try_writing(folder: &Path) -> std::io::Result<()> {
    private_folder(folder)?;
    // An unnamed file where the system supports it, so that a power cut leaves nothing between the avatars.
    tempfile::tempfile_in(folder).map(drop)
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

pub(crate) fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
