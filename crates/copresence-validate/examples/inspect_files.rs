//! Inspects files as `validate` does, and prints the verdict on each as one line of JSON:
//! `cargo run -p copresence-validate --example inspect_files -- FILE…`, or with one path per line on the standard input.

use copresence_validate::file_content::{FileContent, InspectionError, inspect_file};
use serde_json::{Value, json};
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let mut paths: Vec<String> = std::env::args().skip(1).collect();
    if paths.is_empty() {
        paths = std::io::stdin().lines().collect::<Result<_, _>>()?;
    }
    for path in paths {
        let export_type = Path::new(&path).extension().unwrap_or_default().to_string_lossy();
        let content = inspect_file(&export_type, &std::fs::read(&path)?);
        println!("{}", describe_verdict(&path, &content));
    }
    Ok(())
}

/// The verdict on a file: `pass`, `warn` (valid but unusual), `fail` or `inconclusive`, with a sentence and the notes.
fn describe_verdict(path: &str, content: &Result<FileContent, InspectionError>) -> Value {
    match content {
        Ok(content) => {
            let verdict = if content.notes().is_empty() { "pass" } else { "warn" };
            let notes = content.notes().join("; ");
            json!({"path": path, "verdict": verdict, "sentence": notes, "facts": content.describe_content()})
        }
        Err(InspectionError::Invalid(reason)) => {
            json!({"path": path, "verdict": "fail", "sentence": reason, "facts": ""})
        }
        Err(error) => json!({"path": path, "verdict": "inconclusive", "sentence": error.to_string(), "facts": ""}),
    }
}
