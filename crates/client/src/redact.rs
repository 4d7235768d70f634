//! Removes secrets from everything that is recorded or printed.
//!
//! Three methods are applied, one after the other:
//!
//! 1. *Locations* that contain a secret by definition: credential headers, the bodies of the login, the response with
//!    an Export Token, and everything with the name of a secret.
//! 2. *URLs* in responses. The path and query of a download URL grant access to the file, so only the origin is kept.
//! 3. *Literal occurrences* of every known secret.

use crate::exchange::{Call, Exchange};
use crate::raw_exchange::Raw;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use protocol::secret::mask_secret;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use url::Url;

/// Minimum length of a secret that is masked wherever it occurs, in bytes. Shorter ones would mask large parts of every
/// text, so they are masked only at their locations.
pub const SHORTEST: usize = 4;

/// Maximum length of a recorded body, in bytes.
pub const LONGEST_BODY: usize = 64 * 1024;

/// Replaces the hidden part of a text.
pub const MASK: &str = protocol::secret::MASK;

/// Replaces a hidden number, so that it is not mistaken for a string.
pub const MASKED_NUMBER: &str = "… (a number)";

const TOO_LONG: &str = "too long";

/// Whether a recorded body was truncated at [`MAX_RECORDED_BODY`].
pub fn is_bounded(body: &str) -> bool {
    body.strip_suffix(']').is_some_and(|body| body.ends_with(TOO_LONG))
}

/// Masks a set of known secrets. Cheap to clone.
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
    /// A redactor for these secrets, in all encodings that occur in text and JSON.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        Self::of_forms(secrets.into_iter().flat_map(forms).collect())
    }

    /// A redactor for one more secret.
    #[must_use]
    pub fn and(&self, secret: &str) -> Self {
        let known = self.secrets.iter().map(|known| known.expose_secret().to_owned());
        Self::of_forms(known.chain(forms(secret)).collect())
    }

    /// A redactor for these encoded secrets.
    fn of_forms(mut forms: Vec<String>) -> Self {
        // A secret may be part of a longer one, so longer ones are masked first.
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { secrets: forms.into_iter().map(SecretString::from).collect() }
    }

    /// Masks every known secret in a text. A percent-encoded secret masks the whole text.
    pub fn text(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in self.secrets.iter().map(ExposeSecret::expose_secret) {
            if clean.contains(secret) {
                clean = clean.replace(secret, &masked(secret));
            }
        }
        // Masking may have created a new occurrence, or an encoding may hide one. Then the whole text is masked.
        if self.stands_in(&clean) { MASK.to_owned() } else { clean }
    }

    /// Redacts a message of the network or the backend: masks known secrets and reduces URLs to their origins.
    pub fn words(&self, text: &str) -> String {
        self.text(&origins_only(text))
    }

    /// Masks every known secret in a JSON body, except in the member names of the specification, and in URLs if `urls`
    /// is set.
    pub(crate) fn answer_to_keep(&self, body: &Bytes, urls: bool) -> Bytes {
        let text = String::from_utf8_lossy(body);
        let plain = |secret: &SecretString| text.contains(secret.expose_secret());
        // Escape sequences and percent-encoding may hide a secret.
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

    /// Masks every known secret in a JSON string, or in the bytes between two strings.
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

    /// Redacts a whole exchange.
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

    /// Redacts the body of a request.
    fn request(&self, call: Call, body: &str) -> String {
        match serde_json::from_str(body) {
            Ok(json) => self.bounded(&self.json(json, call == Call::Login).to_string()),
            Err(_) => left_out(body.len() as u64, "not JSON"),
        }
    }

    /// Redacts the body of a response.
    fn answer(&self, raw: &Raw) -> Option<String> {
        let body = raw.body.as_ref()?;
        let success = raw.status.is_some_and(|status| (200..300).contains(&status));
        // Every value in a successful login or generate response may be private data of the account.
        let all = success && matches!(raw.call, Call::Login | Call::Generate);
        Some(match serde_json::from_slice(body) {
            _ if body.is_empty() => String::new(),
            Ok(json) => self.bounded(&self.json(json, all).to_string()),
            // Secrets cannot be located in a text that cannot be parsed.
            Err(_) if success || raw.error.is_some() => left_out(raw.body_size, "not whole JSON"),
            Err(_) => self.bounded(&origins_only(&String::from_utf8_lossy(body))),
        })
    }

    /// Redacts a JSON value. `all` masks every string and number.
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

    /// Masks known secrets in a body and truncates it to [`MAX_RECORDED_BODY`].
    fn bounded(&self, body: &str) -> String {
        let clean = self.text(body);
        let end = clean.floor_char_boundary(LONGEST_BODY);
        if end == clean.len() {
            return clean;
        }
        format!("{} {}", &clean[..end], left_out((clean.len() - end) as u64, TOO_LONG))
    }

    /// Whether a text contains a known secret, also percent-encoded or form-encoded.
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

/// Member names of a redeem response that are never masked, because the avatar could not be downloaded without them.
const NAMES: [&str; 4] = ["avatar_ready", "payload_complete", "download_URL", "export_type"];

/// Length of the JSON string at the start of `text`, with its quotes, or else of the bytes before the next string.
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

/// Whether a JSON string contains an http(s) URL.
fn is_url(piece: &[u8]) -> bool {
    let starts = [&b"\"http://"[..], b"\"https://", b"\"http:\\/\\/", b"\"https:\\/\\/"];
    starts.iter().any(|start| piece.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)))
}

