//! The report as JSON and as a page, and the figures for Prometheus.

use crate::support::{CountingSandbox, console_plan, open_plan, run};
use copresence_load::prometheus::{MetricsServer, render_metrics};
use copresence_load::report::{ReportPlan, ReportRunDetails, ReportTarget, generate_report_schema, render_html_report};
use copresence_load::{LoadReport, RunEnd, Threshold};
use copresence_sandbox::{BuiltInScenarioName, faults};
use jiff::Timestamp;
use std::path::Path;

/// A context with fixed times.
pub(crate) fn report_context(end: RunEnd) -> ReportRunDetails {
    ReportRunDetails {
        target: ReportTarget {
            profile: "<script>alert(1)</script>".to_owned(),
            api_url: "http://127.0.0.1:8787/".to_owned(),
            is_sandbox: true,
        },
        plan: ReportPlan::new(&open_plan("40/s@1s", 100), &console_plan(), "sandbox"),
        started_at: Timestamp::from_second(1_795_000_000).expect("a time"),
        ended_at: Timestamp::from_second(1_795_000_002).expect("a time"),
        end,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_match_their_schema_and_contain_no_secret() {
    let sandbox = CountingSandbox::start(BuiltInScenarioName::ExistingAvatar, 1.0).await;
    let list = r#"[{"on": "redeem", "nth": [5], "do": {"status": {"code": 503}}}]"#;
    let list = faults::parse_and_check_faults(list.as_bytes()).expect("faults");
    sandbox.server.sandbox().set_faults(list).expect("set");
    let (end, statistics) =
        run(&sandbox.client(), open_plan("40/s@1s", 100), console_plan(), Some(sandbox.phone())).await;
    let thresholds = ["issue_p99<30s", "completed_visits>=39", "redeem_p50<1us"];
    let thresholds: Vec<Threshold> = thresholds.iter().map(|text| text.parse().expect("valid")).collect();
    let report = LoadReport::new(report_context(end), &statistics, &thresholds);
    assert_eq!(report.exit, 1);
    let failed: Vec<_> = report.find_failed_thresholds().map(|failed| failed.threshold.as_str()).collect();
    assert_eq!(failed, ["redeem_p50<1us"]);
    assert_eq!(LoadReport::new(report_context(end), &statistics, &thresholds[..2]).exit, 0);

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("report.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, generate_report_schema()).expect("written");
    }
    let committed = std::fs::read_to_string(&path).expect("the schema is committed");
    assert_eq!(committed, generate_report_schema(), "update it: UPDATE_SCHEMA=1 cargo test -p copresence-load schema");
    let schema: serde_json::Value = serde_json::from_str(&committed).expect("JSON");
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<_> = validator.iter_errors(&json).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    assert!(!validator.is_valid(&serde_json::json!({ "schema_version": 1 })), "the schema accepts anything");
    assert_eq!(serde_json::from_str::<LoadReport>(&report.to_json()).expect("a report"), report);

    let page = render_html_report(&report).expect("a page");
    assert!(page.contains("Failed: 1 of 4 thresholds") && page.contains("redeem_p50&#60;1us"), "{page}");
    assert!(!page.contains("<script") && page.contains("<svg"), "escaped, without scripts");
    let accepted = sandbox.server.sandbox().accepted_credentials();
    let tokens = sandbox.server.sandbox().sandbox_state().tokens.into_iter().map(|token| token.token);
    let secrets = tokens.chain([accepted.api_key.expose().to_owned(), accepted.password.expose().to_owned()]);
    let metrics = render_metrics(&statistics);
    for secret in secrets {
        assert!(![report.to_json().as_str(), &page, &metrics].iter().any(|text| text.contains(&secret)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_gets_the_figures_while_they_are_served() {
    let sandbox = CountingSandbox::start(BuiltInScenarioName::ExistingAvatar, 1.0).await;
    let (_, statistics) =
        run(&sandbox.client(), open_plan("20/s@500ms", 100), console_plan(), Some(sandbox.phone())).await;
    let server =
        MetricsServer::bind_and_serve_metrics("127.0.0.1:0".parse().expect("an address"), statistics.clone()).await;
    let server = server.expect("a server");
    let url = format!("http://{}/metrics", server.listen_address());
    let response = reqwest::get(&url).await.expect("a response");
    let kind = response.headers()["content-type"].to_str().expect("text").to_owned();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    let text = response.text().await.expect("text");
    let figures = statistics.compute_load_figures();
    for line in [
        format!(
            "copresence_load_requests_total{{endpoint=\"issue\"}} {}",
            figures.find_endpoint_figures("issue").expect("one").requests
        ),
        "copresence_load_visits_ended_total{result=\"completed\"} 9".to_owned(),
        "copresence_load_tokens_total{state=\"spent\"} 9".to_owned(),
        "copresence_load_visits_running 0".to_owned(),
        "# TYPE copresence_load_latency_seconds summary".to_owned(),
        "copresence_load_latency_seconds_count{endpoint=\"issue\"} 9".to_owned(),
    ] {
        assert!(text.lines().any(|known| known == line), "{line}:\n{text}");
    }
    // Every line is a comment or a sample with a number.
    let is_sample = |line: &str| line.rsplit_once(' ').is_some_and(|(_, value)| value.parse::<f64>().is_ok());
    assert!(text.lines().all(|line| line.starts_with("# ") || is_sample(line)), "{text}");
    drop(server);
}
