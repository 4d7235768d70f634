//! Reads the reason in the error response of a file server: XML of an object store, JSON, or an HTML page.

use serde_json::Value;
use std::fmt;

/// Maximum size of the body of an error response that is read, in bytes.
pub(crate) const MAX_ERROR_BODY: usize = 16 * 1024;
/// Maximum length of a reason in a message, in characters.
const MAX_REASON: usize = 300;

/// The reason that the body of a file server's error response states. Its texts are masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileServerError {
    /// What the reason means.
    pub cause: UrlFateAfterServerError,
    /// The server's own code, as in `AccessDenied`.
    pub code: Option<String>,
    /// The server's own sentence, as in `Request has expired`.
    pub message: Option<String>,
}

/// What the reason of a file server means for the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlFateAfterServerError {
    /// The URL has expired.
    Expired,
    /// The URL was used before, and works once.
    Used,
    /// The clock of the signer and the clock of the file server differ too much.
    Clock,
    /// The server asks for another attempt.
    TryAgain,
    /// The signature or the access key of the URL is wrong.
    Signature,
    /// The file does not exist.
    NotFound,
    /// Any other reason.
    Other,
}

impl UrlFateAfterServerError {
    /// What happened and what to do, for an operator. `None` if the reason speaks for itself.
    pub fn explanation_and_remedy(self) -> Option<&'static str> {
        match self {
            Self::Expired => Some(
                "the URL has expired; let the backend sign URLs for a longer time, and check that its clock is right",
            ),
            Self::Clock => Some(
                "the clock of the backend that signed the URL and the clock of the file server differ; set the \
                 backend's clock",
            ),
            Self::Signature => Some(
                "the signature of the URL is not valid; check the access key, the region and the host name with which \
                 the backend signs URLs",
            ),
            Self::NotFound => Some("the file does not exist on the file server; check the backend's file storage"),
            Self::Used | Self::TryAgain | Self::Other => None,
        }
    }

    /// Whether the reason is temporary, so that the same URL may work later.
    pub fn is_temporary(self) -> bool {
        matches!(self, Self::Clock | Self::TryAgain)
    }
}

impl fmt::Display for FileServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.code, &self.message) {
            (Some(code), Some(message)) => write!(f, "{code}: {message}"),
            (Some(only), None) | (None, Some(only)) => f.write_str(only),
            (None, None) => Ok(()),
        }
    }
}

impl FileServerError {
    /// Whether the reason is final: the same URL never works again. Only with a code of a known file server, because a gateway
    /// on the way may also say that something has expired: its session, a licence. An object store also denies access to a
    /// file that is not there yet.
    pub fn is_final(&self) -> bool {
        matches!(
            self.cause,
            UrlFateAfterServerError::Expired | UrlFateAfterServerError::Used | UrlFateAfterServerError::Signature
        ) && self.code.as_deref().is_some_and(|code| is_code_in_list(&FINAL_CODES, code))
    }

    /// Parses the body of an error response. `redact` masks secrets in a text. Returns `None` if the body states no
    /// reason.
    pub(crate) fn parse_error_body(body: &[u8], redact: impl Fn(&str) -> String) -> Option<Self> {
        let text = String::from_utf8_lossy(body);
        let (code, message) = match serde_json::from_slice::<Value>(body) {
            Ok(json) => code_and_message_from_json(&json),
            Err(_) if has_html_start(&text) => (None, find_xml_element_text(&text, "title")),
            Err(_) => (
                find_xml_element_text(&text, "Code"),
                find_xml_element_text(&text, "Message").map(|message| {
                    match find_xml_element_text(&text, "AuthenticationErrorDetail") {
                        Some(detail) => format!("{message} {detail}"),
                        None => message,
                    }
                }),
            ),
        };
        if code.is_none() && message.is_none() {
            return None;
        }
        let cause =
            classify_code_and_message(code.as_deref().unwrap_or_default(), message.as_deref().unwrap_or_default());
        let shown = |text: String| {
            let text = redact(&text).split_whitespace().collect::<Vec<_>>().join(" ");
            text.chars().filter(|c| !c.is_control()).take(MAX_REASON).collect::<String>()
        };
        Some(Self { cause, code: code.map(shown), message: message.map(shown) })
    }
}

