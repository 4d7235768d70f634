//! `cargo xtask test`: everything that must pass before a change is merged; and the long tests and measurements.

use crate::peers::{self, PeerTestSelection};
use crate::prerequisites::{self, PrerequisitePurpose};
use crate::project::{self, cargo_command, find_program, try_command_stdout};
use crate::steps::{self, StepFailure, StepPlan};
use crate::{Options, avatars, schemathesis, ui};
use std::process::Command;

/// The tests in the real window, which take turns at the machine's keyboard and pointer.
const WINDOW_TESTS: [&str; 9] = [
    "window_complete_visit",
    "window_avatar_files",
    "window_input_and_failures",
    "window_lanes",
    "window_recovery",
    "window_operator_setup",
    "window_kiosk_mode",
    "window_lockdown",
    "window_hostile_network",
];

/// How often `cargo xtask soak` runs the tests of all crates. Each property generates new random cases every time.
const PROPERTY_ROUNDS: u32 = 20;

/// Runs all checks and tests, cheap ones first, and prints what each step cost.
///
/// # Errors
/// If a step fails.
pub(crate) fn run_all_tests(options: &Options) -> Result<(), StepFailure> {
    let linux = cfg!(target_os = "linux");
    let mut plan = StepPlan::default();
    prerequisites::add_prerequisite_steps(&mut plan, options, PrerequisitePurpose::Tests);
    plan.add_program_step("formatting", cargo_command(&["fmt", "--all", "--check"]), "cargo fmt --all");
    // Nothing later needs a registry; and the duration of a download is not counted as that of a build.
    plan.add_program_step(
        "download of crates",
        fetch_crates_command(),
        "check the network, and that Cargo.lock is current",
    );
    ui::add_npm_ci_if_stale(&mut plan);
    ui::add_ui_lint_build_unit_tests(&mut plan);
    if linux {
        ui::add_ui_browser_tests(&mut plan);
    }
    let mut clippy = workspace_cargo_command(&["clippy"]);
    clippy.args(["--all-targets", "--", "-D", "warnings"]);
    plan.add_program_step("lints, with warnings as errors", clippy, "fix it, or `expect` the lint with a reason");
    plan.add_program_step(
        "build of all tests",
        workspace_test_command(&["--no-run"]),
        "fix what the compiler reports above",
    );
    if linux {
        let programs = build_programs_command(&["copresence", "copresence-kiosk", "matrices"]);
        plan.add_program_step("build of the programs under test", programs, "fix what the compiler reports above");
    }
    let tests = workspace_test_command(&["--no-fail-fast"]);
    plan.add_program_step("unit, property and integration tests", tests, "fix the tests named above");
    let install = !options.no_install;
    plan.add_function_step("Schemathesis, which tests the sandbox against its OpenAPI document", move || {
        schemathesis::install_schemathesis_if_allowed(install)
    });
    let mut api = workspace_cargo_command(&["test"]);
    api.args(["--test", "it", "--", "--ignored", "schemathesis"])
        .env("SCHEMATHESIS", schemathesis::schemathesis_path());
    plan.add_program_step(
        "requests written by Schemathesis",
        api,
        "fix the API, or say in schemathesis.toml why it is right",
    );
    let mut examples = workspace_cargo_command(&["test"]);
    examples.arg("--doc");
    plan.add_program_step("examples in the documentation", examples, "fix the examples named above");
    if linux {
        add_robustness_matrices_step(&mut plan, &[]);
        add_simulated_visit_steps(&mut plan, &["--seconds", "180"]);
        ui::add_sandbox_page_and_avatar_tests(&mut plan);
        avatars::add_avatar_corpus_build_steps(&mut plan, options, project::debug_example_path("heads"));
        avatars::add_avatar_corpus_test_steps(&mut plan, workspace_cargo_command(&["test"]));
        peers::add_peer_test_steps(&mut plan, options, workspace_cargo_command(&["test"]), PeerTestSelection::Short);
    }
    let window = linux && !options.no_window;
    if window {
        plan.add_function_step("visits in the real window, by keyboard, pointer, touch and gamepad", || {
            run_tests_in_window(&WINDOW_TESTS)
        });
    }
    plan.run_steps_with_summary()?;
    if !linux {
        eprintln!(
            "Skipped: the matrices (kill, power cut), the screens in Chromium, and the visits with Parse Server, nginx, \
             S3 and a proxy, which run on Linux only."
        );
    }
    if !options.no_window && !window {
        eprintln!("Skipped: the tests in the real window, which run on Linux only.");
    }
    Ok(())
}

