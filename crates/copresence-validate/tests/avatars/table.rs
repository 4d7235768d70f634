//! The table of the corpus in `docs/avatars.md`.

use super::{CorpusFile, Verdict};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// First line of the table.
const HEADER: &str = "| file | feature | origin | Khronos errors | verdict | sentence | facts | shown in the reveal |";

/// Compares the table in the document with this run, or writes it if `UPDATE_AVATARS` is set. The column *shown in the
/// reveal* is kept, because another test fills it.
pub(crate) fn compare_or_update_table(rows: &[(CorpusFile, Verdict)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/avatars.md");
    let document = fs::read_to_string(&path).expect("docs/avatars.md");
    let (text, table) = document.split_once(HEADER).expect("the table");
    let shown: HashMap<&str, &str> = table.lines().filter_map(first_and_last_cell).collect();
    let mut updated = format!("{text}{HEADER}\n|---|---|---|---:|---|---|---|---|\n");
    for (file, verdict) in rows {
        let errors = file.khronos.as_ref().map_or("–".to_owned(), |khronos| khronos.errors.to_string());
        let name = format!("`{}`", file.name);
        let shown = shown.get(name.as_str()).copied().unwrap_or_default();
        let cells =
            [&name, &file.feature, &file.origin, &errors, verdict.word, &verdict.sentence, &verdict.facts, shown];
        writeln!(updated, "| {} |", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")).expect("written");
    }
    if std::env::var_os("UPDATE_AVATARS").is_some() {
        fs::write(path, updated).expect("written");
        return;
    }
    assert!(
        updated == document,
        "docs/avatars.md is not current: run this test with UPDATE_AVATARS=1. First difference: {:?}",
        updated.lines().zip(document.lines()).find(|(new, old)| new != old)
    );
}

fn first_and_last_cell(row: &str) -> Option<(&str, &str)> {
    let cells = row.strip_prefix("| ")?.strip_suffix(" |")?;
    let (first, _) = cells.split_once(" | ")?;
    let (_, last) = cells.rsplit_once(" | ")?;
    Some((first.trim(), last.trim()))
}
