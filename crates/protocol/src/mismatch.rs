//! A promise of the specification that a backend broke.

use serde::de::DeserializeOwned;
use std::fmt;

/// Which rule was broken, where in the body, and what stood there instead.
///
/// It never holds a value of the body (which may be a secret or a URL): only its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    path: String,
    rule: String,
    found: String,
}

impl Mismatch {
    /// A broken rule: `path` as in `payload_complete[0].download_URL` (empty for the body itself).
    pub fn new(path: impl Into<String>, rule: impl Into<String>, found: impl Into<String>) -> Self {
        Self { path: path.into(), rule: rule.into(), found: found.into() }
    }

    /// Where in the body, as a dotted path; empty for the body as a whole.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The rule, as a sentence without a full stop.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// What came instead, in words and without values.
    pub fn found(&self) -> &str {
        &self.found
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() { "the body" } else { &self.path };
        write!(f, "at `{path}`: {} was promised, and {} came", self.rule, self.found)
    }
}

impl std::error::Error for Mismatch {}

/// Reads a JSON body; a byte order mark before it is passed over.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8], rule: &str) -> Result<T, Mismatch> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Mismatch::new("", rule, "an empty body"));
    }
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        // From a `?` on the place is not known.
        let path = error.path().to_string();
        let known: Vec<&str> = path.split('.').take_while(|part| !part.is_empty() && *part != "?").collect();
        let path = known.join(".");
        Mismatch::new(path, rule, describe(error.inner()))
    })?;
    json.end().map_err(|_| Mismatch::new("", rule, "something more after the JSON value"))?;
    Ok(value)
}

/// The kind of value that stands somewhere, in words.
pub(crate) fn kind(value: &serde_json::Value) -> &'static str {
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

/// serde's own sentence may quote the value; this keeps the class and the place only.
fn describe(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    match error.classify() {
        serde_json::error::Category::Eof => "JSON that ends too early".to_owned(),
        serde_json::error::Category::Syntax => {
            format!("something that is not JSON (line {line}, column {column})")
        }
        serde_json::error::Category::Data | serde_json::error::Category::Io => {
            format!("something else (line {line}, column {column})")
        }
    }
}
