//! `action.yml`: its steps, run by bash as a runner does, with the real program.

use crate::support::program::TestHome;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ACTION: &str = include_str!("../../../../action.yml");

/// A step: its environment by expression, and its script.
struct Step {
    environment: BTreeMap<String, String>,
    script: String,
}

/// The step with this id. The file keeps to one form of YAML.
fn step(id: &str) -> Step {
    let start = ACTION.find(&format!("\n      id: {id}\n")).expect("a step");
    let text = &ACTION[start + 1..];
    let text = text.split("\n    - name:").next().expect("an end");
    let (head, script) = text.split_once("      run: |\n").expect("a script");
    let (_, environment) = head.split_once("      env:\n").expect("an environment");
    let pair = |line: &str| line.trim().split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    let script = script.lines().map(|line| line.strip_prefix("        ").unwrap_or(line)).collect::<Vec<_>>();
    Step { environment: environment.lines().filter_map(pair).collect(), script: script.join("\n") }
}

/// The default of each input.
fn input_defaults() -> BTreeMap<String, String> {
    let (_, inputs) = ACTION.split_once("\ninputs:\n").expect("inputs");
    let mut defaults = BTreeMap::new();
    let mut input = String::new();
    for line in inputs.lines().take_while(|line| line.is_empty() || line.starts_with(' ')) {
        if let Some(default) = line.strip_prefix("    default: ") {
            defaults.insert(input.clone(), default.trim_matches('\'').to_owned());
        } else if !line.starts_with("   ") {
            line.trim().trim_end_matches(':').clone_into(&mut input);
        }
    }
    assert!(defaults.len() >= 7, "{defaults:?}");
    defaults
}

/// A runner: its folders, and what its steps have printed.
struct Runner {
    home: TestHome,
    inputs: BTreeMap<String, String>,
    outputs: BTreeMap<String, String>,
    /// The tag, branch or commit at which the action is used.
    action_ref: &'static str,
}

impl Runner {
    fn new(inputs: &[(&str, &str)]) -> Self {
        let mut all = input_defaults();
        for (name, value) in inputs {
            let known = all.insert((*name).to_owned(), (*value).to_owned());
            assert!(known.is_some(), "there is no input {name}");
        }
        Self { home: TestHome::new(), inputs: all, outputs: BTreeMap::new(), action_ref: "v0.1.0" }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.root().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The value of an expression, `${{ … }}`.
    fn evaluate(&self, expression: &str) -> String {
        let inner = expression.trim_start_matches("${{").trim_end_matches("}}").trim();
        let mut values = inner.split(" || ").map(|name| match name {
            "github.action_ref" => self.action_ref.to_owned(),
            "github.action_repository" => "owner/name".to_owned(),
            "github.token" => "a-token".to_owned(),
            _ => match name.strip_prefix("inputs.") {
                Some(input) => self.inputs[input].clone(),
                None => self.outputs[name].clone(),
            },
        });
        let value = values.find(|value| !value.is_empty()).unwrap_or_default();
        // The default of an input may be an expression.
        if value.starts_with("${{") { self.evaluate(&value) } else { value }
    }

    /// Runs a step, and keeps its outputs as `steps.<id>.outputs.<name>`.
    fn run(&mut self, id: &str) -> Output {
        let step = step(id);
        assert!(!step.script.contains("${{"), "an expression in a script runs what a stranger wrote");
        let template = self.home.command(&[]);
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &step.script]).env_clear();
        for (name, value) in template.get_envs() {
            command.env(name, value.expect("set"));
        }
        let inherited = std::env::var_os("PATH").expect("set");
        let paths = [self.path("bin")].into_iter().chain(std::env::split_paths(&inherited));
        command.env("PATH", std::env::join_paths(paths).expect("a PATH"));
        command.envs(step.environment.iter().map(|(name, value)| (name, self.evaluate(value))));
        command.env("GITHUB_OUTPUT", self.path("outputs")).env("GITHUB_STEP_SUMMARY", self.path("summary.md"));
        command.env("RUNNER_TEMP", self.home.root()).env("RUNNER_OS", "Linux").env("RUNNER_ARCH", "X64");
        command.env("SOURCE", self.path("release")).current_dir(self.home.root());
        let ended = command.output().expect("bash runs");
        for line in self.read("outputs").lines() {
            let (name, value) = line.split_once('=').expect("an output");
            self.outputs.insert(format!("steps.{id}.outputs.{name}"), value.to_owned());
        }
        _ = std::fs::remove_file(self.path("outputs"));
        ended
    }

    /// Installs the program of this build, and runs the command.
    fn install_and_run(&mut self) -> Output {
        self.inputs.insert("program".to_owned(), env!("CARGO_BIN_EXE_copresence").to_owned());
        let installed = self.run("install");
        assert!(installed.status.success(), "{}", describe(&installed));
        self.run("run")
    }
}

