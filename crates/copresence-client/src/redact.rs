//! Removes secrets from everything that is recorded or printed.
//!
//! Three methods are applied, one after the other:
//!
//! 1. *Locations* that contain a secret by definition: credential headers, the bodies of the login, the response with
//!    an Export Token, and everything with the name of a secret.
//! 2. *URLs* in responses. The path and query of a download URL grant access to the file, so only the origin is kept.
//! 3. *Literal occurrences* of every known secret.

use crate::exchange::{CallKind, Exchange};
use crate::raw_exchange::UnredactedExchange;
use bytes::Bytes;
use copresence_protocol::secret::mask_secret;
use http::{HeaderMap, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use url::Url;

/// Minimum length of a secret that is masked wherever it occurs, in bytes. Shorter ones would mask large parts of every
/// text, so they are masked only at their locations.
pub const MIN_SECRET_LENGTH: usize = 4;

/// Length from which a part of a download URL is masked, in bytes: it may be a random name.
const LONG_URL_PART: usize = 16;

/// Maximum length of a recorded body, in bytes.
pub const MAX_RECORDED_BODY: usize = 64 * 1024;

/// Bytes of a text without structure that are masked before it is cut off at [`MAX_RECORDED_BODY`].
const MAX_MASKED_TEXT: usize = 2 * MAX_RECORDED_BODY;

/// Maximum number of parts of a download URL that are masked also where they occur alone: values with the name of a secret, and
/// the longest others.
const MAX_URL_PARTS: usize = 64;

/// Replaces the hidden part of a text.
pub const MASK: &str = copresence_protocol::secret::MASK;

/// Replaces a hidden number, so that it is not mistaken for a string.
pub const MASKED_NUMBER: &str = "… (a number)";

const TOO_LONG_REASON: &str = "too long";

/// Whether a recorded body was truncated at [`MAX_RECORDED_BODY`].
pub fn is_recorded_body_truncated(body: &str) -> bool {
    body.strip_suffix(']').is_some_and(|body| body.ends_with(TOO_LONG_REASON))
}

/// Masks a set of known secrets. Cheap to clone.
#[derive(Clone, Default)]
pub struct Redactor {
    pub(crate) secrets: Arc<[SecretString]>,
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

impl Redactor {
    /// A redactor for these secrets, in all encodings that occur in text and JSON.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Self {
        Self::from_encoded_secrets(secrets.into_iter().flat_map(secret_encodings).collect())
    }

    /// A redactor for one more secret.
    #[must_use]
    pub fn with_secret(&self, secret: &str) -> Self {
        self.with_secrets([secret])
    }

    /// A redactor for further secrets.
    #[must_use]
    pub(crate) fn with_secrets<'a>(&self, secrets: impl IntoIterator<Item = &'a str>) -> Self {
        let known = self.secrets.iter().map(|known| known.expose_secret().to_owned());
        Self::from_encoded_secrets(known.chain(secrets.into_iter().flat_map(secret_encodings)).collect())
    }

    /// The redactor that also masks the secrets of a download URL, which grant access to the file: the whole URL,
    /// its path, signatures and keys in its query, and every long part of it.
    #[must_use]
    pub(crate) fn with_download_url_secrets(&self, url: &Url) -> Self {
        let path = url.path().trim_start_matches('/');
        let path_and_query = url.query().map(|query| format!("{path}?{query}"));
        let mut parts = vec![url.as_str().to_owned()];
        parts.extend(path_and_query);
        // A short word would mask parts of ordinary text.
        parts.extend((path.len() >= LONG_URL_PART || path.contains('/')).then(|| path.to_owned()));
        let named = |name: &str| is_secret_name(name) || name.eq_ignore_ascii_case("sig");
        let values = url.query_pairs().filter(|(name, _)| named(name)).map(|(_, value)| value.into_owned());
        parts.extend(values.take(MAX_URL_PARTS / 2));
        let first_long_part = parts.len();
        parts.extend(path.split('/').filter(|part| part.len() >= LONG_URL_PART).map(str::to_owned));
        for (name, value) in url.query_pairs() {
            if value.len() >= LONG_URL_PART || named(&name) {
                // `X-Amz-Credential` is the key's id and its scope, separated by slashes.
                parts.extend(value.split_once('/').map(|(key, _)| key.to_owned()));
                parts.push(value.into_owned());
            }
        }
        parts[first_long_part..].sort_by_key(|part| std::cmp::Reverse(part.len()));
        parts.truncate(MAX_URL_PARTS);
        for part in parts.clone() {
            let decoded = percent_encoding::percent_decode_str(&part).decode_utf8_lossy().into_owned();
            if decoded != part {
                parts.push(decoded);
            }
        }
        self.with_secrets(parts.iter().map(String::as_str))
    }

    /// A redactor for these encoded secrets.
    fn from_encoded_secrets(mut forms: Vec<String>) -> Self {
        // A secret may be part of a longer one, so longer ones are masked first.
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Self { secrets: forms.into_iter().map(SecretString::from).collect() }
    }

    /// Masks every known secret in a text. A percent-encoded secret masks the whole text.
    pub fn redact_text(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for secret in self.secrets.iter().map(ExposeSecret::expose_secret) {
            if clean.contains(secret) {
                clean = clean.replace(secret, &mask_value(secret));
            }
        }
        // Masking may have created a new occurrence, or an encoding may hide one. Then the whole text is masked.
        if self.contains_secret(&clean) { MASK.to_owned() } else { clean }
    }

    /// Redacts a message of the network or the backend: masks known secrets and reduces URLs to their origins.
    pub fn redact_secrets_and_urls(&self, text: &str) -> String {
        self.redact_text(&reduce_urls_to_origins(text))
    }

    /// Masks every known secret in a JSON body, except in the member names of the specification, and in URLs if `urls`
    /// is set.
    pub(crate) fn redact_body_for_saving(&self, body: &Bytes, urls: bool) -> Bytes {
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
            let piece = rest.split_at(next_json_segment_length(rest));
            rest = piece.1;
            let is_name = PROTECTED_NAMES.iter().any(|name| piece.0 == format!("\"{name}\"").as_bytes());
            if (is_name && rest.trim_ascii_start().starts_with(b":")) || (urls && is_url_string_literal(piece.0)) {
                clean.extend_from_slice(piece.0);
            } else {
                clean.extend(self.mask_secrets_in_json_piece(piece.0));
            }
        }
        clean.into()
    }

    /// Masks every known secret in a piece of JSON: a string, or the bytes between two strings.
    fn mask_secrets_in_json_piece(&self, piece: &[u8]) -> Vec<u8> {
        if let Ok(text) = serde_json::from_slice::<String>(piece) {
            let masked = self.redact_text(&text);
            return if masked == text { piece.to_vec() } else { Value::from(masked).to_string().into_bytes() };
        }
        let mut piece = piece.to_vec();
        for secret in self.secrets.iter().map(|secret| secret.expose_secret().as_bytes()) {
            piece = replace_bytes(&piece, secret, MASK.as_bytes());
        }
        piece
    }

    /// Redacts a whole exchange.
    pub(crate) fn redact_exchange(&self, raw: &UnredactedExchange) -> Exchange {
        let redactor = match raw.find_secret_at_token_pointer() {
            Some(token) => Cow::Owned(self.with_secret(&token)),
            None => Cow::Borrowed(self),
        };
        let sweep = |(name, value): (String, String)| (redactor.redact_text(&name), redactor.redact_text(&value));
        let body = redactor.redact_response_body(raw);
        Exchange {
            call: raw.call,
            started_at: raw.started_at,
            time_to_headers: raw.time_to_headers,
            duration: raw.duration,
            method: raw.method.to_string(),
            url: redactor.redact_text(&redact_request_url(raw.call, &raw.url)),
            request_headers: redact_request_headers(&raw.request_headers).map(sweep).collect(),
            request_body: raw.request_body.as_deref().map(|body| redactor.redact_request_body(raw.call, body)),
            status: raw.status,
            response_headers: redact_response_headers(&raw.response_headers).map(sweep).collect(),
            body,
            body_size: raw.body_size,
            outcome: raw.outcome,
            error: raw.error.as_deref().map(|words| redactor.redact_secrets_and_urls(words)),
        }
    }

    /// Redacts the body of a request.
    fn redact_request_body(&self, call: CallKind, body: &str) -> String {
        match serde_json::from_str(body) {
            Ok(json) => self.redact_and_truncate(&self.redact_json(json, call == CallKind::Login).to_string(), 0),
            Err(_) => note_for_omitted_body_part(body.len() as u64, "not JSON"),
        }
    }

    /// Redacts the body of a response.
    fn redact_response_body(&self, raw: &UnredactedExchange) -> Option<String> {
        let body = raw.body.as_ref()?;
        let success = raw.status.is_some_and(|status| (200..300).contains(&status));
        // Every value in a successful login or generate response may be private data of the account.
        let all = success && matches!(raw.call, CallKind::Login | CallKind::Generate);
        Some(match serde_json::from_slice(body) {
            _ if body.is_empty() => String::new(),
            Ok(json) => self.redact_and_truncate(&self.redact_json(json, all).to_string(), 0),
            // Secrets cannot be located in a text that cannot be parsed.
            Err(_) if success || raw.error.is_some() => note_for_omitted_body_part(raw.body_size, "not whole JSON"),
            Err(_) => {
                let (start, rest) = body.split_at(body.len().min(MAX_MASKED_TEXT));
                let text = mask_secret_xml_elements(&String::from_utf8_lossy(start));
                self.redact_and_truncate(&reduce_urls_to_origins(&text), rest.len())
            }
        })
    }

    /// Redacts a JSON value. `all` masks every string and number.
    fn redact_json(&self, value: Value, all: bool) -> Value {
        match value {
            Value::String(text) if all => mask_value(&text).into(),
            Value::String(text) => match reduce_url_to_origin(&text) {
                Some(origin) => origin.into(),
                None => self.redact_secrets_and_urls(&text).into(),
            },
            Value::Number(_) if all => MASKED_NUMBER.into(),
            Value::Array(items) => items.into_iter().map(|item| self.redact_json(item, all)).collect(),
            Value::Object(members) => members
                .into_iter()
                .map(|(key, value)| {
                    let value = match value {
                        Value::String(text) if !all && is_url_member_name(&key) => {
                            reduce_url_to_origin(&text).unwrap_or_else(|| MASK.to_owned()).into()
                        }
                        value => self.redact_json(value, all || is_secret_name(&key)),
                    };
                    (self.redact_secrets_and_urls(&key), value)
                })
                .collect(),
            other => other,
        }
    }

    /// Masks known secrets in a body and truncates it to [`MAX_RECORDED_BODY`]. `left_out` bytes of it are missing already.
    fn redact_and_truncate(&self, body: &str, left_out: usize) -> String {
        let clean = self.redact_text(body);
        // The longest secret comes first. A part of one may be at the end of a body that was cut.
        let part_of_secret = self.secrets.first().filter(|_| left_out > 0).map_or(0, |s| s.expose_secret().len());
        let end = clean.floor_char_boundary(clean.len().saturating_sub(part_of_secret).min(MAX_RECORDED_BODY));
        let left_out = clean.len() - end + left_out;
        if left_out == 0 {
            return clean;
        }
        format!("{} {}", &clean[..end], note_for_omitted_body_part(left_out as u64, TOO_LONG_REASON))
    }

    /// Whether a text contains a known secret, also percent-encoded or form-encoded.
    pub(crate) fn contains_secret(&self, text: &str) -> bool {
        let plain = |text: &str| self.secrets.iter().any(|secret| text.contains(secret.expose_secret()));
        let decoded = |text: &str| {
            plain(&percent_encoding::percent_decode_str(text).decode_utf8_lossy())
                || plain(&String::from_utf8_lossy(&percent_encoding::percent_decode_str(text).collect::<Vec<_>>()))
        };
        plain(text) || (text.contains('%') && decoded(text)) || (text.contains('+') && decoded(&text.replace('+', " ")))
    }
}