/// Runs the peer tests (`cargo xtask test --peers`): all visits with servers that are not ours.
///
/// # Errors
/// If this is not Linux, or a step fails.
pub(crate) fn run_tests_with_foreign_servers(options: &Options) -> Result<(), StepFailure> {
    if !cfg!(target_os = "linux") {
        let remedy = "run them there, or in a container";
        return Err(StepFailure::new("the visits with servers that are not ours run on Linux only", remedy));
    }
    let mut plan = StepPlan::default();
    prerequisites::add_prerequisite_steps(&mut plan, options, PrerequisitePurpose::Tests);
    let programs = build_programs_command(&["copresence"]);
    plan.add_program_step("build of the program under test", programs, "fix what the compiler reports above");
    peers::add_peer_test_steps(&mut plan, options, workspace_cargo_command(&["test"]), PeerTestSelection::All);
    plan.run_steps_with_summary()
}

/// Runs these tests that control the app in a real window, one at a time.
fn run_tests_in_window(names: &[&str]) -> Result<steps::StepSuccess, StepFailure> {
    let mut test = workspace_cargo_command(&["test"]);
    test.args(names.iter().flat_map(|name| ["--test", name]));
    test.args(["--", "--ignored", "--nocapture", "--test-threads=1"]);
    test.env("COPRESENCE_KIOSK", project::debug_program_path("copresence-kiosk"));
    test.env("AVATAR_CORPUS", avatars::corpus_folder());
    set_tauri_driver_env(&mut test);
    let folder = project::target_dir().join("window-test");
    let remedy = format!("screenshots and the output of app and drivers are in {}", folder.display());
    steps::run_program(&mut test, &remedy)
}

/// A benchmark of `cargo xtask bench`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Benchmark {
    /// Delay and number of polls of the polling policies, and visitors that booths with lanes serve
    Polling,
    /// Time to generate an avatar
    Avatars,
    /// Redeems per second of the sandbox, compared with a bare handler
    Sandbox,
    /// Time of downloads, compared with curl (Linux)
    Downloads,
    /// Memory and counts of ten thousand consoles in one process, for ten minutes (Linux)
    Consoles,
}

impl Benchmark {
    const ALL: [Self; 5] = [Self::Polling, Self::Avatars, Self::Sandbox, Self::Downloads, Self::Consoles];
}

/// `cargo xtask bench`: the named benchmarks, or all of them.
///
/// # Errors
/// If a benchmark cannot be built or fails.
pub(crate) fn run_benchmarks(names: &[Benchmark]) -> Result<(), StepFailure> {
    let mut plan = StepPlan::default();
    let selected = if names.is_empty() { &Benchmark::ALL } else { names };
    for benchmark in selected {
        match benchmark {
            Benchmark::Polling => {
                let polling = cargo_command(&["bench", "--package", "copresence-visit"]);
                plan.add_program_step("the polling policies, and booths with lanes", polling, "fix the build");
            }
            Benchmark::Avatars => {
                let avatars = cargo_command(&["bench", "--package", "copresence-avatar"]);
                plan.add_program_step("generated avatars", avatars, "fix the build");
            }
            Benchmark::Sandbox => {
                let sandbox =
                    cargo_command(&["bench", "--package", "copresence-sandbox", "--bench", "redeem_throughput"]);
                plan.add_program_step("the sandbox under load", sandbox, "fix the build");
            }
            Benchmark::Downloads if cfg!(target_os = "linux") => {
                let remedy = "`cargo xtask setup` installs nginx and curl";
                add_benchmark_of_release_build(&mut plan, "downloads", "downloads, against curl", remedy);
            }
            Benchmark::Consoles if cfg!(target_os = "linux") => {
                let remedy = "the differences are above; other programs that use all processors can cause them";
                let title = "ten thousand consoles for ten minutes";
                add_benchmark_of_release_build(&mut plan, "consoles", title, remedy);
            }
            Benchmark::Downloads | Benchmark::Consoles => {}
        }
    }
    plan.run_steps()
}

