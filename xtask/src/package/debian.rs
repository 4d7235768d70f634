//! The Debian package by cargo-deb, and an archive with the same files.
//!
//! What the package contains and depends on is in `src-tauri/Cargo.toml`, below `package.metadata.deb`.

use super::{package_dir, recreate_folder, release_program_path, step_failure_for_file};
use crate::documents;
use crate::project::{find_program, repository_root, target_dir};
use crate::steps::{StepFailure, StepPlan, StepSuccess, run_program};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The package's folder of documents, below `usr/share`. They are laid out as in the repository, so that their links
/// work.
const DOCUMENTS_DIR: &str = "doc/copresence-kiosk";

/// Each shell, and the file with its completions, below `usr/share`.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "bash-completion/completions/copresence"),
    ("zsh", "zsh/vendor-completions/_copresence"),
    ("fish", "fish/vendor_completions.d/copresence.fish"),
];

/// Adds the steps that build the Debian package and the archive from the release builds of the programs.
pub(super) fn add_debian_and_archive_steps(plan: &mut StepPlan<'_>) {
    plan.add_function_step("documents", || {
        recreate_folder(&generated_files_dir())?;
        recreate_folder(&package_dir())?;
        write_documents(&generated_files_dir())
    });
    plan.add_function_step("man pages and completions", || write_man_pages_and_completions(&generated_files_dir()));
    plan.add_function_step("the Debian package", write_debian_package);
    plan.add_function_step("the archive", write_tar_archive);
}

/// The folder of generated files, laid out as below `usr/share`. In cargo's folder for release builds, because that is
/// the one folder of builds that assets of cargo-deb can name.
fn generated_files_dir() -> PathBuf {
    target_dir().join("release/package-files")
}

/// Writes the documents, with links to what is packaged only.
fn write_documents(generated: &Path) -> Result<StepSuccess, StepFailure> {
    let packaged = documents::packaged_documents();
    for document in &packaged {
        let from = repository_root().join(document);
        let to = generated.join(DOCUMENTS_DIR).join(document);
        create_parent_folder(&to)?;
        if to.extension().is_some_and(|extension| extension == "md") {
            let text = fs::read_to_string(&from).map_err(|error| step_failure_for_file(&from, &error))?;
            fs::write(&to, documents::replace_unpackaged_links_with_text(document, &text, &packaged))
                .map_err(|error| step_failure_for_file(&to, &error))?;
        } else {
            fs::copy(&from, &to).map_err(|error| step_failure_for_file(&from, &error))?;
        }
    }
    Ok(StepSuccess::Ran)
}

/// Lets the command line write its man pages and completions.
fn write_man_pages_and_completions(generated: &Path) -> Result<StepSuccess, StepFailure> {
    let program = release_program_path("copresence");
    for (shell, file) in COMPLETIONS {
        let to = generated.join(file);
        create_parent_folder(&to)?;
        let file = fs::File::create(&to).map_err(|error| step_failure_for_file(&to, &error))?;
        let mut print = Command::new(&program);
        print.args(["completions", shell]).stdout(Stdio::from(file));
        run_program(&mut print, "fix the command line")?;
    }
    let pages = generated.join("man/man1");
    fs::create_dir_all(&pages).map_err(|error| step_failure_for_file(&pages, &error))?;
    run_program(Command::new(&program).arg("man").arg(&pages), "fix the command line")?;
    // cargo-deb compresses no file of a folder of builds.
    let entries = fs::read_dir(&pages).map_err(|error| step_failure_for_file(&pages, &error))?;
    let mut compress = Command::new("gzip");
    compress.args(["--best", "--no-name"]).args(entries.flatten().map(|entry| entry.path()));
    run_program(&mut compress, "install gzip")
}

/// Builds the Debian package with cargo-deb.
fn write_debian_package() -> Result<StepSuccess, StepFailure> {
    let program = find_program("cargo-deb").unwrap_or_else(|| "cargo-deb".into());
    let mut command = Command::new(program);
    command.current_dir(repository_root());
    command.args(["--locked", "--no-build", "--package", "copresence-kiosk", "--output"]).arg(package_dir());
    run_program(&mut command, "read the output of cargo-deb above")
}

