//! `copresence doctor`: checks this machine and prints a remedy for each problem.

mod desktop;
mod drill;
mod options;

pub(crate) use options::DoctorOptions;

use crate::common_options::CommonOptions;
use crate::failure::CommandFailure;
use crate::{context, output};
use copresence_engine::clock::Clock;
use copresence_engine::credentials::CredentialStore;
use copresence_engine::health::{self, PartHealth, PartHealthState, bad_part_health, part};
use copresence_engine::profile::Profile;
use copresence_engine::settings_toml::{self, LoadedSettingsFile};
use copresence_engine::setup::{DataStore, ProfileOrSandboxBackend};
use copresence_sandbox::{SandboxSettings, Server};
use std::net::{Ipv4Addr, SocketAddr};

/// Runs `copresence doctor`: checks everything that a visit depends on, and prints it; with `--drill` rehearses losses.
/// Returns the exit code.
pub(crate) async fn run_doctor_command(common: &CommonOptions, options: DoctorOptions) -> Result<u8, CommandFailure> {
    if options.drill {
        let data_store = context::open_data_store(common)?;
        let settings = settings_toml::read_settings_backing_up_unusable(&data_store.data);
        drop(data_store);
        let common = default_to_window_profile(common, Some(&settings));
        return drill::run_drill(&common, options.outage, &options.only).await;
    }
    let data_store = context::open_data_store(common);
    let settings =
        data_store.as_ref().ok().map(|data_store| settings_toml::read_settings_backing_up_unusable(&data_store.data));
    let common = &default_to_window_profile(common, settings.as_ref());
    let profiles = health::check_profiles_are_usable(common.config.as_deref(), common.selected_profile_name());
    let usable = profiles.stand != PartHealthState::Bad;
    let profile = if usable { Some(context::load_selected_profile(common)?) } else { None };
    let mut parts = vec![profiles];
    parts.extend(settings.map(|read| health::health_of_settings_file(read.load_error.as_deref(), read.is_pin_unknown)));
    parts.push(check_data_and_output_disk(data_store, common, profile.as_ref()));
    // The embedded sandbox makes its link at its start.
    let link =
        profile.as_ref().and_then(|profile| ProfileOrSandboxBackend::backend_target_without_credentials(profile).ok());
    let link = link.map(|target| target.link);
    if let Some(profile) = profile {
        parts.extend(check_keychain_and_credentials(profile.clone()).await);
        parts.extend(check_backend_and_clock(&profile).await);
    }
    parts.extend([
        desktop::check_display(&context::read_unicode_environment_variable),
        desktop::check_web_view_library(&context::read_unicode_environment_variable),
        health::graphics::check_graphics_workaround(&context::read_unicode_environment_variable),
    ]);
    parts.extend(link.as_ref().map(health::qr_distance::check_qr_reading_distance));
    for view in &parts {
        print_health_check(view, common.json);
    }
    Ok(most_urgent_exit_code(&parts))
}

/// Sets the profile that the window would use, the one chosen in the panel, if there is no `--profile`.
fn default_to_window_profile(common: &CommonOptions, settings: Option<&LoadedSettingsFile>) -> CommonOptions {
    let chosen = || settings.and_then(|read| read.values.profile.clone());
    CommonOptions { profile: common.profile.clone().or_else(chosen), ..common.clone() }
}

/// Checks that the data folder opens and is writable, and the free space for it and for the output folder.
fn check_data_and_output_disk(
    data_store: Result<DataStore, CommandFailure>,
    common: &CommonOptions,
    profile: Option<&Profile>,
) -> PartHealth {
    let data_store = match data_store {
        Ok(data_store) => data_store,
        Err(failure) => {
            let remedy = "Free some space, check the folder's access rights, or choose another one with --data-dir";
            return bad_part_health(part::DISK, failure.message(), remedy);
        }
    };
    let out =
        common.out.clone().or_else(|| profile?.out_dir.clone()).unwrap_or_else(|| data_store.default_avatars_dir());
    let least = profile.map_or(0, |profile| profile.limits.min_free_space);
    health::check_disk(&data_store, &out, least)
}

