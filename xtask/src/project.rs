//! Where things are, and the programs that everything is built with.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

/// The repository's root.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// The built app.
pub(crate) fn app() -> PathBuf {
    built("copresence-kiosk")
}

/// A built program of the workspace.
pub(crate) fn built(name: &str) -> PathBuf {
    target().join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Tools that are installed for this project alone.
pub(crate) fn tools() -> PathBuf {
    target().join("tools")
}

/// `cargo …` in the repository.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    // What tests ask of this machine, and of names that nobody has, is nothing for a proxy.
    for name in ["NO_PROXY", "no_proxy"] {
        let besides = std::env::var(name).map(|given| format!("{given},")).unwrap_or_default();
        command.env(name, besides + "localhost,127.0.0.1,.invalid");
    }
    // Of this package, set by the cargo that runs us: they would make build scripts of others run again.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// The first file of that name on the PATH, or among the project's own tools.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    dirs.push(tools().join("bin"));
    let names = [name.to_owned(), format!("{name}.exe"), format!("{name}.cmd")];
    let names = if cfg!(windows) { &names[1..] } else { &names[..1] };
    dirs.iter().flat_map(|dir| names.iter().map(move |name| dir.join(name))).find(|file| file.is_file())
}

/// What a program prints, if it could be run and said yes.
pub(crate) fn output_of(program: impl AsRef<OsStr>, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// When the newest file below these was changed; those that are not there count nothing.
pub(crate) fn newest(paths: &[PathBuf]) -> Option<SystemTime> {
    paths.iter().filter_map(|path| newest_below(path)).max()
}

fn newest_below(path: &Path) -> Option<SystemTime> {
    let meta = path.metadata().ok()?;
    if !meta.is_dir() {
        return meta.modified().ok();
    }
    // The folder's own time counts too: it changes when a file goes away.
    let entries = path.read_dir().ok()?.flatten();
    entries.filter_map(|entry| newest_below(&entry.path())).chain(meta.modified().ok()).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_holds_the_workspace() {
        assert!(root().join("Cargo.lock").is_file());
    }

    #[test]
    fn programs_are_found_by_name_only_when_they_are_there() {
        assert!(find_program("cargo").is_some());
        assert_eq!(find_program("no-such-program-here"), None);
    }

    #[test]
    fn the_newest_file_counts_wherever_it_lies() {
        let whole = newest(&[root().join("xtask")]).expect("there");
        assert!(whole >= newest(&[root().join("xtask/src/main.rs")]).expect("there"));
        assert_eq!(newest(&[root().join("no-such-folder")]), None);
    }
}
