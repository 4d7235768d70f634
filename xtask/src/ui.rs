//! The web UI: its packages, its checks, its build.

use crate::Options;
use crate::plan::{Done, Failure, Plan, run};
use crate::prerequisites::{self, For};
use crate::project::{built, cargo, find_program, newest, root, target};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// `npm ci`, when `package-lock.json` is not the one that was installed from.
pub(crate) fn install(plan: &mut Plan<'_>) {
    plan.step("the UI's packages (npm ci)", || {
        let lock = fs::read(dir().join("package-lock.json")).map_err(|error| {
            Failure::new(format!("ui/package-lock.json cannot be read: {error}"), "is the clone complete?")
        })?;
        // Inside, so that it goes when the packages go.
        let stamp = dir().join("node_modules/.installed-from.json");
        if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
            return Ok(Done::Needless("package-lock.json has not changed".to_owned()));
        }
        run(
            &mut npm(&["ci", "--no-audit", "--no-fund", "--fetch-retries=5"]),
            "read npm's first lines above: the network, or a package-lock.json that is behind package.json (then `cd ui && npm install`)",
        )?;
        fs::write(&stamp, lock).map_err(|error| {
            Failure::new(format!("{} cannot be written: {error}", stamp.display()), "check disk and rights")
        })?;
        Ok(Done::Ran)
    });
}

/// The built UI, which the app contains; built when something of it changed.
pub(crate) fn build(plan: &mut Plan<'_>) {
    plan.step("the UI, types checked", || {
        let built = newest(&[dir().join("dist/index.html")]);
        if built.is_some() && built > newest(&sources()) {
            return Ok(Done::Needless("it is newer than its sources".to_owned()));
        }
        run(&mut npm(&["run", "build"]), "mend what svelte-check or vite says above")
    });
}

/// Lints, build and unit tests of the UI, all of them afresh.
pub(crate) fn check(plan: &mut Plan<'_>) {
    plan.program("UI: lints", npm(&["run", "lint"]), "`cd ui && npx biome check --write .` mends most of it");
    plan.program("UI: types and build", npm(&["run", "build"]), "mend what svelte-check or vite says above");
    plan.program("UI: unit tests", npm(&["test"]), "mend the tests named above (`cd ui && npm test`)");
}

/// The built screens in Chromium: every screen, size and language, and whole visits.
pub(crate) fn browse(plan: &mut Plan<'_>) {
    let remedy =
        "mend the screens named above (`cd ui && npm run screens -- NAME SIZE LANGUAGE` photographs one)";
    plan.program("UI: every screen in Chromium", npm(&["run", "test:browser"]), remedy);
}

/// `cargo xtask screenshots`: every screen at 1080p, in English, with an avatar of the sandbox at the reveal; the desk;
/// the sandbox's phone page and avatars.
pub(crate) fn screenshots(options: &Options) -> Result<(), Failure> {
    let mut plan = Plan::default();
    prerequisites::steps(&mut plan, options, For::Tests);
    install(&mut plan);
    // Beside those that the test in the real window takes.
    let folder = root().join("docs/screens/states");
    let avatars = target().join("screenshots");
    let mut avatar = cargo(&["run", "--package", "avatar", "--example", "heads", "--"]);
    avatar.arg(&avatars).args(["3", "5", "8", "14"]);
    plan.program("avatars for the reveal and the history", avatar, "mend the build");
    let mut pictures = npm(&["run", "screens", "--", "--out"]);
    pictures.arg(&folder).env("AVATAR", avatars.join("3.glb"));
    plan.program("every screen, photographed", pictures, "mend what the pictures' program says above");
    let mut desk = npm(&["run", "screens:desk", "--", "--out"]);
    desk.arg(root().join("docs/screens/desk")).env("AVATAR", avatars.join("3.glb"));
    plan.program("the desk, photographed", desk, "mend what the pictures' program says above");
    let program = cargo(&["build", "--package", "cli"]);
    plan.program("the program for the terminal", program, "mend the build");
    let mut sandbox = npm(&["run", "screens:sandbox"]);
    sandbox.env("COPRESENCE_CLI", built("copresence"));
    plan.program("the sandbox's phone page and avatars, photographed", sandbox, "read what it says above");
    plan.run()?;
    println!("The pictures are in {}, docs/screens/desk and docs/screens/sandbox", folder.display());
    Ok(())
}

/// The sandbox from outside, on the built program: its phone page in Chromium, its avatars under a validator.
pub(crate) fn visit_sandbox(plan: &mut Plan<'_>) {
    let mut tests = npm(&["run", "test:sandbox"]);
    tests.env("COPRESENCE_CLI", built("copresence"));
    let remedy = "mend the tests named above (`cd ui && npm run test:sandbox`)";
    plan.program(
        "the sandbox's phone page in Chromium, its avatars under the Khronos validator",
        tests,
        remedy,
    );
}

/// The development server, on the port that `tauri.dev.conf.json` names.
pub(crate) fn server() -> Command {
    // Itself, not through npm, which would stand between it and our signals.
    let name = if cfg!(windows) { "vite.cmd" } else { "vite" };
    let mut command = Command::new(dir().join("node_modules/.bin").join(name));
    command.args(["--strictPort", "--clearScreen", "false"]).current_dir(dir());
    command
}

fn dir() -> PathBuf {
    root().join("ui")
}

fn sources() -> Vec<PathBuf> {
    [
        "src",
        "public",
        "../locales",
        "index.html",
        "package-lock.json",
        "vite.config.ts",
        "svelte.config.js",
        "tsconfig.json",
    ]
    .map(|name| dir().join(name))
    .to_vec()
}

fn npm(args: &[&str]) -> Command {
    // Found by hand, because on Windows it is a script, which is started by its full name only.
    let mut command = Command::new(find_program("npm").unwrap_or_else(|| "npm".into()));
    command.args(args).current_dir(dir());
    command
}
