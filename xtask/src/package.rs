//! `cargo xtask package`: what an operator installs. One tree of files becomes a Debian package and an archive.

use crate::plan::{Done, Failure, Plan, run};
use crate::prerequisites::{self, For};
use crate::project::{cargo, find_program, output_of, root, target};
use crate::{Options, documents, ui};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where a file of the repository, or a built program, goes below the package's root, and with which mode.
const FILES: &[(&str, &str, u32)] = &[
    ("packaging/copyright", "usr/share/doc/copresence-kiosk/copyright", 0o644),
    ("packaging/copresence-kiosk.desktop", "usr/share/applications/copresence-kiosk.desktop", 0o644),
    ("packaging/copresence-kiosk.service", "usr/lib/systemd/user/copresence-kiosk.service", 0o644),
    ("icons/32x32.png", "usr/share/icons/hicolor/32x32/apps/copresence-kiosk.png", 0o644),
    ("icons/128x128.png", "usr/share/icons/hicolor/128x128/apps/copresence-kiosk.png", 0o644),
    ("icons/icon.png", "usr/share/icons/hicolor/512x512/apps/copresence-kiosk.png", 0o644),
];

/// Where the documents go, laid out as in the repository, so that their links hold.
const DOCUMENTS: &str = "usr/share/doc/copresence-kiosk";

/// The programs, from cargo's folder for release builds.
const PROGRAMS: [&str; 2] = ["copresence-kiosk", "copresence"];

pub(crate) fn run_all(options: &Options) -> Result<(), Failure> {
    if !cfg!(target_os = "linux") {
        let remedy =
            "on Windows and macOS: cargo build --release, and the systems' own recipes in docs/kiosk.md";
        return Err(Failure::new("packages are made on Linux only", remedy));
    }
    let made = Made::here();
    let mut plan = Plan::default();
    prerequisites::steps(&mut plan, options, For::Window);
    ui::install(&mut plan);
    ui::build(&mut plan);
    let mut app = cargo(&["build", "--release", "--package", "copresence-kiosk"]);
    // As Tauri's own builds do: the page comes from the program and from no server.
    app.args(["--features", "tauri/custom-protocol"]);
    plan.program("the app, optimised (takes some minutes)", app, "mend what the compiler says above");
    let cli = cargo(&["build", "--release", "--package", "cli"]);
    plan.program("the command line, optimised", cli, "mend what the compiler says above");
    plan.step("the tree of files", || made.lay_out());
    plan.step("the archive", || made.archive());
    plan.step("the Debian package", || made.debian());
    plan.run()?;
    println!("{}", made.told());
    Ok(())
}

/// What is made of the tree, by the ends of their names.
const MADE: [&str; 2] = ["deb", "tar.gz"];

/// What is made, and where.
struct Made {
    name: String,
    version: String,
    architecture: String,
    folder: PathBuf,
}

impl Made {
    fn here() -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let architecture =
            output_of("dpkg", &["--print-architecture"]).unwrap_or_else(|| std::env::consts::ARCH.to_owned());
        let name = format!("copresence-kiosk_{version}_{architecture}");
        Self { name, version, architecture, folder: target().join("package") }
    }

    fn tree(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    fn file(&self, extension: &str) -> PathBuf {
        self.folder.join(format!("{}.{extension}", self.name))
    }

    /// What there is now, and what to do with it on the booth's machine.
    fn told(&self) -> String {
        let files = MADE.map(|extension| self.file(extension)).into_iter().filter(|file| file.is_file());
        let mut lines: Vec<String> = files.map(|file| file.display().to_string()).collect();
        if self.file("deb").is_file() {
            lines.push(format!(
                "On the booth's machine: sudo apt-get install ./{}.deb, then docs/kiosk.md",
                self.name
            ));
        }
        lines.join("\n")
    }

    /// Lays out the tree anew; what an earlier run made of another one goes.
    fn lay_out(&self) -> Result<Done, Failure> {
        let tree = self.tree();
        if tree.exists() {
            fs::remove_dir_all(&tree).map_err(|error| wrong(&tree, &error))?;
        }
        for old in MADE.map(|extension| self.file(extension)).iter().filter(|file| file.exists()) {
            fs::remove_file(old).map_err(|error| wrong(old, &error))?;
        }
        for program in PROGRAMS {
            put(&target().join("release").join(program), &tree.join("usr/bin").join(program), 0o755)?;
        }
        for (from, to, mode) in FILES {
            put(&root().join(from), &tree.join(to), *mode)?;
        }
        let packed = documents::packed();
        for document in &packed {
            let to = tree.join(DOCUMENTS).join(document);
            put(&root().join(document), &to, 0o644)?;
            if to.extension().is_some_and(|extension| extension == "md") {
                let text = fs::read_to_string(&to).map_err(|error| wrong(&to, &error))?;
                fs::write(&to, documents::without_links_to_nowhere(document, &text, &packed))
                    .map_err(|error| wrong(&to, &error))?;
            }
        }
        open_folders(&tree).map_err(|error| wrong(&tree, &error))?;
        Ok(Done::Ran)
    }

    fn archive(&self) -> Result<Done, Failure> {
        let mut tar = Command::new("tar");
        tar.args(["--create", "--gzip", "--owner=root:0", "--group=root:0", "--sort=name", "--file"]);
        tar.arg(self.file("tar.gz")).arg("--directory").arg(&self.folder).arg(&self.name);
        run(&mut tar, "install GNU tar")
    }

    fn debian(&self) -> Result<Done, Failure> {
        if find_program("dpkg-deb").is_none() {
            return Ok(Done::Needless("dpkg-deb is not there; the archive holds the same files".to_owned()));
        }
        let debian = self.tree().join("DEBIAN");
        fs::create_dir_all(&debian)
            .and_then(|()| open_folders(&debian))
            .map_err(|error| wrong(&debian, &error))?;
        let control = debian.join("control");
        let size = size_of(&self.tree()).div_ceil(1024);
        fs::File::create(&control)
            .and_then(|mut file| file.write_all(self.control(size).as_bytes()))
            .map_err(|error| wrong(&control, &error))?;
        let mut build = Command::new("dpkg-deb");
        build.args(["--root-owner-group", "--build"]).arg(self.tree()).arg(self.file("deb"));
        run(&mut build, "read what dpkg-deb says above")
    }

    fn control(&self, kibibytes: u64) -> String {
        let libc = output_of("getconf", &["GNU_LIBC_VERSION"])
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

fn put(from: &Path, to: &Path, mode: u32) -> Result<(), Failure> {
    let folder = to.parent().unwrap_or(to);
    fs::create_dir_all(folder).map_err(|error| wrong(folder, &error))?;
    fs::copy(from, to).map_err(|error| wrong(from, &error))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(to, fs::Permissions::from_mode(mode)).map_err(|error| wrong(to, &error))?;
    }
    #[cfg(not(unix))]
    let _ = mode;
    Ok(())
}

/// Lets everybody into the folders, whatever the umask of whoever builds: they become folders of the system.
fn open_folders(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755))?;
    }
    for entry in folder.read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_folders(&entry.path())?;
        }
    }
    Ok(())
}

