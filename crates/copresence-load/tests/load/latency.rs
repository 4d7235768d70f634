//! Latencies count from when a request was due.

use crate::support::{CountingSandbox, console_plan, open_plan, run};
use copresence_load::ConsoleVisitPlan;
use copresence_sandbox::{BuiltInScenarioName, faults};

/// A backend that stalls answers nobody for two seconds. With few connections, only those requests notice it that are in
/// flight; all others wait for a connection. The latency shows the wait, the service time hides it.
#[tokio::test(flavor = "multi_thread")]
async fn a_stall_of_two_seconds_shows_in_the_latency_and_not_in_the_service_time() {
    let sandbox = CountingSandbox::start(BuiltInScenarioName::NeverScanned, 1.0).await;
    // Two connections, so two delayed requests stall everything.
    let list = r#"[{"on": "generate", "nth": [150, 151], "do": {"delay": {"ms": 2000}}}]"#;
    let list = faults::parse_and_check_faults(list.as_bytes()).expect("faults");
    sandbox.server.sandbox().set_faults(list).expect("set");
    // One login, and no polls: the first poll is due after nine seconds.
    let polling = copresence_visit::PollingConfig::default();
    let console = ConsoleVisitPlan { max_connections: 2, polling, ..console_plan() };
    let mut plan = open_plan("75/s@4s", 10_000);
    plan.finish_within = std::time::Duration::ZERO;
    let (_, statistics) = run(&sandbox.client(), plan, console, None).await;
    let figures = statistics.compute_load_figures();
    let issue = figures.find_endpoint_figures("issue").expect("requests");
    assert_eq!((issue.requests, sandbox.requests("/generateExportToken")), (299, 299));
    let (latency, service) = (issue.latency_ms.as_ref().expect("some"), issue.service_time_ms.as_ref().expect("some"));
    // About half of the 299 requests arrived during the stall; 1 % of them is 3.
    assert!(latency.p99 >= 1_800.0, "the stall is hidden: {latency:?}");
    assert!(latency.p90 >= 1_000.0, "requests that were due during the stall wait for it: {latency:?}");
    // The 99 % quantile would do on a quiet machine.
    assert!(service.p90 < latency.p90 / 2.0, "only two requests were slow themselves: {service:?}");
    assert!(service.max >= 2_000.0, "{service:?}");
    let wait = figures.generator.connection_wait_ms.as_ref().expect("some");
    assert!(wait.p99 >= 1_500.0, "{wait:?}");
}
