//! Builds a report from the result of a run.

use super::{
    ActReport, Budget, CheckReport, Coverage, Environment, FindingReport, Header, LatencyReport, Report,
    RequirementReport, SCHEMA_VERSION, Score, StepReport, TargetKind, TargetReport, Tool, shape,
};
use crate::act::{ACTS, State};
use crate::check::{Check, Finding, Judged, Verdict};
use crate::latency::percentiles;
use crate::plan::Plan;
use crate::requirement::{Level, covered_by, level_of, requirements};
use crate::run::Ended;
use crate::seen::{Seen, Step};
use crate::target::{Options, Target};
use client::{Call, RedeemRoute, TokenSource};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

impl Report {
    /// Builds the report of a run that started and ended at these times.
    pub fn new(
        target: &Target,
        options: &Options,
        plan: &Plan,
        ended: &Ended,
        (started_at, ended_at): (Timestamp, Timestamp),
    ) -> Self {
        let checks: Vec<_> =
            ended.verdicts.iter().map(|(check, judged)| check_report(check, judged)).collect();
        let requirements = requirement_reports(&checks);
        let score = score(&checks);
        let exit = match &ended.error {
            Some(error) => error.exit(),
            None => u8::from(score.must.failed > 0),
        };
        let report = Self {
            schema_version: SCHEMA_VERSION,
            tool: Tool { name: "copresence".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            started_at: whole_second(started_at),
            ended_at: whole_second(ended_at),
            target: target_report(target, plan),
            environment: Environment {
                os: std::env::consts::OS.to_owned(),
                arch: std::env::consts::ARCH.to_owned(),
            },
            budget: Budget {
                tokens_planned: plan.tokens,
                tokens_made: ended.tokens,
                avatars_planned: plan.avatars,
                avatars_consumed: ended.avatars,
                max_tokens: options.max_tokens,
                destructive: options.destructive,
            },
            exit,
            error: ended.error.as_ref().map(ToString::to_string),
            score,
            coverage: coverage(&requirements),
            checks,
            requirements,
            acts: acts(&ended.seen),
            latency: latency(&ended.seen),
            shapes: shape::shapes(&ended.seen),
            steps: ended.seen.steps.iter().map(step_report).collect(),
        };
        report.swept(&ended.redactor)
    }

    /// Masks every known secret, also where it was recorded before it was known to be secret.
    fn swept(mut self, redactor: &client::Redactor) -> Self {
        let mask = |text: &mut String| *text = redactor.text(text);
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

fn target_report(target: &Target, plan: &Plan) -> TargetReport {
    let kind = match (&target.backend.source, &target.backend.redeem) {
        (TokenSource::Direct, RedeemRoute::Vendor) => TargetKind::Vendor,
        (_, RedeemRoute::Partner { .. }) => TargetKind::Relay,
        (TokenSource::Partner(_), RedeemRoute::Vendor) => TargetKind::TokenRelay,
    };
    let mut url = match &target.backend.source {
        TokenSource::Direct => target.backend.base_url.clone(),
        TokenSource::Partner(partner) => partner.url.clone(),
    };
    url.set_query(None);
    TargetReport { name: target.name.clone(), url: url.to_string(), kind, sandbox: plan.free }
}

fn check_report(check: &Check, judged: &Judged) -> CheckReport {
    let (detail, findings, steps) = match judged {
        Judged::Pass(detail, steps) => (detail.clone(), Vec::new(), steps.clone()),
        Judged::Fail(findings) => {
            let mut steps: Vec<usize> = findings.iter().flat_map(|finding| finding.steps.clone()).collect();
            steps.sort_unstable();
            steps.dedup();
            let detail = findings.first().map_or_else(String::new, Finding::describe);
            (detail, findings.clone(), steps)
        }
        Judged::Skipped(why) | Judged::Inconclusive(why) | Judged::NotApplicable(why) => {
            (why.clone(), Vec::new(), Vec::new())
        }
    };
    let verdict = judged.verdict();
    CheckReport {
        id: check.id.to_owned(),
        title: check.title.to_owned(),
        level: level_of(check.id),
        verdict,
        detail,
        findings: findings
            .into_iter()
            .map(|f| FindingReport { expected: f.expected, came: f.came, steps: f.steps })
            .collect(),
        remedy: (verdict == Verdict::Fail).then(|| check.remedy.to_owned()),
        requirements: covered_by(check.id).into_iter().map(str::to_owned).collect(),
        steps,
    }
}

fn requirement_reports(checks: &[CheckReport]) -> Vec<RequirementReport> {
    let verdicts: BTreeMap<&str, Verdict> =
        checks.iter().map(|check| (check.id.as_str(), check.verdict)).collect();
    let report = |row: &crate::requirement::Requirement| {
        let row_verdicts: Vec<_> =
            row.checks.iter().filter_map(|id| verdicts.get(id.as_str()).copied()).collect();
        RequirementReport {
            id: row.id.clone(),
            place: row.place.clone(),
            quote: row.quote.clone(),
            level: row.level,
            verdict: together(&row_verdicts),
            checks: row.checks.clone(),
            untestable: row.untestable.clone(),
        }
    };
    requirements().iter().map(report).collect()
}

/// Combines the verdicts of the checks of one requirement. `Fail` wins, then undecided verdicts, then `Pass`;
/// `NotApplicable` counts only if all are.
fn together(verdicts: &[Verdict]) -> Option<Verdict> {
    let order =
        [Verdict::Fail, Verdict::Inconclusive, Verdict::Skipped, Verdict::Pass, Verdict::NotApplicable];
    order.into_iter().find(|verdict| verdicts.contains(verdict))
}

fn score(checks: &[CheckReport]) -> Score {
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

fn coverage(requirements: &[RequirementReport]) -> Coverage {
    let count = |of: &dyn Fn(&RequirementReport) -> bool| requirements.iter().filter(|row| of(row)).count();
    Coverage {
        requirements: requirements.len(),
        untestable: count(&|row| row.untestable.is_some()),
        not_applicable: count(&|row| row.verdict == Some(Verdict::NotApplicable)),
        judged: count(&|row| row.verdict.is_some_and(Verdict::is_judged)),
    }
}

fn acts(observations: &Seen) -> Vec<ActReport> {
    let report = |row: &crate::act::Cost| {
        let why = match observations.acts.get(&row.act) {
            Some(State::Done) => None,
            Some(State::NotApplicable(why) | State::Skipped(why) | State::Stuck(why)) => Some(why.clone()),
            None => Some("the run ended before this act".to_owned()),
        };
        ActReport { act: row.act, does: row.does.to_owned(), done: why.is_none(), why }
    };
    ACTS.iter().map(report).collect()
}

fn latency(observations: &Seen) -> Vec<LatencyReport> {
    let of_call = |call: Call| {
        let answered =
            observations.steps.iter().filter(|step| step.exchange.call == call && step.reply.is_some());
        let times: Vec<_> = answered.map(|step| step.exchange.duration).collect();
        let result = percentiles(&times)?;
        Some(LatencyReport {
            call: call.as_str().to_owned(),
            answers: times.len(),
            p50_ms: milliseconds(result.p50),
            p95_ms: milliseconds(result.p95),
            max_ms: milliseconds(result.max),
        })
    };
    [Call::Login, Call::Generate, Call::Redeem, Call::Download].into_iter().filter_map(of_call).collect()
}

fn step_report(step: &Step) -> StepReport {
    let exchange = &step.exchange;
    let headers = |all: &[(String, String)]| {
        all.iter().map(|(name, value)| Header { name: name.clone(), value: value.clone() }).collect()
    };
    StepReport {
        number: step.number,
        act: step.act,
        what: step.role.words().to_owned(),
        token: step.token,
        curl: step.curl.clone(),
        at: exchange.started_at.to_string(),
        duration_ms: milliseconds(exchange.duration),
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
fn whole_second(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

/// Converts to milliseconds with one decimal place.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_requirement_passes_only_if_no_check_is_undecided() {
        use Verdict::{Fail, Inconclusive, NotApplicable, Pass, Skipped};
        assert_eq!(together(&[Pass, Fail, Skipped]), Some(Fail));
        assert_eq!(together(&[Pass, Skipped]), Some(Skipped));
        assert_eq!(together(&[Pass, Inconclusive]), Some(Inconclusive));
        assert_eq!(together(&[Pass, NotApplicable]), Some(Pass));
        assert_eq!(together(&[NotApplicable]), Some(NotApplicable));
        assert_eq!(together(&[]), None);
    }
}
