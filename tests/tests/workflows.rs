//! Checks what the workflows of CI promise, as far as their text shows it: that they run nothing but pinned actions and
//! commands of this repository, with few permissions.
//!
//! The tests read lines, not YAML: the workflows keep to one form of it.

use std::fs;
use std::path::Path;

/// One workflow: its file name, and its lines without comments.
struct Workflow {
    name: String,
    lines: Vec<String>,
}

/// The root of the repository.
fn repository_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a parent")
}

/// All workflows of the repository.
fn read_workflows() -> Vec<Workflow> {
    let folder = repository_root().join(".github/workflows");
    let paths = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let workflows: Vec<Workflow> = paths
        .map(|path| Workflow {
            name: path.file_name().expect("a name").to_string_lossy().into_owned(),
            lines: read_text(&path)
                .lines()
                .filter(|line| !line.trim_start().starts_with('#'))
                .map(str::to_owned)
                .collect(),
        })
        .collect();
    assert!(workflows.len() >= 3, "the workflows are not found");
    workflows
}

/// The text of a file.
fn read_text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Workflow {
    /// The values of `key:` on any level, without the comment behind them.
    fn values_of_key<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self
            .lines
            .iter()
            .filter_map(move |line| line.trim_start().trim_start_matches("- ").strip_prefix(key)?.strip_prefix(':'));
        values.map(|value| value.split(" #").next().unwrap_or_default().trim())
    }

    /// The lines of all shell commands: those behind `run:`, and the blocks below `run: |`.
    fn shell_lines(&self) -> Vec<&str> {
        let (mut found, mut block) = (Vec::new(), None);
        for line in &self.lines {
            let indentation = line.len() - line.trim_start().len();
            if block.is_some_and(|outer| line.trim().is_empty() || indentation > outer) {
                found.push(line.trim());
                continue;
            }
            block = None;
            if let Some(command) = line.trim_start().trim_start_matches("- ").strip_prefix("run:") {
                match command.trim() {
                    "|" => block = Some(indentation),
                    command => found.push(command),
                }
            }
        }
        found
    }
}

#[test]
fn actions_are_pinned_by_commit_and_name_their_version() {
    for workflow in read_workflows() {
        for line in workflow.lines.iter().filter(|line| line.contains("uses:")) {
            let (action, version) = line.split_once(" # ").unwrap_or((line, ""));
            let commit = action.rsplit('@').next().unwrap_or_default();
            let pinned = commit.len() == 40 && commit.chars().all(|digit| digit.is_ascii_hexdigit());
            assert!(pinned && version.starts_with('v'), "{}: {}", workflow.name, line.trim());
        }
    }
}

#[test]
fn same_action_has_the_same_commit_everywhere() {
    let mut commits = std::collections::BTreeMap::new();
    for workflow in read_workflows() {
        for action in workflow.values_of_key("uses") {
            let (name, commit) = action.split_once('@').expect("a commit");
            let first = commits.entry(name.to_owned()).or_insert_with(|| commit.to_owned());
            assert_eq!(first, commit, "{}: {name}", workflow.name);
        }
    }
}

#[test]
fn workflows_may_only_read_except_to_draft_a_release() {
    for workflow in read_workflows() {
        let top_level = workflow.lines.windows(2).any(|pair| pair == ["permissions:", "  contents: read"]);
        assert!(top_level, "{} does not limit its permissions", workflow.name);
        let written = workflow.lines.iter().map(|line| line.split(" #").next().unwrap_or_default().trim());
        let written: Vec<&str> =
            written.filter(|line| line.ends_with(": write") || line.contains("write-all")).collect();
        let allowed: &[&str] = match workflow.name.as_str() {
            "release.yml" => &["contents: write", "id-token: write", "attestations: write"],
            _ => &[],
        };
        assert_eq!(written, allowed, "{}", workflow.name);
        let keeps_token =
            workflow.values_of_key("uses").filter(|action| action.starts_with("actions/checkout@")).count()
                - workflow.values_of_key("persist-credentials").filter(|value| *value == "false").count();
        assert_eq!(keeps_token, 0, "{}: a checkout leaves the token on disk", workflow.name);
        assert!(!workflow.lines.iter().any(|line| line.contains("pull_request_target")), "{}", workflow.name);
    }
}

#[test]
fn jobs_end_and_workflows_do_not_pile_up() {
    for workflow in read_workflows() {
        let jobs = workflow.values_of_key("runs-on").count();
        assert!(jobs > 0, "{} has no job", workflow.name);
        assert_eq!(workflow.values_of_key("timeout-minutes").count(), jobs, "{}: a job without a limit", workflow.name);
        assert_eq!(workflow.values_of_key("concurrency").count(), 1, "{}", workflow.name);
    }
}

#[test]
fn shell_commands_contain_no_expressions() {
    for workflow in read_workflows() {
        for line in workflow.shell_lines() {
            assert!(!line.contains("${{"), "{}: text of others would become code: {line}", workflow.name);
        }
    }
}

#[test]
fn commands_exist_in_the_repository() {
    let tasks = read_text(&repository_root().join("xtask/src/main.rs"));
    let scripts = read_text(&repository_root().join("ui/package.json"));
    let mut checked = 0;
    for workflow in read_workflows() {
        for line in workflow.shell_lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            for word in words.iter().filter(|word| word.starts_with(".ci/") || word.starts_with("packaging/")) {
                assert!(repository_root().join(word).is_file(), "{}: {word} does not exist", workflow.name);
                checked += 1;
            }
            if let Some(task) = words.iter().position(|word| *word == "xtask").and_then(|at| words.get(at + 1)) {
                let variant = format!("    {}{}", task[..1].to_uppercase(), &task[1..]);
                let exists = tasks.lines().any(|line| {
                    line.strip_prefix(&variant).is_some_and(|rest| rest.starts_with(',') || rest.starts_with('('))
                });
                assert!(exists, "{}: `cargo xtask {task}` does not exist", workflow.name);
                checked += 1;
            }
            if let ["npm", "run", script] = words[..] {
                assert!(scripts.contains(&format!("    \"{script}\": ")), "{}: npm run {script}", workflow.name);
                checked += 1;
            }
        }
        for folder in workflow.values_of_key("working-directory").filter(|folder| *folder != "files") {
            assert!(repository_root().join(folder).join("package-lock.json").is_file(), "{}: {folder}", workflow.name);
        }
    }
    assert!(checked >= 8, "only {checked} commands were found");
}

#[test]
fn toolchain_is_the_oldest_that_the_workspace_supports() {
    let manifest = read_text(&repository_root().join("Cargo.toml"));
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")).expect("a version");
    let version = format!("{}.0", version.trim_end_matches('"'));
    for workflow in read_workflows() {
        for image in workflow.values_of_key("image").filter(|image| image.starts_with("rust:")) {
            assert_eq!(image, format!("rust:{version}-bookworm"), "{}", workflow.name);
        }
        for line in workflow.shell_lines().iter().filter(|line| line.starts_with("rustup toolchain install ")) {
            assert_eq!(line.split(' ').nth(3), Some(version.as_str()), "{}", workflow.name);
        }
    }
}
