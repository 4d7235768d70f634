//! Paths of the repository and of the build, and the programs that build it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// The repository's root.
pub(crate) fn repository_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Cargo's target folder.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| repository_root().join("target"), |dir| repository_root().join(dir))
}

/// The path of a program of the workspace, built in the development profile.
pub(crate) fn debug_program_path(name: &str) -> PathBuf {
    target_dir().join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// An example that `cargo build` made.
pub(crate) fn debug_example_path(name: &str) -> PathBuf {
    debug_program_path(&format!("examples/{name}"))
}

/// Where tools are installed for this project alone.
pub(crate) fn tools_dir() -> PathBuf {
    target_dir().join("tools")
}

/// A `cargo …` command in the repository.
pub(crate) fn cargo_command(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(repository_root());
    // Requests of tests to this machine and to invalid names must not reach a proxy.
    for name in ["NO_PROXY", "no_proxy"] {
        let others = std::env::var(name).map(|given| format!("{given},")).unwrap_or_default();
        command.env(name, others + "localhost,127.0.0.1,.invalid");
    }
    // Cargo sets these for xtask itself. Passed on, they would make build scripts of other packages run again.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// Finds a program by its name: on the PATH, in cargo's folder of programs, among the project's own tools, or in
/// `/usr/sbin`.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    dirs.extend(cargo_home().map(|home| home.join("bin")));
    dirs.push(tools_dir().join("bin"));
    // Debian has servers there, which is not on the PATH of normal users.
    dirs.push(PathBuf::from("/usr/sbin"));
    let names = [name.to_owned(), format!("{name}.exe"), format!("{name}.cmd")];
    let names = if cfg!(windows) { &names[1..] } else { &names[..1] };
    dirs.iter().flat_map(|dir| names.iter().map(move |name| dir.join(name))).find(|file| file.is_file())
}

/// Where cargo keeps its configuration and the programs that it installs.
fn cargo_home() -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").filter(|home| !home.is_empty());
    home.map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cargo")))
}

/// What a program prints; `None` if it cannot be started or fails.
pub(crate) fn try_command_stdout(program: impl AsRef<OsStr>, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// When the newest file below these paths was changed. Missing paths are ignored.
pub(crate) fn newest_change_time(paths: &[PathBuf]) -> Option<SystemTime> {
    paths.iter().filter_map(|path| newest_change_time_below(path)).max()
}

/// When a file, or the newest entry below a folder, was changed.
fn newest_change_time_below(path: &Path) -> Option<SystemTime> {
    let meta = path.metadata().ok()?;
    if !meta.is_dir() {
        return meta.modified().ok();
    }
    // The folder's own time counts too: it changes when a file is removed.
    let entries = path.read_dir().ok()?.flatten();
    entries.filter_map(|entry| newest_change_time_below(&entry.path())).chain(meta.modified().ok()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_root_holds_the_workspace() {
        assert!(repository_root().join("Cargo.lock").is_file());
    }

    #[test]
    fn only_existing_programs_are_found() {
        assert!(find_program(if cfg!(windows) { "cmd" } else { "sh" }).is_some());
        assert_eq!(find_program("no-such-program-here"), None);
    }

    #[test]
    fn newest_change_is_found_in_subfolders() {
        let whole = newest_change_time(&[repository_root().join("xtask")]).expect("exists");
        assert!(whole >= newest_change_time(&[repository_root().join("xtask/src/main.rs")]).expect("exists"));
        assert_eq!(newest_change_time(&[repository_root().join("no-such-folder")]), None);
    }
}
