//! `cargo xtask package`: builds a Debian package and an archive from one tree of files.

use crate::prerequisites::{self, Purpose};
use crate::project::{cargo_command, command_output, find_program, repository_root, target_dir};
use crate::steps::{StepFailure, StepPlan, StepSuccess, run_program};
use crate::{Options, documents, ui};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Files of the repository, each with its path below the package's root and its mode.
const PACKAGED_FILES: &[(&str, &str, u32)] = &[
    ("packaging/copyright", "usr/share/doc/copresence-kiosk/copyright", 0o644),
    ("packaging/copresence-kiosk.desktop", "usr/share/applications/copresence-kiosk.desktop", 0o644),
    ("packaging/copresence-kiosk.service", "usr/lib/systemd/user/copresence-kiosk.service", 0o644),
    ("icons/32x32.png", "usr/share/icons/hicolor/32x32/apps/copresence-kiosk.png", 0o644),
    ("icons/128x128.png", "usr/share/icons/hicolor/128x128/apps/copresence-kiosk.png", 0o644),
    ("icons/icon.png", "usr/share/icons/hicolor/512x512/apps/copresence-kiosk.png", 0o644),
];

/// The folder of the documents. They are laid out as in the repository, so that their links work.
const DOCUMENTS_DIR: &str = "usr/share/doc/copresence-kiosk";

/// The programs, from cargo's folder for release builds.
const PROGRAMS: [&str; 2] = ["copresence-kiosk", "copresence"];

/// Builds the package and the archive.
///
/// # Errors
/// If this is not Linux, or a step fails.
pub(crate) fn build_package_and_archive(options: &Options) -> Result<(), StepFailure> {
    if !cfg!(target_os = "linux") {
        let remedy = "on Windows and macOS, run `cargo build --release` and follow docs/kiosk.md";
        return Err(StepFailure::new("packages are built on Linux only", remedy));
    }
    let build = PackageBuild::name_package_for_machine();
    let mut plan = StepPlan::default();
    prerequisites::add_prerequisite_steps(&mut plan, options, Purpose::Window);
    ui::add_npm_install(&mut plan);
    ui::add_ui_build_if_stale(&mut plan);
    let mut app = cargo_command(&["build", "--release", "--package", "copresence-kiosk"]);
    // As in builds by the Tauri CLI, the page is loaded from the program and not from a server.
    app.args(["--features", "tauri/custom-protocol"]);
    plan.add_program_step("the app, optimised (takes some minutes)", app, "fix what the compiler says above");
    let cli = cargo_command(&["build", "--release", "--package", "copresence-cli"]);
    plan.add_program_step("the command line, optimised", cli, "fix what the compiler says above");
    plan.add_function_step("the tree of files", || build.lay_out_package_tree());
    plan.add_function_step("the archive", || build.write_tar_archive());
    plan.add_function_step("the Debian package", || build.write_debian_package());
    plan.run_steps()?;
    println!("{}", build.artifact_install_instructions());
    Ok(())
}

/// File name extensions of what is built from the tree.
const ARTIFACT_EXTENSIONS: [&str; 2] = ["deb", "tar.gz"];

/// One package: its name, and the folder in which it is built.
struct PackageBuild {
    name: String,
    version: String,
    architecture: String,
    folder: PathBuf,
}

