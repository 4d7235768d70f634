//! The link in the QR code. Spec: "includes the Export Token as a query parameter inside a URL".

use crate::export_token::ExportToken;
use std::fmt;
use std::str::FromStr;
use url::Url;

/// Placeholder for the token in a template.
pub const TOKEN_PLACEHOLDER: &str = "{token}";

/// A URL that contains `{token}` at least once. The vendor's link is not published, so it is part of a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkTemplate(String);

/// Why a string is not a valid [`LinkTemplate`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkTemplateError {
    /// It does not contain `{token}`.
    #[error("the link template does not contain {{token}}, so the phone would not get the Export Token")]
    NoPlaceholder,
    /// It is not an absolute URL.
    #[error("the link template is not an absolute URL: {0}")]
    NotAUrl(String),
}

impl LinkTemplate {
    /// The link for a token. The token is percent-encoded.
    pub fn link_for_token(&self, token: &ExportToken) -> String {
        let encoded: String = url::form_urlencoded::byte_serialize(token.expose().as_bytes()).collect();
        // Form encoding writes a space as `+`, which is ambiguous. A token contains no space, so this cannot occur.
        self.0.replace(TOKEN_PLACEHOLDER, &encoded)
    }

    /// The percent-encoded token in a link of [`link_for_token`](Self::link_for_token). Returns `None` for other links.
    pub fn extract_encoded_token<'a>(&self, link: &'a str) -> Option<&'a str> {
        let places = self.0.matches(TOKEN_PLACEHOLDER).count();
        let around = self.0.len() - places * TOKEN_PLACEHOLDER.len();
        let length = link.len().checked_sub(around)? / places;
        let start = self.0.find(TOKEN_PLACEHOLDER)?;
        let token = link.get(start..start + length)?;
        (self.0.replace(TOKEN_PLACEHOLDER, token) == link).then_some(token)
    }

    /// The template as a string, as given.
    pub fn template_text(&self) -> &str {
        &self.0
    }
}

impl FromStr for LinkTemplate {
    type Err = LinkTemplateError;

    fn from_str(text: &str) -> Result<Self, LinkTemplateError> {
        if !text.contains(TOKEN_PLACEHOLDER) {
            return Err(LinkTemplateError::NoPlaceholder);
        }
        // App links have their own schemes (`copresence://…`), so any scheme is accepted.
        Url::parse(&text.replace(TOKEN_PLACEHOLDER, "x"))
            .map_err(|error| LinkTemplateError::NotAUrl(error.to_string()))?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for LinkTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_template_must_be_a_url_with_a_placeholder() {
        assert_eq!("https://a.test/".parse::<LinkTemplate>(), Err(LinkTemplateError::NoPlaceholder));
        assert!(matches!("not a url {token}".parse::<LinkTemplate>(), Err(LinkTemplateError::NotAUrl(_))));
        assert!("copresence://new?exportToken={token}".parse::<LinkTemplate>().is_ok());
    }

    fn percent_decoded(text: &str) -> String {
        let pairs = format!("x={text}");
        url::form_urlencoded::parse(pairs.as_bytes()).next().expect("a pair").1.into_owned()
    }

    proptest! {
        #[test]
        fn the_link_contains_exactly_the_token(raw in "[!-~]{1,80}") {
            let token = ExportToken::new(raw.clone()).expect("visible ASCII");
            let template: LinkTemplate = "https://a.test/p?exportToken={token}".parse().expect("a template");
            let link = template.link_for_token(&token);
            let encoded = template.extract_encoded_token(&link).expect("an encoded token");
            prop_assert_eq!(percent_decoded(encoded), raw.clone());
            let twice: LinkTemplate = "copresence://{token}/and?t={token}#x".parse().expect("a template");
            let both = twice.link_for_token(&token);
            prop_assert_eq!(twice.extract_encoded_token(&both), Some(encoded));
            prop_assert_eq!(twice.extract_encoded_token(&link), None);
            let url = Url::parse(&link).expect("a URL");
            let read = url.query_pairs().find(|(k, _)| k == "exportToken").map(|(_, v)| v.into_owned());
            prop_assert_eq!(read, Some(raw));
        }
    }
}