/// Adds a benchmark of `tests/benches`, and the optimised build of `copresence` that it measures.
fn add_benchmark_of_release_build<'a>(plan: &mut StepPlan<'a>, name: &str, title: &str, remedy: &'a str) {
    let program = cargo_command(&["build", "--release", "--package", "copresence-cli"]);
    plan.add_program_step("release build of `copresence`", program, "fix the build");
    let bench = cargo_command(&["bench", "--package", "product-tests", "--features", "peers", "--bench", name]);
    plan.add_program_step(title, bench, remedy);
}

/// `cargo xtask soak`: runs the matrices in their long form, or only the part that `matrix_args` select. Without such
/// arguments also runs simulated visits, a hostile backend, the drill, and properties with many random cases.
///
/// # Errors
/// If this is not Linux, or a step fails.
pub(crate) fn run_soak_tests(options: &Options, matrix_args: &[String]) -> Result<(), StepFailure> {
    if !cfg!(target_os = "linux") {
        return Err(StepFailure::new("the matrices run on Linux only", "run them there, or in a container"));
    }
    let mut plan = StepPlan::default();
    prerequisites::add_prerequisite_steps(&mut plan, options, PrerequisitePurpose::Tests);
    ui::add_npm_ci_if_stale(&mut plan);
    ui::add_ui_build_if_stale(&mut plan);
    let programs = build_programs_command(&["copresence", "copresence-kiosk", "matrices"]);
    plan.add_program_step("build of the programs under test", programs, "fix what the compiler reports above");
    let mut words = vec!["--long".to_owned()];
    words.extend(matrix_args.iter().cloned());
    add_robustness_matrices_step(&mut plan, &words);
    // Arguments select a part of the matrices; then only that part runs.
    if matrix_args.is_empty() {
        add_simulated_visit_steps(&mut plan, &["--visits", "10000000"]);
        let mut hostile = workspace_cargo_command(&["test"]);
        hostile.args(["--test", "hostile"]);
        hostile.env("HOSTILE_EXPORTS", "10000").env("HOSTILE_CASES", "300");
        plan.add_program_step("a hostile backend, in the long form", hostile, "fix the tests named above");
        let mut drill = workspace_cargo_command(&["test"]);
        drill.args(["--test", "contract", "--", "--ignored", "drill::"]);
        plan.add_program_step("the drill of a healthy machine", drill, "fix the promises named above");
        plan.add_function_step("a week of a booth, 300 visits in the real window", || {
            run_tests_in_window(&["window_week"])
        });
        for round in 1..=PROPERTY_ROUNDS {
            let properties = workspace_test_command(&["--no-fail-fast"]);
            let title = format!("properties with new random cases, round {round} of {PROPERTY_ROUNDS}");
            plan.add_program_step(title, properties, "the smallest failing case is above: make it a test");
        }
    }
    plan.run_steps_with_summary()
}

/// `cargo xtask measure`: measures the app as it is packaged, and the same screens in Chromium in kiosk mode.
///
/// # Errors
/// If this is not Linux, or a step fails.
pub(crate) fn measure_packaged_app(options: &Options) -> Result<(), StepFailure> {
    if !cfg!(target_os = "linux") {
        let remedy = "run it there, or in a container";
        return Err(StepFailure::new("the window is measured on Linux only", remedy));
    }
    let mut plan = StepPlan::default();
    prerequisites::add_prerequisite_steps(&mut plan, options, PrerequisitePurpose::Tests);
    ui::add_npm_ci_if_stale(&mut plan);
    ui::add_ui_build_if_stale(&mut plan);
    let mut app = cargo_command(&["build", "--release", "--package", "copresence-kiosk"]);
    app.args(["--features", "tauri/custom-protocol"]);
    plan.add_program_step("the app, optimised (takes some minutes)", app, "fix what the compiler reports above");
    let program = build_programs_command(&["measure"]);
    plan.add_program_step("the measuring program", program, "fix what the compiler reports above");
    plan.add_function_step("cold starts, twenty visits, two minutes of waiting", || {
        let mut measure = Command::new(project::debug_program_path("measure"));
        measure.arg(project::target_dir().join("release/copresence-kiosk"));
        measure.arg(project::target_dir().join("measure"));
        set_tauri_driver_env(&mut measure);
        steps::run_program(&mut measure, "the output of the programs is in target/measure")
    });
    let heads = project::target_dir().join("measure/heads");
    let mut avatar = Command::new(project::debug_example_path("heads"));
    avatar.arg(&heads).arg("3");
    plan.add_program_step("an avatar for Chromium", avatar, "fix what the program reports above");
    ui::add_chromium_measurement_step(&mut plan, &heads.join("3.glb"));
    plan.run_steps_with_summary()
}

