//! What the operator says in their own words.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use ts_rs::TS;

/// A text of the operator's by the tag of its language, as in `de`; none for those that it was not written in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(transparent)]
pub struct Texts(BTreeMap<String, String>);

impl Texts {
    /// Whether it was written in no language.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each language with its text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(language, text)| (language.as_str(), text.as_str()))
    }

    /// In that language.
    pub fn get(&self, language: &str) -> Option<&str> {
        self.0.get(language).map(String::as_str)
    }

    /// The language of exactly these words, if they are one of the texts.
    pub fn language_of(&self, words: &str) -> Option<&str> {
        self.iter().find(|(_, text)| *text == words).map(|(language, _)| language)
    }

    /// Without what surrounds the words; a text that has none is left out.
    #[must_use]
    pub fn tidied(self) -> Self {
        self.0.into_iter().collect()
    }
}

/// Tidied: an empty text is none.
impl<L: Into<String>, T: AsRef<str>> FromIterator<(L, T)> for Texts {
    fn from_iter<I: IntoIterator<Item = (L, T)>>(texts: I) -> Self {
        let tidied =
            texts.into_iter().map(|(language, text)| (language.into(), text.as_ref().trim().to_owned()));
        Self(tidied.filter(|(_, text)| !text.is_empty()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_text_is_none() {
        let texts: Texts = [("de", " Hallo\n"), ("fr", " \n ")].into_iter().collect();
        assert_eq!(texts.iter().collect::<Vec<_>>(), [("de", "Hallo")]);
        assert_eq!((texts.get("de"), texts.get("fr")), (Some("Hallo"), None));
        assert!(Texts::from_iter([("en", "")]).is_empty());
        let sent: Texts = serde_json::from_str(r#"{"en":"","ja":" はい "}"#).expect("texts");
        assert_eq!(sent.tidied(), Texts::from_iter([("ja", "はい")]));
    }

    #[test]
    fn words_are_known_by_heart() {
        let texts: Texts = [("de", "Wir filmen."), ("en", "We film.")].into_iter().collect();
        assert_eq!(texts.language_of("We film."), Some("en"));
        assert_eq!(texts.language_of("We film"), None);
        assert_eq!(Texts::default().language_of(""), None);
    }
}