impl PackageBuild {
    /// Names the package and its folder for this machine's architecture. Builds nothing.
    fn name_package_for_machine() -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let architecture =
            command_output("dpkg", &["--print-architecture"]).unwrap_or_else(|| std::env::consts::ARCH.to_owned());
        let name = format!("copresence-kiosk_{version}_{architecture}");
        Self { name, version, architecture, folder: target_dir().join("package") }
    }

    /// The folder that contains the package's files as they are installed.
    fn package_tree_dir(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// The path of the artifact with this extension.
    fn artifact_path(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.name))
    }

    /// The paths of the artifacts that exist, and how to install them on the booth's machine.
    fn artifact_install_instructions(&self) -> String {
        let files = ARTIFACT_EXTENSIONS
            .map(|extension| self.artifact_path(extension))
            .into_iter()
            .filter(|file| file.is_file());
        let mut lines: Vec<String> = files.map(|file| file.display().to_string()).collect();
        if self.artifact_path("deb").is_file() {
            lines.push(format!("On the booth's machine: sudo apt-get install ./{}.deb, then docs/kiosk.md", self.name));
        }
        lines.join("\n")
    }

    /// Lays out the tree anew, and removes the artifacts of an earlier run.
    fn lay_out_package_tree(&self) -> Result<StepSuccess, StepFailure> {
        let tree = self.package_tree_dir();
        if tree.exists() {
            fs::remove_dir_all(&tree).map_err(|error| step_failure_for_file(&tree, &error))?;
        }
        for old in
            ARTIFACT_EXTENSIONS.map(|extension| self.artifact_path(extension)).iter().filter(|file| file.exists())
        {
            fs::remove_file(old).map_err(|error| step_failure_for_file(old, &error))?;
        }
        for program in PROGRAMS {
            install_file(&target_dir().join("release").join(program), &tree.join("usr/bin").join(program), 0o755)?;
        }
        for (from, to, mode) in PACKAGED_FILES {
            install_file(&repository_root().join(from), &tree.join(to), *mode)?;
        }
        let packaged = documents::packaged_documents();
        for document in &packaged {
            let to = tree.join(DOCUMENTS_DIR).join(document);
            install_file(&repository_root().join(document), &to, 0o644)?;
            if to.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&to).map_err(|error| step_failure_for_file(&to, &error))?;
                fs::write(&to, documents::replace_unpackaged_links_with_text(document, &text, &packaged))
                    .map_err(|error| step_failure_for_file(&to, &error))?;
            }
        }
        make_folders_world_accessible(&tree).map_err(|error| step_failure_for_file(&tree, &error))?;
        Ok(StepSuccess::Ran)
    }

    /// Packs the tree into a `.tar.gz` whose files belong to root.
    fn write_tar_archive(&self) -> Result<StepSuccess, StepFailure> {
        let mut tar = Command::new("tar");
        tar.args(["--create", "--gzip", "--owner=root:0", "--group=root:0", "--sort=name", "--file"]);
        tar.arg(self.artifact_path("tar.gz")).arg("--directory").arg(&self.folder).arg(&self.name);
        run_program(&mut tar, "install GNU tar")
    }

    /// Builds the `.deb` from the tree; skipped without `dpkg-deb`.
    fn write_debian_package(&self) -> Result<StepSuccess, StepFailure> {
        if find_program("dpkg-deb").is_none() {
            return Ok(StepSuccess::Skipped("dpkg-deb is not installed; the archive holds the same files".to_owned()));
        }
        let debian = self.package_tree_dir().join("DEBIAN");
        fs::create_dir_all(&debian)
            .and_then(|()| make_folders_world_accessible(&debian))
            .map_err(|error| step_failure_for_file(&debian, &error))?;
        let control = debian.join("control");
        let size = tree_size_in_bytes(&self.package_tree_dir()).div_ceil(1024);
        fs::File::create(&control)
            .and_then(|mut file| file.write_all(self.debian_control_file(size).as_bytes()))
            .map_err(|error| step_failure_for_file(&control, &error))?;
        let mut build = Command::new("dpkg-deb");
        build.args(["--root-owner-group", "--build"]).arg(self.package_tree_dir()).arg(self.artifact_path("deb"));
        run_program(&mut build, "read the output of dpkg-deb above")
    }

    /// The text of the Debian package's `control` file.
    fn debian_control_file(&self, kibibytes: u64) -> String {
        let libc = command_output("getconf", &["GNU_LIBC_VERSION"])
            .and_then(|line| line.split(' ').nth(1).map(|version| format!("libc6 (>= {version})")))
            .unwrap_or_else(|| "libc6".to_owned());
        let Self { version, architecture, .. } = self;
        format!(
            "Package: copresence-kiosk\n\
             Version: {version}\n\
             Architecture: {architecture}\n\
             Maintainer: The Copresence kiosk's authors <root@localhost>\n\
             Installed-Size: {kibibytes}\n\
             Depends: {libc}, libgcc-s1, libwebkit2gtk-4.1-0, libgtk-3-0\n\
             Recommends: gnome-keyring | kwalletmanager, fonts-noto-cjk, gstreamer1.0-plugins-bad\n\
             Suggests: cage, labwc\n\
             Section: utils\n\
             Priority: optional\n\
             Description: booth where visitors get their Copresence avatar\n \
             A window for visitors, an operator's panel behind a PIN, and the command\n \
             line copresence. It brings a simulated backend, so it can be tried without\n \
             an account.\n"
        )
    }
}

