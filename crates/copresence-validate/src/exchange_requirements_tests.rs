use super::*;
use crate::checks::CHECKS;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

fn vendor_backend() -> BackendWithRoutes {
    BackendWithRoutes::copresence_backend_from_url("https://api.test/".parse().expect("a URL"))
}

fn build_exchange(call: CallKind, status: u16, body: &Value) -> Exchange {
    let headers = [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("strict-transport-security", "max-age=31536000"),
    ];
    let path = if call == CallKind::Download { "…" } else { call.as_str() };
    Exchange {
        call,
        started_at: jiff::Timestamp::UNIX_EPOCH,
        time_to_headers: Some(Duration::from_millis(20)),
        duration: Duration::from_millis(20),
        method: "GET".to_owned(),
        url: format!("https://api.test/{path}"),
        request_headers: Vec::new(),
        request_body: None,
        status: Some(status),
        response_headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        body: (call != CallKind::Download).then(|| body.to_string()),
        body_size: 100,
        outcome: ExchangeOutcome::Complete,
        error: None,
    }
}

fn status_report_body(status: &str, progress: i64, place: i64) -> Value {
    json!({
        "avatar_ready": false,
        "payload_incomplete":
            { "completion_progress": progress, "completion_status": status, "queue_position": place },
    })
}

fn delivery_body() -> Value {
    json!({
        "avatar_ready": true,
        "payload_complete": [
            { "download_URL": "https://files.test/…", "export_type": "glb" },
            { "download_URL": "https://files.test/…", "export_type": "png" },
        ],
    })
}

/// Recorded exchanges with a backend that fulfils every requirement.
fn right_exchanges() -> Vec<Exchange> {
    let error = json!({ "code": 101, "error": "no such active token" });
    vec![
        build_exchange(CallKind::Login, 200, &json!({ "sessionToken": "…ef", "email": "…" })),
        build_exchange(CallKind::Login, 404, &error),
        build_exchange(CallKind::Generate, 201, &json!({ "token": "…" })),
        build_exchange(CallKind::Generate, 401, &error),
        build_exchange(CallKind::Redeem, 200, &status_report_body("no_associated_avatar", -1, -1)),
        build_exchange(CallKind::Redeem, 200, &status_report_body("in_queue", 0, 3)),
        build_exchange(CallKind::Redeem, 200, &status_report_body("processing", 40, -1)),
        build_exchange(CallKind::Redeem, 200, &status_report_body("failed", 40, -1)),
        build_exchange(CallKind::Redeem, 200, &delivery_body()),
        build_exchange(CallKind::Redeem, 400, &error),
        build_exchange(CallKind::Redeem, 403, &error),
        build_exchange(CallKind::Download, 200, &Value::Null),
        build_exchange(CallKind::Download, 206, &Value::Null),
        build_exchange(CallKind::Download, 410, &Value::Null),
    ]
}

fn violations(exchange: &Exchange) -> Vec<(String, String)> {
    let broken = judge_exchange(exchange, &vendor_backend()).into_iter().filter(|rule| !rule.is_kept);
    broken
        .map(|rule| {
            assert!(rule.received.as_ref().is_some_and(|received| !received.is_empty()), "{rule:?}");
            (rule.requirement.id.clone(), rule.location)
        })
        .collect()
}

#[test]
fn every_check_of_a_single_exchange_covers_its_requirement() {
    let unique: BTreeSet<_> = SINGLE_EXCHANGE_CHECKS.iter().map(|(check, _)| check).collect();
    assert_eq!(unique.len(), SINGLE_EXCHANGE_CHECKS.len());
    for (check, id) in SINGLE_EXCHANGE_CHECKS {
        assert!(CHECKS.iter().any(|known| known.id == check), "{check}");
        let row = all_requirements().iter().find(|row| row.id == id).unwrap_or_else(|| panic!("{id}"));
        assert!(row.checks.iter().any(|known| known == check), "{check} does not cover {id}");
    }
}

