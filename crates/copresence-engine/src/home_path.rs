//! Paths for display: the home folder is written as `~`.

use std::path::{MAIN_SEPARATOR, Path};

/// A path for display: `~/…` if it is below the home folder.
///
/// A home folder of `/` is not abbreviated, because every path is below it.
pub fn abbreviate_home(path: &str, home: Option<&Path>) -> String {
    let home = home.filter(|home| home.parent().is_some());
    match home.and_then(|home| Path::new(path).strip_prefix(home).ok()) {
        Some(below) => Path::new("~").join(below).display().to_string(),
        None => path.to_owned(),
    }
}

/// Abbreviates every path below the home folder in a text.
pub fn abbreviate_home_in_text(text: &str, home: Option<&Path>) -> String {
    match home.filter(|home| home.parent().is_some()) {
        Some(home) => text.replace(&format!("{}{MAIN_SEPARATOR}", home.display()), &format!("~{MAIN_SEPARATOR}")),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A text whose paths have the separators of this system.
    fn native(text: &str) -> String {
        text.replace('/', std::path::MAIN_SEPARATOR_STR)
    }

    #[test]
    fn only_paths_below_home_are_abbreviated() {
        let home = native("/home/me");
        let home = Some(Path::new(&home));
        assert_eq!(abbreviate_home(&native("/home/me/out/a"), home), native("~/out/a"));
        assert_eq!(abbreviate_home(&native("/home/mean/out"), home), native("/home/mean/out"));
        assert_eq!(
            abbreviate_home_in_text(&native("in /home/me/a and `/home/me/b`, not /home/mean/c"), home),
            native("in ~/a and `~/b`, not /home/mean/c")
        );
        assert_eq!(abbreviate_home("/out", Some(Path::new("/"))), "/out");
    }
}
