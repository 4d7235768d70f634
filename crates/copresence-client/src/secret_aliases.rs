//! Replaces the secrets of responses by aliases, so that a recorded response can be judged again.
//!
//! A mask (`…3f`) hides what checks look for: whether two tokens are the same, whether a token is valid in a header,
//! whether an error repeats a password. An alias keeps that: the same secret always has the same alias, an alias of
//! visible ASCII stands for visible ASCII, and the origin of a URL stays. The same locations are replaced as by
//! [`Redactor`].

use crate::exchange::CallKind;
use crate::probe::ProbeResponse;
use crate::redact::{
    MAX_RECORDED_BODY, Redactor, header_value_text, is_secret_name, is_url_member_name, map_urls_in_text,
    mask_secret_xml_elements, web_origin_of_url,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use secrecy::ExposeSecret;
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;

/// Member names of the API's responses. They are never replaced, even if a short secret occurs in them.
const API_MEMBER_NAMES: [&str; 13] = [
    "avatar_ready",
    "payload_complete",
    "payload_incomplete",
    "download_URL",
    "export_type",
    "completion_status",
    "completion_progress",
    "queue_position",
    "token",
    "sessionToken",
    "error",
    "message",
    "code",
];

/// The field name by which a relay's check recognises a disclosed session.
const SESSION_FIELD: &str = "sessionToken";

const BYTE_ORDER_MARK: &str = "\u{feff}";

/// The aliases of the secrets of one run, in the order in which they occurred.
pub struct SecretAliases {
    redactor: Redactor,
    aliases: HashMap<String, String>,
}

impl fmt::Debug for SecretAliases {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretAliases({} aliases)", self.aliases.len())
    }
}

impl SecretAliases {
    /// Replaces the secrets that this redactor knows, and those at locations that contain a secret by definition.
    pub fn new(redactor: Redactor) -> Self {
        Self { redactor, aliases: HashMap::new() }
    }

    /// The alias of a secret: `masked.0001`, or `masked 0001` for a secret that is not valid in a header. An empty or
    /// blank text stays as it is.
    pub fn alias_secret(&mut self, secret: &str) -> String {
        if secret.trim().is_empty() {
            return secret.to_owned();
        }
        let separator = if secret.chars().all(|c| c.is_ascii_graphic()) { '.' } else { ' ' };
        let number = self.aliases.len() + 1;
        self.aliases.entry(secret.to_owned()).or_insert_with(|| format!("masked{separator}{number:04}")).clone()
    }

    /// A text with an alias in place of each known secret, and with URLs reduced to their origin and an alias.
    pub fn alias_text(&mut self, text: &str) -> String {
        let without_urls = map_urls_in_text(text, |url| self.alias_url(url));
        self.alias_known_secrets(&without_urls)
    }

