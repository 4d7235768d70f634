//! The table of the corpus in `docs/avatars.md`.

use super::{CorpusFile, Verdict};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// First line of the table.
const HEADER: &str = "| file | feature | origin | Khronos errors | verdict | sentence | facts | shown in the reveal |";

/// Compares the table in the document with this run, or writes it if `UPDATE_AVATARS` is set. The column *shown in the
/// reveal* is what the corpus says; `npm run test:avatars` compares that with the reveal.
pub(crate) fn compare_or_update_table(rows: &[(CorpusFile, Verdict)]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/avatars.md");
    let document = fs::read_to_string(&path).expect("docs/avatars.md");
    let (text, _) = document.split_once(HEADER).expect("the table");
    let mut updated = format!("{text}{HEADER}\n|---|---|---|---:|---|---|---|---|\n");
    for (file, verdict) in rows {
        let errors = file.khronos.as_ref().map_or("–".to_owned(), |khronos| khronos.errors.to_string());
        let name = format!("`{}`", file.name);
        let shown = file.not_shown.as_ref().map_or("yes".to_owned(), |reason| format!("no: {reason}"));
        let cells =
            [&name, &file.feature, &file.origin, &errors, verdict.word, &verdict.sentence, &verdict.facts, &shown];
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