/// Copies a file to its place in the tree, with these permissions.
fn install_file(from: &Path, to: &Path, mode: u32) -> Result<(), StepFailure> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(|error| step_failure_for_file(folder, &error))?;
    fs::copy(from, to).map_err(|error| step_failure_for_file(from, &error))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(to, fs::Permissions::from_mode(mode)).map_err(|error| step_failure_for_file(to, &error))?;
    }
    #[cfg(not(unix))]
    let _ = mode;
    Ok(())
}

/// Lets every user enter the folders, whatever the umask of the build: they become folders of the system.
fn make_folders_world_accessible(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    for entry in folder.read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_folders_world_accessible(&entry.path())?;
        }
    }
    Ok(())
}

/// The size of a file, or of all files below a folder. What cannot be read counts as 0.
fn tree_size_in_bytes(path: &Path) -> u64 {
    let Ok(entries) = path.read_dir() else { return path.metadata().map_or(0, |meta| meta.len()) };
    entries.flatten().map(|entry| tree_size_in_bytes(&entry.path())).sum()
}

/// The failure of a step that could not read or write this path.
fn step_failure_for_file(path: &Path, error: &std::io::Error) -> StepFailure {
    StepFailure::new(
        format!("{}: {error}", path.display()),
        "check disk and permissions, and that the clone is complete",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packaged_files_are_in_the_repository() {
        for (from, to, _) in PACKAGED_FILES {
            assert!(repository_root().join(from).is_file(), "{from}");
            assert!(!to.starts_with('/'), "{to} is below the package's root");
        }
    }

    #[test]
    fn units_and_desktop_entry_name_packaged_files_and_programs() {
        let packaged = documents::packaged_documents();
        let files = PACKAGED_FILES.iter().map(|(from, ..)| PathBuf::from(from)).chain(packaged.iter().cloned());
        for from in files.filter(|from| from.starts_with("packaging/")) {
            let text = fs::read_to_string(repository_root().join(&from)).expect("text");
            let from = from.display();
            for word in text.split_whitespace().filter_map(|word| word.split(DOCUMENTS_DIR).nth(1)) {
                assert!(packaged.contains(Path::new(word.trim_start_matches('/'))), "{from} names {word}");
            }
            for word in text.split_whitespace().filter_map(|word| word.split("/usr/bin/").nth(1)) {
                assert!(PROGRAMS.contains(&word) || word == "cage", "{from} starts {word}");
            }
        }
    }

    #[test]
    fn units_give_a_visit_time_to_end() {
        let shell = fs::read_to_string(repository_root().join("src-tauri/src/shell.rs")).expect("text");
        let farewell = shell.split("SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(").nth(1).expect("a time");
        let farewell: u32 = farewell.split(')').next().and_then(|time| time.parse().ok()).expect("seconds");
        for unit in ["packaging/copresence-kiosk.service", "packaging/booth/copresence-booth.service"] {
            let unit = fs::read_to_string(repository_root().join(unit)).expect("text");
            let stop = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).expect("a time");
            assert!(stop.parse::<u32>().expect("seconds") >= farewell + 5, "{stop}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn folders_are_open_to_every_user() {
        use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
        let tree = std::env::temp_dir().join(format!("copresence-package-{}", std::process::id()));
        let inner = tree.join("usr/bin");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&inner).expect("made");
        make_folders_world_accessible(&tree).expect("opened");
        let modes = [&*tree, inner.parent().expect("usr"), &inner]
            .map(|folder| folder.metadata().expect("there").permissions().mode() & 0o777);
        fs::remove_dir_all(&tree).expect("removed");
        assert_eq!(modes, [0o755; 3]);
    }

    #[test]
    fn summary_lists_only_existing_artifacts() {
        let folder = std::env::temp_dir().join(format!("copresence-made-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("made");
        let build = PackageBuild { folder: folder.clone(), ..PackageBuild::name_package_for_machine() };
        fs::write(build.artifact_path("tar.gz"), "").expect("written");
        let without = build.artifact_install_instructions();
        fs::write(build.artifact_path("deb"), "").expect("written");
        let with = build.artifact_install_instructions();
        fs::remove_dir_all(&folder).expect("removed");
        assert!(without.ends_with(".tar.gz") && !without.contains(".deb"), "{without}");
        assert!(with.contains(".tar.gz\nOn the booth's machine") && with.contains("install ./"), "{with}");
    }

    #[test]
    fn control_file_ends_with_one_line_break() {
        let control = PackageBuild::name_package_for_machine().debian_control_file(7);
        assert!(control.ends_with(".\n") && !control.contains("\n\n"), "{control}");
    }
}
