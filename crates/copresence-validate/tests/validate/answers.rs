//! A verdict needs an answer of the API: outages, gates and failing servers certify nothing and blame nothing.

use crate::layers::{GENERATE, KEY, Memory, REDEEM, RequestInfo, TOKEN, WholeResponse, change_responses};
use crate::support::{
    Assets, Serving, new_sandbox, run_checks, run_options, sandbox_credentials, sandbox_phone, serve_router,
    vendor_target,
};
use axum::Router;
use axum::http::Method;
use copresence_sandbox::Sandbox;
use copresence_validate::requirement::strictest_level_of_check;
use copresence_validate::run::RunResult;
use copresence_validate::{CheckTarget, Level, RunError, RunLimits, Verdict};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const BLOCKED: &[u8] = b"<html><title>Request blocked</title></html>";

fn become_page(response: &mut WholeResponse, status: u16, page: &[u8]) {
    response.set_status(status);
    response.set_header("content-type", "text/html");
    response.body = page.to_vec();
}

fn become_error(response: &mut WholeResponse, status: u16) {
    response.set_status(status);
    response.body = br#"{"code":1,"error":"Internal server error."}"#.to_vec();
}

/// Serves a sandbox with changed responses, and runs all checks against it.
async fn check_changed_sandbox(
    sandbox: &Sandbox,
    options: &RunLimits,
    patience: Duration,
    change: impl Fn(&RequestInfo, &mut WholeResponse) + Clone + Send + Sync + 'static,
) -> RunResult {
    let app = change_responses(copresence_sandbox::build_router(sandbox.clone()), move |request, response| {
        if !request.path.starts_with("/sandbox") {
            change(request, response);
        }
    });
    let (_serving, target) = serve(sandbox, app).await;
    let target = CheckTarget { patience, ..target };
    run_checks(&target, options, &sandbox_phone(&target.backend.base_url).await).await.1
}

async fn serve(sandbox: &Sandbox, app: Router) -> (Serving, CheckTarget) {
    let serving = serve_router(app).await;
    let target = vendor_target(&serving.url, sandbox_credentials(sandbox));
    (serving, target)
}

fn verdict(ended: &RunResult, id: &str) -> Verdict {
    let found = ended.check_results.iter().find(|(check, _)| check.id == id);
    found.unwrap_or_else(|| panic!("no check {id}")).1.verdict()
}

/// The failed MUST checks with their findings.
fn failed_musts(ended: &RunResult) -> Vec<String> {
    let failed = ended.check_results.iter().filter(|(check, result)| {
        result.verdict() == Verdict::Fail && strictest_level_of_check(check.id) == Level::Must
    });
    failed.map(|(check, result)| format!("{}: {:?}", check.id, result.findings_or_reason_sentences())).collect()
}

fn passed(ended: &RunResult) -> Vec<&'static str> {
    let passed = ended.check_results.iter().filter(|(_, result)| result.verdict() == Verdict::Pass);
    passed.map(|(check, _)| check.id).collect()
}

/// Whether a request has the wrong credential of the run, or lacks the API key.
fn is_wrong(request: &RequestInfo) -> bool {
    request.header(KEY).is_empty() || request.headers.values().any(|value| value.as_bytes().starts_with(b"wrong-on-"))
}