/// Member names of a redeem response that are never masked, because the avatar could not be downloaded without them.
const PROTECTED_NAMES: [&str; 4] = ["avatar_ready", "payload_complete", "download_URL", "export_type"];

/// The number of bytes to process next: the JSON string that `text` starts with, including its quotes, or else
/// everything before the next string.
fn next_json_segment_length(text: &[u8]) -> usize {
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

/// Whether a JSON string literal, with its quotes, starts with `http://` or `https://`.
fn is_url_string_literal(piece: &[u8]) -> bool {
    let starts = [&b"\"http://"[..], b"\"https://", b"\"http:\\/\\/", b"\"https:\\/\\/"];
    starts.iter().any(|start| piece.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)))
}

/// Replaces each occurrence of `wanted`, which is not empty.
fn replace_bytes(text: &[u8], wanted: &[u8], replacement: &[u8]) -> Vec<u8> {
    let (mut replaced, mut rest) = (Vec::with_capacity(text.len()), text);
    while let Some(at) = rest.windows(wanted.len()).position(|window| window == wanted) {
        replaced.extend_from_slice(&rest[..at]);
        replaced.extend_from_slice(replacement);
        rest = &rest[at + wanted.len()..];
    }
    replaced.extend_from_slice(rest);
    replaced
}