/// Packs the files of the Debian package into a `.tar.gz`, in a folder with the package's name. They belong to root.
fn write_tar_archive() -> Result<StepSuccess, StepFailure> {
    let folder = package_dir();
    let entries = fs::read_dir(&folder).map_err(|error| step_failure_for_file(&folder, &error))?;
    let package = entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .ok_or_else(|| StepFailure::new("cargo-deb wrote no package", "read its output above"))?;
    let tree = package.with_extension("");
    let mut extract = Command::new("dpkg-deb");
    extract.arg("--extract").arg(&package).arg(&tree);
    run_program(&mut extract, "read the output of dpkg-deb above")?;
    let mut tar = Command::new("tar");
    tar.args(["--create", "--gzip", "--owner=root:0", "--group=root:0", "--sort=name", "--file"]);
    tar.arg(package.with_extension("tar.gz")).arg("--directory").arg(&folder).arg(tree.file_name().unwrap_or_default());
    run_program(&mut tar, "install GNU tar")?;
    fs::remove_dir_all(&tree).map_err(|error| step_failure_for_file(&tree, &error))?;
    Ok(StepSuccess::Ran)
}

/// Creates the folder that will contain this file.
fn create_parent_folder(file: &Path) -> Result<(), StepFailure> {
    let folder = file.parent().unwrap_or(file);
    fs::create_dir_all(folder).map_err(|error| step_failure_for_file(folder, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The sources of the package's assets in `src-tauri/Cargo.toml`: those of the repository, relative to its root, and
    /// the names of the programs.
    fn packaged_assets() -> (BTreeSet<PathBuf>, BTreeSet<String>) {
        let manifest = fs::read_to_string(repository_root().join("src-tauri/Cargo.toml")).expect("text");
        let sources = manifest.lines().filter_map(|line| line.trim().strip_prefix("[\"")?.split('"').next());
        let (mut files, mut programs) = (BTreeSet::new(), BTreeSet::new());
        for source in sources {
            match source.strip_prefix("target/release/") {
                Some(name) if name.starts_with("package-files/") => {}
                Some(name) => drop(programs.insert(name.to_owned())),
                None => drop(files.insert(PathBuf::from(source.trim_start_matches("../")))),
            }
        }
        (files, programs)
    }

    #[test]
    fn packaged_files_are_in_the_repository() {
        let (files, programs) = packaged_assets();
        assert_eq!(programs, ["copresence", "copresence-kiosk"].map(str::to_owned).into());
        assert!(files.contains(Path::new("packaging/copresence-kiosk.service")), "{files:?}");
        for file in files {
            assert!(repository_root().join(&file).is_file(), "{}", file.display());
        }
    }

    #[test]
    fn units_and_desktop_entry_name_packaged_files_and_programs() {
        let (files, programs) = packaged_assets();
        let packaged = documents::packaged_documents();
        for from in files.iter().chain(&packaged).filter(|from| from.starts_with("packaging/")) {
            let text = fs::read_to_string(repository_root().join(from)).expect("text");
            let from = from.display();
            for word in text.split_whitespace().filter_map(|word| word.split(DOCUMENTS_DIR).nth(1)) {
                assert!(packaged.contains(Path::new(word.trim_start_matches('/'))), "{from} names {word}");
            }
            for word in text.split_whitespace().filter_map(|word| word.split("/usr/bin/").nth(1)) {
                assert!(programs.contains(word) || word == "cage", "{from} starts {word}");
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

    #[test]
    fn documents_are_written_below_the_folder_of_the_package() {
        let generated = std::env::temp_dir().join(format!("copresence-documents-{}", std::process::id()));
        write_documents(&generated).expect("written");
        let folder = generated.join(DOCUMENTS_DIR);
        let all_written = documents::packaged_documents().iter().all(|document| folder.join(document).is_file());
        let guide = fs::read_to_string(folder.join("docs/kiosk.md"));
        fs::remove_dir_all(&generated).expect("removed");
        assert!(all_written && guide.expect("text").contains("(profiles.md)"));
    }
}
