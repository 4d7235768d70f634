//! A sandbox from the options of the command line: its settings, and one on a free port for `visit` and `load`.

use crate::failure::CommandFailure;
use crate::simulation_options::SimulatedBackendOptions;
use copresence_engine::setup::ProfileOrSandboxBackend;
use copresence_sandbox::{Fault, Recording, SandboxSettings, Scenario, Server, faults};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

/// Settings from the simulation options. Reads the files of faults, scenario and recorded run that are given; everything else
/// has its default.
pub(crate) fn load_sandbox_settings_from_options(
    world: &SimulatedBackendOptions,
) -> Result<SandboxSettings, CommandFailure> {
    let faults = world.faults.as_deref().map(read_faults_file).transpose()?.unwrap_or_default();
    let recording = world.replay.as_deref().map(read_replay_recording_file).transpose()?;
    let scenario = world.scenario_file.as_deref().map(read_scenario_file).transpose()?;
    let defaults = SandboxSettings::default();
    Ok(SandboxSettings {
        scenario: scenario.unwrap_or_else(|| world.scenario.into()),
        speed: world.speed,
        seed: world.seed.unwrap_or(defaults.seed),
        assets: world.assets.clone(),
        faults,
        recording,
        ..defaults
    })
}

/// Reads the faults of `--faults FILE` and checks them. The error names the file.
fn read_faults_file(path: &Path) -> Result<Vec<Fault>, CommandFailure> {
    let shown = path.display();
    let json = std::fs::read(path)
        .map_err(|error| CommandFailure::usage_error(format!("the faults in {shown} cannot be read: {error}")))?;
    faults::parse_and_check_faults(&json).map_err(|error| CommandFailure::usage_error(format!("{shown}: {error}")))
}

/// Reads the recorded run of `--replay FILE`. The error names the file.
fn read_replay_recording_file(path: &Path) -> Result<Recording, CommandFailure> {
    let shown = path.display();
    let har = std::fs::read(path)
        .map_err(|error| CommandFailure::usage_error(format!("the archive {shown} cannot be read: {error}")))?;
    Recording::parse_har(&har).map_err(|error| CommandFailure::usage_error(format!("{shown}: {error}")))
}

/// Reads the scenario of `--scenario-file FILE` and checks it. The error names the file, the line and the column.
fn read_scenario_file(path: &Path) -> Result<Scenario, CommandFailure> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| CommandFailure::usage_error(format!("the scenario in {shown} cannot be read: {error}")))?;
    Scenario::parse_scenario_file(&text).map_err(|error| {
        CommandFailure::usage_error(format!(
            "{shown}, {error} (`copresence sandbox --print-scenario happy` prints a file to compare with)"
        ))
    })
}

/// Starts an embedded sandbox on a free loopback port.
pub(crate) async fn start_embedded_sandbox(world: &SimulatedBackendOptions) -> Result<Server, CommandFailure> {
    let settings = load_sandbox_settings_from_options(world)?;
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::start(settings, anywhere).await;
    server.map_err(|error| CommandFailure::usage_error(format!("the embedded sandbox cannot start: {error}")))
}

/// The embedded sandbox as the backend of a visit.
pub(crate) fn build_embedded_sandbox_backend(server: &Server) -> Result<ProfileOrSandboxBackend, CommandFailure> {
    let accepted = server.sandbox().accepted_credentials();
    let login = (accepted.username.clone(), accepted.password.clone());
    let target = ProfileOrSandboxBackend::target_of_embedded_sandbox(
        server.local_url(),
        &server.qr_link_template(),
        accepted.api_key.clone(),
        login,
    );
    target.map_err(|error| CommandFailure::usage_error(error.to_string()))
}
