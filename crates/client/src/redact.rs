//! Takes secrets out of what is recorded or printed.
//!
//! Three nets, one behind the other: *places* that hold a secret by their nature (credential headers, the login's
//! bodies, the answer with an Export Token, anything named like a secret), *URLs* in answers (a download URL is a
//! bearer secret in its path and query: only its origin stays), and last every *literal* occurrence of a secret
//! that is known, wherever it stands.

use crate::capture::Raw;
use crate::exchange::{Call, Exchange};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use url::Url;

/// The shortest secret, in bytes, that is looked for everywhere: a shorter one would blot out half of every text.
/// It is masked in its place all the same.
pub const SHORTEST: usize = 4;

/// The longest body, in bytes, that is kept of an exchange.
pub const LONGEST_BODY: usize = 64 * 1024;

/// Stands in the place of what is not shown.
pub const MASK: &str = "…";

/// Stands in the place of a number that is not shown, so that nobody takes it for a text.
pub const MASKED_NUMBER: &str = "… (a number)";

const TOO_LONG: &str = "too long";

/// Whether a recorded body ends where it was bounded: the rest of it is not known.
pub fn is_bounded(body: &str) -> bool {
    body.strip_suffix(']').is_some_and(|body| body.ends_with(TOO_LONG))
}

/// Knows the secrets of a call. Cheap to clone.
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Arc<[SecretString]>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