/// The encodings in which a secret may occur. Empty for a secret that is shorter than [`MIN_SECRET_LENGTH`].
fn secret_encodings(secret: &str) -> Vec<String> {
    if secret.len() < MIN_SECRET_LENGTH {
        return Vec::new();
    }
    let in_json = Value::from(secret).to_string();
    let in_json = &in_json[1..in_json.len() - 1];
    vec![secret.to_owned(), in_json.to_owned(), in_json.replace('/', "\\/")]
}

/// Masks a value. An empty one stays empty.
fn mask_value(value: &str) -> String {
    if value.is_empty() { String::new() } else { mask_secret(value) }
}

/// The note that replaces an omitted part of a body.
fn note_for_omitted_body_part(bytes: u64, why: &str) -> String {
    format!("[{bytes} bytes left out: {why}]")
}

/// The origin of a URL, and a mask. Returns `None` for a text that is not an http(s) URL.
fn reduce_url_to_origin(text: &str) -> Option<String> {
    web_origin_of_url(text).map(|origin| format!("{origin}/{MASK}"))
}

/// The origin of an http(s) URL. Returns `None` for any other text.
pub(crate) fn web_origin_of_url(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let web = matches!(url.scheme(), "http" | "https") && url.has_host();
    web.then(|| url.origin().ascii_serialization())
}

