//! `copresence doctor`: checks this machine and prints a remedy for each problem.

mod desktop;

use crate::common_options::Common;
use crate::failure::Failure;
use crate::{ground, output};
use kiosk::clock::Clock;
use kiosk::credentials::Vault;
use kiosk::health::{self, bad, part};
use kiosk::panel::SettingsFile;
use kiosk::profile::Profile;
use kiosk::setup::{Disk, Target};
use kiosk::view::panel::{HealthStand, HealthView};
use sandbox::{Server, Settings};
use std::net::{Ipv4Addr, SocketAddr};

pub(crate) async fn run(common: &Common) -> Result<u8, Failure> {
    let disk = ground::disk(common);
    let settings = disk.as_ref().ok().map(|disk| SettingsFile::open(disk.data.clone()));
    let common = &as_the_window(common, settings.as_ref());
    let profiles = health::profiles(common.config.as_deref(), common.profile());
    let usable = profiles.stand != HealthStand::Bad;
    let profile = if usable { Some(ground::profile(common)?) } else { None };
    let mut told = vec![profiles];
    told.extend(settings.as_ref().map(health::settings));
    told.push(on_disk(disk, common, profile.as_ref()));
    if let Some(profile) = profile {
        told.extend(secrets(profile.clone()).await);
        told.extend(network(&profile).await);
    }
    told.extend([desktop::display(&ground::env), desktop::web_view(&ground::env)]);
    for view in &told {
        show(view, common.json);
    }
    Ok(exit(&told))
}

/// Without `--profile`, uses the profile that the window would use: the one chosen in the panel.
fn as_the_window(common: &Common, settings: Option<&SettingsFile>) -> Common {
    let chosen = || settings.and_then(|file| file.get().profile);
    Common { profile: common.profile.clone().or_else(chosen), ..common.clone() }
}

fn on_disk(disk: Result<Disk, Failure>, common: &Common, profile: Option<&Profile>) -> HealthView {
    let disk = match disk {
        Ok(disk) => disk,
        Err(failure) => {
            let remedy =
                "Free some space, check the folder's access rights, or choose another one with --data-dir";
            return bad(part::DISK, failure.message(), remedy);
        }
    };
    let out = common.out.clone().or_else(|| profile?.out.clone()).unwrap_or_else(|| disk.default_out());
    let least = profile.map_or(0, |profile| profile.limits.min_free_space);
    health::disk(&disk, &out, least)
}

/// Runs on a blocking thread, because the keychain may wait for a person.
async fn secrets(profile: Profile) -> Vec<HealthView> {
    let looked = tokio::task::spawn_blocking(move || {
        let vault = Vault::os();
        vec![health::keychain(&vault, &profile), health::credentials(&profile, &vault, &ground::env)]
    });
    looked.await.unwrap_or_else(|error| vec![bad(part::KEYCHAIN, error, "Try again")])
}

async fn network(profile: &Profile) -> Vec<HealthView> {
    let embedded = if profile.is_embedded_sandbox() {
        match embedded().await {
            Ok(embedded) => Some(embedded),
            Err(words) => return vec![bad(part::BACKEND, words, "Check this machine's loopback network")],
        }
    } else {
        None
    };
    let target = match &embedded {
        Some((_, target)) => target.clone(),
        None => match Target::without_credentials(profile) {
            Ok(target) => target,
            Err(error) => return vec![bad(part::BACKEND, error, "Fix the profile")],
        },
    };
    let told = health::backend(profile, &target, || Clock::default().now()).await;
    if let Some((server, _)) = embedded {
        server.stop().await;
    }
    told
}

/// Starts the embedded sandbox as a visit does.
async fn embedded() -> Result<(Server, Target), String> {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::start(Settings::default(), listen).await.map_err(|error| error.to_string())?;
    let known = server.sandbox().credentials();
    let login = (known.username.clone(), known.password.clone());
    let target =
        Target::embedded_sandbox(server.url(), &server.link_template(), known.api_key.clone(), login)
            .map_err(|error| error.to_string())?;
    Ok((server, target))
}

fn show(view: &HealthView, json: bool) {
    if json {
        if let Ok(line) = serde_json::to_string(view) {
            output::result(format_args!("{line}"));
        }
        return;
    }
    let stand = match view.stand {
        HealthStand::Good => "good",
        HealthStand::Doubtful => "warning",
        HealthStand::Bad => "problem",
        HealthStand::Unknown => "unknown",
    };
    let line = output::tame(&format!("{stand:<9} {:<12} {}", view.part, view.seen));
    output::result(format_args!("{line}"));
    if let Some(remedy) = &view.remedy {
        output::result(format_args!("{:<22} what to do: {}", "", output::tame(remedy)));
    }
}

/// Exit code of the problem to fix first: this machine and its configuration (2), then credentials (3), then the
/// network (6).
fn exit(told: &[HealthView]) -> u8 {
    let bad = told.iter().filter(|view| view.stand == HealthStand::Bad);
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
        let ill = |part: &str| bad(part, "ill", "mend it");
        assert_eq!(
            exit(&[health::good(part::DISK, "well"), health::doubtful(part::DISPLAY, "none", "get one")]),
            0
        );
        assert_eq!(exit(&[ill(part::BACKEND)]), 6);
        assert_eq!(exit(&[ill(part::BACKEND), ill(part::CREDENTIALS)]), 3);
        assert_eq!(exit(&[ill(part::BACKEND), ill(part::CREDENTIALS), ill(part::DISK)]), 2);
    }
}
