//! One entry of `payload_complete[]`: an exported asset of an avatar.

use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use url::Url;

/// Spec: "Type of avatar asset, usually indicating file extension." (GET /redeemExportToken)
///
/// The set of types is open, so any string is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExportType(String);

impl ExportType {
    /// Wraps a type as the backend sent it.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The export type as a string, as sent. It is untrusted and must not be used as a file name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExportType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Spec: "One-time download URL of avatar asset" (GET /redeemExportToken). The scheme is http or https.
///
/// The URL alone grants access to the file, so `Debug` shows only the origin.
#[derive(Clone)]
pub struct DownloadUrl(SecretString);

impl DownloadUrl {
    /// Parses an absolute http(s) URL with a host. Returns `None` for anything else.
    pub fn new(value: &str) -> Option<Self> {
        let url = Url::parse(value).ok()?;
        let usable = matches!(url.scheme(), "http" | "https") && url.has_host();
        usable.then(|| Self(SecretString::from(url.as_str())))
    }

    /// The whole URL, for the download request and for the journal.
    pub fn expose_url(&self) -> &str {
        self.0.expose_secret()
    }

    /// Scheme, host and port, which may be shown.
    pub fn url_origin(&self) -> String {
        Url::parse(self.expose_url()).map_or_else(|_| String::new(), |url| url.origin().ascii_serialization())
    }
}

impl fmt::Debug for DownloadUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DownloadUrl({}/…)", self.url_origin())
    }
}

impl PartialEq for DownloadUrl {
    /// Compares the URLs, not in constant time.
    fn eq(&self, other: &Self) -> bool {
        self.expose_url() == other.expose_url()
    }
}

impl Eq for DownloadUrl {}

/// An export that can be downloaded: one asset of the avatar, with its one-time URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DownloadableExport {
    /// `download_URL`.
    pub download_url: DownloadUrl,
    /// `export_type`.
    pub export_type: ExportType,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_http_urls_are_accepted_and_none_is_printed() {
        for bad in ["", "/files/1", "file:///etc/passwd", "ftp://host/x", "javascript:alert(1)", "http://"] {
            assert!(DownloadUrl::new(bad).is_none(), "{bad}");
        }
        let url = DownloadUrl::new("https://files.test/one?sig=secret").expect("a URL");
        assert_eq!(format!("{url:?}"), "DownloadUrl(https://files.test/…)");
    }
}
