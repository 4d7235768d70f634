use super::*;
use bytes::Bytes;
use http::{HeaderName, Method};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;
use std::time::Duration;

fn raw(call: CallKind, status: u16, body: &str) -> UnredactedExchange {
    UnredactedExchange {
        call,
        started_at: Timestamp::UNIX_EPOCH,
        time_to_headers: None,
        duration: Duration::ZERO,
        method: Method::GET,
        url: Url::parse("https://api.test/x").expect("a URL"),
        request_headers: HeaderMap::new(),
        request_body: None,
        status: Some(status),
        response_headers: HeaderMap::new(),
        body: Some(Bytes::copy_from_slice(body.as_bytes())),
        body_size: body.len() as u64,
        outcome: crate::exchange::ExchangeOutcome::Complete,
        error: None,
        token_pointer: None,
    }
}

fn recorded(call: CallKind, status: u16, body: &str) -> String {
    Redactor::default().redact_exchange(&raw(call, status, body)).body.expect("a body")
}

fn strings(exchange: &Exchange) -> Vec<&str> {
    let headers = exchange.request_headers.iter().chain(&exchange.response_headers);
    let mut all: Vec<&str> = headers.flat_map(|(name, value)| [name.as_str(), value.as_str()]).collect();
    all.push(&exchange.url);
    all.extend([&exchange.request_body, &exchange.body, &exchange.error].into_iter().filter_map(Option::as_deref));
    all
}

#[test]
fn a_redacted_response_keeps_its_structure() {
    let ready = r#"{"avatar_ready":true,"payload_complete":[
        {"download_URL":"https://files.test/a/b?sig=s3cret","export_type":"glb"},
        {"download_URL":"/relative?sig=s3cret","export_type":"fbx"}]}"#;
    let kept = json!({ "avatar_ready": true, "payload_complete": [
        { "download_URL": "https://files.test/…", "export_type": "glb" },
        { "download_URL": "…", "export_type": "fbx" }] });
    let waiting = json!({ "avatar_ready": false, "payload_incomplete": {
        "completion_progress": -1, "completion_status": "in_queue", "queue_position": 3 } });
    let login = r#"{"sessionToken":"r:0123456789abcdef","email":"jane@partner.test","pin":1234}"#;
    let refused = json!({ "code": 209, "error": "invalid session token" });
    for (call, status, body, kept) in [
        (CallKind::Redeem, 200, ready, kept),
        (CallKind::Redeem, 200, &waiting.to_string(), waiting),
        (CallKind::Login, 200, login, json!({ "sessionToken": "…ef", "email": "…st", "pin": "… (a number)" })),
        (CallKind::Generate, 201, r#"{"data":{"t":"short-lived-token"}}"#, json!({ "data": { "t": "…en" } })),
        (CallKind::Generate, 400, &refused.to_string(), refused),
    ] {
        let recorded: Value = serde_json::from_str(&recorded(call, status, body)).expect("JSON");
        assert_eq!(recorded, kept);
    }
}

