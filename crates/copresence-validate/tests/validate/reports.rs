//! The documents of a run: complete, readable and without secrets.

use crate::layers::{REDEEM, TOKEN, change_responses};
use crate::support::{
    new_sandbox, run_checks, run_options, sandbox_credentials, sandbox_phone, serve_router, vendor_target,
};
use copresence_sandbox::Sandbox;
use copresence_validate::evidence::RunEvidence;
use copresence_validate::report::{self, change, html, junit, markdown, sarif, shape};
use copresence_validate::run::RunResult;
use copresence_validate::{CheckTarget, PhoneDriver, Report, RunLimits, RunPlanWithCosts, Verdict};
use jiff::Timestamp;
use std::path::Path;

fn times() -> (Timestamp, Timestamp) {
    let at = |text: &str| text.parse().expect("a time");
    (at("2026-11-22T10:00:00Z"), at("2026-11-22T10:01:00Z"))
}

async fn run(target: &CheckTarget, options: &RunLimits, phone: &PhoneDriver) -> (Report, RunResult) {
    let (plan, ended) = run_checks(target, options, phone).await;
    (Report::new(target, options, &plan, &ended, times()), ended)
}

/// Every secret of a sandbox: its credentials, its tokens, and the ids in its URLs.
fn secrets(sandbox: &Sandbox, ended: &RunResult) -> Vec<String> {
    let known = sandbox.accepted_credentials();
    let mut secrets =
        vec![known.api_key.expose().to_owned(), known.username.expose().to_owned(), known.password.expose().to_owned()];
    secrets.extend(sandbox.sandbox_state().tokens.into_iter().map(|token| token.token));
    for step in &ended.observations.steps {
        for (url, _) in step.delivered_urls_and_types() {
            let id = url.split('/').nth(4).expect("an id").to_owned();
            secrets.push(id);
        }
        secrets.extend(step.json_body().and_then(|body| body["sessionToken"].as_str().map(str::to_owned)));
    }
    secrets
}

#[tokio::test]
async fn no_document_contains_a_secret_even_if_the_backend_repeats_all() {
    let sandbox = new_sandbox();
    let known = sandbox.accepted_credentials().clone();
    // Repeats the request's secrets, and its own, in headers, errors and fields.
    let app = change_responses(copresence_sandbox::build_router(sandbox.clone()), move |request, response| {
        let echo = format!("{} {} {}", request.header(TOKEN), known.api_key.expose(), known.password.expose());
        response.set_header("x-echo", &echo);
        if request.path == REDEEM && response.status() == 200 {
            response.edit(|body| {
                body["echo"] = echo.clone().into();
                if body["avatar_ready"] == false {
                    body["avatar_ready"] = request.header(TOKEN).into();
                }
            });
        } else if response.status() >= 400 {
            response.edit(|body| body["error"] = echo.clone().into());
        }
    });
    let backend = serve_router(app).await;
    let target = vendor_target(&backend.url, sandbox_credentials(&sandbox));
    let (report, ended) = run(&target, &run_options(), &sandbox_phone(&backend.url).await).await;
    assert!(report.failed_checks().iter().any(|check| check.id == "errors.no-secret"), "{:?}", report.summary());
    let changes = change::list_changed_verdicts(&report, &report);
    let written = [
        report.to_json(),
        html::render_html(&report, Some(&changes)).expect("a page"),
        junit::render_junit(&report).expect("XML"),
        sarif::render_sarif(&report),
        markdown::render_markdown_summary(&report, Some(&changes)),
        ended.to_har().to_string(),
        serde_json::to_string(&RunEvidence::build_run_evidence(&ended)).expect("JSON"),
    ];
    let secrets = secrets(&sandbox, &ended);
    assert!(secrets.len() > 8, "{} secrets", secrets.len());
    for (index, text) in written.iter().enumerate() {
        assert!(text.len() > 500, "report {index} is empty");
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "report {index} contains a secret of {} characters", secret.len());
        }
    }
}

