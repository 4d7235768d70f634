//! What a run writes: whole, readable, and without a secret.

use crate::support::{credentials, hand, options, sandbox, serve, target, validate};
use crate::wrong::{REDEEM, TOKEN, answers};
use jiff::Timestamp;
use sandbox::Sandbox;
use std::path::Path;
use validate::report::{self, change, html, junit, shape};
use validate::run::Ended;
use validate::{Hand, Options, Plan, Report, Target, Verdict};

fn times() -> (Timestamp, Timestamp) {
    let at = |text: &str| text.parse().expect("a time");
    (at("2026-11-22T10:00:00Z"), at("2026-11-22T10:01:00Z"))
}

async fn run(target: &Target, options: &Options, hand: &Hand) -> (Report, Ended) {
    let (plan, ended) = validate(target, options, hand).await;
    (Report::new(target, options, &plan, &ended, times()), ended)
}

/// Every secret of a sandbox: its credentials, its tokens, and the ids in its URLs.
fn secrets(sandbox: &Sandbox, ended: &Ended) -> Vec<String> {
    let known = sandbox.credentials();
    let mut secrets = vec![
        known.api_key.expose().to_owned(),
        known.username.expose().to_owned(),
        known.password.expose().to_owned(),
    ];
    secrets.extend(sandbox.state().tokens.into_iter().map(|token| token.token));
    for step in &ended.seen.steps {
        for (url, _) in step.urls() {
            let id = url.split('/').nth(4).expect("an id").to_owned();
            secrets.push(id);
        }
        secrets.extend(step.json().and_then(|body| body["sessionToken"].as_str().map(str::to_owned)));
    }
    secrets
}

#[tokio::test]
async fn no_report_holds_a_secret_also_when_the_backend_repeats_them_all() {
    let sandbox = sandbox();
    let known = sandbox.credentials().clone();
    // Repeats what it was sent, and what it should keep to itself, in headers, errors and fields.
    let app = answers(sandbox::app(sandbox.clone()), move |asked, answer| {
        let echo = format!("{} {} {}", asked.header(TOKEN), known.api_key.expose(), known.password.expose());
        answer.set_header("x-echo", &echo);
        if asked.path == REDEEM && answer.status() == 200 {
            answer.edit(|body| {
                body["echo"] = echo.clone().into();
                if body["avatar_ready"] == false {
                    body["avatar_ready"] = asked.header(TOKEN).into();
                }
            });
        } else if answer.status() >= 400 {
            answer.edit(|body| body["error"] = echo.clone().into());
        }
    });
    let backend = serve(app).await;
    let target = target(&backend.url, credentials(&sandbox));
    let (report, ended) = run(&target, &options(), &hand(&backend.url).await).await;
    assert!(report.failed().iter().any(|check| check.id == "errors.no-secret"), "{:?}", report.summary());
    let changes = change::changes(&report, &report);
    let written = [
        report.to_json(),
        html::document(&report, Some(&changes)).expect("a page"),
        junit::document(&report).expect("XML"),
        ended.har().to_string(),
    ];
    let secrets = secrets(&sandbox, &ended);
    assert!(secrets.len() > 8, "{} secrets", secrets.len());
    for (index, text) in written.iter().enumerate() {
        assert!(text.len() > 2_000, "report {index} is empty");
        for secret in &secrets {
            assert!(
                !text.contains(secret.as_str()),
                "report {index} holds a secret of {} characters",
                secret.len()
            );
        }
    }
}

