//! Prints the progress of a run: as text for people, as JSON Lines for programs.

use crate::common_options::CommonOptions;
use crate::output;
use copresence_validate::act::Act;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use copresence_validate::check::{Check, CheckResult};
use copresence_validate::report::change::VerdictChange;
use copresence_validate::requirement::strictest_level_of_check;
use copresence_validate::run_plan::count_with_noun;
use copresence_validate::{
    CheckTarget, FailurePolicy, Report, RunEvent, RunPlanWithCosts, Verdict, VerdictEffectOnRun,
};

/// Width of the verdict column: its longest word.
const WORD: usize = "inconclusive".len();

/// Prints the progress and the results of `validate`, as text or JSON Lines.
pub(super) struct ValidateRenderer {
    json: bool,
    colours: bool,
    /// Which failed checks fail the run.
    policy: FailurePolicy,
    /// Whether the run has failed. The summary says why, once; the checks that it left undecided are not listed.
    has_run_failed: AtomicBool,
    /// Lines about skipped checks, which are printed at the end.
    skipped_lines: Mutex<Vec<String>>,
}

impl ValidateRenderer {
    pub(super) fn new(common: &CommonOptions, policy: FailurePolicy) -> Self {
        let colours = !common.no_color && std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self {
            json: common.json,
            colours,
            policy,
            has_run_failed: AtomicBool::new(false),
            skipped_lines: Mutex::default(),
        }
    }

    /// Prints the plan of the run and what it will cost, before it starts.
    pub(super) fn print_plan(&self, target: &CheckTarget, plan: &RunPlanWithCosts, sandbox: bool) {
        if self.json {
            let left_out: Vec<_> =
                plan.skipped_acts_with_reasons().map(|(act, why)| json!({"act": act, "why": why})).collect();
            return print_json_line(&json!({
                "event": "planned", "profile": target.name, "api_url": target.backend.base_url.as_str(),
                "sandbox": sandbox, "tokens": plan.tokens, "tokens_at_risk": plan.tokens_at_risk,
                "avatars": plan.avatars, "left_out": left_out, "wrong_requests": plan.wrong_requests,
                "may_lock_account": plan.may_lock_account,
            }));
        }
        let kind = if sandbox { ", a sandbox" } else { "" };
        self.print_human_line_stderr_if_json(&format!(
            "Checking {} (profile {}{kind})",
            target.backend.base_url, target.name
        ));
        plan.describe_costs_and_omitted_acts().iter().for_each(|words| self.print_human_line_stderr_if_json(words));
        self.print_human_line_stderr_if_json("");
    }

    /// Prints an event of a run: verdicts, messages, and without `--json` the starts of acts.
    pub(super) fn print_run_event(&self, event: &RunEvent<'_>) {
        match event {
            RunEvent::CheckJudged(check, judged) => self.print_check_verdict(check, judged),
            RunEvent::Message(words) => output::eprint_sanitized_line(format_args!("{words}")),
            RunEvent::RunFailed(_) => self.has_run_failed.store(true, Ordering::Relaxed),
            RunEvent::ActStarted(act) if !self.json => self.print_act_started(*act),
            RunEvent::ActStarted(_) | RunEvent::StepFinished(_) | RunEvent::TokensMade(_) => {}
        }
    }

    /// Prints that an act has started, and what it does.
    fn print_act_started(&self, act: Act) {
        let words = format!("… {}", act.act_needs_and_costs().description);
        self.print_human_line_stderr_if_json(&self.wrap_in_ansi_color(&words, "2"));
    }

