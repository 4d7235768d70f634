//! A response that violates the specification.

use serde::de::DeserializeOwned;
use std::fmt;

/// Which requirement is violated, where in the response, and what was found instead.
///
/// Values of the body may be secrets or URLs, so only their JSON type is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecViolation {
    path: String,
    expected: String,
    found: String,
}

impl SpecViolation {
    /// A violation at `path`, for example `payload_complete[0].download_URL`. The empty path is the body itself.
    pub fn new(path: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { path: path.into(), expected: expected.into(), found: found.into() }
    }

    /// Dotted path in the body, or the name of a header. Empty for the body itself.
    pub fn body_path_or_header_name(&self) -> &str {
        &self.path
    }

    /// What the specification requires, as a phrase, for example `a boolean`.
    pub fn expected(&self) -> &str {
        &self.expected
    }

    /// What was found instead, as a phrase without values.
    pub fn found(&self) -> &str {
        &self.found
    }
}

impl fmt::Display for SpecViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the body" } else { &self.path };
        write!(f, "at `{path}`: expected {}, found {}", self.expected, self.found)
    }
}

impl std::error::Error for SpecViolation {}

/// Parses a JSON body. A leading byte order mark is skipped.
pub(crate) fn parse_json<T: DeserializeOwned>(body: &[u8], expected: &str) -> Result<T, SpecViolation> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(SpecViolation::new("", expected, "an empty body"));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        // The path is unknown from the first `?` on.
        let path = error.path().to_string();
        let known: Vec<&str> = path.split('.').take_while(|part| !part.is_empty() && *part != "?").collect();
        let path = known.join(".");
        SpecViolation::new(path, expected, describe_json_error(error.inner()))
    })?;
    json.end().map_err(|_| SpecViolation::new("", expected, "more data after the JSON value"))?;
    Ok(value)
}

/// The JSON type of a value, as a phrase.
pub(crate) fn json_type_name(value: &serde_json::Value) -> &'static str {
    match value {
        serde_json::Value::Null => "null",
        serde_json::Value::Bool(_) => "a boolean",
        serde_json::Value::Number(n) if n.is_f64() => "a number with a fraction",
        serde_json::Value::Number(_) => "an integer",
        serde_json::Value::String(_) => "a string",
        serde_json::Value::Array(_) => "an array",
        serde_json::Value::Object(_) => "an object",
    }
}

/// Describes an error by its category and position. The message of serde may quote the value, so it is not used.
fn describe_json_error(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Eof => "truncated JSON".to_owned(),
        serde_json::error::Category::Syntax => {
            format!("invalid JSON (line {line}, column {column})")
        }
        serde_json::error::Category::Data | serde_json::error::Category::Io => {
            format!("another type (line {line}, column {column})")
        }
    }
}
