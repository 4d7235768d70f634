//! Finds the documents of the package: those that links reach from the first ones, so that no link is broken.

use crate::project::repository_root;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The documents from which links are followed.
const ROOT_DOCUMENTS: [&str; 2] = ["README.md", "docs/kiosk.md"];

/// The documents of the package: the root documents and everything that their links reach, as paths from the
/// repository's root.
pub(crate) fn packaged_documents() -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut pending: Vec<PathBuf> = ROOT_DOCUMENTS.map(PathBuf::from).to_vec();
    while let Some(path) = pending.pop() {
        if found.contains(&path) {
            continue;
        }
        if path.extension().is_some_and(|extension| extension == "md") {
            let text = fs::read_to_string(repository_root().join(&path)).unwrap_or_default();
            let targets = relative_link_targets(&text).filter_map(|link| resolve_link_to_repository_path(&path, link));
            pending.extend(targets.filter(|target| is_file_except_rust_source(target)));
        }
        found.insert(path);
    }
    found
}

/// The text of a Markdown document for the package: a link to something outside of it (a source, a folder) becomes text
/// with the path.
pub(crate) fn replace_unpackaged_links_with_text(from: &Path, text: &str, packaged: &BTreeSet<PathBuf>) -> String {
    let mut pieces = text.split("](");
    let mut done = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let whole = piece.split_once(')');
        let unpackaged = whole.and_then(|(link, rest)| {
            let path = resolve_link_to_repository_path(from, relative_link_targets(&format!("]({link})")).next()?)?;
            (!packaged.contains(&path)).then_some((path, rest))
        });
        if let (Some((path, rest)), Some(open)) = (unpackaged, done.rfind('[')) {
            done.remove(open);
            let path = path.to_string_lossy().replace('\\', "/");
            // The text of some links is the path already.
            if !done[open..].contains(&path) {
                write!(done, " (`{path}` in the sources)").unwrap_or_default();
            }
            done.push_str(rest);
        } else {
            done.push_str("](");
            done.push_str(piece);
        }
    }
    done
}

/// Whether the path is a file that people or other programs read: not a folder, and not Rust source.
fn is_file_except_rust_source(path: &Path) -> bool {
    repository_root().join(path).is_file() && path.extension().is_none_or(|extension| extension != "rs")
}

/// The targets of a Markdown text's relative links, without their `#fragment`.
fn relative_link_targets(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ', '#']).next());
    targets.filter(|link| !link.is_empty() && !link.contains(':'))
}

