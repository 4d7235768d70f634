//! Serves a sandbox on a local port, with optional layers in front of it, and runs the checks against it.

use axum::Router;
use copresence_sandbox::{BuiltInScenarioName, Sandbox, SandboxSettings};
use copresence_validate::check::{CheckResult, Finding};
use copresence_validate::evidence::RunEvidence;
use copresence_validate::run::RunResult;
use copresence_validate::{
    BackendWithRoutes, CheckRun, CheckTarget, Credentials, PhoneDriver, RunLimits, RunPlanWithCosts, SandboxControl,
    Timeouts,
};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;

/// A backend on a local port. Stops when dropped.
pub(crate) struct Serving {
    pub(crate) url: Url,
    serving: JoinHandle<()>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

pub(crate) async fn serve_router(app: Router) -> Serving {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(async move { axum::serve(listener, service).await.expect("serves") });
    let url = format!("http://{address}/").parse().expect("a URL");
    Serving { url, serving }
}

/// Files of one avatar, shared by many sandboxes, because generating them takes longer than the rest of a run.
pub(crate) struct Assets(TempDir);

impl Assets {
    pub(crate) fn make() -> Self {
        let folder = TempDir::new().expect("a folder");
        let files = copresence_avatar::build_avatar(7, None);
        let avatar = folder.path().join("anna");
        std::fs::create_dir(&avatar).expect("a folder");
        for (name, bytes) in
            [("avatar.glb", &files.glb), ("avatar_obj.zip", &files.obj_zip), ("avatar.png", &files.png)]
        {
            std::fs::write(avatar.join(name), bytes).expect("written");
        }
        Self(folder)
    }

    pub(crate) fn sandbox(&self) -> Sandbox {
        paused_sandbox(SandboxSettings { assets: Some(self.0.path().to_owned()), ..SandboxSettings::default() })
    }
}

pub(crate) fn new_sandbox() -> Sandbox {
    paused_sandbox(SandboxSettings::default())
}

/// A sandbox with a paused clock, which only the run advances.
fn paused_sandbox(settings: SandboxSettings) -> Sandbox {
    let settings = SandboxSettings { scenario: BuiltInScenarioName::Happy.into(), seed: 7, ..settings };
    let sandbox = Sandbox::new(settings).expect("a sandbox");
    let paused = copresence_sandbox::ClockChange { paused: Some(true), ..copresence_sandbox::ClockChange::default() };
    sandbox.change_clock(&paused).expect("paused");
    sandbox
}

pub(crate) fn sandbox_credentials(sandbox: &Sandbox) -> Credentials {
    let known = sandbox.accepted_credentials();
    Credentials {
        api_key: Some(known.api_key.clone()),
        login: Some((known.username.clone(), known.password.clone())),
        ..Credentials::default()
    }
}

pub(crate) fn vendor_target(url: &Url, credentials: Credentials) -> CheckTarget {
    CheckTarget {
        name: "test".to_owned(),
        backend: BackendWithRoutes::copresence_backend_from_url(url.clone()),
        credentials,
        link_template: format!("{url}phone?exportToken={{token}}").parse().expect("a link"),
        time_outs: Timeouts {
            connect: Duration::from_secs(2),
            read: Duration::from_secs(3),
            first_byte: Duration::from_secs(3),
            total: Duration::from_secs(5),
        },
        patience: Duration::from_secs(10),
    }
}

pub(crate) fn run_options() -> RunLimits {
    RunLimits {
        allow_destructive: true,
        allow_lockout: true,
        retry_pause: Duration::from_millis(2),
        upstream_watch: Duration::ZERO,
        // In the sandbox's time: three times as long as its slowest avatar takes.
        avatar_timeout: Duration::from_mins(2),
        ..RunLimits::default()
    }
}

pub(crate) async fn sandbox_phone(url: &Url) -> PhoneDriver {
    PhoneDriver::Sandbox(
        SandboxControl::detect_sandbox_at_url(url.clone(), None).await.expect("HTTP").expect("a sandbox"),
    )
}

/// The recorded evidence of a run, written and read, gives the results of the run: the same verdicts and violations. What was
/// received may be described in other words, because secrets are aliases.
fn assert_evidence_gives_same_results(ended: &RunResult) {
    let written = serde_json::to_string(&RunEvidence::build_run_evidence(ended)).expect("JSON");
    let read: RunEvidence = serde_json::from_str(&written).expect("read again");
    let judged = read.judge_evidence().expect("consistent");
    for ((check, before), (_, after)) in ended.check_results.iter().zip(&judged) {
        match (before, after) {
            (CheckResult::Fail(before), CheckResult::Fail(after)) => {
                let violations = |findings: &[Finding]| {
                    findings.iter().map(|finding| finding.expected.clone()).collect::<BTreeSet<_>>()
                };
                assert_eq!(violations(before), violations(after), "{}", check.id);
            }
            _ => assert_eq!(before, after, "{}", check.id),
        }
    }
    assert_eq!(ended.check_results.len(), judged.len());
}

/// Runs all checks against a backend. Whatever the backend did, the recorded evidence has to give the same results.
pub(crate) async fn run_checks(
    target: &CheckTarget,
    options: &RunLimits,
    phone: &PhoneDriver,
) -> (RunPlanWithCosts, RunResult) {
    let plan = RunPlanWithCosts::new(target, options, phone);
    let ignore_events = |_: copresence_validate::RunEvent<'_>| {};
    let ended = CheckRun::new(target, options, phone, &plan, &ignore_events).expect("HTTP").run_all_acts().await;
    if ended.error.is_none() {
        assert_evidence_gives_same_results(&ended);
    }
    (plan, ended)
}