    /// A response with an alias in place of each secret. The body of a file is dropped, except for its first byte.
    pub fn alias_response(&mut self, call: CallKind, reply: &ProbeResponse) -> ProbeResponse {
        let mut headers = HeaderMap::new();
        for (name, value) in &reply.headers {
            let text = self.alias_header_value(name, &header_value_text(value));
            // Aliases and texts from headers are valid in headers.
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.append(name.clone(), value);
            }
        }
        let is_success = (200..300).contains(&reply.status);
        let body = if call == CallKind::Download && is_success {
            reply.body.slice(..reply.body.len().min(1)).iter().map(|_| 'x').collect()
        } else {
            self.alias_non_file_body(call, is_success, &reply.body)
        };
        ProbeResponse { status: reply.status, headers, body: body.into() }
    }

    /// The value of a response header, as [`SecretAliases::alias_response`] replaces it.
    fn alias_header_value(&mut self, name: &HeaderName, text: &str) -> String {
        if *name == header::LOCATION || *name == header::CONTENT_LOCATION {
            return match web_origin_of_url(text) {
                Some(_) => self.alias_url(text),
                None => format!("/{}", self.alias_whole_text(text).replace(' ', "-")),
            };
        }
        let has_challenge = *name == header::WWW_AUTHENTICATE || *name == header::PROXY_AUTHENTICATE;
        if is_secret_name(name.as_str()) && !has_challenge {
            self.alias_whole_text(text)
        } else {
            self.alias_text(text)
        }
    }

    /// The body of a response that is not a file.
    fn alias_non_file_body(&mut self, call: CallKind, is_success: bool, body: &Bytes) -> String {
        let text = String::from_utf8_lossy(body);
        let (mark, json) = match text.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) => (BYTE_ORDER_MARK, rest),
            None => ("", &*text),
        };
        // Every value in a successful login or generate response may be private data of the account.
        let all = is_success && matches!(call, CallKind::Login | CallKind::Generate);
        let is_text = std::str::from_utf8(body).is_ok();
        match serde_json::from_str::<Value>(json) {
            Ok(value) if is_text => format!("{mark}{}", self.alias_json(value, all)),
            // Secrets cannot be located in a text that cannot be parsed.
            _ if is_success || body.len() > MAX_RECORDED_BODY => {
                self.extract_check_evidence_from_unparsable_text(&text)
            }
            _ => {
                let text = mask_secret_xml_elements(&text);
                // Bytes that are no text are no JSON either.
                let end = if is_text { "" } else { "\u{fffd}" };
                format!("{}{end}", self.alias_text(&text))
            }
        }
    }

    /// What checks look for in a text whose secrets cannot be located: whether it is a page, the known secrets in it, and
    /// the name of the session's field.
    fn extract_check_evidence_from_unparsable_text(&mut self, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        let start = match text.trim_start().split_once('<') {
            Some(("", _)) => "<not recorded>".to_owned(),
            Some((_, rest)) if rest.contains('>') => "not recorded <>".to_owned(),
            _ => "not recorded".to_owned(),
        };
        let field = text.contains(SESSION_FIELD).then_some(SESSION_FIELD);
        let known = self.known_secrets_in_text(text);
        let known: Vec<_> = known.iter().map(|secret| self.alias_secret(secret)).collect();
        [start].into_iter().chain(field.map(str::to_owned)).chain(known).collect::<Vec<_>>().join(" ")
    }

    /// Replaces the secrets in a JSON value. `all` replaces every string and every number.
    fn alias_json(&mut self, value: Value, all: bool) -> Value {
        match value {
            Value::String(text) if all => self.alias_whole_text(&text).into(),
            Value::String(text) => match web_origin_of_url(&text) {
                Some(_) => self.alias_url(&text).into(),
                None => self.alias_text(&text).into(),
            },
            Value::Number(number) if all => self.alias_number(&number).into(),
            Value::Array(items) => items.into_iter().map(|item| self.alias_json(item, all)).collect(),
            Value::Object(members) => members
                .into_iter()
                .map(|(key, value)| {
                    let value = match value {
                        Value::String(text) if !all && is_url_member_name(&key) => {
                            let is_web = web_origin_of_url(&text).is_some();
                            if is_web { self.alias_url(&text) } else { self.alias_whole_text(&text) }.into()
                        }
                        value => self.alias_json(value, all || is_secret_name(&key)),
                    };
                    let is_known = API_MEMBER_NAMES.contains(&key.as_str());
                    (if is_known { key } else { self.alias_text(&key) }, value)
                })
                .collect(),
            other => other,
        }
    }

    /// The alias of a number: the number of its alias as a text.
    fn alias_number(&mut self, number: &serde_json::Number) -> u64 {
        let alias = self.alias_secret(&number.to_string());
        alias.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or_default()
    }

    /// The origin of a URL, an alias of the URL, and the aliases of known secrets in it.
    fn alias_url(&mut self, url: &str) -> String {
        let alias = self.alias_whole_text(url).replace(' ', "-");
        match web_origin_of_url(url) {
            Some(origin) => format!("{origin}/{alias}"),
            None => alias,
        }
    }

    /// The alias of a text that is secret as a whole, and the aliases of known secrets in it.
    fn alias_whole_text(&mut self, text: &str) -> String {
        let known: Vec<_> = self.known_secrets_in_text(text).into_iter().filter(|secret| secret != text).collect();
        let mut alias = self.alias_secret(text);
        for secret in known {
            alias.push('?');
            alias.push_str(&self.alias_secret(&secret));
        }
        alias
    }

    /// The known secrets that a text contains.
    fn known_secrets_in_text(&self, text: &str) -> Vec<String> {
        let known = self.redactor.secrets.iter().map(ExposeSecret::expose_secret);
        known.filter(|secret| text.contains(*secret)).map(str::to_owned).collect()
    }

    /// A text with an alias in place of each known secret. A text that contains one in an encoded form is replaced as a
    /// whole.
    fn alias_known_secrets(&mut self, text: &str) -> String {
        // Longer ones first, because a secret may be part of another.
        let known = self.known_secrets_in_text(text);
        let mut clean = String::with_capacity(text.len());
        // The text without aliases, to find secrets in an encoded form.
        let mut unknown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(next) = rest.chars().next() {
            if let Some(secret) = known.iter().find(|secret| rest.starts_with(secret.as_str())) {
                clean.push_str(&self.alias_secret(secret));
                unknown.push('\n');
                rest = &rest[secret.len()..];
            } else {
                clean.push(next);
                unknown.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
        if self.redactor.contains_secret(&unknown) { self.alias_secret(text) } else { clean }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TOKEN: &str = "tok-1234567890";
    const PASSWORD: &str = "pass word ü";

    fn aliases() -> SecretAliases {
        SecretAliases::new(Redactor::new([TOKEN, PASSWORD]))
    }

    fn reply(status: u16, headers: &[(&'static str, &str)], body: &str) -> ProbeResponse {
        let headers = headers.iter().map(|(name, value)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("valid in a header"))
        });
        ProbeResponse { status, headers: headers.collect(), body: body.to_owned().into() }
    }

    #[test]
    fn the_same_secret_has_the_same_alias_and_keeps_whether_it_fits_in_a_header() {
        let mut aliases = aliases();
        let body = json!({"token": TOKEN, "again": TOKEN, "other": "tok-2", "bad": PASSWORD, "n": 7, "no": ""});
        let masked = aliases.alias_response(CallKind::Generate, &reply(200, &[], &body.to_string()));
        let masked: Value = serde_json::from_slice(&masked.body).expect("JSON");
        assert_eq!(masked["token"], masked["again"]);
        assert_ne!(masked["token"], masked["other"]);
        assert_eq!((&masked["token"], &masked["bad"]), (&"masked.0001".into(), &"masked 0003".into()));
        assert_eq!((&masked["n"], &masked["no"]), (&4.into(), &"".into()));
        assert_eq!(aliases.alias_secret(TOKEN), "masked.0001");
    }

    #[test]
    fn urls_keep_their_origin_and_show_the_secrets_in_them() {
        let mut aliases = aliases();
        let body = json!({"payload_complete": [{"download_URL": format!("https://files.test:8443/a/b?sig={TOKEN}"),
            "export_type": "glb"}], "error": format!("see http://api.test/usr/x and {TOKEN}!")});
        let headers =
            [("location", "/moved/there"), ("set-cookie", "sid=1"), ("x-echo", TOKEN), ("cache-control", "no-store")];
        let masked = aliases.alias_response(CallKind::Redeem, &reply(200, &headers, &body.to_string()));
        let text = String::from_utf8(masked.body.to_vec()).expect("text");
        assert!(text.contains("https://files.test:8443/masked.") && text.contains("http://api.test/masked."), "{text}");
        let alias = aliases.alias_secret(TOKEN);
        assert_eq!(text.matches(&alias).count(), 2, "{alias} in {text}");
        assert!(!text.contains(TOKEN) && !text.contains("sig="), "{text}");
        assert_eq!(masked.headers["x-echo"], alias.as_str());
        assert_eq!(masked.headers["cache-control"], "no-store");
        assert!(masked.headers["location"].to_str().expect("text").starts_with("/masked."));
        assert!(!masked.headers["set-cookie"].to_str().expect("text").contains("sid"));
    }

    #[test]
    fn text_without_structure_is_outlined_and_errors_are_kept() {
        let mut aliases = aliases();
        let mut body = |status, text: &str| {
            let masked = aliases.alias_response(CallKind::Redeem, &reply(status, &[], text));
            String::from_utf8(masked.body.to_vec()).expect("text")
        };
        assert_eq!(body(200, " <html>private"), "<not recorded>");
        assert_eq!(body(200, &format!("{{broken {TOKEN}")), "not recorded masked.0001");
        assert_eq!(body(500, &format!("at /usr/lib: {TOKEN}")), "at /usr/lib: masked.0001");
        assert_eq!(body(500, "tok%2D1234567890"), "masked.0002", "encoded");
        assert_eq!(body(400, ""), "");
    }

    #[test]
    fn a_file_is_reduced_to_one_neutral_byte() {
        let masked = aliases().alias_response(CallKind::Download, &reply(200, &[], "glTF"));
        assert_eq!(masked.body, Bytes::from_static(b"x"));
        let empty = aliases().alias_response(CallKind::Download, &reply(200, &[], ""));
        assert!(empty.body.is_empty());
    }
}