/// Adds the step of the robustness matrices, which show what happens to avatars if the program is killed, the power
/// fails or the backend misbehaves, and during a long day. Each prints its table.
fn add_robustness_matrices_step(plan: &mut StepPlan<'_>, words: &[String]) {
    let mut matrices = Command::new(project::debug_program_path("matrices"));
    matrices.args(words).arg("--write").arg(project::target_dir().join("matrices"));
    plan.add_program_step("the matrices", matrices, "each violation above says how to reproduce it");
}

/// Adds the simulated visits. They have a build of their own: optimised, because there are very many.
fn add_simulated_visit_steps(plan: &mut StepPlan<'_>, words: &[&str]) {
    let mut build = cargo_command(&["build", "--profile", "simulation", "--package", "product-tests"]);
    build.args(["--features", "product-tests/simulation", "--bin", "simulation"]);
    plan.add_program_step("build of the simulation", build, "fix what the compiler reports above");
    let mut simulation = Command::new(project::target_dir().join("simulation/simulation"));
    simulation.args(words);
    plan.add_program_step(
        "visits in simulated worlds",
        simulation,
        "`simulation --seed N` runs the seed named above again, with its trace",
    );
}

/// Sets `TAURI_DRIVER` in the environment of a test. Searches for the driver when the test starts, because an
/// earlier step may have installed it.
fn set_tauri_driver_env(command: &mut Command) {
    if let Some(driver) = find_program("tauri-driver") {
        command.env("TAURI_DRIVER", driver);
    }
}

/// A cargo command on the whole workspace with the features of all tests. All steps use the same features, so that no
/// step compiles again what an earlier one compiled.
fn workspace_cargo_command(words: &[&str]) -> Command {
    let mut features = vec!["product-tests/window", "product-tests/simulation", "copresence-cli/crash-points"];
    if cfg!(unix) {
        features.push("product-tests/matrices");
    }
    if cfg!(target_os = "linux") {
        features.push("product-tests/peers");
    }
    let mut cargo = cargo_command(words);
    cargo.arg("--workspace").arg("--features").arg(features.join(","));
    cargo
}

/// The command that builds programs of the workspace, and the examples that tests start. With an example, cargo enables
/// the features that dev-dependencies ask for, as it does for tests; without one it would compile most libraries a
/// second time.
fn build_programs_command(names: &[&str]) -> Command {
    let mut build = workspace_cargo_command(&["build"]);
    build
        .args(["--example", "day", "--example", "heads", "--example", "scraped_booth"])
        .args(names.iter().flat_map(|name| ["--bin", name]));
    build
}

/// The command that runs all tests of the workspace. cargo-nextest runs the tests of all binaries side by side, cargo
/// those of one.
///
/// Two tests run for each core, because many of them wait for timeouts and servers.
fn workspace_test_command(options: &[&str]) -> Command {
    let nextest = find_program("cargo-nextest").is_some();
    let mut command = workspace_cargo_command(if nextest { &["nextest", "run"] } else { &["test"] });
    if nextest {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        command.args(["--test-threads", &(2 * cores).to_string()]);
    } else {
        command.args(["--lib", "--bins", "--tests"]);
    }
    command.args(options);
    command
}

/// Builds the `cargo fetch` command that downloads the locked crates for this system.
fn fetch_crates_command() -> Command {
    let mut fetch = cargo_command(&["fetch", "--locked"]);
    let version = try_command_stdout("rustc", &["-vV"]).unwrap_or_default();
    if let Some(host) = version.lines().find_map(|line| line.strip_prefix("host: ")) {
        fetch.args(["--target", host]);
    }
    fetch
}