#[tokio::test]
async fn the_report_matches_its_schema_and_can_be_parsed() {
    let sandbox = new_sandbox();
    let backend = serve_router(copresence_sandbox::build_router(sandbox.clone())).await;
    let target = vendor_target(&backend.url, sandbox_credentials(&sandbox));
    let (report, _) = run(&target, &run_options(), &sandbox_phone(&backend.url).await).await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("report.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, report::report_schema()).expect("written");
    }
    let committed = std::fs::read_to_string(&path).expect("the schema is committed");
    assert_eq!(
        committed,
        report::report_schema(),
        "update it: UPDATE_SCHEMA=1 cargo test -p copresence-validate schema"
    );
    let schema: serde_json::Value = serde_json::from_str(&committed).expect("JSON");
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<_> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    assert!(!validator.is_valid(&serde_json::json!({"schema_version": 1})), "the schema accepts anything");

    assert_eq!(Report::from_json(&report.to_json()), Ok(report.clone()));
    assert!(Report::from_json("{}").is_err() && Report::from_json(r#"{"schema_version": 99}"#).is_err());
    assert_eq!((report.exit, report.coverage.judged_requirements_percent()), (0, 100), "{:#?}", report.coverage);
    assert_eq!(report.score.must.failed + report.score.should.failed, 0);
    let untested: Vec<_> = report.requirements.iter().filter(|row| row.verdict.is_none()).collect();
    assert!(untested.iter().all(|row| row.untestable.is_some()));
}

#[tokio::test]
async fn a_failed_must_is_a_failure_in_every_document_and_a_change_since_the_baseline() {
    let sandbox = new_sandbox();
    let healthy = serve_router(copresence_sandbox::build_router(sandbox.clone())).await;
    let at_healthy = vendor_target(&healthy.url, sandbox_credentials(&sandbox));
    let (before, _) = run(&at_healthy, &run_options(), &sandbox_phone(&healthy.url).await).await;
    let app = change_responses(copresence_sandbox::build_router(sandbox.clone()), |request, response| {
        if request.path == REDEEM && response.status() == 400 && request.header(TOKEN).is_empty() {
            response.set_status(404);
        }
        response.parts.headers.remove("cache-control");
    });
    let wrong = serve_router(app).await;
    let at_wrong = vendor_target(&wrong.url, sandbox_credentials(&sandbox));
    let (report, ended) = run(&at_wrong, &run_options(), &sandbox_phone(&wrong.url).await).await;
    assert_eq!(report.exit, 1);
    let failed: Vec<_> = report.failed_checks().into_iter().map(|check| check.id.as_str()).collect();
    assert_eq!(failed, ["redeem.missing-400", "files.no-store", "http.no-store"]);

    let changes = change::list_changed_verdicts(&before, &report);
    let worse: Vec<_> =
        changes.iter().filter(|change| change.is_new_failure()).map(|change| change.id.as_str()).collect();
    assert_eq!(worse, ["redeem.missing-400", "files.no-store", "http.no-store"]);
    assert_eq!(changes[0].describe_change(), "redeem.missing-400 (MUST): pass → fail");

    let xml = junit::render_junit(&report).expect("XML");
    assert_eq!(xml.matches("<failure").count(), 1, "a failed SHOULD is not a CI failure");
    assert!(xml.contains("404") && xml.contains("SHOULD: expected Cache-Control: no-store"), "{xml}");

    let page = html::render_html(&report, Some(&changes)).expect("a page");
    for word in
        ["Failed", "To be fixed", "Since the baseline", "What to do:", "curl -sS -i -X GET", "$COPRESENCE_API_KEY"]
    {
        assert!(page.contains(word), "{word}");
    }
    assert!(!page.contains("<script") && !page.contains("src="), "the page is self-contained");
    let entries = ended.to_har()["log"]["entries"].as_array().expect("entries").len();
    assert_eq!(entries, report.steps.len());

    let (found, _) = shape::compare_response_shapes(&before, &report);
    let found_kinds: Vec<_> = found.iter().map(|d| format!("{}: {}", d.asked, d.what)).collect();
    assert!(found_kinds.contains(&"redeem without a token: status".to_owned()), "{found_kinds:?}");
    assert!(found_kinds.contains(&"redeem: delivered: header cache-control".to_owned()), "{found_kinds:?}");
    assert_eq!(shape::compare_response_shapes(&before, &before), (Vec::new(), Vec::new()));
}

/// The characters of a backend can neither hide nor reorder the text of the page.
#[tokio::test]
async fn the_page_shows_the_invisible_characters_of_a_backend() {
    const HOSTILE: &str = "\0\u{1b}[2J\u{7f}\u{9b}\u{61c}\u{200b}\u{2028}\u{202e}fail\u{2066}\u{feff}\u{e0041}";
    let sandbox = new_sandbox();
    let app = change_responses(copresence_sandbox::build_router(sandbox.clone()), |request, response| {
        if request.path == REDEEM && response.status() == 400 {
            response.set_status(404);
            response.edit(|body| body["error"] = HOSTILE.into());
        } else if request.path == REDEEM {
            // Not JSON, so that the page contains the characters without JSON's escapes.
            response.body = HOSTILE.as_bytes().to_vec();
        }
    });
    let backend = serve_router(app).await;
    let target = vendor_target(&backend.url, sandbox_credentials(&sandbox));
    let (report, _) = run(&target, &run_options(), &PhoneDriver::Unavailable).await;
    assert!(report.steps.iter().any(|step| step.body.as_deref() == Some(HOSTILE)), "the report has the body");
    let page = html::render_html(&report, None).expect("a page");
    let raw = page.chars().filter(|c| HOSTILE.contains(*c) && !c.is_ascii_graphic());
    assert_eq!(raw.collect::<String>(), "");
    assert!(page.contains(r"\u{0}\u{1b}[2J\u{7f}\u{9b}\u{61c}\u{200b}\u{2028}\u{202e}fail\u{2066}"), "{page}");
    assert!(page.contains("bdi,code,pre,dd,td{unicode-bidi:isolate}") && page.contains("<bdi>"));
}

/// The attributes of each element with this name, as text.
fn elements<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let starts = xml.match_indices(name).filter(|(at, _)| xml[..*at].ends_with('<'));
    let tags = starts.map(|(at, _)| &xml[at + name.len()..]).filter(|rest| rest.starts_with(' '));
    tags.map(|rest| &rest[..rest.find('>').expect("an end")]).collect()
}

#[tokio::test]
async fn junit_has_times_a_host_and_no_invisible_characters() {
    const HOSTILE: &str = "\u{202e}ssap\u{200b}\u{1b}[2J";
    let sandbox = new_sandbox();
    let app = change_responses(copresence_sandbox::build_router(sandbox.clone()), |request, response| {
        if request.path == REDEEM && response.status() == 200 && !response.is_delivery() {
            response.edit(|body| body["payload_incomplete"]["completion_status"] = "waiting".into());
        }
        if request.path == REDEEM && response.status() == 400 {
            response.parts.headers.insert("cache-control", "no-cache".parse().expect("a value"));
        }
    });
    let backend = serve_router(app).await;
    let target = vendor_target(&backend.url, sandbox_credentials(&sandbox));
    let (mut report, _) = run(&target, &run_options(), &sandbox_phone(&backend.url).await).await;
    // Texts of a backend end up in findings, details and the error.
    let failed = report.checks.iter_mut().find(|check| check.verdict == Verdict::Fail).expect("a failure");
    failed.detail.push_str(HOSTILE);
    failed.findings[0].came.push_str(HOSTILE);
    let skipped = report.checks.iter_mut().find(|check| check.verdict != Verdict::Fail).expect("another");
    skipped.verdict = Verdict::Inconclusive;
    skipped.detail.push_str(HOSTILE);
    report.error = Some(format!("a gate: “{HOSTILE}”"));
    report.target.name.push_str(HOSTILE);
    // Neither document shows them as they are, and Markdown shows no link, no mention and no HTML of a backend.
    report.checks[0].verdict = Verdict::Fail;
    report.checks[0].findings = vec![report::FindingReport {
        expected: "a token".to_owned(),
        came: format!("{HOSTILE} <img src=x> @everyone `x` [a](https://a.test)\n# Heading"),
        steps: vec![1],
    }];
    for text in [sarif::render_sarif(&report), markdown::render_markdown_summary(&report, None)] {
        assert!(!text.contains(|c: char| c != '\n' && HOSTILE.contains(c) && !c.is_ascii_graphic()), "{text}");
        assert!(text.contains(r"u{202e}ssap"), "{text}");
    }
    let summary = markdown::render_markdown_summary(&report, None);
    let span = r"`` \u{202e}ssap\u{200b}\u{1b}[2J <img src=x> @everyone `x` [a](https://a.test) # Heading ``";
    assert!(summary.contains(span), "{summary}");
    let xml = junit::render_junit(&report).expect("XML");

    assert!(!xml.contains(|c: char| HOSTILE.contains(c) && !c.is_ascii_graphic()), "{xml}");
    assert!(xml.matches(r"\u{202e}ssap\u{200b}\u{1b}[2J").count() >= 5, "{xml}");
    let root = elements(&xml, "testsuites");
    // Jenkins' schema allows neither `skipped` nor `timestamp` here.
    assert!(root[0].contains(" time=\"60.000\"") && root[0].contains(" tests="), "{root:?}");
    assert!(!root[0].contains("skipped=") && !root[0].contains("timestamp="), "{root:?}");
    let suites = elements(&xml, "testsuite");
    assert!(suites.len() > 10);
    for suite in suites {
        for attribute in [" time=\"", " timestamp=\"2026-11-22T10:00:00\"", " hostname=\"", " tests=\"", " errors=\""] {
            assert!(suite.contains(attribute), "{attribute}: {suite}");
        }
        assert!(!suite.contains("hostname=\"\""), "{suite}");
    }
    let cases = elements(&xml, "testcase");
    let names: std::collections::BTreeSet<_> = cases.iter().filter_map(|case| case.split('"').nth(1)).collect();
    assert_eq!(names.len(), cases.len(), "GitLab shows only the first of several cases with the same name");
    for case in cases {
        assert!(case.contains(" time=\"") && case.contains(" classname=\""), "{case}");
    }
}

#[tokio::test]
async fn a_run_keeps_to_the_planned_token_budget() {
    let sandbox = new_sandbox();
    let backend = serve_router(copresence_sandbox::build_router(sandbox.clone())).await;
    let target = vendor_target(&backend.url, sandbox_credentials(&sandbox));
    for most in [0, 1, 2, 3] {
        let options = RunLimits { max_tokens: Some(most), ..run_options() };
        let before = sandbox.sandbox_state().tokens.len();
        let (report, ended) = run(&target, &options, &sandbox_phone(&backend.url).await).await;
        let made = u32::try_from(sandbox.sandbox_state().tokens.len() - before).expect("few");
        assert!(made <= most, "{made} tokens of {most}");
        assert_eq!((ended.tokens_made, report.budget.tokens_planned), (made, made));
        assert_eq!(report.score.must.failed, 0);
        assert!(report.coverage.judged_requirements_percent() < 100);
        let left_out = report.checks.iter().filter(|check| check.verdict == Verdict::Skipped);
        assert!(left_out.map(|check| &check.detail).all(|why| why.contains("--max-tokens")));
    }
}

#[tokio::test]
async fn acts_with_a_phone_or_avatar_loss_are_omitted_by_default() {
    let sandbox = new_sandbox();
    let backend = serve_router(copresence_sandbox::build_router(sandbox.clone())).await;
    let target = vendor_target(&backend.url, sandbox_credentials(&sandbox));
    let options = RunLimits { allow_destructive: false, ..run_options() };
    let plan = RunPlanWithCosts::new(&target, &options, &PhoneDriver::Unavailable);
    assert_eq!((plan.tokens, plan.avatars, plan.is_free), (2, 0, false));
    let (report, ended) = run(&target, &options, &PhoneDriver::Unavailable).await;
    assert_eq!((ended.tokens_made, ended.avatars_consumed, report.exit), (2, 0, 0));
    let plan = RunPlanWithCosts::new(&target, &options, &sandbox_phone(&backend.url).await);
    assert_eq!((plan.tokens, plan.avatars), (4, 1), "nothing destructive by default");
}

#[tokio::test]
async fn refused_credentials_and_an_unreachable_backend_give_no_verdict() {
    let sandbox = new_sandbox();
    let backend = serve_router(copresence_sandbox::build_router(sandbox.clone())).await;
    let mut refused = vendor_target(&backend.url, sandbox_credentials(&sandbox));
    let password = copresence_protocol::Password::new("an old password");
    refused.credentials.login = refused.credentials.login.map(|(user, _)| (user, password));
    let (report, _) = run(&refused, &run_options(), &PhoneDriver::Unavailable).await;
    assert_eq!(report.exit, 3, "{}", report.summary());
    let unreachable = vendor_target(&"http://127.0.0.1:9/".parse().expect("a URL"), sandbox_credentials(&sandbox));
    let (report, _) = run(&unreachable, &run_options(), &PhoneDriver::Unavailable).await;
    assert_eq!(report.exit, 6, "{}", report.summary());
    assert!(report.checks.iter().all(|check| check.verdict != Verdict::Pass), "{:#?}", report.score);
    assert!(junit::render_junit(&report).expect("XML").contains("<error"));
}