/// Reduces every URL in a text to its origin, also if its slashes are escaped as `\/` in JSON.
pub(crate) fn reduce_urls_to_origins(text: &str) -> String {
    map_urls_in_text(text, |url| reduce_url_to_origin(url).unwrap_or_else(|| MASK.to_owned()))
}

/// Replaces every URL in a text, also if its slashes are escaped as `\/` in JSON. `replace` gets it without escapes.
pub(crate) fn map_urls_in_text(text: &str, mut replace: impl FnMut(&str) -> String) -> String {
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
        let length = rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>')).unwrap_or(rest.len());
        let url = text[found..found + length].replace("\\/", "/");
        clean.push_str(&text[from..found]);
        clean.push_str(&replace(&url));
        from = found + length;
    }
    clean.push_str(&text[from..]);
    clean
}

/// Masks the text of XML elements whose names suggest a secret, for example `StringToSign` in the error of an object
/// store.
pub(crate) fn mask_secret_xml_elements(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        clean.push_str(before);
        clean.push('<');
        rest = after;
        // Not behind the next bracket, so that each byte is looked at once.
        let end = after.find(['<', '>']);
        let Some((tag, content)) = end.and_then(|end| Some((&after[..end], after[end..].strip_prefix('>')?))) else {
            continue;
        };
        let name = tag.split_whitespace().next().unwrap_or_default();
        let is_open = !tag.starts_with(['/', '!', '?']) && !tag.ends_with('/');
        let is_secret =
            is_secret_name(name) || ["sign", "canonicalrequest"].iter().any(|w| name.to_ascii_lowercase().contains(w));
        if !is_open || !is_secret {
            continue;
        }
        let value = content.split('<').next().unwrap_or_default();
        if !value.trim().is_empty() {
            clean.push_str(tag);
            clean.push('>');
            clean.push_str(MASK);
            rest = &content[value.len()..];
        }
    }
    clean.push_str(rest);
    clean
}

/// Redacts the URL of a request: only the origin of a download, otherwise the URL with masked query values.
fn redact_request_url(call: CallKind, url: &Url) -> String {
    if call == CallKind::Download {
        return reduce_url_to_origin(url.as_str()).unwrap_or_else(|| MASK.to_owned());
    }
    let names: Vec<String> = url.query_pairs().map(|(name, _)| format!("{name}={MASK}")).collect();
    let query = if names.is_empty() { String::new() } else { format!("?{}", names.join("&")) };
    format!("{}{}{query}", url.origin().ascii_serialization(), url.path())
}

/// The headers of a request with masked secret values.
fn redact_request_headers(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> + '_ {
    headers.iter().map(|(name, value)| {
        let secret = value.is_sensitive() || is_secret_name(name.as_str());
        (name.to_string(), if secret { mask_value(&header_value_text(value)) } else { header_value_text(value) })
    })
}

/// The headers of a response with masked secret values and URLs reduced to their origins.
fn redact_response_headers(headers: &HeaderMap) -> impl Iterator<Item = (String, String)> + '_ {
    headers.iter().map(|(name, value)| {
        let text = header_value_text(value);
        let shown = if *name == header::LOCATION || *name == header::CONTENT_LOCATION {
            reduce_url_to_origin(&text).unwrap_or_else(|| format!("/{MASK}"))
        } else if *name == header::WWW_AUTHENTICATE || *name == header::PROXY_AUTHENTICATE {
            // The challenge contains no credential.
            reduce_urls_to_origins(&text)
        } else if is_secret_name(name.as_str()) {
            mask_value(&text)
        } else {
            reduce_urls_to_origins(&text)
        };
        (name.to_string(), shown)
    })
}

/// The value of a header as text. Invalid UTF-8 is replaced.
pub(crate) fn header_value_text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Whether the name of a header or member suggests a secret value.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "key", "secret", "passw", "session", "auth", "cookie", "signature", "credential"]
        .iter()
        .any(|word| name.contains(word))
}

/// Whether the name of a member suggests a URL.
pub(crate) fn is_url_member_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("url") || name.contains("uri") || name.contains("href")
}

#[cfg(test)]
#[path = "redact_tests.rs"]
mod tests;
