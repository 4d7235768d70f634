//! Compares the verdicts on avatar files with those of the Khronos validator. Needs Node.js and the packages of
//! `tests/avatars`, which `cargo xtask test` installs.

mod table;

use copresence_validate::file_content::{FileContent, InspectionError, inspect_file};
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One of so many changed models is judged by default. There are about 14,000; `MUTANT_STEP=1` judges all.
const DEFAULT_MUTANT_STEP: &str = "9";
/// The head that the corpus is made of.
const HEAD_SEED: u64 = 3;

/// A file of the corpus, as `corpus.json` lists it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CorpusFile {
    name: String,
    feature: String,
    origin: String,
    /// `valid`, `warn` or `fail`.
    expected: String,
    khronos: Option<KhronosVerdict>,
    /// Why the reveal does not show it; `None` if it does.
    not_shown: Option<String>,
}

/// Errors that the Khronos validator found.
#[derive(Deserialize)]
struct KhronosVerdict {
    errors: u64,
    first: String,
}

/// A changed model, as `mutants.json` lists it.
#[derive(Deserialize)]
struct Mutant {
    change: String,
    length: usize,
    errors: u64,
    first: String,
}

/// The verdict here on a file.
struct Verdict {
    /// `pass`, `warn`, `fail` or `inconclusive`.
    word: &'static str,
    /// Why it is not `pass`.
    sentence: String,
    facts: String,
}

fn judge_file(export_type: &str, bytes: &[u8]) -> Verdict {
    match inspect_file(export_type, bytes) {
        Ok(content) => Verdict {
            word: if content.notes().is_empty() { "pass" } else { "warn" },
            sentence: content.notes().join("; "),
            facts: FileContent::describe_content(&content),
        },
        Err(InspectionError::Invalid(reason)) => Verdict { word: "fail", sentence: reason, facts: String::new() },
        Err(error) => Verdict { word: "inconclusive", sentence: error.to_string(), facts: String::new() },
    }
}

/// The folder with the scripts that make the files.
fn script_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/avatars")
}

/// Runs a script of `tests/avatars`, and fails with its output.
fn run_script(script: &str, args: &[&Path]) {
    let output = Command::new("node").arg(script).args(args).current_dir(script_folder()).output();
    let output = output.expect("Node.js is installed");
    assert!(
        output.status.success(),
        "{script} (has `cd tests/avatars && npm ci` run?):\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn read_json<T: serde::de::DeserializeOwned>(file: &Path) -> T {
    let text = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
#[ignore = "needs the packages of tests/avatars"]
fn avatar_files_have_the_verdicts_of_the_khronos_validator() {
    let temporary = tempfile::tempdir().expect("a folder");
    // A corpus that was built before saves the time of building one.
    let folder = std::env::var_os("AVATAR_CORPUS").map_or_else(
        || {
            let head = temporary.path().join("head.glb");
            fs::write(&head, copresence_avatar::build_avatar(HEAD_SEED, None).glb).expect("written");
            let folder = temporary.path().join("corpus");
            run_script("build.mjs", &[&head, &folder]);
            folder
        },
        PathBuf::from,
    );
    let files: Vec<CorpusFile> = read_json(&folder.join("corpus.json"));
    assert!(files.len() > 60, "{} files", files.len());
    let mut wrong = Vec::new();
    let mut rows = Vec::new();
    for file in files {
        let path = folder.join(&file.name);
        let export_type = path.extension().unwrap_or_default().to_string_lossy().into_owned();
        let verdict = judge_file(&export_type, &fs::read(&path).expect("a file"));
        let is_right = match file.expected.as_str() {
            "valid" => matches!(verdict.word, "pass" | "warn"),
            expected => verdict.word == expected,
        };
        let has_place = match &file.khronos {
            Some(khronos) if khronos.errors > 0 => verdict.sentence.contains('/') || verdict.sentence.contains("byte "),
            _ => true,
        };
        if !is_right || !has_place {
            let khronos = file.khronos.as_ref().map_or("", |khronos| &khronos.first);
            wrong.push(format!(
                "{}: expected {} ({khronos}), but it is {}: {}",
                file.name, file.expected, verdict.word, verdict.sentence
            ));
        }
        rows.push((file, verdict));
    }
    assert!(wrong.is_empty(), "{} wrong verdicts:\n{}", wrong.len(), wrong.join("\n"));
    table::compare_or_update_table(&rows);
}

#[test]
#[ignore = "needs the packages of tests/avatars"]
fn changed_models_have_the_verdicts_of_the_khronos_validator() {
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = std::env::var_os("AVATAR_MUTANTS").map_or_else(
        || {
            let step = std::env::var("MUTANT_STEP").unwrap_or_else(|_| DEFAULT_MUTANT_STEP.to_owned());
            run_script("mutants.mjs", &[temporary.path(), Path::new(&step)]);
            temporary.path().to_path_buf()
        },
        PathBuf::from,
    );
    let mutants: Vec<Mutant> = read_json(&folder.join("mutants.json"));
    let files = fs::read(folder.join("mutants.bin")).expect("the files");
    assert!(mutants.len() > 1_000, "{} changed models", mutants.len());
    // The unit tests use a copy of the unchanged model.
    let copy = include_bytes!("../../src/file_content/complete-model.glb");
    assert!(files.starts_with(copy) && mutants[0].length == copy.len(), "complete-model.glb is not current");
    let mut rest = files.as_slice();
    let (mut wrong, mut unexamined) = (Vec::new(), 0);
    for mutant in &mutants {
        let (bytes, after) = rest.split_at(mutant.length);
        rest = after;
        let verdict = judge_file("glb", bytes);
        let is_right = match verdict.word {
            "inconclusive" => {
                unexamined += 1;
                true
            }
            "fail" => mutant.errors > 0,
            _ => mutant.errors == 0,
        };
        if !is_right {
            let Mutant { change, errors, first, .. } = mutant;
            wrong
                .push(format!("{change}: {errors} errors ({first}), but it is {}: {}", verdict.word, verdict.sentence));
        }
    }
    assert!(wrong.is_empty(), "{} of {} wrong verdicts:\n{}", wrong.len(), mutants.len(), wrong.join("\n"));
    assert!(unexamined * 100 < mutants.len(), "{unexamined} of {} were not examined", mutants.len());
}