/// Code and message of a JSON error: `{code, error}`, `{code, message}`, or one of them within `error`.
fn code_and_message_from_json(json: &Value) -> (Option<String>, Option<String>) {
    let text = |value: Option<&Value>| match value? {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    if let Some(inner @ Value::Object(_)) = json.get("error").or_else(|| json.get("Error")) {
        return code_and_message_from_json(inner);
    }
    let first = |names: &[&str]| names.iter().find_map(|name| text(json.get(name)));
    let message = first(&["message", "Message", "error_description", "detail", "error", "title"]);
    let code = first(&["code", "Code", "error", "statusCode", "status"]);
    // `error` is the code if there is a message beside it.
    (code.filter(|code| message.as_ref() != Some(code)), message)
}

/// The text of the first element with this name. The five entities of XML are decoded.
fn find_xml_element_text(text: &str, name: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let name = name.to_ascii_lowercase();
    let mut from = 0;
    loop {
        let open = from + lower[from..].find(&format!("<{name}"))?;
        let after = open + 1 + name.len();
        from = after;
        if !lower[after..].starts_with(['>', ' ', '\t', '\r', '\n']) {
            continue;
        }
        let start = after + lower[after..].find('>')? + 1;
        let end = start + lower[start..].find('<').unwrap_or(lower.len() - start);
        let value = text[start..end].trim();
        let value = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")]
            .iter()
            .fold(value.to_owned(), |value, (entity, character)| value.replace(entity, character));
        return (!value.is_empty()).then_some(value);
    }
}

/// Whether a text starts like an HTML page.
fn has_html_start(text: &str) -> bool {
    let start = text.trim_start_matches('\u{feff}').trim_start().get(..15).unwrap_or_default().to_ascii_lowercase();
    start.starts_with("<!doctype html") || start.starts_with("<html")
}

/// Codes of S3, Google Cloud Storage and Azure that ask for another attempt.
const TRY_AGAIN_CODES: [&str; 10] = [
    "RequestTimeout",
    "OperationAborted",
    "SlowDown",
    "InternalError",
    "ServiceUnavailable",
    "TooManyRequests",
    "ServerBusy",
    "OperationTimedOut",
    "Throttling",
    "ThrottlingException",
];

/// Codes with which S3, Google Cloud Storage, Azure, Supabase and Parse Server refuse a URL that has expired, was used, or is
/// not signed rightly.
const FINAL_CODES: [&str; 12] = [
    "AccessDenied",
    "ExpiredToken",
    "TokenExpired",
    "RequestExpired",
    "ExpiredSignature",
    "SignatureDoesNotMatch",
    "InvalidAccessKeyId",
    "InvalidSignature",
    "AuthorizationQueryParametersError",
    "AuthenticationFailed",
    "InvalidJWT",
    "101",
];

/// Whether a code is one of these.
fn is_code_in_list(known: &[&str], code: &str) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(code))
}

/// Whether Azure's text states a time frame that has not begun: `Start [DATE] - Expiry [DATE] - Current [DATE]`.
fn is_azure_time_frame_in_future(message: &str) -> bool {
    let date = |name: &str| {
        let (date, _) = message.split_once(&format!("{name} ["))?.1.split_once(']')?;
        httpdate::parse_http_date(date).ok()
    };
    matches!((date("Start"), date("Current")), (Some(start), Some(current)) if current < start)
}

