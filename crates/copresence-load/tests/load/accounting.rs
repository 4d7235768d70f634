//! Every request is counted once, and every token is accounted for.

use crate::support::{CountingSandbox, client_of, console_plan, open_plan, run};
use copresence_client::Credentials;
use copresence_load::{ConsoleVisitPlan, DownloadMode, LoadPlan, LoadReport, PreparedLoadRun, RunEnd, VisitStartModel};
use copresence_sandbox::{BuiltInScenarioName, TokenPhase, faults};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn all_requests_and_tokens_of_an_open_model_are_those_of_the_sandbox() {
    let sandbox = CountingSandbox::start(BuiltInScenarioName::Happy, 6.0).await;
    let console = ConsoleVisitPlan { download: DownloadMode::Full, redeem_spent_tokens: true, ..console_plan() };
    let (end, statistics) = run(&sandbox.client(), open_plan("20/s@1s", 1_000), console, Some(sandbox.phone())).await;
    let figures = statistics.compute_load_figures();
    assert_eq!((end, figures.visits.started, figures.visits.ended), (RunEnd::Completed, 19, 19));
    assert_eq!(figures.count_completed_visits(), 19, "{:?}", figures.errors);

    for (endpoint, path) in [
        ("login", "/login"),
        ("issue", "/generateExportToken"),
        ("redeem", "/redeemExportToken"),
        ("download", "/files"),
    ] {
        let counted = figures.find_endpoint_figures(endpoint).expect(endpoint);
        assert_eq!(counted.requests, sandbox.requests(path), "{endpoint}");
        assert_eq!(counted.statuses, sandbox.statuses(path), "{endpoint}");
        assert_eq!((counted.never_sent, counted.cancelled, counted.failures), (0, 0, 0), "{endpoint}");
        assert_eq!(counted.latency_ms.as_ref().expect("latencies").count, counted.requests, "{endpoint}");
    }
    assert_eq!(figures.find_endpoint_figures("login").expect("a login").requests, 1, "one session for all consoles");
    // Each spent token was redeemed once more and refused, which is no failure.
    assert_eq!(figures.find_endpoint_figures("redeem").expect("redeems").statuses[&400], 19);

    let tokens = &figures.tokens;
    assert_eq!((tokens.issued, tokens.spent, tokens.double_deliveries, tokens.possibly_issued), (19, 19, 0, 0));
    let state = sandbox.server.sandbox().sandbox_state();
    assert!(state.tokens.iter().all(|token| token.state == TokenPhase::Spent));
    let polls: u64 = state.tokens.iter().map(|token| token.redeems).sum();
    assert_eq!(polls, figures.find_endpoint_figures("redeem").expect("redeems").requests);
    assert_eq!(figures.phone.associated, 19);
    let bytes = figures.find_endpoint_figures("download").expect("downloads").bytes;
    assert!(bytes > 19 * 10_000, "files were received: {bytes} bytes");
    let noticed = figures.ready_to_noticed_at_most_ms.as_ref().expect("delays");
    // An avatar that was ready before the first poll has no delay.
    assert!((1..=19).contains(&noticed.count) && noticed.min >= 50.0, "{noticed:?}");
    let (_, timeline) = statistics.copy_timeline();
    assert_eq!(timeline.iter().map(|row| row.requests).sum::<u64>(), figures.count_sent_requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_and_failures_are_accounted_for() {
    let sandbox = CountingSandbox::start(BuiltInScenarioName::ExistingAvatar, 1.0).await;
    let list = r#"[{"on": "redeem", "nth": [4, 9], "do": "reset_after_spending"},
                   {"on": "redeem", "nth": [12], "do": {"status": {"code": 503}}},
                   {"on": "generate", "nth": [3], "do": "reset"}]"#;
    let list = faults::parse_and_check_faults(list.as_bytes()).expect("faults");
    sandbox.server.sandbox().set_faults(list).expect("set");
    let model =
        VisitStartModel::Closed { consoles: 5, ramp_up: Duration::from_millis(200), pause: Duration::from_millis(20) };
    let plan = LoadPlan { model, duration: Duration::from_secs(2), finish_within: Duration::from_mins(2) };
    let console = ConsoleVisitPlan { scan_after: Duration::ZERO, ..console_plan() };
    let (end, statistics) = run(&sandbox.client(), plan, console, Some(sandbox.phone())).await;
    let figures = statistics.compute_load_figures();
    assert_eq!(end, RunEnd::Completed);
    let tokens = &figures.tokens;
    assert_eq!(tokens.issued, tokens.spent + tokens.possibly_consumed + tokens.refused + tokens.unspent, "{tokens:?}");
    assert_eq!(tokens.possibly_issued, 1, "{tokens:?}");
    assert_eq!(figures.visits.started, figures.visits.ended);
    for (endpoint, path) in [("issue", "/generateExportToken"), ("redeem", "/redeemExportToken")] {
        assert_eq!(
            figures.find_endpoint_figures(endpoint).expect(endpoint).requests,
            sandbox.requests(path),
            "{endpoint}"
        );
    }
    let codes: Vec<_> = figures.errors.iter().map(|error| (error.endpoint.as_str(), error.code.as_str())).collect();
    for expected in [("redeem", "answer_lost"), ("redeem", "backend_failing"), ("issue", "answer_lost")] {
        assert!(codes.contains(&expected), "{expected:?}: {codes:?}");
    }
    // A token that a lost answer spent is refused at the next redeem, and again at its confirmation.
    let state = sandbox.server.sandbox().sandbox_state();
    let spent = state.tokens.iter().filter(|token| token.state == TokenPhase::Spent).count() as u64;
    assert_eq!(spent, tokens.spent + tokens.possibly_consumed, "{tokens:?}");
    assert_eq!(state.tokens.len() as u64, tokens.issued, "the reset request issued no token at this sandbox");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_delivered_twice_fails_the_run() {
    // A backend that delivers a token again and again: the same response for every redeem.
    let router = axum::Router::new()
        .route(
            "/generateExportToken",
            axum::routing::post(async || axum::Json(serde_json::json!({ "token": random_token() }))),
        )
        .route(
            "/redeemExportToken",
            axum::routing::get(async || {
                let url = format!("http://127.0.0.1:9/{}", random_token());
                axum::Json(serde_json::json!({
                    "avatar_ready": true, "payload_complete": [{ "download_URL": url, "export_type": "glb" }],
                }))
            }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let credentials = Credentials {
        api_key: Some(copresence_protocol::ApiKey::new("key-0123456789")),
        session_token: Some(copresence_protocol::SessionToken::new("session-0123456789")),
        ..Credentials::default()
    };
    let client = client_of(url.parse().expect("a URL"), credentials);
    let console = ConsoleVisitPlan { redeem_spent_tokens: true, ..console_plan() };
    let (_, statistics) = run(&client, open_plan("10/s@500ms", 10), console, None).await;
    serving.abort();
    let figures = statistics.compute_load_figures();
    assert_eq!((figures.tokens.spent, figures.tokens.double_deliveries), (4, 4), "{figures:?}");
    let report = LoadReport::new(crate::reports::report_context(RunEnd::Completed), &statistics, &[]);
    assert_eq!(report.exit, 1);
}

/// A token that differs from all others of the test.
fn random_token() -> String {
    use std::hash::{BuildHasher, RandomState};
    format!("token{}", RandomState::new().hash_one(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_limit_is_never_exceeded() {
    let sandbox = CountingSandbox::start(BuiltInScenarioName::ExistingAvatar, 1.0).await;
    let console = ConsoleVisitPlan { max_tokens: Some(7), scan_after: Duration::ZERO, ..console_plan() };
    let (end, statistics) = run(&sandbox.client(), open_plan("100/s@10s", 100), console, Some(sandbox.phone())).await;
    assert_eq!(end, RunEnd::TokenLimit);
    assert_eq!((sandbox.requests("/generateExportToken"), statistics.compute_load_figures().tokens.issued), (7, 7));
    assert_eq!(statistics.compute_load_figures().tokens.spent, 7, "visits under way were finished");
}

#[tokio::test(flavor = "multi_thread")]
async fn arrivals_beyond_the_consoles_do_not_start() {
    let sandbox = CountingSandbox::start(BuiltInScenarioName::NeverScanned, 1.0).await;
    let mut plan = open_plan("50/s@1s", 10);
    plan.finish_within = Duration::ZERO;
    let (end, statistics) = run(&sandbox.client(), plan, console_plan(), None).await;
    let figures = statistics.compute_load_figures();
    assert_eq!((end, figures.visits.started, figures.visits.not_started), (RunEnd::Completed, 10, 39));
    assert_eq!(figures.tokens.unspent, 10, "the end of the run interrupted them");
    assert_eq!(figures.visits.outcomes[0].code, "interrupted");
    assert_eq!(figures.count_failed_visits(), 0);
    assert_eq!(
        figures.find_endpoint_figures("redeem").expect("polls").requests,
        sandbox.requests("/redeemExportToken")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_credentials_stop_the_run_after_one_login() {
    let sandbox = CountingSandbox::start(BuiltInScenarioName::Happy, 1.0).await;
    let accepted = sandbox.server.sandbox().accepted_credentials();
    let credentials = Credentials {
        api_key: Some(accepted.api_key.clone()),
        login: Some((accepted.username.clone(), copresence_protocol::Password::new("wrong-password"))),
        ..Credentials::default()
    };
    let client = client_of(sandbox.server.local_url(), credentials);
    let (end, statistics) = run(&client, open_plan("50/s@60s", 100), console_plan(), None).await;
    assert_eq!((end, sandbox.requests("/login")), (RunEnd::CredentialsRefused, 1));
    assert_eq!(sandbox.requests("/generateExportToken"), 0);
    let report = LoadReport::new(crate::reports::report_context(end), &statistics, &[]);
    assert_eq!(report.exit, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_can_stop_a_run_and_every_response_is_awaited() {
    let sandbox = CountingSandbox::start(BuiltInScenarioName::NeverScanned, 1.0).await;
    let list = r#"[{"on": "redeem", "nth": "every", "do": {"delay": {"ms": 300}}}]"#;
    let list = faults::parse_and_check_faults(list.as_bytes()).expect("faults");
    sandbox.server.sandbox().set_faults(list).expect("set");
    let stopping = CancellationToken::new();
    let run = PreparedLoadRun::new(&sandbox.client(), open_plan("50/s@60s", 20), console_plan(), None);
    let stop = stopping.clone();
    // A poll has arrived, and its response is delayed.
    sandbox.server.sandbox().add_request_watcher(move |_, line| {
        if line.path == "/redeemExportToken" {
            stop.cancel();
        }
    });
    let end = run.run_plan_until_stop_and_log_out(&stopping).await;
    let figures = run.shared_statistics().compute_load_figures();
    assert_eq!(end, RunEnd::Interrupted);
    let redeem = figures.find_endpoint_figures("redeem").expect("polls");
    assert_eq!((redeem.cancelled, redeem.requests), (0, sandbox.requests("/redeemExportToken")));
    assert_eq!(figures.tokens.issued, figures.tokens.unspent);
    assert_eq!(figures.tokens.issued, sandbox.server.sandbox().sandbox_state().tokens.len() as u64);
}