#[tokio::test]
async fn the_report_keeps_its_schema_and_can_be_read_again() {
    let sandbox = sandbox();
    let backend = serve(sandbox::app(sandbox.clone())).await;
    let target = target(&backend.url, credentials(&sandbox));
    let (report, _) = run(&target, &options(), &hand(&backend.url).await).await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("report.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, report::schema()).expect("written");
    }
    let committed = std::fs::read_to_string(&path).expect("the schema is committed");
    assert_eq!(committed, report::schema(), "renew it: UPDATE_SCHEMA=1 cargo test -p validate schema");
    let schema: serde_json::Value = serde_json::from_str(&committed).expect("JSON");
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<_> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    assert!(!validator.is_valid(&serde_json::json!({"schema_version": 1})), "the schema lets anything in");

    assert_eq!(Report::read(&report.to_json()), Ok(report.clone()));
    assert!(Report::read("{}").is_err() && Report::read(r#"{"schema_version": 99}"#).is_err());
    assert_eq!((report.exit, report.coverage.percent()), (0, 100), "{:#?}", report.coverage);
    assert_eq!(report.score.must.failed + report.score.should.failed, 0);
    let untested: Vec<_> = report.requirements.iter().filter(|row| row.verdict.is_none()).collect();
    assert!(untested.iter().all(|row| row.untestable.is_some()));
}

#[tokio::test]
async fn a_failed_must_is_a_failure_in_every_form_and_a_change_since_the_baseline() {
    let sandbox = sandbox();
    let healthy = serve(sandbox::app(sandbox.clone())).await;
    let at_healthy = target(&healthy.url, credentials(&sandbox));
    let (before, _) = run(&at_healthy, &options(), &hand(&healthy.url).await).await;
    let app = answers(sandbox::app(sandbox.clone()), |asked, answer| {
        if asked.path == REDEEM && answer.status() == 400 && asked.header(TOKEN).is_empty() {
            answer.set_status(404);
        }
        answer.parts.headers.remove("cache-control");
    });
    let wrong = serve(app).await;
    let at_wrong = target(&wrong.url, credentials(&sandbox));
    let (report, ended) = run(&at_wrong, &options(), &hand(&wrong.url).await).await;
    assert_eq!(report.exit, 1);
    let failed: Vec<_> = report.failed().into_iter().map(|check| check.id.as_str()).collect();
    assert_eq!(failed, ["redeem.missing-400", "files.no-store", "http.no-store"]);

    let changes = change::changes(&before, &report);
    let worse: Vec<_> =
        changes.iter().filter(|change| change.is_worse()).map(|change| change.id.as_str()).collect();
    assert_eq!(worse, ["redeem.missing-400", "files.no-store", "http.no-store"]);
    assert_eq!(changes[0].words(), "redeem.missing-400 (MUST): pass → fail");

    let xml = junit::document(&report).expect("XML");
    assert_eq!(xml.matches("<failure").count(), 1, "a failed SHOULD turns no CI red");
    assert!(xml.contains("404") && xml.contains("SHOULD: expected Cache-Control: no-store"), "{xml}");

    let page = html::document(&report, Some(&changes)).expect("a page");
    for word in [
        "Failed",
        "To be mended",
        "Since the baseline",
        "What to do:",
        "curl -sS -i -X GET",
        "$COPRESENCE_API_KEY",
    ] {
        assert!(page.contains(word), "{word}");
    }
    assert!(!page.contains("<script") && !page.contains("src="), "a page of its own");
    let entries = ended.har()["log"]["entries"].as_array().expect("entries").len();
    assert_eq!(entries, report.steps.len());

    let (found, _) = shape::differences(&before, &report);
    let told: Vec<_> = found.iter().map(|d| format!("{}: {}", d.asked, d.what)).collect();
    assert!(told.contains(&"redeem without a token: status".to_owned()), "{told:?}");
    assert!(told.contains(&"redeem: delivered: header cache-control".to_owned()), "{told:?}");
    assert_eq!(shape::differences(&before, &before), (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_budget_is_told_before_and_kept() {
    let sandbox = sandbox();
    let backend = serve(sandbox::app(sandbox.clone())).await;
    let target = target(&backend.url, credentials(&sandbox));
    for most in [0, 1, 2, 3] {
        let options = Options { max_tokens: Some(most), ..options() };
        let before = sandbox.state().tokens.len();
        let (report, ended) = run(&target, &options, &hand(&backend.url).await).await;
        let made = u32::try_from(sandbox.state().tokens.len() - before).expect("few");
        assert!(made <= most, "{made} tokens of {most}");
        assert_eq!((ended.tokens, report.budget.tokens_planned), (made, made));
        assert_eq!(report.score.must.failed, 0);
        assert!(report.coverage.percent() < 100);
        let left_out = report.checks.iter().filter(|check| check.verdict == Verdict::Skipped);
        assert!(left_out.map(|check| &check.detail).all(|why| why.contains("--max-tokens")));
    }
}

#[tokio::test]
async fn what_needs_a_phone_or_may_lose_an_avatar_is_left_out_unasked() {
    let sandbox = sandbox();
    let backend = serve(sandbox::app(sandbox.clone())).await;
    let target = target(&backend.url, credentials(&sandbox));
    let options = Options { destructive: false, ..options() };
    let plan = Plan::new(&target, &options, &Hand::Nobody);
    assert_eq!((plan.tokens, plan.avatars, plan.free), (2, 0, false));
    let (report, ended) = run(&target, &options, &Hand::Nobody).await;
    assert_eq!((ended.tokens, ended.avatars, report.exit), (2, 0, 0));
    let plan = Plan::new(&target, &options, &hand(&backend.url).await);
    assert_eq!((plan.tokens, plan.avatars), (4, 1), "nothing destructive unasked");
}

#[tokio::test]
async fn refused_credentials_and_a_backend_that_is_not_there_tell_nothing_of_the_backend() {
    let sandbox = sandbox();
    let backend = serve(sandbox::app(sandbox.clone())).await;
    let mut refused = target(&backend.url, credentials(&sandbox));
    let password = protocol::Password::new("an old password");
    refused.credentials.login = refused.credentials.login.map(|(user, _)| (user, password));
    let (report, _) = run(&refused, &options(), &Hand::Nobody).await;
    assert_eq!(report.exit, 3, "{}", report.summary());
    let nowhere = target(&"http://127.0.0.1:9/".parse().expect("a URL"), credentials(&sandbox));
    let (report, _) = run(&nowhere, &options(), &Hand::Nobody).await;
    assert_eq!(report.exit, 6, "{}", report.summary());
    assert!(report.checks.iter().all(|check| check.verdict != Verdict::Pass), "{:#?}", report.score);
    assert!(junit::document(&report).expect("XML").contains("<error"));
}