    /// Prints the verdict of a check. Checks that do not apply are printed with `--json` only.
    fn print_check_verdict(&self, check: &Check, judged: &CheckResult) {
        let verdict = judged.verdict();
        let level = strictest_level_of_check(check.id);
        let detail = output::sanitize_for_terminal(&verdict_explanation(judged));
        if self.json {
            return print_json_line(&json!({
                "event": "check", "id": check.id, "title": check.title, "level": level, "verdict": verdict,
                "detail": detail, "expected_to_fail": self.policy.expected.is_failure_expected(check.id),
            }));
        }
        // Checks that do not apply are only counted at the end, to keep the list short.
        if verdict == Verdict::NotApplicable
            || self.has_run_failed.load(Ordering::Relaxed) && !verdict.is_pass_or_fail()
        {
            return;
        }
        let effect = self.policy.effect_of_verdict(check.id, level, verdict);
        let colour = match (effect, verdict) {
            (VerdictEffectOnRun::Failure | VerdictEffectOnRun::Stale, _) => "1;31",
            (VerdictEffectOnRun::Warning, _) => "33",
            (VerdictEffectOnRun::Neutral, Verdict::Pass) => "32",
            (VerdictEffectOnRun::Neutral | VerdictEffectOnRun::KnownFailure, _) => "36",
        };
        if verdict == Verdict::Skipped {
            let mark = self.wrap_in_ansi_color(&format!("{:<WORD$}", verdict.as_str()), "2");
            let line = format!("{mark}  {:<6} {}", level.uppercase_level(), check.title);
            return self.skipped_lines.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
        let mark = self.wrap_in_ansi_color(&format!("{:<WORD$}", effect.verdict_word(verdict)), colour);
        self.print_human_line_stderr_if_json(&format!("{mark}  {:<6} {}", level.uppercase_level(), check.title));
        match (judged, verdict) {
            (CheckResult::Fail(findings), _) => {
                for finding in findings {
                    self.print_human_line_stderr_if_json(&format!(
                        "        expected  {}",
                        output::sanitize_for_terminal(&finding.expected)
                    ));
                    self.print_human_line_stderr_if_json(&format!(
                        "        received  {}",
                        output::sanitize_for_terminal(&finding.received)
                    ));
                }
                self.print_human_line_stderr_if_json(&format!("        to do     {}", check.remedy));
                self.print_human_line_stderr_if_json(
                    &self.wrap_in_ansi_color(&format!("        check     {}", check.id), "2"),
                );
            }
            _ if effect == VerdictEffectOnRun::Stale => {
                self.print_human_line_stderr_if_json("        to do     remove it from the list of known failures");
                self.print_human_line_stderr_if_json(
                    &self.wrap_in_ansi_color(&format!("        check     {}", check.id), "2"),
                );
            }
            (_, Verdict::Inconclusive) => self.print_human_line_stderr_if_json(&format!("        {detail}")),
            _ => {}
        }
    }

    /// Prints the summary of a run.
    pub(super) fn print_summary(&self, report: &Report, remedy: Option<&str>, changes: Option<&[VerdictChange]>) {
        if self.json {
            if let Some(changes) = changes {
                print_json_line(&json!({"event": "changes", "changes": changes}));
            }
            let ids = |effect| {
                let checks = report.checks_with_effect(effect);
                checks.into_iter().map(|check| check.id.clone()).collect::<Vec<_>>()
            };
            return print_json_line(&json!({
                "event": "ended", "exit": report.exit, "code": report.error_code, "message": report.summary(),
                "remedy": remedy, "score": report.score,
                "coverage": report.coverage, "budget": report.budget,
                "fail_on": report.fail_on, "known_failures": ids(VerdictEffectOnRun::KnownFailure),
                "stale": ids(VerdictEffectOnRun::Stale),
            }));
        }
        let skipped = std::mem::take(&mut *self.skipped_lines.lock().unwrap_or_else(PoisonError::into_inner));
        // Of a run that judged nothing, they would bury the reason.
        if report.has_passed_or_failed_check() || report.error.is_none() {
            for line in &skipped {
                self.print_human_line_stderr_if_json(line);
            }
        }
        self.print_human_line_stderr_if_json("");
        let colour = if report.exit != 0 {
            "1;31"
        } else if !report.failed_checks().is_empty() {
            "1;33"
        } else {
            "1;32"
        };
        self.print_human_line_stderr_if_json(
            &self.wrap_in_ansi_color(&format!("{}.", output::sanitize_for_terminal(&report.summary())), colour),
        );
        if let Some(remedy) = remedy {
            self.print_human_line_stderr_if_json(&format!("What to do: {}.", output::sanitize_for_terminal(remedy)));
        }
        if report.error.is_some() && !report.has_passed_or_failed_check() {
            return;
        }
        let coverage = &report.coverage;
        self.print_human_line_stderr_if_json(&format!(
            "Coverage: {} of {} requirements judged ({} %); {} do not apply here, {} cannot be tested.",
            coverage.judged,
            coverage.judgeable_requirement_count(),
            coverage.judged_requirements_percent(),
            coverage.not_applicable,
            coverage.untestable
        ));
        let budget = &report.budget;
        self.print_human_line_stderr_if_json(&format!(
            "Used: {}, {}.",
            count_with_noun(budget.tokens_made, "Export Token"),
            count_with_noun(budget.avatars_consumed, "avatar")
        ));
        for row in &report.latency {
            self.print_human_line_stderr_if_json(&format!(
                "Time: {:<8} {:>4} answers, median {} ms, 95 % within {} ms, slowest {} ms",
                row.call, row.answers, row.p50_ms, row.p95_ms, row.max_ms
            ));
        }
        self.print_changes_since_baseline(changes);
    }

    /// Prints the verdicts that changed since the report of `--baseline`.
    fn print_changes_since_baseline(&self, changes: Option<&[VerdictChange]>) {
        match changes {
            None => {}
            Some([]) => self.print_human_line_stderr_if_json("Since the baseline: no verdict changed."),
            Some(changes) => {
                self.print_human_line_stderr_if_json("Since the baseline:");
                for change in changes {
                    let words = format!("  {}", change.describe_change());
                    self.print_human_line_stderr_if_json(
                        &self.wrap_in_ansi_color(&words, if change.is_new_failure() { "31" } else { "0" }),
                    );
                }
            }
        }
    }

    /// Prints a line for people: to stdout, or to stderr with `--json`, where stdout is JSON only.
    pub(super) fn print_human_line_stderr_if_json(&self, words: &str) {
        if self.json {
            output::eprint_sanitized_line(format_args!("{words}"));
        } else {
            output::print_stdout_line(format_args!("{words}"));
        }
    }

    /// Whether the output is JSON (`--json`).
    pub(super) fn is_json_output(&self) -> bool {
        self.json
    }

    /// Wraps words in a colour, if colours are shown.
    fn wrap_in_ansi_color(&self, words: &str, colour: &str) -> String {
        if self.colours { format!("\u{1b}[{colour}m{words}\u{1b}[0m") } else { words.to_owned() }
    }
}

/// Prints a value as one line of JSON to stdout.
pub(super) fn print_json_line(value: &Value) {
    output::print_json_line(value);
}

/// Explains the result of a check in one text: for a failed check its first finding, otherwise what was observed or the
/// reason.
fn verdict_explanation(judged: &CheckResult) -> String {
    match judged {
        CheckResult::Pass(words, _)
        | CheckResult::Skipped(words)
        | CheckResult::Inconclusive(words)
        | CheckResult::NotApplicable(words) => words.clone(),
        CheckResult::Fail(findings) => findings
            .first()
            .map_or_else(String::new, |finding| format!("expected {}, came {}", finding.expected, finding.received)),
    }
}