#[test]
fn right_exchanges_fulfil_every_requirement() {
    let mut kept = BTreeSet::new();
    for exchange in right_exchanges() {
        assert_eq!(violations(&exchange), [], "{exchange:?}");
        let rules = judge_exchange(&exchange, &vendor_backend());
        assert!(rules.iter().all(|rule| rule.received.is_none()));
        kept.extend(rules.into_iter().map(|rule| rule.requirement.id.clone()));
    }
    let mut all: BTreeSet<_> = SINGLE_EXCHANGE_CHECKS.iter().map(|(_, id)| (*id).to_owned()).collect();
    // Judged only if the header is sent.
    all.remove("SAFE-4");
    assert_eq!(kept, all);
}

#[test]
fn each_wrong_field_violates_only_its_own_requirement() {
    let fresh = || status_report_body("no_associated_avatar", -1, -1);
    let making = || status_report_body("processing", 40, -1);
    let queued = || status_report_body("in_queue", 0, 3);
    let progress = "/payload_incomplete/completion_progress";
    let status = "/payload_incomplete/completion_status";
    let place = "/payload_incomplete/queue_position";
    let cases = [
        (fresh(), progress, json!(0), "RED-18"),
        (fresh(), progress, json!("-1"), "RED-18"),
        (fresh(), place, json!(0), "RED-21"),
        (making(), progress, json!(101), "RED-17"),
        (making(), progress, json!("40"), "RED-17"),
        (making(), progress, json!(0.4), "RED-17"),
        (making(), progress, Value::Null, "RED-17"),
        (making(), place, json!(0), "RED-21"),
        (making(), status, json!("done"), "RED-19"),
        (making(), status, json!(7), "RED-19"),
        (queued(), place, json!(-1), "RED-20"),
        (queued(), place, json!("3"), "RED-20"),
        (making(), "/avatar_ready", json!("false"), "RED-5"),
        (making(), "/avatar_ready", json!(0), "RED-5"),
        (making(), "/payload_incomplete", json!([]), "RED-13"),
        (delivery_body(), "/avatar_ready", json!("true"), "RED-12"),
        (delivery_body(), "/avatar_ready", json!(false), "RED-12"),
        (delivery_body(), "/payload_complete", json!([]), "RED-14"),
        // How a value that is not a URL is recorded.
        (delivery_body(), "/payload_complete/1/download_URL", json!("…"), "RED-14"),
        (delivery_body(), "/payload_complete/1/download_URL", json!(7), "RED-14"),
        (delivery_body(), "/payload_complete/0/download_URL", json!("http://files.test/…"), "SAFE-1"),
        (delivery_body(), "/payload_complete/0/export_type", json!(" "), "RED-15"),
        (delivery_body(), "/payload_complete/0/export_type", json!("a model file"), "RED-16"),
    ];
    for (mut body, at, wrong, id) in cases {
        *body.pointer_mut(at).expect("a place") = wrong.clone();
        let broken = violations(&build_exchange(CallKind::Redeem, 200, &body));
        assert_eq!(broken, [(id.to_owned(), at.to_owned())], "{wrong} at {at}");
    }
}