/// Checks the keychain and the profile's credentials. Runs on a blocking thread, because the keychain may wait for
/// a person.
async fn check_keychain_and_credentials(profile: Profile) -> Vec<PartHealth> {
    let checks = tokio::task::spawn_blocking(move || {
        let credential_store = CredentialStore::keychain_backed_store();
        vec![
            health::check_keychain(&credential_store, &profile),
            health::check_credentials_are_set(&profile, &credential_store, &context::read_unicode_environment_variable),
        ]
    });
    checks.await.unwrap_or_else(|error| vec![bad_part_health(part::KEYCHAIN, error, "Try again")])
}

/// Checks whether the backend responds, and the clock. Starts the embedded sandbox if the profile uses it.
async fn check_backend_and_clock(profile: &Profile) -> Vec<PartHealth> {
    let embedded = if profile.uses_embedded_sandbox() {
        match start_embedded_sandbox().await {
            Ok(embedded) => Some(embedded),
            Err(words) => {
                return vec![bad_part_health(part::BACKEND, words, "Check this machine's loopback network")];
            }
        }
    } else {
        None
    };
    let target = match &embedded {
        Some((_, target)) => target.clone(),
        None => match ProfileOrSandboxBackend::backend_target_without_credentials(profile) {
            Ok(target) => target,
            Err(error) => return vec![bad_part_health(part::BACKEND, error, "Fix the profile")],
        },
    };
    let parts = health::check_backend_and_clock(profile, &target, || Clock::default().wall_clock_time()).await;
    if let Some((server, _)) = embedded {
        server.shut_down_server().await;
    }
    parts
}

/// Starts the embedded sandbox in the same way as a visit does, to check it.
async fn start_embedded_sandbox() -> Result<(Server, ProfileOrSandboxBackend), String> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::start(SandboxSettings::default(), listen).await.map_err(|error| error.to_string())?;
    let known = server.sandbox().accepted_credentials();
    let login = (known.username.clone(), known.password.clone());
    let target = ProfileOrSandboxBackend::target_of_embedded_sandbox(
        server.local_url(),
        &server.qr_link_template(),
        known.api_key.clone(),
        login,
    )
    .map_err(|error| error.to_string())?;
    Ok((server, target))
}

/// Prints the health of one part, as JSON with `--json`.
fn print_health_check(view: &PartHealth, json: bool) {
    if json {
        return output::print_json_line(view);
    }
    let stand = match view.stand {
        PartHealthState::Good => "good",
        PartHealthState::Doubtful => "warning",
        PartHealthState::Bad => "problem",
        PartHealthState::Unknown => "unknown",
    };
    let line = output::sanitize_for_terminal(&format!("{stand:<9} {:<12} {}", view.part, view.seen));
    output::print_stdout_line(format_args!("{line}"));
    if let Some(remedy) = &view.remedy {
        output::print_stdout_line(format_args!("{:<22} what to do: {}", "", output::sanitize_for_terminal(remedy)));
    }
}

/// The exit code of the most urgent problem, which is to be fixed first: this machine and its configuration (2),
/// then credentials (3), then the network (6).
fn most_urgent_exit_code(parts: &[PartHealth]) -> u8 {
    let bad = parts.iter().filter(|view| view.stand == PartHealthState::Bad);
    let exits = bad.map(|view| match view.part.as_str() {
        part::KEYCHAIN | part::CREDENTIALS => 3,
        part::BACKEND | part::PARTNER | part::CLOCK => 6,
        _ => 2,
    });
    exits.min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_names_the_problem_to_fix_first() {
        let ill = |part: &str| bad_part_health(part, "ill", "repair it");
        assert_eq!(
            most_urgent_exit_code(&[
                health::good_part_health(part::DISK, "well"),
                health::doubtful_part_health(part::DISPLAY, "none", "get one")
            ]),
            0
        );
        assert_eq!(most_urgent_exit_code(&[ill(part::BACKEND)]), 6);
        assert_eq!(most_urgent_exit_code(&[ill(part::BACKEND), ill(part::CREDENTIALS)]), 3);
        assert_eq!(most_urgent_exit_code(&[ill(part::BACKEND), ill(part::CREDENTIALS), ill(part::DISK)]), 2);
    }
}
