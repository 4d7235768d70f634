//! Requests as `curl` commands for a POSIX shell. Secrets are replaced by shell variables.

use crate::backend::{Backend, PARTNER_KEY_PLACEHOLDER, RedeemRoute, TokenSource};
use crate::exchange::{Call, Exchange};
use crate::redact::MASK;
use protocol::headers;
use serde_json::Value;
use url::Url;

/// Shell variable for the API key. `copresence` reads the same environment variable.
pub const API_KEY: &str = "COPRESENCE_API_KEY";
/// Shell variable for the session token.
pub const SESSION_TOKEN: &str = "COPRESENCE_SESSION_TOKEN";
/// Shell variable for the user name of the login.
pub const USERNAME: &str = "COPRESENCE_USERNAME";
/// Shell variable for the password of the login.
pub const PASSWORD: &str = "COPRESENCE_PASSWORD";
/// Shell variable for the partner key.
pub const PARTNER_KEY: &str = "COPRESENCE_PARTNER_KEY";
/// Shell variable for an Export Token.
pub const EXPORT_TOKEN: &str = "EXPORT_TOKEN";
/// Shell variable for a download URL.
pub const DOWNLOAD_URL: &str = "DOWNLOAD_URL";

/// A word of a shell command: literal text and shell variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Word(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Variable(String),
}

impl Word {
    /// A word of literal text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::default().and(text)
    }

    /// A word that is the value of a variable. The name is converted to a valid shell variable name.
    pub fn variable(name: &str) -> Self {
        Self::default().and_variable(name)
    }

    /// Appends literal text.
    #[must_use]
    pub fn and(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(Part::Text(before)) => before.push_str(&text),
            _ => self.0.push(Part::Text(text)),
        }
        self
    }

    /// Appends the value of a variable. The name is converted to a valid shell variable name.
    #[must_use]
    pub fn and_variable(mut self, name: &str) -> Self {
        self.0.push(Part::Variable(variable_name(name)));
        self
    }

    /// Appends another word.
    #[must_use]
    pub fn and_word(self, word: Self) -> Self {
        word.0.into_iter().fold(self, |all, part| match part {
            Part::Text(text) => all.and(text),
            Part::Variable(name) => all.and_variable(&name),
        })
    }

    /// A word from a template: each occurrence of `mark` in `text` is replaced by the value of the variable `name`.
    pub fn with_variable(text: &str, mark: &str, name: &str) -> Self {
        let mut pieces = text.split(mark);
        let first = Self::text(pieces.next().unwrap_or_default());
        pieces.fold(first, |word, piece| word.and_variable(name).and(piece))
    }

    /// The word, quoted for a POSIX shell.
    pub fn quoted(&self) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
        match self.0.as_slice() {
            [Part::Text(text)] if text.chars().all(plain) => text.clone(),
            parts if parts.iter().any(|part| matches!(part, Part::Variable(_))) && self.fits_double() => {
                self.in_double()
            }
            [] => "''".to_owned(),
            parts => parts.iter().map(Part::quoted).collect(),
        }
    }

    /// Whether the literal text needs no escaping inside double quotes, in any shell.
    fn fits_double(&self) -> bool {
        let hard = |c: char| matches!(c, '"' | '\\' | '$' | '`' | '!') || c.is_control();
        self.0.iter().all(|part| !matches!(part, Part::Text(text) if text.contains(hard)))
    }

    /// The word in double quotes.
    fn in_double(&self) -> String {
        let mut quoted = String::from("\"");
        for (index, part) in self.0.iter().enumerate() {
            match part {
                Part::Text(text) => quoted.push_str(text),
                Part::Variable(name) => {
                    let runs_on = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '[');
                    let next = self.0.get(index + 1);
                    let braces = matches!(next, Some(Part::Text(text)) if text.starts_with(runs_on));
                    let (before, after) = if braces { ("${", "}") } else { ("$", "") };
                    quoted.extend([before, name, after]);
                }
            }
        }
        quoted.push('"');
        quoted
    }
}

impl Part {
    /// The part in its own quotes.
    fn quoted(&self) -> String {
        match self {
            Self::Text(text) => format!("'{}'", text.replace('\'', "'\\''")),
            Self::Variable(name) => format!("\"${name}\""),
        }
    }
}

/// A `curl` command.
#[derive(Debug, Clone)]
pub struct Curl {
    method: String,
    url: Word,
    headers: Vec<Word>,
    request_body: Option<Word>,
    output_file: Option<Word>,
}

impl Curl {
    /// A command without additional headers and without a body.
    pub fn new(method: impl Into<String>, url: Word) -> Self {
        Self { method: method.into(), url, headers: Vec::new(), request_body: None, output_file: None }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: Word) -> Self {
        // curl removes a header for `Name:`, and sends an empty one for `Name;`.
        let line = if value == Word::default() {
            Word::text(format!("{name};"))
        } else {
            Word::text(format!("{name}: ")).and_word(value)
        };
        self.headers.push(line);
        self
    }

    /// Sets the body. `curl` computes `Content-Length` itself.
    #[must_use]
    pub fn body(mut self, body: Word) -> Self {
        self.request_body = Some(body);
        self
    }

    /// Writes the response body to a file.
    #[must_use]
    pub fn output(mut self, file: &str) -> Self {
        self.output_file = Some(Word::text(file));
        self
    }

    /// The words of the command, in the order of its arguments.
    pub fn words(&self) -> Vec<Word> {
        self.lines().into_iter().flatten().collect()
    }

    /// The command for a shell, with one line per header.
    pub fn command(&self) -> String {
        let line = |words: &Vec<Word>| words.iter().map(Word::quoted).collect::<Vec<_>>().join(" ");
        self.lines().iter().map(line).collect::<Vec<_>>().join(" \\\n  ")
    }

