//! Requests as `curl` commands for a POSIX shell. Secrets are replaced by shell variables.

use crate::backend::{BackendWithRoutes, PARTNER_KEY_PLACEHOLDER, RedeemEndpoint, TokenSource};
use crate::exchange::{CallKind, Exchange};
use crate::redact::MASK;
use copresence_protocol::headers;
use serde_json::Value;
use url::Url;

/// Shell variable for the API key. `copresence` reads the same environment variable.
pub const API_KEY_VAR: &str = "COPRESENCE_API_KEY";
/// Shell variable for the session token.
pub const SESSION_TOKEN_VAR: &str = "COPRESENCE_SESSION_TOKEN";
/// Shell variable for the user name of the login.
pub const USERNAME_VAR: &str = "COPRESENCE_USERNAME";
/// Shell variable for the password of the login.
pub const PASSWORD_VAR: &str = "COPRESENCE_PASSWORD";
/// Shell variable for the partner key.
pub const PARTNER_KEY_VAR: &str = "COPRESENCE_PARTNER_KEY";
/// Shell variable for an Export Token.
pub const EXPORT_TOKEN_VAR: &str = "EXPORT_TOKEN";
/// Shell variable for a download URL.
pub const DOWNLOAD_URL_VAR: &str = "DOWNLOAD_URL";

/// A word of a shell command: literal text and shell variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShellWord(Vec<ShellWordPart>);

/// A part of a shell word: literal text, or the name of a shell variable whose value is inserted.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ShellWordPart {
    Text(String),
    Variable(String),
}

impl ShellWord {
    /// A shell word of literal text.
    pub fn shell_word_from_text(text: impl Into<String>) -> Self {
        Self::default().append_text(text)
    }

    /// A word that is the value of a variable. The name is converted to a valid shell variable name.
    pub fn word_from_variable(name: &str) -> Self {
        Self::default().append_variable_expansion(name)
    }

    /// Appends literal text.
    #[must_use]
    pub fn append_text(mut self, text: impl Into<String>) -> Self {
        let text = text.into();
        match self.0.last_mut() {
            _ if text.is_empty() => {}
            Some(ShellWordPart::Text(before)) => before.push_str(&text),
            _ => self.0.push(ShellWordPart::Text(text)),
        }
        self
    }

    /// Appends the expansion of a variable. The name is converted to a valid shell variable name.
    #[must_use]
    pub fn append_variable_expansion(mut self, name: &str) -> Self {
        self.0.push(ShellWordPart::Variable(to_shell_variable_name(name)));
        self
    }

    /// Appends another word.
    #[must_use]
    pub fn concat_word(self, word: Self) -> Self {
        word.0.into_iter().fold(self, |all, part| match part {
            ShellWordPart::Text(text) => all.append_text(text),
            ShellWordPart::Variable(name) => all.append_variable_expansion(&name),
        })
    }

    /// A word from a template: each occurrence of `mark` in `text` is replaced by the value of the variable `name`.
    pub fn word_from_template(text: &str, mark: &str, name: &str) -> Self {
        let mut pieces = text.split(mark);
        let first = Self::shell_word_from_text(pieces.next().unwrap_or_default());
        pieces.fold(first, |word, piece| word.append_variable_expansion(name).append_text(piece))
    }

    /// The word, quoted for a POSIX shell.
    pub fn shell_quoted(&self) -> String {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
        match self.0.as_slice() {
            [ShellWordPart::Text(text)] if text.chars().all(plain) => text.clone(),
            parts
                if parts.iter().any(|part| matches!(part, ShellWordPart::Variable(_)))
                    && self.is_literal_safe_in_double_quotes() =>
            {
                self.to_double_quoted_text()
            }
            [] => "''".to_owned(),
            parts => parts.iter().map(ShellWordPart::quote_part).collect(),
        }
    }

    /// Whether the literal text needs no escaping inside double quotes, in any shell.
    fn is_literal_safe_in_double_quotes(&self) -> bool {
        let hard = |c: char| matches!(c, '"' | '\\' | '$' | '`' | '!') || c.is_control();
        self.0.iter().all(|part| !matches!(part, ShellWordPart::Text(text) if text.contains(hard)))
    }

    /// The word as shell text in double quotes.
    fn to_double_quoted_text(&self) -> String {
        let mut quoted = String::from("\"");
        for (index, part) in self.0.iter().enumerate() {
            match part {
                ShellWordPart::Text(text) => quoted.push_str(text),
                ShellWordPart::Variable(name) => {
                    let runs_on = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '[');
                    let next = self.0.get(index + 1);
                    let braces = matches!(next, Some(ShellWordPart::Text(text)) if text.starts_with(runs_on));
                    let (before, after) = if braces { ("${", "}") } else { ("$", "") };
                    quoted.extend([before, name, after]);
                }
            }
        }
        quoted.push('"');
        quoted
    }
}

