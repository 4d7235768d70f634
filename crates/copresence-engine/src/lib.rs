//! What the command line and the window share: profiles, the visit runner, recovery, history, health, logging, and the
//! format of the settings file.
//!
//! To run a visit, build a [`runner::VisitConfig`] with [`setup::build_config_using_visit_history`] and await
//! [`runner::run_visit`].

pub mod clock;
pub mod credentials;
pub mod events;
pub mod health;
pub mod history;
pub mod home_path;
pub mod logging;
pub mod opening_hours;
pub mod problem;
pub mod profile;
pub mod qr;
pub mod recovery;
pub mod runner;
pub mod settings_toml;
pub mod setup;
pub mod terminal_text;

/// Crash points of a test build: name and description.
#[cfg(feature = "crash-points")]
pub fn list_crash_points() -> impl Iterator<Item = (&'static str, &'static str)> {
    copresence_store::crash_point::CrashPoint::ALL
        .iter()
        .map(|point| (point.name_in_environment_variable(), point.completed_step_description().trim()))
}

/// A path for display: `~/…` if it is below the home folder.
pub fn display_path_abbreviating_home(path: &std::path::Path) -> String {
    home_path::abbreviate_home(&path.to_string_lossy(), dirs::home_dir().as_deref())
}

/// Re-exports for hosts, so that they do not depend on the lower crates.
pub use copresence_client::har::HarRecorder;
pub use copresence_client::{Credentials, ExchangeRecorder, NoRecorder, SetupError, install_crypto_provider};
pub use copresence_protocol::headers;
pub use copresence_protocol::{ExportType, LinkTemplate, LinkTemplateError};
pub use copresence_store::{
    ExistingContentHandling, JOURNAL_FLUSHED_MESSAGE, StoreError, free_disk_bytes, make_new_files_private,
    open_nonprivate_file_for_writing, open_private_file_for_writing, refuse_pipe_of_another_user, refuse_symlink,
};
pub use copresence_visit::Outcome;
pub use copresence_visit::outcome::EndPhase;
pub use secrecy::SecretString;