    /// The words of each line of the command.
    fn lines(&self) -> Vec<Vec<Word>> {
        let mut first: Vec<_> = ["curl", "-sS", "-i"].map(Word::text).into();
        let globs = |part: &Part| matches!(part, Part::Text(text) if text.contains(['[', ']', '{', '}']));
        if self.url.0.iter().any(globs) {
            first.push(Word::text("--globoff"));
        }
        match self.method.as_str() {
            "HEAD" => first.push(Word::text("--head")),
            method => first.extend([Word::text("-X"), Word::text(method)]),
        }
        if let Some(file) = &self.output_file {
            first.extend([Word::text("-o"), file.clone()]);
        }
        first.push(self.url.clone());
        let mut lines = vec![first];
        lines.extend(self.headers.iter().map(|header| vec![Word::text("-H"), header.clone()]));
        // `-d` would read a file for a body that starts with `@`.
        lines.extend(self.request_body.iter().map(|body| vec![Word::text("--data-raw"), body.clone()]));
        lines
    }
}

/// The command for the request of a recorded exchange. `backend` provides the templates of a partner's headers.
pub fn of_exchange(exchange: &Exchange, backend: &Backend) -> Curl {
    let url = match exchange.call {
        Call::Download => Word::variable(DOWNLOAD_URL),
        _ => url(&exchange.url),
    };
    let mut curl = Curl::new(&exchange.method, url);
    for (name, value) in &exchange.request_headers {
        // curl sets `Host` itself, and `Content-Length` if there is a body.
        let own = name.eq_ignore_ascii_case("host")
            || (name.eq_ignore_ascii_case("content-length") && exchange.request_body.is_some());
        if !own {
            curl = curl.header(name, header(exchange.call, name, value, backend));
        }
    }
    match &exchange.request_body {
        Some(text) => curl.body(body(text)),
        None => curl,
    }
}

/// The value of a header, with variables in place of masked parts.
fn header(call: Call, name: &str, value: &str, backend: &Backend) -> Word {
    if !value.contains(MASK) {
        return Word::text(value);
    }
    let known = [
        (headers::API_KEY, API_KEY),
        (headers::SESSION_TOKEN, SESSION_TOKEN),
        (headers::EXPORT_TOKEN, EXPORT_TOKEN),
    ];
    if let Some((_, variable)) = known.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        return Word::variable(variable);
    }
    match partner_header(call, name, backend) {
        Some(template) if template.contains(PARTNER_KEY_PLACEHOLDER) => {
            Word::with_variable(template, PARTNER_KEY_PLACEHOLDER, PARTNER_KEY)
        }
        // Other values in a partner's header may be secrets, too.
        _ => Word::variable(name),
    }
}

/// The template of a partner's header in the profile.
fn partner_header<'a>(call: Call, name: &str, backend: &'a Backend) -> Option<&'a str> {
    let headers = match (call, &backend.source, &backend.redeem) {
        (Call::Generate, TokenSource::Partner(partner), _) => &partner.headers,
        (Call::Redeem, _, RedeemRoute::Partner { headers, .. }) => headers,
        _ => return None,
    };
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A recorded URL, with variables in place of masked query values, which may be a partner's secrets.
fn url(recorded: &str) -> Word {
    let Some((place, query)) = recorded.split_once('?') else { return unmasked(recorded, "URL") };
    let pairs = query.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let encoded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        Word::text(format!("{encoded}=")).and_word(unmasked(value, name))
    });
    pairs.enumerate().fold(unmasked(place, "URL").and("?"), |word, (index, pair)| {
        word.and(if index == 0 { "" } else { "&" }).and_word(pair)
    })
}

/// The text itself, or the variable if the text is masked.
fn unmasked(text: &str, variable: &str) -> Word {
    if text.contains(MASK) { Word::variable(variable) } else { Word::text(text) }
}

/// A body, with a variable in place of each masked string. The variable is named after the JSON member.
fn body(text: &str) -> Word {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return unmasked(text, "BODY") };
    json(&value, "BODY")
}

/// A JSON value. `name` is the member that holds it.
fn json(value: &Value, name: &str) -> Word {
    match value {
        Value::String(text) if text.contains(MASK) => {
            let variable = match name {
                "username" => USERNAME,
                "password" => PASSWORD,
                other => other,
            };
            Word::text("\"").and_variable(variable).and("\"")
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| json(item, name)).enumerate();
            items.fold(Word::text("["), |all, (index, item)| all.and(comma(index)).and_word(item)).and("]")
        }
        Value::Object(members) => {
            let members = members.iter().enumerate().map(|(index, (key, value))| {
                let key_text = Value::from(key.as_str()).to_string();
                Word::text(format!("{}{key_text}:", comma(index))).and_word(json(value, key))
            });
            members.fold(Word::text("{"), Word::and_word).and("}")
        }
        other => Word::text(other.to_string()),
    }
}

/// The separator before the item at `index`.
fn comma(index: usize) -> &'static str {
    if index == 0 { "" } else { "," }
}

/// Converts a name to a shell variable name: upper case, `_` for every other character, no leading digit.
fn variable_name(name: &str) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let name: String = name.chars().map(upper).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') { name } else { format!("_{name}") }
}

/// A URL with the variable `QUERY` in place of its query.
pub fn without_query(address: &Url) -> Word {
    match address.query() {
        Some(_) => {
            let mut shown = address.clone();
            shown.set_query(None);
            Word::text(format!("{shown}?")).and_variable("QUERY")
        }
        None => Word::text(address.as_str()),
    }
}

#[cfg(test)]
#[path = "curl_tests.rs"]
mod tests;