/// Classifies the codes and sentences of S3, Google Cloud Storage, Azure, Supabase and Parse Server.
fn classify_code_and_message(code: &str, message: &str) -> UrlFateAfterServerError {
    let lower = message.to_ascii_lowercase();
    let is_code = |codes: &[&str]| is_code_in_list(codes, code);
    if is_code(&["RequestTimeTooSkewed", "RequestNotYetValid"])
        || ["not yet valid", "not valid yet", "\"nbf\" claim"].iter().any(|words| lower.contains(words))
        || is_azure_time_frame_in_future(message)
    {
        UrlFateAfterServerError::Clock
    } else if is_code(&TRY_AGAIN_CODES) {
        UrlFateAfterServerError::TryAgain
    } else if ["been used", "already used", "been downloaded", "already downloaded"]
        .iter()
        .any(|words| lower.contains(words))
    {
        UrlFateAfterServerError::Used
    } else if is_code(&["ExpiredToken", "TokenExpired", "RequestExpired", "ExpiredSignature"])
        || lower.contains("expired")
        || lower.contains("specified time frame")
        || lower.contains("\"exp\" claim")
    {
        UrlFateAfterServerError::Expired
    } else if is_code(&[
        "SignatureDoesNotMatch",
        "InvalidAccessKeyId",
        "InvalidSignature",
        "AuthorizationQueryParametersError",
        "AuthenticationFailed",
        "InvalidToken",
        "InvalidJWT",
    ]) || lower.contains("signature")
    {
        UrlFateAfterServerError::Signature
    } else if is_code(&["NoSuchKey", "NoSuchBucket", "BlobNotFound", "ResourceNotFound"])
        || (code == "101" && lower.contains("not found"))
    {
        UrlFateAfterServerError::NotFound
    } else if lower.contains("try again") {
        UrlFateAfterServerError::TryAgain
    } else {
        UrlFateAfterServerError::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(body: &str) -> Option<FileServerError> {
        FileServerError::parse_error_body(body.as_bytes(), str::to_owned)
    }

    #[test]
    fn the_reasons_of_file_servers_are_told_apart() {
        use UrlFateAfterServerError::{Clock, Expired, NotFound, Other, Signature, TryAgain, Used};
        for (body, cause, text) in [
            (
                "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>Request has expired</Message>\
                 <Expires>2026-11-28T10:00:00Z</Expires></Error>",
                Expired,
                "AccessDenied: Request has expired",
            ),
            (
                "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>",
                Other,
                "AccessDenied: Access Denied",
            ),
            (
                "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>",
                Expired,
                "ExpiredToken: The provided token has expired.",
            ),
            (
                "<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the \
                 current time is too large.</Message></Error>",
                Clock,
                "RequestTimeTooSkewed: The difference between the request time and the current time is too large.",
            ),
            (
                "<Error><Code>AccessDenied</Code><Message>Request is not yet valid</Message></Error>",
                Clock,
                "AccessDenied: Request is not yet valid",
            ),
            (
                "<Error><Code>SignatureDoesNotMatch</Code><Message>Check your key &amp; method.</Message></Error>",
                Signature,
                "SignatureDoesNotMatch: Check your key & method.",
            ),
            (
                "\u{feff}<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code><Message>Server failed.\
                 </Message><AuthenticationErrorDetail>Signature not valid in the specified time frame\
                 </AuthenticationErrorDetail></Error>",
                Expired,
                "AuthenticationFailed: Server failed. Signature not valid in the specified time frame",
            ),
            ("<Error><Code>NoSuchKey</Code><Key>a</Key></Error>", NotFound, "NoSuchKey"),
            (r#"{"code":101,"error":"Object not found."}"#, NotFound, "101: Object not found."),
            (
                r#"{"code":101,"error":"this one-time download URL has been used"}"#,
                Used,
                "101: this one-time download URL has been used",
            ),
            (
                "<Error><Code>AccessDenied</Code><Message>Request is not valid yet</Message></Error>",
                Clock,
                "AccessDenied: Request is not valid yet",
            ),
            (
                "<Error><Code>AuthenticationFailed</Code><Message>Failed.</Message><AuthenticationErrorDetail>Signature \
                 not valid in the specified time frame: Start [Sat, 28 Nov 2026 17:30:10 GMT] - Expiry [Sat, 28 Nov \
                 2026 18:30:10 GMT] - Current [Sat, 28 Nov 2026 17:30:05 GMT]</AuthenticationErrorDetail></Error>",
                Clock,
                "AuthenticationFailed: Failed. Signature not valid in the specified time frame: Start [Sat, 28 Nov 2026 \
                 17:30:10 GMT] - Expiry [Sat, 28 Nov 2026 18:30:10 GMT] - Current [Sat, 28 Nov 2026 17:30:05 GMT]",
            ),
            ("<Error><Code>RequestTimeout</Code></Error>", TryAgain, "RequestTimeout"),
            ("<Error><Code>OperationAborted</Code></Error>", TryAgain, "OperationAborted"),
            (r#"{"error":"unauthorized"}"#, Other, "unauthorized"),
            (
                r#"{"statusCode":"400","error":"InvalidJWT","message":"\"exp\" claim timestamp check failed"}"#,
                Expired,
                r#"InvalidJWT: "exp" claim timestamp check failed"#,
            ),
            (r#"{"error":{"code":403,"message":"No access"}}"#, Other, "403: No access"),
            ("<!DOCTYPE html><title>403\n Forbidden</title>", Other, "403 Forbidden"),
        ] {
            let error = parse(body).expect(body);
            assert_eq!((error.cause, error.to_string().as_str()), (cause, text));
            assert_eq!(error.is_final(), matches!(cause, Expired | Signature | Used), "{body}");
        }
    }

    /// Answers of gateways on the way.
    #[test]
    fn only_a_code_of_a_file_server_makes_a_refusal_final() {
        for body in [
            r#"{"code":"session_expired","message":"Your login session has expired"}"#,
            r#"{"code":4031,"message":"License of this firewall expired"}"#,
            r#"{"code":"WAF-17","message":"already used connection slot"}"#,
            r#"{"message":"Request has expired"}"#,
        ] {
            assert!(!parse(body).expect(body).is_final(), "{body}");
        }
    }

    #[test]
    fn a_body_without_a_reason_states_none() {
        for body in ["", "Forbidden", "[]", "{}", "<Error/>", "<html><body>no</body></html>", "<Codex>1</Codex>"] {
            assert_eq!(parse(body), None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_parsed_without_a_panic(
            body in "(<|>|Code|Message|title|é|\u{130}|&amp;|html|/|\\{|\"error\"|:| |a){0,40}",
        ) {
            let _ = parse(&body);
        }
    }
}
