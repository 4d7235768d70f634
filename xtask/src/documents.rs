//! The documents that are packed: what one can reach from the first ones by their links, so that none leads nowhere.

use crate::project::root;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Component, Path, PathBuf};

/// Where reading begins.
const FIRST: [&str; 2] = ["README.md", "docs/kiosk.md"];

/// These documents and all that their links lead to, below the repository's root.
pub(crate) fn packed() -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut unread: Vec<PathBuf> = FIRST.map(PathBuf::from).to_vec();
    while let Some(path) = unread.pop() {
        if found.contains(&path) {
            continue;
        }
        if path.extension().is_some_and(|extension| extension == "md") {
            let text = fs::read_to_string(root().join(&path)).unwrap_or_default();
            let targets = links(&text).filter_map(|link| resolved(&path, link));
            unread.extend(targets.filter(|target| is_document(target)));
        }
        found.insert(path);
    }
    found
}

/// The text of a Markdown document as it is packed: a link to what is not packed, a source or a folder, says in the text
/// where that stands instead of leading nowhere.
pub(crate) fn without_links_to_nowhere(from: &Path, text: &str, packed: &BTreeSet<PathBuf>) -> String {
    let mut pieces = text.split("](");
    let mut done = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let whole = piece.split_once(')');
        let gone = whole.and_then(|(link, rest)| {
            let at = resolved(from, links(&format!("]({link})")).next()?)?;
            (!packed.contains(&at)).then_some((at, rest))
        });
        if let (Some((at, rest)), Some(open)) = (gone, done.rfind('[')) {
            done.remove(open);
            // The words of some links are the path already.
            if !done[open..].contains(&*at.to_string_lossy()) {
                write!(done, " (`{}` in the sources)", at.display()).unwrap_or_default();
            }
            done.push_str(rest);
        } else {
            done.push_str("](");
            done.push_str(piece);
        }
    }
    done
}

/// No source, and no folder; what the sources hold for other programs to read is one.
fn is_document(path: &Path) -> bool {
    root().join(path).is_file() && path.extension().is_none_or(|extension| extension != "rs")
}

/// Where the links of a Markdown text lead to within the same site, without what they point to in a page.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ', '#']).next());
    targets.filter(|link| !link.is_empty() && !link.contains(':'))
}

/// A link of the document at `from`, from the root; `None` where it leads out of it.
fn resolved(from: &Path, link: &str) -> Option<PathBuf> {
    let mut at = from.parent()?.to_owned();
    for part in Path::new(link).components() {
        match part {
            Component::Normal(name) => at.push(name),
            Component::ParentDir => at.pop().then_some(())?,
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_reads_is_packed_with_its_pictures() {
        let packed = packed();
        for name in [
            "docs/desk.md",
            "docs/profiles.md",
            "docs/screens/attract.png",
            "packaging/booth/labwc-autostart",
        ] {
            assert!(packed.contains(Path::new(name)), "{name} is not among {packed:?}");
        }
        assert!(packed.iter().all(|path| root().join(path).is_file()));
    }

    #[test]
    fn no_link_of_a_document_leads_nowhere() {
        for path in packed() {
            if path.extension().is_none_or(|extension| extension != "md") {
                continue;
            }
            let text = fs::read_to_string(root().join(&path)).expect("text");
            for link in links(&text) {
                let there = resolved(&path, link).is_some_and(|target| root().join(target).exists());
                assert!(there, "{} links to {link}", path.display());
            }
        }
    }

    #[test]
    fn nothing_that_is_packed_links_to_what_is_not() {
        let packed = packed();
        for path in packed.iter().filter(|path| path.extension().is_some_and(|extension| extension == "md")) {
            let text = fs::read_to_string(root().join(path)).expect("text");
            for link in links(&without_links_to_nowhere(path, &text, &packed)) {
                let target = resolved(path, link).expect("within the package");
                assert!(packed.contains(&target), "{} links to {link}", path.display());
            }
        }
    }

    #[test]
    fn a_link_to_nowhere_says_where_it_would_lead() {
        let packed = BTreeSet::from([PathBuf::from("docs/b.md")]);
        let said = |text: &str| without_links_to_nowhere(Path::new("docs/a.md"), text, &packed);
        let kept = "[b](b.md#part), ![b](b.md) and [c](https://c.test/x.rs) [d](#e)";
        assert_eq!(said(kept), kept);
        assert_eq!(
            said("see [its page](../crates/a.rs), or"),
            "see its page (`crates/a.rs` in the sources), or"
        );
        assert_eq!(said("[`crates/a.rs`](../crates/a.rs) [b](b.md)"), "`crates/a.rs` [b](b.md)");
    }

    #[test]
    fn a_link_is_followed_from_where_it_stands() {
        let text = "[a](b.md#part) ![c](../d.png \"e\") [f](https://g.test/) [h](#i)";
        let from = Path::new("docs/kiosk.md");
        let found: Vec<_> = links(text).filter_map(|link| resolved(from, link)).collect();
        assert_eq!(found, [Path::new("docs/b.md"), Path::new("d.png")]);
        assert_eq!(resolved(from, "../../out.md"), None);
    }
}