/// Index of the first occurrence of `wanted`.
fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

/// The encodings in which a secret may occur. Empty for a secret that is shorter than [`MIN_SECRET_LENGTH`].
fn forms(secret: &str) -> Vec<String> {
    if secret.len() < SHORTEST {
        return Vec::new();
    }
    let in_json = Value::from(secret).to_string();
    let in_json = &in_json[1..in_json.len() - 1];
    vec![secret.to_owned(), in_json.to_owned(), in_json.replace('/', "\\/")]
}

/// Masks a value. An empty one stays empty.
fn masked(value: &str) -> String {
    if value.is_empty() { String::new() } else { mask_secret(value) }
}

/// The note that replaces an omitted part of a body.
fn left_out(bytes: u64, why: &str) -> String {
    format!("[{bytes} bytes left out: {why}]")
}

/// The origin of a URL. Returns `None` for a text that is not an http(s) URL.
fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let web = matches!(url.scheme(), "http" | "https") && url.has_host();
    web.then(|| format!("{}/{MASK}", url.origin().ascii_serialization()))
}

/// Reduces every URL in a text to its origin, also if its slashes are escaped as `\/` in JSON.
fn origins_only(text: &str) -> String {
    // Only ASCII characters are changed, so indices are valid in both strings.
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

/// Redacts the URL of a request: only the origin of a download, otherwise the URL with masked query values.
fn shown_url(call: Call, url: &Url) -> String {
    if call == Call::Download {
        return origin(url.as_str()).unwrap_or_else(|| MASK.to_owned());
    }
    let names: Vec<String> = url.query_pairs().map(|(name, _)| format!("{name}={MASK}")).collect();
    let query = if names.is_empty() { String::new() } else { format!("?{}", names.join("&")) };
    format!("{}{}{query}", url.origin().ascii_serialization(), url.path())
}

/// The headers of a request with masked secret values.
fn request_headers(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> + '_ {
    headers.iter().map(|(name, value)| {
        let secret = value.is_sensitive() || names_a_secret(name.as_str());
        (name.to_string(), if secret { masked(&readable(value)) } else { readable(value) })
    })
}

/// The headers of a response with masked secret values and URLs reduced to their origins.
fn response_headers(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> + '_ {
    headers.iter().map(|(name, value)| {
        let text = readable(value);
        let shown = if *name == header::LOCATION || *name == header::CONTENT_LOCATION {
            origin(&text).unwrap_or_else(|| format!("/{MASK}"))
        } else if *name == header::WWW_AUTHENTICATE || *name == header::PROXY_AUTHENTICATE {
            // The challenge contains no credential.
            origins_only(&text)
        } else if names_a_secret(name.as_str()) {
            masked(&text)
        } else {
            origins_only(&text)
        };
        (name.to_string(), shown)
    })
}

/// The value of a header as text.
fn readable(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Whether the name of a header or member suggests a secret value.
fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "key", "secret", "passw", "session", "auth", "cookie", "signature", "credential"]
        .iter()
        .any(|word| name.contains(word))
}

/// Whether the name of a member suggests a URL.
fn names_a_url(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("url") || name.contains("uri") || name.contains("href")
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
