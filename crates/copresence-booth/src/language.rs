//! The initial language for a new visitor.

use copresence_engine::settings_toml::LANGUAGES;

/// The initial language for a new visitor: the one that the operator set, else the first supported language of the
/// system, else English. The page chooses in the same way (`ui/src/state/language-store.svelte.ts`).
pub(crate) fn initial_language_for_visitor(set: Option<&str>) -> &'static str {
    let system = sys_locale::get_locales();
    first_supported_or_english(set.map(str::to_owned).into_iter().chain(system))
}

/// The first of the wanted languages that is supported; English if none is.
fn first_supported_or_english(wanted: impl IntoIterator<Item = String>) -> &'static str {
    wanted.into_iter().find_map(|tag| match_supported_language(&tag)).unwrap_or("en")
}

/// Finds the supported language with the same primary subtag. Readers of another Chinese script also get `zh-Hans`,
/// because it serves them better than English.
fn match_supported_language(tag: &str) -> Option<&'static str> {
    let primary = |tag: &str| tag.split(['-', '_', '.', '@']).next().unwrap_or_default().to_ascii_lowercase();
    let wanted = primary(tag);
    LANGUAGES.into_iter().find(|ours| primary(ours) == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(first_supported_or_english(wanted.iter().map(ToString::to_string)), chosen, "{wanted:?}");
        }
        assert_eq!(initial_language_for_visitor(Some("ja")), "ja", "whatever the system speaks");
    }
}