impl ShellWordPart {
    /// The part in its own quotes.
    fn quote_part(&self) -> String {
        match self {
            Self::Text(text) => format!("'{}'", text.replace('\'', "'\\''")),
            Self::Variable(name) => format!("\"${name}\""),
        }
    }
}

/// A `curl` command line for a request, with variables in place of secrets.
#[derive(Debug, Clone)]
pub struct CurlCommand {
    method: String,
    url: ShellWord,
    headers: Vec<ShellWord>,
    request_body: Option<ShellWord>,
    output_file: Option<ShellWord>,
}

impl CurlCommand {
    /// A command without additional headers and without a body.
    pub fn new(method: impl Into<String>, url: ShellWord) -> Self {
        Self { method: method.into(), url, headers: Vec::new(), request_body: None, output_file: None }
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: ShellWord) -> Self {
        // curl removes a header for `Name:`, and sends an empty one for `Name;`.
        let line = if value == ShellWord::default() {
            ShellWord::shell_word_from_text(format!("{name};"))
        } else {
            ShellWord::shell_word_from_text(format!("{name}: ")).concat_word(value)
        };
        self.headers.push(line);
        self
    }

    /// Sets the body. `curl` computes `Content-Length` itself.
    #[must_use]
    pub fn with_body(mut self, body: ShellWord) -> Self {
        self.request_body = Some(body);
        self
    }

    /// Adds `-o`: `curl` writes the response body to this file.
    #[must_use]
    pub fn with_output_file(mut self, file: &str) -> Self {
        self.output_file = Some(ShellWord::shell_word_from_text(file));
        self
    }

    /// The words of the command, in the order of its arguments.
    pub fn to_shell_words(&self) -> Vec<ShellWord> {
        self.shell_words_by_line().into_iter().flatten().collect()
    }

    /// The command for a shell, with one line per header.
    pub fn to_multiline_shell_command(&self) -> String {
        let line = |words: &Vec<ShellWord>| words.iter().map(ShellWord::shell_quoted).collect::<Vec<_>>().join(" ");
        self.shell_words_by_line().iter().map(line).collect::<Vec<_>>().join(" \\\n  ")
    }

    /// The words of each line of the command.
    fn shell_words_by_line(&self) -> Vec<Vec<ShellWord>> {
        let mut first: Vec<_> = ["curl", "-sS", "-i"].map(ShellWord::shell_word_from_text).into();
        let globs =
            |part: &ShellWordPart| matches!(part, ShellWordPart::Text(text) if text.contains(['[', ']', '{', '}']));
        if self.url.0.iter().any(globs) {
            first.push(ShellWord::shell_word_from_text("--globoff"));
        }
        match self.method.as_str() {
            "HEAD" => first.push(ShellWord::shell_word_from_text("--head")),
            method => first.extend([ShellWord::shell_word_from_text("-X"), ShellWord::shell_word_from_text(method)]),
        }
        if let Some(file) = &self.output_file {
            first.extend([ShellWord::shell_word_from_text("-o"), file.clone()]);
        }
        first.push(self.url.clone());
        let mut lines = vec![first];
        lines.extend(self.headers.iter().map(|header| vec![ShellWord::shell_word_from_text("-H"), header.clone()]));
        // `-d` would read a file for a body that starts with `@`.
        lines.extend(
            self.request_body.iter().map(|body| vec![ShellWord::shell_word_from_text("--data-raw"), body.clone()]),
        );
        lines
    }
}

/// The command for the request of a recorded exchange. `backend` provides the templates of a partner's headers.
pub fn curl_for_exchange(exchange: &Exchange, backend: &BackendWithRoutes) -> CurlCommand {
    let url = match exchange.call {
        CallKind::Download => ShellWord::word_from_variable(DOWNLOAD_URL_VAR),
        _ => recorded_url_to_shell_word(&exchange.url),
    };
    let mut curl = CurlCommand::new(&exchange.method, url);
    for (name, value) in &exchange.request_headers {
        // curl sets `Host` itself, and `Content-Length` if there is a body.
        let own = name.eq_ignore_ascii_case("host")
            || (name.eq_ignore_ascii_case("content-length") && exchange.request_body.is_some());
        if !own {
            curl = curl.with_header(name, header_value_to_shell_word(exchange.call, name, value, backend));
        }
    }
    match &exchange.request_body {
        Some(text) => curl.with_body(body_to_shell_word(text)),
        None => curl,
    }
}

