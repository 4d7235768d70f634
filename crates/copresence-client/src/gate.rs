//! Recognises answers that do not come from the backend's API: pages of proxies, firewalls and captive portals.
//!
//! The API speaks JSON. A response is a gate's if it
//! - asks for a login of the proxy (407) or of the network (511), with any body;
//! - redirects to another host;
//! - is a page: its body begins with `<` (HTML, XML), or has tags and is labelled as HTML;
//! - is a plain text with status 403, as firewalls and service meshes send it ("RBAC: access denied"). The mere reason
//!   phrase ("Forbidden") is not: small backends send it themselves.
//!
//! JSON is never a gate's, whatever its `Content-Type` says.

use crate::redact::Redactor;
use serde::de::IgnoredAny;
use std::fmt;

/// Maximum length of a page's title in messages, in characters.
const MAX_TITLE_CHARS: usize = 80;
/// The part of a page in which its title is looked for, in bytes.
const TITLE_SEARCH_BYTES: usize = 16 * 1024;

/// Something between this program and the backend that answered in its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NetworkGate {
    /// What it did.
    pub kind: NetworkGateKind,
    /// The title of its page, or the beginning of its text. Known secrets are masked.
    pub title: Option<String>,
}

/// The kind of a network gate, by how it answered in place of the API.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NetworkGateKind {
    /// 407: the proxy asks for a login.
    ProxyLogin,
    /// 511, or a redirect to another host: this network asks for a login.
    NetworkLogin {
        /// The host of the redirect.
        redirect_to: Option<String>,
    },
    /// An HTML or XML page with status 200, where the API was asked: most likely this network asks for a login.
    PageInsteadOfAnswer,
    /// An HTML or XML page with any other status.
    Page,
    /// A plain text with status 403.
    Text,
}

/// Evidence of a network gate: the parts of a response by which it is recognised.
pub(crate) struct InterceptedResponseEvidence<'a> {
    pub(crate) status: u16,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) body: &'a [u8],
    /// The host of a redirect to another host than the one that was asked.
    pub(crate) foreign_redirect_host: Option<&'a str>,
    /// Masks known secrets in the title.
    pub(crate) redactor: &'a Redactor,
}

impl NetworkGate {
    /// Recognises a gate. Returns `None` for a response that may come from the API.
    pub(crate) fn detect_gate(evidence: &InterceptedResponseEvidence<'_>) -> Option<Self> {
        let InterceptedResponseEvidence { status, body, redactor, .. } = evidence;
        let text = || decode_trimmed_body_start(body, TITLE_SEARCH_BYTES);
        let masked = |title: Option<String>| title.map(|title| redactor.redact_secrets_and_urls(&title));
        let kind = match (status, evidence.foreign_redirect_host) {
            (407, _) => NetworkGateKind::ProxyLogin,
            (511, _) => NetworkGateKind::NetworkLogin { redirect_to: None },
            (300..=399, Some(host)) => NetworkGateKind::NetworkLogin { redirect_to: Some(host.to_owned()) },
            // A redirect within the host is a moved API, with or without a page.
            (300..=399, None) => return None,
            _ if is_json_object_or_array(body) => return None,
            _ if is_html_or_xml_page(evidence.content_type, &text()) => match status {
                200..=299 => NetworkGateKind::PageInsteadOfAnswer,
                _ => NetworkGateKind::Page,
            },
            (403, _) if is_forbidden_text_from_gate(&text()) => {
                return Some(Self { kind: NetworkGateKind::Text, title: masked(clean_title(&text())) });
            }
            _ => return None,
        };
        Some(Self { kind, title: masked(page_title(&text())) })
    }

    /// Whether the gate certainly did not forward the request.
    ///
    /// A status for a login of its own (407, 511) replaces the request. A redirect or any other page may also replace
    /// the backend's response: gateways redirect to another host when a backend failed, and firewalls inspect responses
    /// too.
    pub fn proves_not_forwarded(&self) -> bool {
        matches!(self.kind, NetworkGateKind::ProxyLogin | NetworkGateKind::NetworkLogin { redirect_to: None })
    }
}

impl fmt::Display for NetworkGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            NetworkGateKind::ProxyLogin => f.write_str("the proxy asks for a login"),
            NetworkGateKind::NetworkLogin { redirect_to: None } => f.write_str("this network asks for a login"),
            NetworkGateKind::NetworkLogin { redirect_to: Some(host) } => {
                write!(f, "this network asks for a login: the request was redirected to {host}")
            }
            NetworkGateKind::PageInsteadOfAnswer => f.write_str(
                "this network asks for a login, or a web site is at this address: an HTML page came instead of an \
                 answer of the API",
            ),
            NetworkGateKind::Page => f.write_str("a gate in between answered with an HTML page"),
            NetworkGateKind::Text => f.write_str("a gate in between answered with a text"),
        }
    }
}

