//! `docs/security.md` names a test for each promise. Each of these tests exists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Folders with tests, and folders below them that are not ours.
const TEST_FOLDERS: [&str; 4] = ["crates", "src-tauri/src", "tests", "ui/src"];
const FOREIGN_FOLDERS: [&str; 3] = ["node_modules", "target", "generated"];

/// The rows of the tables whose last column says how a promise is tested: the promise, and that column.
fn promises_with_tests(document: &str) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let mut is_in_table = false;
    for line in document.lines() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split(" | ").map(str::trim).collect();
        if !line.starts_with('|') {
            is_in_table = false;
        } else if cells.last().is_some_and(|last| ["test", "how it is tested"].contains(last)) {
            is_in_table = true;
        } else if is_in_table && !line.starts_with("|--") {
            rows.push((cells[0].to_owned(), (*cells.last().unwrap_or(&"")).to_owned()));
        }
    }
    rows
}

/// The words in backquotes.
fn quoted_words(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The names of all test functions in Rust, and of all files with tests.
fn existing_tests(repository: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut folders: Vec<PathBuf> = TEST_FOLDERS.iter().map(|folder| repository.join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() {
                if !FOREIGN_FOLDERS.contains(&name) {
                    folders.push(path);
                }
            } else if name.ends_with(".test.ts") {
                names.insert(name.to_owned());
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                names.extend(test_functions(&text));
                if text.contains("#[test]") || text.contains("::test") {
                    names.insert(name.to_owned());
                    let relative = path.strip_prefix(repository).ok().and_then(Path::to_str);
                    // The document has slashes, also where the system has backslashes.
                    names.extend(relative.map(|relative| relative.replace(std::path::MAIN_SEPARATOR, "/")));
                }
            }
        }
    }
    names
}

/// The functions that follow a test attribute.
fn test_functions(source: &str) -> impl Iterator<Item = String> {
    let mut is_test = false;
    source.lines().filter_map(move |line| {
        let line = line.trim();
        if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
            is_test = true;
        }
        let function = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?;
        let name = function.split(['(', '<']).next().unwrap_or_default();
        std::mem::take(&mut is_test).then(|| name.to_owned())
    })
}

#[test]
fn every_promise_of_the_security_document_names_tests_that_exist() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let document = std::fs::read_to_string(repository.join("docs/security.md")).expect("the document");
    let promises = promises_with_tests(&document);
    assert!(promises.len() > 30, "the tables are not recognized: {}", promises.len());
    let existing = existing_tests(&repository);
    let mut flaws = Vec::new();
    for (promise, tests) in &promises {
        // Folders and crates say where the tests are.
        let named: Vec<&str> = quoted_words(tests).filter(|word| !repository.join(word).is_dir()).collect();
        if named.is_empty() {
            flaws.push(format!("no test is named for: {promise}"));
        }
        flaws.extend(named.iter().filter(|name| !existing.contains(**name)).map(|name| format!("no test `{name}`")));
    }
    assert!(flaws.is_empty(), "{}", flaws.join("\n"));
}

#[test]
fn tables_words_and_test_functions_are_recognized() {
    let document = "| promise | test |\n|---|---|\n| A. | `a`, `b.rs` |\n\n| who | what |\n|---|---|\n| x | y |\n";
    assert_eq!(promises_with_tests(document), [("A.".to_owned(), "`a`, `b.rs`".to_owned())]);
    assert_eq!(quoted_words("`a`, or `b` (c)").collect::<Vec<_>>(), ["a", "b"]);
    let source = "fn helper() {}\n#[tokio::test]\n#[ignore = \"x\"]\nasync fn one() {\n    fn inner() {}\n";
    assert_eq!(test_functions(source).collect::<Vec<_>>(), ["one"]);
}