impl Redactor {
    /// Looks for these secrets, in the forms that texts and JSON give them.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        Self::of_forms(secrets.into_iter().flat_map(forms).collect())
    }

    /// The same with one secret more.
    #[must_use]
    pub fn and(&self, secret: &str) -> Self {
        let known = self.secrets.iter().map(|known| known.expose_secret().to_owned());
        Self::of_forms(known.chain(forms(secret)).collect())
    }

    fn of_forms(mut forms: Vec<String>) -> Self {
        // A secret may be part of another: the longer one goes first.
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { secrets: forms.into_iter().map(SecretString::from).collect() }
    }

    /// A text without any known secret, written plainly or percent-encoded.
    pub fn text(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in self.secrets.iter().map(ExposeSecret::expose_secret) {
            if clean.contains(secret) {
                clean = clean.replace(secret, &masked(secret));
            }
        }
        // What masking put together anew, or an encoding hides, costs the whole text.
        if self.stands_in(&clean) { MASK.to_owned() } else { clean }
    }

    /// A stranger's or the network's words: without known secrets and with URLs cut down to their origins.
    pub fn words(&self, text: &str) -> String {
        self.text(&origins_only(text))
    }

    /// A JSON text with every known secret in it masked, but for the specification's names of members and, where `urls`
    /// are wanted, for those.
    pub(crate) fn answer_to_keep(&self, body: &Bytes, urls: bool) -> Bytes {
        let text = String::from_utf8_lossy(body);
        let plain = |secret: &SecretString| text.contains(secret.expose_secret());
        // Escape sequences and percent signs may hide one.
        let may_hide = body.iter().any(|byte| matches!(byte, b'\\' | b'%' | b'+'));
        if self.secrets.is_empty() || !(may_hide || self.secrets.iter().any(plain)) {
            return body.clone();
        }
        let mut clean = Vec::with_capacity(body.len());
        let mut rest = &body[..];
        while !rest.is_empty() {
            let piece = rest.split_at(piece_length(rest));
            rest = piece.1;
            let is_name = NAMES.iter().any(|name| piece.0 == format!("\"{name}\"").as_bytes());
            if (is_name && rest.trim_ascii_start().starts_with(b":")) || (urls && is_url(piece.0)) {
                clean.extend_from_slice(piece.0);
            } else {
                clean.extend(self.masked_in(piece.0));
            }
        }
        clean.into()
    }

    fn masked_in(&self, piece: &[u8]) -> Vec<u8> {
        if let Ok(text) = serde_json::from_slice::<String>(piece) {
            let masked = self.text(&text);
            return if masked == text {
                piece.to_vec()
            } else {
                Value::from(masked).to_string().into_bytes()
            };
        }
        let mut piece = piece.to_vec();
        for secret in self.secrets.iter().map(|secret| secret.expose_secret().as_bytes()) {
            while let Some(at) = find(&piece, secret) {
                piece.splice(at..at + secret.len(), MASK.bytes());
            }
        }
        piece
    }

    /// All that may be kept of an exchange.
    pub(crate) fn exchange(&self, raw: &Raw) -> Exchange {
        let redactor = match raw.token() {
            Some(token) => Cow::Owned(self.and(&token)),
            None => Cow::Borrowed(self),
        };
        let sweep = |(name, value): (String, String)| (redactor.text(&name), redactor.text(&value));
        let body = redactor.answer(raw);
        Exchange {
            call: raw.call,
            started_at: raw.started_at,
            head_after: raw.head_after,
            duration: raw.duration,
            method: raw.method.to_string(),
            url: redactor.text(&shown_url(raw.call, &raw.url)),
            request_headers: request_headers(&raw.request_headers).map(sweep).collect(),
            request_body: raw.request_body.as_deref().map(|body| redactor.request(raw.call, body)),
            status: raw.status,
            response_headers: response_headers(&raw.response_headers).map(sweep).collect(),
            body,
            body_size: raw.body_size,
            ending: raw.ending,
            error: raw.error.as_deref().map(|words| redactor.words(words)),
        }
    }

    fn request(&self, call: Call, body: &str) -> String {
        match serde_json::from_str(body) {
            Ok(json) => self.bounded(&self.json(json, call == Call::Login).to_string()),
            Err(_) => left_out(body.len() as u64, "not JSON"),
        }
    }

    fn answer(&self, raw: &Raw) -> Option<String> {
        let body = raw.body.as_ref()?;
        let success = raw.status.is_some_and(|status| (200..300).contains(&status));
        // Whatever else a successful login or generate tells is an account's or a token's own business.
        let all = success && matches!(raw.call, Call::Login | Call::Generate);
        Some(match serde_json::from_slice(body) {
            _ if body.is_empty() => String::new(),
            Ok(json) => self.bounded(&self.json(json, all).to_string()),
            // In a text that cannot be taken apart no secret can be told from the rest.
            Err(_) if success || raw.error.is_some() => left_out(raw.body_size, "not whole JSON"),
            Err(_) => self.bounded(&origins_only(&String::from_utf8_lossy(body))),
        })
    }

    fn json(&self, value: Value, all: bool) -> Value {
        match value {
            Value::String(text) if all => masked(&text).into(),
            Value::String(text) => match origin(&text) {
                Some(origin) => origin.into(),
                None => self.words(&text).into(),
            },
            Value::Number(_) if all => MASKED_NUMBER.into(),
            Value::Array(items) => items.into_iter().map(|item| self.json(item, all)).collect(),
            Value::Object(members) => members
                .into_iter()
                .map(|(key, value)| {
                    let value = match value {
                        Value::String(text) if !all && names_a_url(&key) => {
                            origin(&text).unwrap_or_else(|| MASK.to_owned()).into()
                        }
                        value => self.json(value, all || names_a_secret(&key)),
                    };
                    (self.words(&key), value)
                })
                .collect(),
            other => other,
        }
    }

    fn bounded(&self, body: &str) -> String {
        let clean = self.text(body);
        let end = clean.floor_char_boundary(LONGEST_BODY);
        if end == clean.len() {
            return clean;
        }
        format!("{} {}", &clean[..end], left_out((clean.len() - end) as u64, TOO_LONG))
    }

    fn stands_in(&self, text: &str) -> bool {
        let plain = |text: &str| self.secrets.iter().any(|secret| text.contains(secret.expose_secret()));
        let decoded = |text: &str| {
            plain(&percent_encoding::percent_decode_str(text).decode_utf8_lossy())
                || plain(&String::from_utf8_lossy(
                    &percent_encoding::percent_decode_str(text).collect::<Vec<_>>(),
                ))
        };
        plain(text)
            || (text.contains('%') && decoded(text))
            || (text.contains('+') && decoded(&text.replace('+', " ")))
    }
}