#[test]
fn a_body_that_cannot_be_parsed_is_kept_only_of_an_error_response() {
    let cut = r#"{"payload_complete":[{"download_URL":"https:\/\/files.test\/a?sig=s3cret"#;
    assert!(!recorded(CallKind::Redeem, 200, cut).contains("s3cret"));
    assert_eq!(recorded(CallKind::Redeem, 500, cut), r#"{"payload_complete":[{"download_URL":"https://files.test/…"#);
    assert_eq!(recorded(CallKind::Redeem, 502, "<h1>Bad Gateway</h1>"), "<h1>Bad Gateway</h1>");
    assert_eq!(recorded(CallKind::Redeem, 200, ""), "");
}

#[test]
fn a_long_body_is_truncated() {
    let long = recorded(CallKind::Redeem, 500, &"ä".repeat(MAX_RECORDED_BODY));
    assert!(
        long.len() < MAX_RECORDED_BODY + 60 && long.ends_with("[65536 bytes left out: too long]"),
        "{}",
        long.len()
    );
}

#[test]
fn urls_in_a_message_are_reduced_to_their_origins() {
    let words =
        Redactor::default().redact_secrets_and_urls("see HTTPS://a.test/b?c=d and http:\\/\\/e.test\\/f, not httpd");
    assert_eq!(words, "see https://a.test/… and http://e.test/… not httpd");
}

#[test]
fn headers_are_masked_by_name_sensitivity_and_url() {
    let mut raw = raw(CallKind::Redeem, 302, "");
    let mut marked = HeaderValue::from_static("Bearer 0123456789ab");
    marked.set_sensitive(true);
    raw.request_headers.insert("x-partner", marked);
    raw.request_headers.insert("authorization", HeaderValue::from_static("Basic xyz"));
    raw.request_headers.insert("accept", HeaderValue::from_static("*/*"));
    raw.response_headers.insert("set-cookie", HeaderValue::from_static("sid=0123456789"));
    raw.response_headers.insert("location", HeaderValue::from_static("/login?then=s3cret"));
    raw.response_headers.insert("www-authenticate", HeaderValue::from_static("Bearer realm=x"));
    let exchange = Redactor::default().redact_exchange(&raw);
    let pair = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let expected = [("x-partner", "…ab"), ("authorization", "…"), ("accept", "*/*")].map(pair);
    assert_eq!(exchange.request_headers, expected);
    let expected = [("set-cookie", "…89"), ("location", "/…"), ("www-authenticate", "Bearer realm=x")].map(pair);
    assert_eq!(exchange.response_headers, expected);
}

#[test]
fn a_new_token_is_masked_everywhere_in_the_response() {
    let mut raw = raw(CallKind::Generate, 201, r#"{"token":"tok_0123456789"}"#);
    raw.token_pointer = Some("/token".to_owned());
    raw.response_headers.insert("x-trace", HeaderValue::from_static("made tok_0123456789"));
    let exchange = Redactor::default().redact_exchange(&raw);
    assert!(strings(&exchange).iter().all(|text| !text.contains("tok_0123456789")), "{exchange:?}");
}

fn secret() -> impl Strategy<Value = String> {
    prop_oneof!["[!-~]{4,40}", "[a-z]{4,8}", "\\PC{4,20}", "[ \"\\\\/%+&=?#]{4,9}"]
        .prop_filter("long enough to be masked everywhere", |secret| secret.len() >= MIN_SECRET_LENGTH)
}

proptest! {
    #[test]
    fn no_known_secret_is_left_in_any_part(
        secrets in prop::collection::vec(secret(), 1..4),
        call in prop::sample::select(vec![CallKind::Login, CallKind::Generate, CallKind::Redeem, CallKind::Download]),
        status in prop::sample::select(vec![200_u16, 302, 400, 500]),
        around in "[ -~]{0,12}",
        plain_body: bool,
        failed: bool,
    ) {
        let text = secrets.iter().fold(around.clone(), |text, secret| format!("{text}{secret}{around}"));
        let escaped: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let json = json!({ "error": text, text.as_str(): [text, { "deep": text }] }).to_string();
        let mut raw = raw(call, status, if plain_body { &text } else { &json });
        raw.request_body = Some(json);
        raw.error = failed.then(|| text.clone());
        raw.url = Url::parse(&format!("https://api.test/{escaped}?q={escaped}#{escaped}")).expect("a URL");
        for headers in [&mut raw.request_headers, &mut raw.response_headers] {
            if let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) {
                headers.insert("x-echo", value);
            }
            if let Ok(name) = HeaderName::from_bytes(secrets[0].as_bytes()) {
                headers.insert(name, HeaderValue::from_str(&escaped).expect("ASCII"));
            }
        }
        let redactor = Redactor::new(secrets.iter().map(String::as_str));
        let exchange = redactor.redact_exchange(&raw);
        for part in strings(&exchange) {
            for secret in &secrets {
                prop_assert!(!part.contains(secret.as_str()), "{secret:?} in {part:?}");
                let decoded = percent_encoding::percent_decode_str(part).decode_utf8_lossy();
                prop_assert!(!decoded.contains(secret.as_str()), "{secret:?} encoded in {part:?}");
            }
        }
    }

    #[test]
    fn no_download_url_is_left_in_a_response(path in "[a-z]{6,12}", status in prop::sample::select(vec![200_u16, 400])) {
        for url in [
            format!("https://files.test/{path}?{path}={path}#{path}"),
            format!(" http://user:{path}@files.test/a b/{path}"),
            format!("HTTPS:\\\\files.test\\{path}"),
        ] {
            prop_assume!(!"files.test".contains(&path));
            let body = json!({ "payload_complete": [{ "download_URL": url, "export_type": "glb" }] });
            for call in [CallKind::Redeem, CallKind::Generate] {
                let shown = recorded(call, status, &body.to_string());
                prop_assert!(!shown.contains(&path), "{shown}");
            }
        }
    }

    #[test]
    fn text_without_secrets_is_unchanged(text in "[a-z ]{0,40}") {
        prop_assert_eq!(Redactor::new(["0123456789"]).redact_text(&text), text);
    }
}

#[test]
fn secrets_in_a_stored_body_are_masked_except_in_names_and_urls() {
    let redactor = Redactor::new(["avatar", "api-key-0123", "pass \"word\\"]);
    let body = r#"{"avatar_ready":true,"said":"api-key-0123","api-key-0123":1,"payload_complete":[{"export_type":"glb avatar \"pass \"word\\",
        "x":"pass \"word\\", "download_URL" : "https:\/\/f.test/avatar?k=api-key-0123"}]}"#;
    let kept = redactor.redact_body_for_saving(&Bytes::from_static(body.as_bytes()), true);
    let expected = r#"{"avatar_ready":true,"said":"…23","…23":1,"payload_complete":[{"export_type":"glb … \"…",
        "x":"…", "download_URL" : "https:\/\/f.test/avatar?k=api-key-0123"}]}"#;
    assert_eq!(std::str::from_utf8(&kept).expect("text"), expected);
    serde_json::from_slice::<Value>(&kept).expect("still JSON");
    let hidden = redactor
        .redact_body_for_saving(&Bytes::from_static(br#"["\u0061pi-key-0123", "\u0061ll", "%61pi-key-0123"]"#), true);
    assert_eq!(&hidden[..], "[\"…23\", \"\\u0061ll\", \"…\"]".as_bytes());
    for plain in ["api-key-0123", "\"api-key-0123", "<html>api-key-0123 "] {
        let kept = redactor.redact_body_for_saving(&Bytes::copy_from_slice(plain.as_bytes()), true);
        assert!(!String::from_utf8_lossy(&kept).contains("api-key"), "{kept:?}");
    }
    let clean = Bytes::from_static(b"{\"nothing\":1}");
    assert_eq!(redactor.redact_body_for_saving(&clean, true).as_ptr(), clean.as_ptr());
}

#[test]
fn urls_of_an_error_response_are_masked() {
    let redactor = Redactor::new(["api-key-0123"]);
    for page in [r#"<a href="http://x.test/?key api-key-0123">no</a>"#, r#"{"error":"https://x.test/?k=api-key-0123"}"#]
    {
        let body = Bytes::from_static(page.as_bytes());
        assert_eq!(
            redactor.redact_body_for_saving(&body, true),
            body,
            "the URLs of a response that may deliver an avatar are kept"
        );
        let kept = redactor.redact_body_for_saving(&body, false);
        assert!(!String::from_utf8_lossy(&kept).contains("api-key"), "{kept:?}");
    }
}

/// A megabyte of brackets, of secrets, and of parts of a URL: each took minutes when each part was compared with all others.
#[test]
fn hostile_bodies_and_urls_are_redacted_in_one_pass() {
    let brackets = format!("{}>", "<".repeat(1 << 20));
    let shown = recorded(CallKind::Redeem, 503, &brackets);
    assert!(is_recorded_body_truncated(&shown) && shown.len() < MAX_RECORDED_BODY + 100, "{}", shown.len());
    let tags = "<secret-key>".repeat(80_000);
    assert!(is_recorded_body_truncated(&recorded(CallKind::Redeem, 503, &tags)));
    let redactor = Redactor::new(["api-key-0123"]);
    let body = Bytes::from(format!("{}{}", " ".repeat(500_000), "api-key-0123".repeat(40_000)));
    let kept = redactor.redact_body_for_saving(&body, true);
    assert!(!String::from_utf8_lossy(&kept).contains("api-key"));
    let parts: Vec<_> = (0..4000).map(|part| format!("/a-long-part-{part:08}")).collect();
    let url = Url::parse(&format!("https://files.test{}?sig=short-secret", parts.concat())).expect("a URL");
    let redactor = redactor.with_download_url_secrets(&url);
    assert!(redactor.secrets.len() < 1000, "{}", redactor.secrets.len());
    assert!(!redactor.redact_text(&format!("signed with short-secret, {url}")).contains("secret"));
}

#[test]
fn a_secret_xml_element_is_masked_behind_a_bracket_without_a_tag() {
    let page = "<Error>a < b <StringToSign>hidden-value</StringToSign>";
    assert!(!recorded(CallKind::Redeem, 403, page).contains("hidden-value"));
}

proptest! {
    #[test]
    fn any_body_is_redacted_without_a_panic(body: Vec<u8>) {
        let _ = Redactor::new(["secret-0123"]).redact_body_for_saving(&Bytes::from([&body[..], b"secret-0123"].concat()), true);
    }

    #[test]
    fn redacted_json_is_valid_json(text in ".*", key in "[a-z\\\\\"]{4,8}") {
        let body = json!({ "a": format!("{key}{text}{key}"), &key: [&text, &key] }).to_string();
        let kept = Redactor::new([key.as_str()]).redact_body_for_saving(&Bytes::from(body.clone()), true);
        prop_assert!(serde_json::from_slice::<Value>(&kept).is_ok(), "{} from {}", String::from_utf8_lossy(&kept), body);
    }
}
