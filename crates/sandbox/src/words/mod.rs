//! Every word of the phone page, a file a language. A key that is missing anywhere does not compile.

mod de;
mod en;
mod es;
mod fr;
mod ja;
mod zh;

use serde::Serialize;

/// The page's words in one language.
#[derive(Serialize)]
pub(crate) struct Words {
    /// The language's tag in HTML and HTTP.
    pub(crate) tag: &'static str,
    /// What the language calls itself.
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) sandbox_note: &'static str,
    pub(crate) headline: &'static str,
    pub(crate) introduction: &'static str,
    pub(crate) record: &'static str,
    pub(crate) record_hint: &'static str,
    pub(crate) choose: &'static str,
    pub(crate) choose_hint: &'static str,
    pub(crate) choose_headline: &'static str,
    pub(crate) pick: &'static str,
    pub(crate) skip: &'static str,
    pub(crate) crop_headline: &'static str,
    pub(crate) crop_hint: &'static str,
    pub(crate) crop_area: &'static str,
    pub(crate) crop_keys: &'static str,
    pub(crate) zoom: &'static str,
    pub(crate) turn: &'static str,
    pub(crate) promise: &'static str,
    pub(crate) use_picture: &'static str,
    pub(crate) take_again: &'static str,
    pub(crate) back: &'static str,
    pub(crate) again: &'static str,
    pub(crate) languages: &'static str,
    pub(crate) no_script: &'static str,
    pub(crate) live: Live,
}

/// The words that the script puts in, as things happen. `{n}` stands for a number.
#[derive(Serialize)]
pub(crate) struct Live {
    queue_head: &'static str,
    queue_next_head: &'static str,
    queue_text: &'static str,
    queue_unit: &'static str,
    queue_place: &'static str,
    processing_head: &'static str,
    processing_text: &'static str,
    ready_head: &'static str,
    ready_text: &'static str,
    spent_head: &'static str,
    spent_text: &'static str,
    failed_head: &'static str,
    failed_text: &'static str,
    expired_head: &'static str,
    expired_text: &'static str,
    unknown_head: &'static str,
    unknown_text: &'static str,
    sending_head: &'static str,
    sending_text: &'static str,
    offline: &'static str,
    picture_unreadable: &'static str,
    picture_refused: &'static str,
    not_sent: &'static str,
}

/// The languages, in the order in which the page offers them. The first is the one for everybody else.
pub(crate) static LANGUAGES: [&Words; 6] =
    [&en::WORDS, &de::WORDS, &es::WORDS, &fr::WORDS, &ja::WORDS, &zh::WORDS];

/// The words for somebody who asked for a language by its tag (a link of the page), or whose browser prefers some
/// (`Accept-Language`).
pub(crate) fn words_for(tag: Option<&str>, accepted: Option<&str>) -> &'static Words {
    let known = |tag: &str| {
        // Whoever reads Chinese of any kind is better served by one of them than by English.
        let language = tag.split('-').next().unwrap_or_default();
        LANGUAGES
            .iter()
            .find(|words| words.tag.split('-').next().is_some_and(|own| own.eq_ignore_ascii_case(language)))
    };
    if let Some(words) = tag.and_then(known) {
        return words;
    }
    let mut preferred: Vec<(f32, &str)> = accepted.unwrap_or_default().split(',').map(weighed).collect();
    // Stable: of those liked equally the first named counts.
    preferred.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut wanted = preferred.into_iter().filter(|(weight, _)| *weight > 0.0);
    wanted.find_map(|(_, tag)| known(tag)).unwrap_or(&LANGUAGES[0])
}

/// A language of an `Accept-Language` with its weight: `de;q=0.8`. What is not written rightly counts nothing.
fn weighed(item: &str) -> (f32, &str) {
    let mut parts = item.split(';').map(str::trim);
    let tag = parts.next().unwrap_or_default();
    let weight = match parts.find_map(|part| part.strip_prefix("q=")) {
        None => 1.0,
        Some(written) => written.parse().ok().filter(|q: &f32| (0.0..=1.0).contains(q)).unwrap_or(0.0),
    };
    (weight, tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeMap;

    /// All texts of a language by their keys.
    fn texts(words: &Words) -> BTreeMap<String, String> {
        fn walk(value: &Value, path: &str, into: &mut BTreeMap<String, String>) {
            match value {
                Value::Object(fields) => {
                    fields.iter().for_each(|(key, value)| walk(value, &format!("{path}/{key}"), into));
                }
                Value::String(text) => drop(into.insert(path.to_owned(), text.clone())),
                other => panic!("{path} is no text: {other}"),
            }
        }
        let mut all = BTreeMap::new();
        walk(&serde_json::to_value(words).expect("plain data"), "", &mut all);
        all
    }

    #[test]
    fn no_text_is_missing_untranslated_or_without_its_placeholder() {
        let english = texts(LANGUAGES[0]);
        // The same word in both languages, as it happens.
        let alike = [("fr", "/zoom"), ("es", "/zoom"), ("de", "/zoom")];
        for words in LANGUAGES {
            for (key, text) in texts(words) {
                assert!(!text.trim().is_empty(), "{} {key} is empty", words.tag);
                assert_eq!(text, text.trim(), "{} {key} has space round it", words.tag);
                let original = &english[&key];
                let placeholder = |text: &str| text.contains("{n}");
                assert_eq!(placeholder(&text), placeholder(original), "{} {key}", words.tag);
                let same = words.tag != "en" && text == *original;
                assert!(!same || alike.contains(&(words.tag, &key)), "{} {key} is English", words.tag);
            }
        }
    }

    #[test]
    fn the_browsers_wish_is_heard_and_a_link_outweighs_it() {
        let tag = |tag, accepted| words_for(tag, accepted).tag;
        assert_eq!(tag(None, None), "en");
        assert_eq!(tag(None, Some("de-CH,de;q=0.9,en;q=0.8")), "de");
        assert_eq!(tag(None, Some("nl,en;q=0.3,fr;q=0.7")), "fr");
        assert_eq!(tag(None, Some("ja;q=0, es;q=0.1")), "es");
        assert_eq!(tag(None, Some("zh-TW")), "zh-Hans");
        assert_eq!(tag(None, Some("nl;q=oops,,;;")), "en");
        assert_eq!(tag(Some("ja"), Some("de")), "ja");
        assert_eq!(tag(Some("tlh"), Some("de")), "de");
    }

    #[test]
    fn the_sandbox_says_what_it_is_in_every_language() {
        for words in LANGUAGES {
            assert!(words.sandbox_note.contains("Copresence"), "{}", words.tag);
        }
    }
}