const NO_PATIENCE: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_visit_endures_twelve_server_errors_while_the_avatar_is_made() {
    let failures = Arc::new(AtomicUsize::new(0));
    let sandbox = new_sandbox();
    let ended = check_changed_sandbox(&sandbox, &run_options(), PATIENCE, move |request, response| {
        let is_processing = request.path == REDEEM && response.completion_status() == "processing";
        if is_processing && failures.fetch_add(1, Ordering::Relaxed) < 12 {
            become_error(response, 500);
        }
    })
    .await;
    assert_eq!(ended.error, None);
    assert_eq!(failed_musts(&ended), Vec::<String>::new());
    for id in ["visit.delivered", "files.download", "delivery.spent", "redeem.active-200"] {
        assert_eq!(verdict(&ended, id), Verdict::Pass, "{id}");
    }
    assert_eq!(verdict(&ended, "http.no-5xx"), Verdict::Fail, "a recommendation");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_beyond_the_patience_ends_the_run_without_blame() {
    let (sandbox, is_down) = (new_sandbox(), Arc::new(AtomicUsize::new(0)));
    let ended = check_changed_sandbox(&sandbox, &run_options(), NO_PATIENCE, move |request, response| {
        if request.path == REDEEM && response.completion_status() == "processing" {
            is_down.store(1, Ordering::Relaxed);
        }
        if is_down.load(Ordering::Relaxed) == 1 {
            become_page(response, 503, b"<html><title>503 Service Temporarily Unavailable</title>");
        }
    })
    .await;
    assert!(matches!(&ended.error, Some(RunError::Failing(why)) if why.contains("503")), "{:?}", ended.error);
    assert_eq!(failed_musts(&ended), Vec::<String>::new());
    for id in ["visit.delivered", "files.download", "delivery.spent", "token.expires"] {
        assert_eq!(verdict(&ended, id), Verdict::Inconclusive, "{id}");
    }
    assert_eq!(verdict(&ended, "generate.no-key"), Verdict::Pass, "judged before the outage");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scattered_failures_of_a_gateway_blame_no_required_check() {
    for every in [4, 5, 7] {
        let (sandbox, redeems) = (new_sandbox(), Arc::new(AtomicUsize::new(0)));
        let ended = check_changed_sandbox(&sandbox, &run_options(), PATIENCE, move |request, response| {
            // A gateway without a backend: redeems that deliver are not among them.
            if request.path == REDEEM
                && request.method == Method::GET
                && !response.is_delivery()
                && redeems.fetch_add(1, Ordering::Relaxed) % every == every - 1
            {
                become_page(response, 502, b"<html><title>502 Bad Gateway</title>");
            }
        })
        .await;
        assert_eq!(ended.error, None);
        assert_eq!(failed_musts(&ended), Vec::<String>::new(), "every {every}th");
        assert_eq!(verdict(&ended, "redeem.unknown-400"), Verdict::Pass, "every {every}th");
        assert_eq!(verdict(&ended, "errors.form"), Verdict::Pass, "the page is the gateway's");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_firewall_that_bans_the_run_certifies_nothing_from_then_on() {
    for allowed in 0..6 {
        let (sandbox, wrong) = (new_sandbox(), Arc::new(AtomicUsize::new(0)));
        let ended = check_changed_sandbox(&sandbox, &run_options(), NO_PATIENCE, move |request, response| {
            if is_wrong(request) && request.method != Method::OPTIONS {
                wrong.fetch_add(1, Ordering::Relaxed);
            }
            if wrong.load(Ordering::Relaxed) > allowed {
                become_page(response, 403, BLOCKED);
            }
        })
        .await;
        assert!(matches!(&ended.error, Some(RunError::Gate(why)) if why.contains("Request blocked")), "{allowed}");
        assert_eq!(failed_musts(&ended), Vec::<String>::new(), "{allowed}");
        // The order of the wrong requests.
        let roles = [
            "login.needs-key",
            "generate.no-key",
            "generate.wrong-key",
            "generate.wrong-session",
            "redeem.no-key",
            "redeem.wrong-key",
        ];
        let certified: Vec<_> = roles.into_iter().filter(|id| passed(&ended).contains(id)).collect();
        assert!(certified.len() <= allowed, "{allowed} wrong requests reached the API, but {certified:?} passed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_refuses_only_wrong_requests_with_a_page_refuses_them() {
    let sandbox = new_sandbox();
    let ended = check_changed_sandbox(&sandbox, &run_options(), PATIENCE, |request, response| {
        if is_wrong(request) && request.method != Method::OPTIONS && response.status() >= 400 {
            become_page(response, 403, BLOCKED);
        }
    })
    .await;
    assert_eq!((&ended.error, failed_musts(&ended)), (&None, Vec::new()));
    for id in ["generate.no-key", "generate.wrong-key", "redeem.no-key", "login.needs-key"] {
        assert_eq!(verdict(&ended, id), Verdict::Pass, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_error_for_each_unknown_token_is_a_failure_and_no_refusal() {
    let sandbox = new_sandbox();
    let ended = check_changed_sandbox(&sandbox, &run_options(), PATIENCE, |request, response| {
        let is_unknown_token = request.path == REDEEM && response.status() == 400 && !request.header(TOKEN).is_empty();
        if is_unknown_token || is_wrong(request) && request.path == GENERATE {
            become_error(response, 500);
        }
    })
    .await;
    assert_eq!(ended.error, None);
    assert_eq!(verdict(&ended, "redeem.unknown-400"), Verdict::Fail, "it happens each time: the request causes it");
    assert_eq!(verdict(&ended, "redeem.mangled-400"), Verdict::Fail);
    assert_eq!(verdict(&ended, "redeem.missing-400"), Verdict::Pass);
    assert_eq!(verdict(&ended, "generate.no-key"), Verdict::Inconclusive, "no token came, but no refusal either");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_after_a_lost_delivery_blames_no_required_check() {
    let sandbox = new_sandbox();
    let options = RunLimits { allow_destructive: false, ..run_options() };
    let ended = check_changed_sandbox(&sandbox, &options, PATIENCE, |_, response| {
        if response.is_delivery() {
            become_error(response, 500);
        }
    })
    .await;
    assert_eq!((&ended.error, failed_musts(&ended)), (&None, Vec::new()));
    assert_eq!(verdict(&ended, "visit.delivered"), Verdict::Inconclusive);
    let (_, result) = ended.check_results.iter().find(|(check, _)| check.id == "visit.delivered").expect("a check");
    assert!(result.findings_or_reason_sentences()[0].contains("may have delivered"), "{result:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_fail_alike_with_valid_credentials_prove_no_refusal() {
    let sandbox = new_sandbox();
    let ended = check_changed_sandbox(&sandbox, &run_options(), PATIENCE, |request, response| {
        if request.path == REDEEM {
            response.set_status(400);
            response.body = br#"{"code":102,"error":"headers are missing"}"#.to_vec();
        }
    })
    .await;
    assert_eq!(verdict(&ended, "redeem.active-200"), Verdict::Fail);
    for id in ["redeem.unknown-400", "redeem.missing-400", "redeem.no-key", "redeem.post-refused"] {
        assert_eq!(verdict(&ended, id), Verdict::Inconclusive, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backend_without_the_redeem_route_has_no_api_there() {
    let sandbox = new_sandbox();
    let ended = check_changed_sandbox(&sandbox, &run_options(), PATIENCE, |request, response| {
        if request.path == REDEEM {
            become_page(response, 404, b"<pre>Cannot GET /redeemExportToken</pre>");
        }
    })
    .await;
    assert!(matches!(&ended.error, Some(RunError::NoApi(why)) if why.contains(REDEEM)), "{:?}", ended.error);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_only_redeems_verify_is_the_operators_failure() {
    let sandbox = new_sandbox();
    // Generates tokens for every key, and redeems for another one than the run's.
    let ended = check_changed_sandbox(&sandbox, &run_options(), PATIENCE, |request, response| {
        if request.path == GENERATE && response.status() >= 400 && request.method == Method::POST {
            response.set_status(200);
            response.body = format!(r#"{{"token":"made-for-{}"}}"#, request.header(KEY).len()).into_bytes();
        } else if request.path == REDEEM {
            response.set_status(403);
            response.body = br#"{"error":"unauthorized"}"#.to_vec();
        }
    })
    .await;
    assert!(matches!(&ended.error, Some(RunError::CredentialsRefused(_))), "{:?}", ended.error);
    assert_eq!(verdict(&ended, "redeem.active-200"), Verdict::Inconclusive);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_server_that_is_away_for_three_requests_loses_no_file() {
    let assets = Assets::make();
    let requests = Arc::new(AtomicUsize::new(0));
    let sandbox = assets.sandbox();
    let app = copresence_sandbox::build_router(sandbox.clone());
    // In front of the sandbox, so that the URL is not used up.
    let app =
        app.layer(axum::middleware::from_fn(move |request: axum::extract::Request, next: axum::middleware::Next| {
            let is_away = request.uri().path().starts_with("/files/") && requests.fetch_add(1, Ordering::Relaxed) < 3;
            async move {
                if is_away {
                    return axum::response::IntoResponse::into_response(axum::http::StatusCode::SERVICE_UNAVAILABLE);
                }
                next.run(request).await
            }
        }));
    let (_serving, target) = serve(&sandbox, app).await;
    let ended = run_checks(&target, &run_options(), &sandbox_phone(&target.backend.base_url).await).await.1;
    assert_eq!((&ended.error, failed_musts(&ended)), (&None, Vec::new()));
    assert_eq!(verdict(&ended, "files.download"), Verdict::Pass);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failing_file_server_does_not_prove_that_a_url_works_once() {
    let (assets, seen) = (Assets::make(), Memory::default());
    let sandbox = assets.sandbox();
    let ended = check_changed_sandbox(&sandbox, &run_options(), NO_PATIENCE, move |request, response| {
        if request.path.starts_with("/files/") {
            if seen.get(&request.path).is_some() || response.status() >= 400 {
                become_error(response, 503);
            }
            seen.put(&request.path, ());
        }
    })
    .await;
    assert_eq!(failed_musts(&ended), Vec::<String>::new());
    assert_eq!(verdict(&ended, "files.download"), Verdict::Pass);
    assert_eq!(verdict(&ended, "files.once"), Verdict::Inconclusive);
    assert_eq!(verdict(&ended, "files.end"), Verdict::Inconclusive);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_server_that_only_fails_does_not_prove_that_files_are_incomplete() {
    let assets = Assets::make();
    let sandbox = assets.sandbox();
    let ended = check_changed_sandbox(&sandbox, &run_options(), NO_PATIENCE, |request, response| {
        if request.path.starts_with("/files/") {
            become_error(response, 503);
        }
    })
    .await;
    assert_eq!(failed_musts(&ended), Vec::<String>::new());
    for id in ["files.download", "files.once", "files.content", "avatar.vertices"] {
        assert_eq!(verdict(&ended, id), Verdict::Inconclusive, "{id}");
    }
}