/// Whether a body is a JSON object or array.
fn is_json_object_or_array(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start();
    matches!(body.first(), Some(b'{' | b'[')) && serde_json::from_slice::<IgnoredAny>(body).is_ok()
}

/// Whether a text is an HTML or XML page.
fn is_html_or_xml_page(content_type: Option<&str>, text: &str) -> bool {
    let is_labelled_as_html =
        content_type.is_some_and(|label| label.to_ascii_lowercase().trim_start().starts_with("text/html"));
    let has_tag = || text.split_once('<').is_some_and(|(_, rest)| rest.contains('>'));
    text.starts_with('<') || is_labelled_as_html && has_tag()
}

/// Whether the plain text of a 403 comes from a gate: any text that is neither empty nor JSON nor only the reason
/// phrase.
fn is_forbidden_text_from_gate(text: &str) -> bool {
    let text = text.trim().trim_end_matches('.');
    !text.is_empty()
        && !text.starts_with(['{', '[', '"'])
        && !["forbidden", "403 forbidden", "403"].contains(&text.to_ascii_lowercase().as_str())
        && !text.contains(char::REPLACEMENT_CHARACTER)
}

/// The beginning of a body as text, without a byte order mark and leading white space, to see whether it is a page of a
/// gate.
fn decode_trimmed_body_start(body: &[u8], limit: usize) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(limit)]);
    text.trim_start_matches('\u{feff}').trim_start().to_owned()
}

/// The title of a page, in one line.
fn page_title(page: &str) -> Option<String> {
    // ASCII only, so that positions are those of the page.
    let lower = page.to_ascii_lowercase();
    let tag = lower.find("<title")?;
    let start = tag + lower[tag..].find('>')? + 1;
    let end = start + lower[start..].find("</title").unwrap_or(lower.len() - start);
    clean_title(&page[start..end])
}

/// Cleans a title: one line, without control characters, and shortened. `None` if nothing is left.
fn clean_title(text: &str) -> Option<String> {
    let words: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut title: String = line.chars().take(MAX_TITLE_CHARS).collect();
    if title.len() < line.len() {
        title.push('…');
    }
    (!title.is_empty()).then_some(title)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(status: u16, content_type: Option<&str>, body: &str) -> Option<NetworkGate> {
        let redactor = Redactor::default();
        NetworkGate::detect_gate(&InterceptedResponseEvidence {
            status,
            content_type,
            body: body.as_bytes(),
            foreign_redirect_host: None,
            redactor: &redactor,
        })
    }

    #[test]
    fn pages_are_gates_and_json_never_is() {
        let html = Some("text/html; charset=utf-8");
        for (status, content_type, body, expected) in [
            (403, html, "<!DOCTYPE html><html>", Some(NetworkGateKind::Page)),
            (401, None, "\u{feff}\r\n  <html><title>x</title>", Some(NetworkGateKind::Page)),
            (403, Some("application/xml"), "<?xml version=\"1.0\"?><Error/>", Some(NetworkGateKind::Page)),
            (200, None, "<HTML>", Some(NetworkGateKind::PageInsteadOfAnswer)),
            (200, html, "Log in <a href=x>here</a>", Some(NetworkGateKind::PageInsteadOfAnswer)),
            (502, html, "<html>", Some(NetworkGateKind::Page)),
            (407, None, "", Some(NetworkGateKind::ProxyLogin)),
            (511, None, "{}", Some(NetworkGateKind::NetworkLogin { redirect_to: None })),
            (403, Some("text/plain"), "RBAC: access denied", Some(NetworkGateKind::Text)),
            (403, Some("text/plain"), "error code: 1020", Some(NetworkGateKind::Text)),
            (403, html, r#"{"error":"unauthorized"}"#, None),
            (403, Some("text/plain"), "Forbidden\n", None),
            (401, Some("text/plain"), "Unauthorized", None),
            (403, None, "", None),
            (403, None, "{\"error\":", None),
            (400, html, "Token is not active", None),
            (200, None, "[]", None),
            (200, None, "garbage", None),
            (301, html, "<html>Moved", None),
        ] {
            assert_eq!(detect(status, content_type, body).map(|gate| gate.kind), expected, "{status} {body}");
        }
    }

    #[test]
    fn the_title_is_one_short_line() {
        let title = |body: &str| detect(403, None, body).and_then(|gate| gate.title);
        assert_eq!(title("<html><TITLE lang=en>\n Access \t denied</title>").as_deref(), Some("Access denied"));
        assert_eq!(title("<html><title>cut off").as_deref(), Some("cut off"));
        assert_eq!(title("<html><title></title>"), None);
        assert_eq!(title("<html><p>İ<title>ok</title>").as_deref(), Some("ok"));
        let long = title(&format!("<title>{}</title>", "ä".repeat(500))).expect("a title");
        assert_eq!(long.chars().count(), MAX_TITLE_CHARS + 1);
        assert!(!title("<title>a\u{1b}[31mb</title>").expect("a title").contains('\u{1b}'));
    }
}
