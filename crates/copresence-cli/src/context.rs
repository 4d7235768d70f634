//! Context that commands share: profile, data folder, output folder, environment.

use crate::common_options::CommonOptions;
use crate::failure::CommandFailure;
use copresence_engine::profile::{Profile, Profiles};
use copresence_engine::setup::DataStore;
use std::path::{Path, PathBuf};
use url::Url;

/// Loads the profiles file that `--config` names, or the default one.
pub(crate) fn load_profiles(common: &CommonOptions) -> Result<Profiles, CommandFailure> {
    Ok(Profiles::load_profiles(common.config.as_deref())?)
}

/// Loads the selected profile, and applies the overrides of the command line to it.
pub(crate) fn load_selected_profile(common: &CommonOptions) -> Result<Profile, CommandFailure> {
    let mut profile = load_profiles(common)?.build_profile_by_name(common.selected_profile_name())?;
    if let Some(url) = &common.api_url {
        reject_url_credentials(url, "--api-url")?;
        profile.api_url = Some(url.clone());
    }
    if let Some(link) = &common.link {
        profile.link = Some(link.clone());
    }
    Ok(profile)
}

/// Rejects a URL with a user name or password. Not a clap value parser, because clap would print the whole URL.
pub(crate) fn reject_url_credentials(url: &Url, flag: &str) -> Result<(), CommandFailure> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(());
    }
    Err(CommandFailure::usage_error(format!(
        "{flag}: the URL must not contain a user name or password, because other programs can read it (use \
         `copresence credentials set` to store them in the keychain)"
    )))
}

/// Opens the data store in `--data-dir`, or in the default data folder.
pub(crate) fn open_data_store(common: &CommonOptions) -> Result<DataStore, CommandFailure> {
    let path = common.data_dir.clone().unwrap_or_else(DataStore::default_data_dir);
    Ok(DataStore::open_or_create_data_store(&absolute_path(&path)?)?)
}

/// Creates the output folder and checks that it is writable, before a token is spent. The path is absolute, because
/// `recover` may run from another working directory.
pub(crate) fn prepare_output_folder(
    common: &CommonOptions,
    profile: &Profile,
    data_store: &DataStore,
) -> Result<PathBuf, CommandFailure> {
    let out =
        common.out.clone().or_else(|| profile.out_dir.clone()).unwrap_or_else(|| data_store.default_avatars_dir());
    let out = absolute_path(&out)?;
    data_store
        .data
        .check_output_outside_incomplete_folder(&out)
        .map_err(|error| CommandFailure::usage_error(format!("{error} with --out")))?;
    create_and_check_folder_writable(&out).map_err(|error| {
        CommandFailure::usage_error(format!(
            "avatars cannot be saved in {}: {error}; choose another folder with --out",
            out.display()
        ))
    })?;
    Ok(out)
}

/// Creates the folder if it does not exist, and fails if no file can be created in it.
fn create_and_check_folder_writable(folder: &Path) -> std::io::Result<()> {
    copresence_engine::logging::create_private_folder(folder)?;
    // An unnamed file where the system supports it, so that a power cut leaves nothing between the avatars.
    tempfile::tempfile_in(folder).map(drop)
}

/// Makes a path absolute, relative to the working directory. The path need not exist.
pub(crate) fn absolute_path(path: &Path) -> Result<PathBuf, CommandFailure> {
    std::path::absolute(path).map_err(|error| CommandFailure::usage_error(format!("{}: {error}", path.display())))
}

/// The value of an environment variable; `None` if it is not set or not valid Unicode.
pub(crate) fn read_unicode_environment_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
