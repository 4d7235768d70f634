//! Texts that the operator wrote.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use ts_rs::TS;

/// A text by language tag, as in `de`. Languages without a text are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(transparent)]
pub struct LocalizedTextView(BTreeMap<String, String>);

impl LocalizedTextView {
    /// Whether there is no text in any language.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each language with its text.
    pub fn iter_texts_by_language(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(language, text)| (language.as_str(), text.as_str()))
    }

    /// The text in this language.
    pub fn text_in_exact_language(&self, language: &str) -> Option<&str> {
        self.0.get(language).map(String::as_str)
    }

    /// The language whose text is exactly `words`, if there is one.
    pub fn find_language_by_full_text(&self, words: &str) -> Option<&str> {
        self.iter_texts_by_language().find(|(_, text)| *text == words).map(|(language, _)| language)
    }

    /// Trims every text, and removes empty ones.
    #[must_use]
    pub fn trim_and_drop_empty(self) -> Self {
        self.0.into_iter().collect()
    }
}

/// Trims every text, and removes empty ones.
impl<L: Into<String>, T: AsRef<str>> FromIterator<(L, T)> for LocalizedTextView {
    fn from_iter<I: IntoIterator<Item = (L, T)>>(texts: I) -> Self {
        let tidied = texts.into_iter().map(|(language, text)| (language.into(), text.as_ref().trim().to_owned()));
        Self(tidied.filter(|(_, text)| !text.is_empty()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_texts_are_removed() {
        let texts: LocalizedTextView = [("de", " Hallo\n"), ("fr", " \n ")].into_iter().collect();
        assert_eq!(texts.iter_texts_by_language().collect::<Vec<_>>(), [("de", "Hallo")]);
        assert_eq!((texts.text_in_exact_language("de"), texts.text_in_exact_language("fr")), (Some("Hallo"), None));
        assert!(LocalizedTextView::from_iter([("en", "")]).is_empty());
        let sent: LocalizedTextView = serde_json::from_str(r#"{"en":"","ja":" はい "}"#).expect("texts");
        assert_eq!(sent.trim_and_drop_empty(), LocalizedTextView::from_iter([("ja", "はい")]));
    }

    #[test]
    fn a_text_is_found_by_its_exact_words() {
        let texts: LocalizedTextView = [("de", "Wir filmen."), ("en", "We film.")].into_iter().collect();
        assert_eq!(texts.find_language_by_full_text("We film."), Some("en"));
        assert_eq!(texts.find_language_by_full_text("We film"), None);
        assert_eq!(LocalizedTextView::default().find_language_by_full_text(""), None);
    }
}