#[test]
fn each_wrong_response_violates_only_its_own_requirement() {
    let error = json!({ "error": "no" });
    let with_header = |name: &str, value: Option<&str>, exchange: Exchange| {
        let mut exchange = exchange;
        exchange.response_headers.retain(|(known, _)| known != name);
        exchange.response_headers.extend(value.map(|value| (name.to_owned(), value.to_owned())));
        exchange
    };
    let redeem = || build_exchange(CallKind::Redeem, 200, &status_report_body("processing", 40, -1));
    let generate = |body: Value| build_exchange(CallKind::Generate, 200, &body);
    let no_json = |exchange: Exchange| Exchange { body: Some("[9 bytes left out: not whole JSON]".into()), ..exchange };
    let lost = Exchange {
        outcome: ExchangeOutcome::ResponseLost,
        status: None,
        body: None,
        error: Some("unanswered: reset".into()),
        ..redeem()
    };
    let cases = [
        (lost.clone(), "PACE-1", "status"),
        (Exchange { status: Some(200), ..lost }, "PACE-1", "status"),
        (build_exchange(CallKind::Redeem, 503, &Value::Null), "RED-9", "status"),
        (build_exchange(CallKind::Generate, 500, &error), "RED-9", "status"),
        (build_exchange(CallKind::Redeem, 202, &status_report_body("processing", 40, -1)), "RED-7", "status"),
        (build_exchange(CallKind::Redeem, 404, &error), "RED-7", "status"),
        (no_json(redeem()), "RED-7", ""),
        (build_exchange(CallKind::Redeem, 200, &json!([])), "RED-7", ""),
        (build_exchange(CallKind::Redeem, 400, &json!({ "code": 1 })), "SAFE-7", "/error"),
        (build_exchange(CallKind::Redeem, 400, &json!({ "error": "panicked at src/main" })), "SAFE-6", ""),
        (with_header("content-type", Some("text/html"), redeem()), "RED-24", "content-type"),
        (with_header("cache-control", None, redeem()), "SAFE-2", "cache-control"),
        (with_header("strict-transport-security", None, redeem()), "SAFE-1", "strict-transport-security"),
        (with_header("access-control-allow-origin", Some("*"), redeem()), "SAFE-4", "access-control-allow-origin"),
        (build_exchange(CallKind::Login, 200, &json!({ "session": "…" })), "AUTH-1", "/sessionToken"),
        (build_exchange(CallKind::Login, 200, &json!({ "sessionToken": "" })), "AUTH-1", "/sessionToken"),
        (generate(json!({ "token": MASKED_NUMBER })), "GEN-3", "/token"),
        (generate(json!({ "token": null })), "GEN-3", "/token"),
        (generate(json!({})), "GEN-3", "/token"),
        (build_exchange(CallKind::Generate, 404, &error), "GEN-1", "status"),
        (with_header("content-type", None, generate(json!({ "token": "…" }))), "GEN-8", "content-type"),
        (Exchange { body_size: 0, ..build_exchange(CallKind::Download, 200, &Value::Null) }, "EX-4", "status"),
        (
            with_header("cache-control", None, build_exchange(CallKind::Download, 200, &Value::Null)),
            "SAFE-3",
            "cache-control",
        ),
    ];
    for (exchange, id, at) in cases {
        assert_eq!(violations(&exchange), [(id.to_owned(), at.to_owned())], "{exchange:?}");
    }
}

#[test]
fn undecidable_exchanges_have_no_violation() {
    let given_up = Exchange {
        outcome: ExchangeOutcome::Cancelled,
        status: None,
        ..build_exchange(CallKind::Redeem, 200, &Value::Null)
    };
    let never_sent = Exchange { outcome: ExchangeOutcome::NeverSent, ..given_up.clone() };
    assert!(
        judge_exchange(&given_up, &vendor_backend()).is_empty()
            && judge_exchange(&never_sent, &vendor_backend()).is_empty()
    );
    let masked_word = build_exchange(CallKind::Redeem, 200, &status_report_body("…en", 40, -1));
    assert_eq!(violations(&masked_word), [], "a masked status");
    let cut = build_exchange(CallKind::Redeem, 200, &Value::Null);
    let cut = Exchange { body: Some(r#"{"avatar [70000 bytes left out: too long]"#.into()), ..cut };
    assert_eq!(violations(&cut), [], "the rest of the body is unknown");
}

#[test]
fn the_token_is_read_from_the_pointer_of_the_profile() {
    let partner = copresence_client::PartnerTokenSource {
        token_pointer: "/data/t".to_owned(),
        ..copresence_client::PartnerTokenSource::new("https://relay.test/".parse().expect("a URL"))
    };
    let relay =
        BackendWithRoutes { token_source: copresence_client::TokenSource::Partner(partner), ..vendor_backend() };
    let good = build_exchange(CallKind::Generate, 200, &json!({ "data": { "t": "…" } }));
    assert!(judge_exchange(&good, &relay).iter().all(|rule| rule.is_kept));
    assert_eq!(violations(&good), [("GEN-3".to_owned(), "/token".to_owned())]);
}