fn size_of(path: &Path) -> u64 {
    let Ok(entries) = path.read_dir() else { return path.metadata().map_or(0, |meta| meta.len()) };
    entries.flatten().map(|entry| size_of(&entry.path())).sum()
}

fn wrong(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(
        format!("{}: {error}", path.display()),
        "check disk and rights, and that the clone is complete",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_packed_is_in_the_repository() {
        for (from, to, _) in FILES {
            assert!(root().join(from).is_file(), "{from}");
            assert!(!to.starts_with('/'), "{to} is below the package's root");
        }
    }

    #[test]
    fn the_units_and_the_desktop_entry_start_and_name_what_is_packed() {
        let packed = documents::packed();
        let files = FILES.iter().map(|(from, ..)| PathBuf::from(from)).chain(packed.iter().cloned());
        for from in files.filter(|from| from.starts_with("packaging/")) {
            let text = fs::read_to_string(root().join(&from)).expect("text");
            let from = from.display();
            for word in text.split_whitespace().filter_map(|word| word.split(DOCUMENTS).nth(1)) {
                assert!(packed.contains(Path::new(word.trim_start_matches('/'))), "{from} names {word}");
            }
            for word in text.split_whitespace().filter_map(|word| word.split("/usr/bin/").nth(1)) {
                assert!(PROGRAMS.contains(&word) || word == "cage", "{from} starts {word}");
            }
        }
    }

    #[test]
    fn a_visit_has_time_to_end_when_the_unit_is_stopped() {
        let shell = fs::read_to_string(root().join("src-tauri/src/shell.rs")).expect("text");
        let farewell = shell.split("FAREWELL: Duration = Duration::from_secs(").nth(1).expect("a time");
        let farewell: u32 = farewell.split(')').next().and_then(|time| time.parse().ok()).expect("seconds");
        for unit in ["packaging/copresence-kiosk.service", "packaging/booth/copresence-booth.service"] {
            let unit = fs::read_to_string(root().join(unit)).expect("text");
            let stop = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).expect("a time");
            assert!(stop.parse::<u32>().expect("seconds") >= farewell + 5, "{stop}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn everybody_may_look_into_the_folders() {
        use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
        let tree = std::env::temp_dir().join(format!("copresence-package-{}", std::process::id()));
        let inner = tree.join("usr/bin");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&inner).expect("made");
        open_folders(&tree).expect("opened");
        let modes = [&*tree, inner.parent().expect("usr"), &inner]
            .map(|folder| folder.metadata().expect("there").permissions().mode() & 0o777);
        fs::remove_dir_all(&tree).expect("removed");
        assert_eq!(modes, [0o755; 3]);
    }

    #[test]
    fn only_what_was_made_is_told() {
        let folder = std::env::temp_dir().join(format!("copresence-made-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("made");
        let made = Made { folder: folder.clone(), ..Made::here() };
        fs::write(made.file("tar.gz"), "").expect("written");
        let without = made.told();
        fs::write(made.file("deb"), "").expect("written");
        let with = made.told();
        fs::remove_dir_all(&folder).expect("removed");
        assert!(without.ends_with(".tar.gz") && !without.contains(".deb"), "{without}");
        assert!(with.contains(".tar.gz\nOn the booth's machine") && with.contains("install ./"), "{with}");
    }

    #[test]
    fn the_control_file_ends_as_dpkg_wants_it() {
        let control = Made::here().control(7);
        assert!(control.ends_with(".\n") && !control.contains("\n\n"), "{control}");
    }
}
