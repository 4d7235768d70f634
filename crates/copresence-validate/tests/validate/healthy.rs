//! A healthy backend passes.

use crate::support::{
    new_sandbox, run_checks, run_options, sandbox_credentials, sandbox_phone, serve_router, vendor_target,
};
use copresence_validate::Verdict;

#[tokio::test]
async fn the_healthy_sandbox_passes_every_applicable_check() {
    let sandbox = new_sandbox();
    let backend = serve_router(copresence_sandbox::build_router(sandbox.clone())).await;
    let target = vendor_target(&backend.url, sandbox_credentials(&sandbox));
    let (plan, ended) = run_checks(&target, &run_options(), &sandbox_phone(&backend.url).await).await;
    assert_eq!(ended.error, None);
    let mut wrong = Vec::new();
    for (check, judged) in &ended.check_results {
        let bad = match judged.verdict() {
            Verdict::Pass => false,
            // The test has neither TLS nor a relay.
            Verdict::NotApplicable => {
                !check.id.starts_with("relay.") && !["http.tls", "http.hsts", "http.plain-refused"].contains(&check.id)
            }
            _ => true,
        };
        if bad {
            wrong.push(format!("{}: {judged:?}", check.id));
        }
    }
    assert_eq!(
        wrong,
        Vec::<String>::new(),
        "{:#?}",
        ended
            .observations
            .steps
            .iter()
            .map(|s| (s.number, s.role, s.token_number, s.response_status()))
            .collect::<Vec<_>>()
    );
    assert_eq!(ended.tokens_made, plan.tokens, "as many tokens as the plan said");
    assert_eq!(ended.avatars_consumed, plan.avatars, "as many avatars as the plan said");
    for act in &plan.acts {
        let sent = ended.observations.steps.iter().filter(|step| step.act == *act).count();
        let planned = act.act_needs_and_costs().min_requests as usize;
        assert!(sent >= planned, "{act:?}: planned {planned}, sent {sent}");
    }
}
