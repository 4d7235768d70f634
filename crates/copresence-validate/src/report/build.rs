//! Builds a report from the result of a run.

use super::{
    ActReport, CheckReport, Environment, FindingReport, Header, LatencyReport, PlannedAndUsedTokensAndAvatars, Report,
    RequirementCoverage, RequirementReport, SCHEMA_VERSION, Score, StepReport, TargetKind, TargetReport, Tool, shape,
};
use crate::act::{ACTS, ActOutcome};
use crate::check::{Check, CheckResult, Finding, Verdict};
use crate::latency::compute_percentiles;
use crate::observations::{Observations, RecordedStep};
use crate::requirement::{Level, all_requirements, requirement_ids_of_check, strictest_level_of_check};
use crate::run::RunResult;
use crate::run_plan::RunPlanWithCosts;
use crate::target::{CheckTarget, RunLimits};
use copresence_client::{CallKind, RedeemEndpoint, TokenSource};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

impl Report {
    /// Builds the report of a run that started and ended at these times.
    pub fn new(
        target: &CheckTarget,
        options: &RunLimits,
        plan: &RunPlanWithCosts,
        ended: &RunResult,
        (started_at, ended_at): (Timestamp, Timestamp),
    ) -> Self {
        let JudgedChecks { checks, requirements, score, coverage } = JudgedChecks::new(&ended.check_results);
        let exit = match &ended.error {
            Some(error) => error.exit_code(),
            None => u8::from(score.must.failed > 0),
        };
        let report = Self {
            schema_version: SCHEMA_VERSION,
            tool: Tool { name: "copresence".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            started_at: format_whole_second(started_at),
            ended_at: format_whole_second(ended_at),
            target: build_target_report(target, plan),
            environment: Environment { os: std::env::consts::OS.to_owned(), arch: std::env::consts::ARCH.to_owned() },
            budget: PlannedAndUsedTokensAndAvatars {
                tokens_planned: plan.tokens,
                tokens_made: ended.tokens_made,
                avatars_planned: plan.avatars,
                avatars_consumed: ended.avatars_consumed,
                max_tokens: options.max_tokens,
                destructive: options.allow_destructive,
                allow_lockout: options.allow_lockout,
            },
            exit,
            error: ended.error.as_ref().map(ToString::to_string),
            error_code: ended.error.as_ref().map(|error| error.error_code().to_owned()),
            fail_on: Level::Must,
            score,
            coverage,
            checks,
            requirements,
            acts: build_act_reports(&ended.observations),
            latency: build_latency_reports(&ended.observations),
            shapes: shape::collect_response_shapes(&ended.observations),
            steps: ended.observations.steps.iter().map(build_step_report).collect(),
        };
        report.redact_report_secrets(&ended.redactor)
    }

    /// Masks every known secret, also where it was recorded before it was known to be secret.
    fn redact_report_secrets(mut self, redactor: &copresence_client::Redactor) -> Self {
        let mask = |text: &mut String| *text = redactor.redact_text(text);
        for check in &mut self.checks {
            mask(&mut check.detail);
            for finding in &mut check.findings {
                mask(&mut finding.expected);
                mask(&mut finding.came);
            }
        }
        for step in &mut self.steps {
            mask(&mut step.curl);
            mask(&mut step.url);
            [&mut step.body, &mut step.request_body, &mut step.error].into_iter().flatten().for_each(mask);
            let headers = step.request_headers.iter_mut().chain(&mut step.response_headers);
            headers.for_each(|header| mask(&mut header.value));
        }
        for act in &mut self.acts {
            act.why.as_mut().into_iter().for_each(mask);
        }
        self.error.as_mut().into_iter().for_each(mask);
        self
    }
}

/// The results of the checks, and what follows from them.
pub(crate) struct JudgedChecks {
    /// Every check.
    pub(crate) checks: Vec<CheckReport>,
    /// Every requirement.
    pub(crate) requirements: Vec<RequirementReport>,
    /// Passed and failed checks by level.
    pub(crate) score: Score,
    /// How many requirements were judged.
    pub(crate) coverage: RequirementCoverage,
}

impl JudgedChecks {
    /// Summarizes the results of all checks.
    pub(crate) fn new(results: &[(&'static Check, CheckResult)]) -> Self {
        let checks: Vec<_> = results.iter().map(|(check, judged)| build_check_report(check, judged)).collect();
        let requirements = build_requirement_reports(&checks);
        let (score, coverage) = (count_check_verdicts_by_level(&checks), measure_coverage(&requirements));
        Self { checks, requirements, score, coverage }
    }
}

/// Builds the description of the checked backend for the report.
fn build_target_report(target: &CheckTarget, plan: &RunPlanWithCosts) -> TargetReport {
    let kind = match (&target.backend.token_source, &target.backend.redeem_route) {
        (TokenSource::Direct, RedeemEndpoint::Vendor) => TargetKind::Vendor,
        (_, RedeemEndpoint::Partner { .. }) => TargetKind::Relay,
        (TokenSource::Partner(_), RedeemEndpoint::Vendor) => TargetKind::TokenRelay,
    };
    let mut url = match &target.backend.token_source {
        TokenSource::Direct => target.backend.base_url.clone(),
        TokenSource::Partner(partner) => partner.url.clone(),
    };
    url.set_query(None);
    TargetReport { name: target.name.clone(), url: url.to_string(), kind, sandbox: plan.is_free }
}

/// Builds the report of one check from its result.
fn build_check_report(check: &Check, judged: &CheckResult) -> CheckReport {
    let (detail, findings, steps) = match judged {
        CheckResult::Pass(detail, steps) => (detail.clone(), Vec::new(), steps.clone()),
        CheckResult::Fail(findings) => {
            let mut steps: Vec<usize> = findings.iter().flat_map(|finding| finding.steps.clone()).collect();
            steps.sort_unstable();
            steps.dedup();
            let detail = findings.first().map_or_else(String::new, Finding::describe_finding);
            (detail, findings.clone(), steps)
        }
        CheckResult::Skipped(why) | CheckResult::Inconclusive(why) | CheckResult::NotApplicable(why) => {
            (why.clone(), Vec::new(), Vec::new())
        }
    };
    let verdict = judged.verdict();
    CheckReport {
        id: check.id.to_owned(),
        title: check.title.to_owned(),
        level: strictest_level_of_check(check.id),
        verdict,
        detail,
        findings: findings
            .into_iter()
            .map(|f| FindingReport { expected: f.expected, came: f.received, steps: f.steps })
            .collect(),
        remedy: (verdict == Verdict::Fail).then(|| check.remedy.to_owned()),
        requirements: requirement_ids_of_check(check.id).into_iter().map(str::to_owned).collect(),
        steps,
        expected_to_fail: false,
    }
}

/// Builds the report of every requirement from the verdicts of its checks.
fn build_requirement_reports(checks: &[CheckReport]) -> Vec<RequirementReport> {
    let verdicts: BTreeMap<&str, Verdict> = checks.iter().map(|check| (check.id.as_str(), check.verdict)).collect();
    let report = |row: &crate::requirement::Requirement| {
        let row_verdicts: Vec<_> = row.checks.iter().filter_map(|id| verdicts.get(id.as_str()).copied()).collect();
        RequirementReport {
            id: row.id.clone(),
            place: row.place.clone(),
            quote: row.quote.clone(),
            level: row.level,
            verdict: combine_check_verdicts_of_requirement(&row_verdicts),
            checks: row.checks.clone(),
            untestable: row.untestable.clone(),
        }
    };
    all_requirements().iter().map(report).collect()
}

/// Combines the verdicts of the checks of one requirement. `Fail` wins, then undecided verdicts, then `Pass`;
/// `NotApplicable` counts only if all are.
fn combine_check_verdicts_of_requirement(verdicts: &[Verdict]) -> Option<Verdict> {
    let order = [Verdict::Fail, Verdict::Inconclusive, Verdict::Skipped, Verdict::Pass, Verdict::NotApplicable];
    order.into_iter().find(|verdict| verdicts.contains(verdict))
}

/// Counts passed and failed checks by level. Other verdicts are not counted.
fn count_check_verdicts_by_level(checks: &[CheckReport]) -> Score {
    let mut score = Score::default();
    for check in checks {
        let tally = match check.level {
            Level::Must => &mut score.must,
            Level::Should => &mut score.should,
        };
        match check.verdict {
            Verdict::Pass => tally.passed += 1,
            Verdict::Fail => tally.failed += 1,
            _ => {}
        }
    }
    score
}

/// Measures the coverage: counts all requirements, and those that are untestable, not applicable or judged.
fn measure_coverage(requirements: &[RequirementReport]) -> RequirementCoverage {
    let count = |of: &dyn Fn(&RequirementReport) -> bool| requirements.iter().filter(|row| of(row)).count();
    RequirementCoverage {
        requirements: requirements.len(),
        untestable: count(&|row| row.untestable.is_some()),
        not_applicable: count(&|row| row.verdict == Some(Verdict::NotApplicable)),
        judged: count(&|row| row.verdict.is_some_and(Verdict::is_pass_or_fail)),
    }
}

/// Builds the reports of the acts: whether each ran to its end, or why not.
fn build_act_reports(observations: &Observations) -> Vec<ActReport> {
    let report = |row: &crate::act::ActNeedsAndCosts| {
        let why = match observations.act_outcomes.get(&row.act) {
            Some(ActOutcome::Done) => None,
            Some(ActOutcome::NotApplicable(why) | ActOutcome::Skipped(why) | ActOutcome::Incomplete(why)) => {
                Some(why.clone())
            }
            None => Some("the run ended before this act".to_owned()),
        };
        ActReport { act: row.act, does: row.description.to_owned(), done: why.is_none(), why }
    };
    ACTS.iter().map(report).collect()
}

/// Builds the reports of the response times of each kind of call, as percentiles. Kinds without a response have
/// none.
fn build_latency_reports(observations: &Observations) -> Vec<LatencyReport> {
    let of_call = |call: CallKind| {
        let answered = observations.steps.iter().filter(|step| step.exchange.call == call && step.reply.is_some());
        let times: Vec<_> = answered.map(|step| step.exchange.duration).collect();
        let result = compute_percentiles(&times)?;
        Some(LatencyReport {
            call: call.as_str().to_owned(),
            answers: times.len(),
            p50_ms: to_fractional_milliseconds(result.p50),
            p95_ms: to_fractional_milliseconds(result.p95),
            max_ms: to_fractional_milliseconds(result.max),
        })
    };
    [CallKind::Login, CallKind::Generate, CallKind::Redeem, CallKind::Download]
        .into_iter()
        .filter_map(of_call)
        .collect()
}

/// Builds the report of one recorded step.
fn build_step_report(step: &RecordedStep) -> StepReport {
    let exchange = &step.exchange;
    let headers = |all: &[(String, String)]| {
        all.iter().map(|(name, value)| Header { name: name.clone(), value: value.clone() }).collect()
    };
    StepReport {
        number: step.number,
        act: step.act,
        what: step.role.describe_role().to_owned(),
        token: step.token_number,
        curl: step.curl.clone(),
        at: exchange.started_at.to_string(),
        duration_ms: to_fractional_milliseconds(exchange.duration),
        method: exchange.method.clone(),
        url: exchange.url.clone(),
        request_headers: headers(&exchange.request_headers),
        request_body: exchange.request_body.clone(),
        status: exchange.status,
        response_headers: headers(&exchange.response_headers),
        body: exchange.body.clone(),
        body_size: exchange.body_size,
        error: exchange.error.clone(),
    }
}

/// Formats a time with a resolution of one second.
fn format_whole_second(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

/// Converts a duration to milliseconds with one decimal place, for the report.
fn to_fractional_milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_passes_only_if_no_check_is_undecided() {
        use Verdict::{Fail, Inconclusive, NotApplicable, Pass, Skipped};
        assert_eq!(combine_check_verdicts_of_requirement(&[Pass, Fail, Skipped]), Some(Fail));
        assert_eq!(combine_check_verdicts_of_requirement(&[Pass, Skipped]), Some(Skipped));
        assert_eq!(combine_check_verdicts_of_requirement(&[Pass, Inconclusive]), Some(Inconclusive));
        assert_eq!(combine_check_verdicts_of_requirement(&[Pass, NotApplicable]), Some(Pass));
        assert_eq!(combine_check_verdicts_of_requirement(&[NotApplicable]), Some(NotApplicable));
        assert_eq!(combine_check_verdicts_of_requirement(&[]), None);
    }
}
