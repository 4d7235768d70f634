//! The languages that visitors are met in.

/// Those of `locales/`, by their BCP 47 tags.
pub const LANGUAGES: [&str; 6] = ["de", "en", "es", "fr", "ja", "zh-Hans"];

/// The language in which a new visitor is met, by what the operator set: where that is nothing, the system's; English
/// where the system speaks none of ours. The page finds it in the same way (`ui/src/language/tongues.ts`).
pub(crate) fn default_language(set: Option<&str>) -> &'static str {
    let system = sys_locale::get_locales();
    choose_language(set.map(str::to_owned).into_iter().chain(system))
}

fn choose_language(wanted: impl IntoIterator<Item = String>) -> &'static str {
    wanted.into_iter().find_map(|tag| match_supported_language(&tag)).unwrap_or("en")
}

// Who reads another Chinese script still reads this better than English.
fn match_supported_language(tag: &str) -> Option<&'static str> {
    let primary = |tag: &str| tag.split(['-', '_', '.', '@']).next().unwrap_or_default().to_ascii_lowercase();
    let wanted = primary(tag);
    LANGUAGES.into_iter().find(|ours| primary(ours) == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_match_the_catalogues() {
        let locales = concat!(env!("CARGO_MANIFEST_DIR"), "/../../locales");
        let names = std::fs::read_dir(locales).expect("there").map(|entry| entry.expect("entry").file_name());
        let names = names.filter_map(|name| Some(name.to_str()?.strip_suffix(".ftl")?.to_owned()));
        let mut names: Vec<String> = names.collect();
        names.sort();
        assert_eq!(names, LANGUAGES);
    }

    #[test]
    fn the_first_supported_language_is_chosen() {
        for (wanted, chosen) in [
            (&["fr"][..], "fr"),
            (&["de-AT", "en"], "de"),
            (&["fr_FR.UTF-8"], "fr"),
            (&["zh-Hant-TW"], "zh-Hans"),
            (&["ZH"], "zh-Hans"),
            (&["pt-BR", "es-419"], "es"),
            (&["C"], "en"),
            (&["den"], "en"),
            (&[], "en"),
        ] {
            assert_eq!(choose_language(wanted.iter().map(ToString::to_string)), chosen, "{wanted:?}");
        }
        assert_eq!(default_language(Some("ja")), "ja", "whatever the system speaks");
    }
}