/// The path from the repository's root of a link in the document `from`; `None` if it is outside of the repository.
fn resolve_link_to_repository_path(from: &Path, link: &str) -> Option<PathBuf> {
    let mut path = from.parent()?.to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::Normal(name) => path.push(name),
            Component::ParentDir => path.pop().then_some(())?,
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_for_operators_are_packaged_with_their_pictures() {
        let packaged = packaged_documents();
        for name in ["docs/desk.md", "docs/profiles.md", "docs/screens/attract.png", "packaging/booth/labwc-autostart"]
        {
            assert!(packaged.contains(Path::new(name)), "{name} is not among {packaged:?}");
        }
        assert!(packaged.iter().all(|path| repository_root().join(path).is_file()));
    }

    #[test]
    fn links_of_documents_are_not_broken() {
        for path in packaged_documents() {
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let text = fs::read_to_string(repository_root().join(&path)).expect("text");
            for link in relative_link_targets(&text) {
                let exists = resolve_link_to_repository_path(&path, link)
                    .is_some_and(|target| repository_root().join(target).exists());
                assert!(exists, "{} links to {link}", path.display());
            }
        }
    }

    /// The text of a Markdown document without its code blocks.
    fn read_prose(path: &Path) -> String {
        let text = fs::read_to_string(repository_root().join(path)).expect("text");
        text.split("```").step_by(2).collect()
    }

    /// The anchors that a code host gives the headings of a document.
    fn heading_anchors(prose: &str) -> BTreeSet<String> {
        let mut anchors = BTreeSet::new();
        for heading in prose.lines().filter(|line| line.starts_with('#')) {
            let kept = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = kept.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
            anchors.insert(kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect());
        }
        anchors
    }

    #[test]
    fn links_to_headings_lead_to_a_heading() {
        let mut checked = 0;
        for path in packaged_documents().into_iter().filter(|path| path.extension().is_some_and(|end| end == "md")) {
            for link in read_prose(&path).split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next()) {
                let Some((document, anchor)) = link.split_once('#').filter(|_| !link.contains("://")) else { continue };
                let target = if document.is_empty() {
                    Some(path.clone())
                } else {
                    resolve_link_to_repository_path(&path, document)
                };
                let target = target.expect("within the repository");
                assert!(heading_anchors(&read_prose(&target)).contains(anchor), "{} links to {link}", path.display());
                checked += 1;
            }
        }
        assert!(checked > 20, "{checked} links");
    }

    /// Appends the text of all source files below a folder.
    fn append_sources(folder: &Path, sources: &mut String) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if path.is_dir() && !["node_modules", "target", "dist"].contains(&name) {
                append_sources(&path, sources);
            } else if ["rs", "ts", "svelte", "toml", "json", "sql"].iter().any(|end| name.ends_with(&format!(".{end}")))
            {
                sources.push_str(&fs::read_to_string(&path).expect("text"));
            }
        }
    }

    /// Whether a word of a document is the name of something in the code: `snake_case` or `CamelCase`.
    fn is_identifier(word: &str) -> bool {
        let inner_capital = word.chars().skip(1).any(char::is_uppercase) && word.chars().any(char::is_lowercase);
        word.chars().all(|c| c.is_alphanumeric() || c == '_')
            && (word.trim_matches('_').contains('_') || word.starts_with(char::is_uppercase) && inner_capital)
    }

    #[test]
    fn identifiers_in_the_developers_documents_exist() {
        let mut sources = String::new();
        for folder in ["crates", "src-tauri", "ui", "tests", "xtask"] {
            append_sources(&repository_root().join(folder), &mut sources);
        }
        let known: BTreeSet<&str> = sources.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let mut unknown = Vec::new();
        for document in ["ARCHITECTURE.md", "CONTRIBUTING.md"] {
            let text = fs::read_to_string(repository_root().join(document)).expect("text");
            let spans = text.split("```").step_by(2).flat_map(|part| part.split('`').skip(1).step_by(2));
            let words = spans.flat_map(|span| span.split(|c: char| !c.is_alphanumeric() && c != '_'));
            unknown.extend(words.filter(|word| is_identifier(word) && !known.contains(word)).map(str::to_owned));
        }
        assert_eq!(unknown, Vec::<String>::new(), "these names in the documents are not in the sources");
    }

    #[test]
    fn packaged_documents_link_only_to_packaged_documents() {
        let packaged = packaged_documents();
        for path in packaged.iter().filter(|path| path.extension().is_some_and(|extension| extension == "md")) {
            let text = fs::read_to_string(repository_root().join(path)).expect("text");
            for link in relative_link_targets(&replace_unpackaged_links_with_text(path, &text, &packaged)) {
                let target = resolve_link_to_repository_path(path, link).expect("within the package");
                assert!(packaged.contains(&target), "{} links to {link}", path.display());
            }
        }
    }

    #[test]
    fn links_to_unpackaged_files_become_their_path() {
        let packaged = BTreeSet::from([PathBuf::from("docs/b.md")]);
        let unlink = |text: &str| replace_unpackaged_links_with_text(Path::new("docs/a.md"), text, &packaged);
        let kept = "[b](b.md#part), ![b](b.md) and [c](https://c.test/x.rs) [d](#e)";
        assert_eq!(unlink(kept), kept);
        assert_eq!(unlink("see [its page](../crates/a.rs), or"), "see its page (`crates/a.rs` in the sources), or");
        assert_eq!(unlink("[`crates/a.rs`](../crates/a.rs) [b](b.md)"), "`crates/a.rs` [b](b.md)");
    }

    #[test]
    fn links_are_relative_to_their_document() {
        let text = "[a](b.md#part) ![c](../d.png \"e\") [f](https://g.test/) [h](#i)";
        let from = Path::new("docs/kiosk.md");
        let found: Vec<_> =
            relative_link_targets(text).filter_map(|link| resolve_link_to_repository_path(from, link)).collect();
        assert_eq!(found, [Path::new("docs/b.md"), Path::new("d.png")]);
        assert_eq!(resolve_link_to_repository_path(from, "../../out.md"), None);
    }
}