/// The value of a header, with variables in place of masked parts.
fn header_value_to_shell_word(call: CallKind, name: &str, value: &str, backend: &BackendWithRoutes) -> ShellWord {
    if !value.contains(MASK) {
        return ShellWord::shell_word_from_text(value);
    }
    let known = [
        (headers::API_KEY, API_KEY_VAR),
        (headers::SESSION_TOKEN, SESSION_TOKEN_VAR),
        (headers::EXPORT_TOKEN, EXPORT_TOKEN_VAR),
    ];
    if let Some((_, variable)) = known.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
        return ShellWord::word_from_variable(variable);
    }
    match find_partner_header_template(call, name, backend) {
        Some(template) if template.contains(PARTNER_KEY_PLACEHOLDER) => {
            ShellWord::word_from_template(template, PARTNER_KEY_PLACEHOLDER, PARTNER_KEY_VAR)
        }
        // Other values in a partner's header may be secrets, too.
        _ => ShellWord::word_from_variable(name),
    }
}

/// The template of a partner's header in the profile.
fn find_partner_header_template<'a>(call: CallKind, name: &str, backend: &'a BackendWithRoutes) -> Option<&'a str> {
    let headers = match (call, &backend.token_source, &backend.redeem_route) {
        (CallKind::Generate, TokenSource::Partner(partner), _) => &partner.headers,
        (CallKind::Redeem, _, RedeemEndpoint::Partner { headers, .. }) => headers,
        _ => return None,
    };
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// A recorded URL, with variables in place of masked query values, which may be a partner's secrets.
fn recorded_url_to_shell_word(recorded: &str) -> ShellWord {
    let Some((place, query)) = recorded.split_once('?') else {
        return text_or_masked_variable(recorded, "URL");
    };
    let pairs = query.split('&').map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let encoded: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        ShellWord::shell_word_from_text(format!("{encoded}=")).concat_word(text_or_masked_variable(value, name))
    });
    pairs.enumerate().fold(text_or_masked_variable(place, "URL").append_text("?"), |word, (index, pair)| {
        word.append_text(if index == 0 { "" } else { "&" }).concat_word(pair)
    })
}

/// The text itself, or the variable if the text is masked.
fn text_or_masked_variable(text: &str, variable: &str) -> ShellWord {
    if text.contains(MASK) { ShellWord::word_from_variable(variable) } else { ShellWord::shell_word_from_text(text) }
}

/// Converts a body to a shell word. Each masked string becomes a variable, which is named after the JSON member.
fn body_to_shell_word(text: &str) -> ShellWord {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return text_or_masked_variable(text, "BODY") };
    json_to_shell_with_variables(&value, "BODY")
}

/// Converts a JSON value to a shell word. Each masked string becomes a variable. `name` is the member that holds
/// the value, and names the variable.
fn json_to_shell_with_variables(value: &Value, name: &str) -> ShellWord {
    match value {
        Value::String(text) if text.contains(MASK) => {
            let variable = match name {
                "username" => USERNAME_VAR,
                "password" => PASSWORD_VAR,
                other => other,
            };
            ShellWord::shell_word_from_text("\"").append_variable_expansion(variable).append_text("\"")
        }
        Value::Array(items) => {
            let items = items.iter().map(|item| json_to_shell_with_variables(item, name)).enumerate();
            items
                .fold(ShellWord::shell_word_from_text("["), |all, (index, item)| {
                    all.append_text(comma_before_item(index)).concat_word(item)
                })
                .append_text("]")
        }
        Value::Object(members) => {
            let members = members.iter().enumerate().map(|(index, (key, value))| {
                let key_text = Value::from(key.as_str()).to_string();
                ShellWord::shell_word_from_text(format!("{}{key_text}:", comma_before_item(index)))
                    .concat_word(json_to_shell_with_variables(value, key))
            });
            members.fold(ShellWord::shell_word_from_text("{"), ShellWord::concat_word).append_text("}")
        }
        other => ShellWord::shell_word_from_text(other.to_string()),
    }
}

/// The separator before the item at `index`: nothing before the first, else a comma.
fn comma_before_item(index: usize) -> &'static str {
    if index == 0 { "" } else { "," }
}

/// Converts a name to a shell variable name: upper case, `_` for every other character, no leading digit.
fn to_shell_variable_name(name: &str) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let name: String = name.chars().map(upper).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') { name } else { format!("_{name}") }
}

/// A URL with the variable `QUERY` in place of its query.
pub fn url_with_query_as_variable(address: &Url) -> ShellWord {
    match address.query() {
        Some(_) => {
            let mut shown = address.clone();
            shown.set_query(None);
            ShellWord::shell_word_from_text(format!("{shown}?")).append_variable_expansion("QUERY")
        }
        None => ShellWord::shell_word_from_text(address.as_str()),
    }
}

#[cfg(test)]
#[path = "curl_tests.rs"]
mod tests;