fn describe(run: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr))
}

#[test]
fn validate_writes_every_report_and_a_summary() {
    let mut runner = Runner::new(&[("args", "--max-tokens 0 --fail-on 'must'")]);
    let run = runner.install_and_run();
    assert!(run.status.success(), "{}", describe(&run));
    for report in ["report.html", "report.json", "junit.xml", "report.sarif"] {
        assert!(runner.read(&format!("copresence-reports/{report}")).len() > 200, "{report}");
    }
    assert!(runner.read("summary.md").contains("Passed"), "{}", runner.read("summary.md"));
    assert_eq!(runner.outputs["steps.run.outputs.exit-code"], "0");
    assert_eq!(runner.outputs["steps.run.outputs.reports"], "copresence-reports");
}

#[test]
fn sandbox_runs_commands_beside_it_and_ends_with_their_exit_code() {
    let script =
        "test -n \"$COPRESENCE_SANDBOX_URL\" && test -n \"$COPRESENCE_API_KEY\"\necho \"speaking to\" \"it\"\nexit 7";
    let mut runner = Runner::new(&[("command", "sandbox"), ("args", "--scenario happy"), ("run", script)]);
    let run = runner.install_and_run();
    assert_eq!(run.status.code(), Some(7), "{}", describe(&run));
    assert!(describe(&run).contains("speaking to it"), "{}", describe(&run));
    assert_eq!(runner.outputs["steps.run.outputs.exit-code"], "7");
}

#[test]
fn arguments_are_never_run_as_commands() {
    let mut runner = Runner::new(&[("args", "--profile '$(touch hacked)' --max-tokens `touch hacked`; touch hacked")]);
    let run = runner.install_and_run();
    assert_eq!(run.status.code(), Some(2), "{}", describe(&run));
    assert!(!runner.path("hacked").exists());
}

#[test]
fn wrong_inputs_are_told() {
    for (inputs, message) in [
        (&[("command", "check")][..], "neither validate nor sandbox: check"),
        (&[("command", "sandbox")][..], "The input run is empty"),
        // Without the words after the quote, another backend would be checked.
        (&[("args", "--max-tokens 2 --api-url \"https://staging.example")][..], "is a quote not closed?"),
    ] {
        let mut runner = Runner::new(inputs);
        let run = runner.install_and_run();
        assert_eq!(run.status.code(), Some(2), "{}", describe(&run));
        let told = describe(&run);
        assert!(told.contains("::error::") && told.contains(message), "{told}");
    }
}

/// A release in a folder, with a `gh` that copies from it, because there is no network.
#[test]
fn a_release_is_installed_only_if_its_checksum_is_right() {
    let mut runner = Runner::new(&[]);
    let tree = runner.path("release/copresence-kiosk_0.1.0-1_amd64/usr/bin");
    std::fs::create_dir_all(&tree).expect("made");
    std::fs::create_dir_all(runner.path("bin")).expect("made");
    let gh = "#!/bin/sh\ntest \"$1 $2 $3 $4 $5\" = 'release download v0.1.0 --repo owner/name' && test \"$GH_TOKEN\" = a-token && cp \"$SOURCE\"/*.tar.gz \"$SOURCE\"/SHA256SUMS .\n";
    write_program(&runner.path("bin/gh"), gh);
    write_program(&tree.join("copresence"), "#!/bin/sh\necho copresence 0.1.0\n");
    let pack = "tar -czf copresence-kiosk_0.1.0-1_amd64.tar.gz copresence-kiosk_0.1.0-1_amd64 && sha256sum *.tar.gz >SHA256SUMS";
    let packed = Command::new("sh").args(["-c", pack]).current_dir(runner.path("release")).status();
    assert!(packed.expect("runs").success());
    let installed = runner.run("install");
    assert!(installed.status.success(), "{}", describe(&installed));
    assert!(runner.outputs["steps.install.outputs.program"].ends_with("_amd64/usr/bin/copresence"));

    std::fs::write(runner.path("release/copresence-kiosk_0.1.0-1_amd64.tar.gz"), "changed").expect("written");
    let refused = runner.run("install");
    assert!(!refused.status.success(), "{}", describe(&refused));
    assert!(describe(&refused).contains("FAILED"), "{}", describe(&refused));
}

#[test]
fn a_commit_needs_the_version_of_a_release() {
    let mut runner = Runner::new(&[]);
    runner.action_ref = "3f2c1a9d";
    let refused = runner.run("install");
    assert_eq!(refused.status.code(), Some(2), "{}", describe(&refused));
    assert!(describe(&refused).contains("give the input version"), "{}", describe(&refused));
}

fn write_program(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).expect("written");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("set");
}