/// The members of a redeem's answer by which the avatar is had, whatever else somebody is called so.
const NAMES: [&str; 4] = ["avatar_ready", "payload_complete", "download_URL", "export_type"];

/// How long the JSON string that begins here is, quotes included, or what stands before the next one.
fn piece_length(text: &[u8]) -> usize {
    if text[0] != b'"' {
        return text.iter().position(|byte| *byte == b'"').unwrap_or(text.len());
    }
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

fn is_url(piece: &[u8]) -> bool {
    let starts = [&b"\"http://"[..], b"\"https://", b"\"http:\\/\\/", b"\"https:\\/\\/"];
    starts.iter().any(|start| piece.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)))
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// How a secret may be written; nothing for one that is too short to look for.
fn forms(secret: &str) -> Vec<String> {
    if secret.len() < SHORTEST {
        return Vec::new();
    }
    let in_json = Value::from(secret).to_string();
    let in_json = &in_json[1..in_json.len() - 1];
    vec![secret.to_owned(), in_json.to_owned(), in_json.replace('/', "\\/")]
}

/// Shows that something stands there: the last two characters of a value long enough to spare them.
fn masked(value: &str) -> String {
    let count = value.chars().count();
    if count == 0 {
        return String::new();
    }
    let shown = if count < 12 { 0 } else { 2 };
    MASK.chars().chain(value.chars().skip(count - shown)).collect()
}

fn left_out(bytes: u64, why: &str) -> String {
    format!("[{bytes} bytes left out: {why}]")
}

/// A URL as a whole text: its origin.
fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let web = matches!(url.scheme(), "http" | "https") && url.has_host();
    web.then(|| format!("{}/{MASK}", url.origin().ascii_serialization()))
}

/// Every URL within a text cut down to its origin, also where JSON wrote its slashes as `\/`.
fn origins_only(text: &str) -> String {
    // ASCII only, so that places in the one are places in the other.
    let lower = text.to_ascii_lowercase();
    let mut clean = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(found) = lower[from..].find("http").map(|at| from + at) {
        let rest = &lower[found..];
        let starts = ["http://", "https://", "http:\\/\\/", "https:\\/\\/"];
        if !starts.iter().any(|start| rest.starts_with(start)) {
            clean.push_str(&text[from..found + 4]);
            from = found + 4;
            continue;
        }
        let length =
            rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>')).unwrap_or(rest.len());
        let url = text[found..found + length].replace("\\/", "/");
        clean.push_str(&text[from..found]);
        clean.push_str(origin(&url).as_deref().unwrap_or(MASK));
        from = found + length;
    }
    clean.push_str(&text[from..]);
    clean
}

fn shown_url(call: Call, url: &Url) -> String {
    if call == Call::Download {
        return origin(url.as_str()).unwrap_or_else(|| MASK.to_owned());
    }
    let names: Vec<String> = url.query_pairs().map(|(name, _)| format!("{name}={MASK}")).collect();
    let query = if names.is_empty() { String::new() } else { format!("?{}", names.join("&")) };
    format!("{}{}{query}", url.origin().ascii_serialization(), url.path())
}

fn request_headers(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> + '_ {
    headers.iter().map(|(name, value)| {
        let secret = value.is_sensitive() || names_a_secret(name.as_str());
        (name.to_string(), if secret { masked(&readable(value)) } else { readable(value) })
    })
}

fn response_headers(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> + '_ {
    headers.iter().map(|(name, value)| {
        let text = readable(value);
        let shown = if *name == header::LOCATION || *name == header::CONTENT_LOCATION {
            origin(&text).unwrap_or_else(|| format!("/{MASK}"))
        } else if *name == header::WWW_AUTHENTICATE || *name == header::PROXY_AUTHENTICATE {
            // Says how to authenticate, and holds nothing to do it with.
            origins_only(&text)
        } else if names_a_secret(name.as_str()) {
            masked(&text)
        } else {
            origins_only(&text)
        };
        (name.to_string(), shown)
    })
}

fn readable(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "key", "secret", "passw", "session", "auth", "cookie", "signature", "credential"]
        .iter()
        .any(|word| name.contains(word))
}

fn names_a_url(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("url") || name.contains("uri") || name.contains("href")
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
