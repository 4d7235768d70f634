//! Prints the progress of a run: as text for people, as JSON Lines for programs.

use crate::common_options::Common;
use crate::output;
use serde_json::{Value, json};
use std::io::IsTerminal;
use validate::act::Act;

use validate::check::{Check, Judged};
use validate::plan::counted;
use validate::report::change::Change;
use validate::requirement::level_of;
use validate::{Event, Level, Plan, Report, Target, Verdict};

/// Width of the verdict column: its longest word.
const WORD: usize = "inconclusive".len();

pub(super) struct Show {
    json: bool,
    colours: bool,
}

impl Show {
    pub(super) fn new(common: &Common) -> Self {
        let colours =
            !common.no_color && std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self { json: common.json, colours }
    }

    /// Prints what the run will cost, before it starts.
    pub(super) fn planned(&self, target: &Target, plan: &Plan, sandbox: bool) {
        if self.json {
            let left_out: Vec<_> = plan.skipped().map(|(act, why)| json!({"act": act, "why": why})).collect();
            return line(&json!({
                "event": "planned", "profile": target.name, "api_url": target.backend.base_url.as_str(),
                "sandbox": sandbox, "tokens": plan.tokens, "tokens_at_risk": plan.tokens_at_risk,
                "avatars": plan.avatars, "left_out": left_out,
            }));
        }
        let kind = if sandbox { ", a sandbox" } else { "" };
        self.say(&format!("Checking {} (profile {}{kind})", target.backend.base_url, target.name));
        plan.words().iter().for_each(|words| self.say(words));
        self.say("");
    }

    pub(super) fn event(&self, event: &Event<'_>) {
        match event {
            Event::Judged(check, judged) => self.judged(check, judged),
            Event::Note(words) => output::people(format_args!("{words}")),
            Event::Began(act) if !self.json => self.began(*act),
            Event::Began(_) | Event::Step(_) | Event::Made(_) => {}
        }
    }

    fn began(&self, act: Act) {
        let words = format!("… {}", act.cost().does);
        self.say(&self.painted(&words, "2"));
    }

    fn judged(&self, check: &Check, judged: &Judged) {
        let verdict = judged.verdict();
        let level = level_of(check.id);
        let detail = output::tame(&detail(judged));
        if self.json {
            return line(&json!({
                "event": "check", "id": check.id, "title": check.title, "level": level, "verdict": verdict,
                "detail": detail,
            }));
        }
        // Checks that do not apply are only counted at the end, to keep the list short.
        if verdict == Verdict::NotApplicable {
            return;
        }
        let colour = match (verdict, level) {
            (Verdict::Pass, _) => "32",
            (Verdict::Fail, Level::Must) => "1;31",
            (Verdict::Fail, Level::Should) => "33",
            (Verdict::Skipped, _) => "2",
            _ => "36",
        };
        let mark = self.painted(&format!("{:<WORD$}", verdict.word(level)), colour);
        self.say(&format!("{mark}  {:<6} {}", level.as_str(), check.title));
        match (judged, verdict) {
            (Judged::Fail(findings), _) => {
                for finding in findings {
                    self.say(&format!("        expected  {}", output::tame(&finding.expected)));
                    self.say(&format!("        received  {}", output::tame(&finding.came)));
                }
                self.say(&format!("        to do     {}", check.remedy));
                self.say(&self.painted(&format!("        check     {}", check.id), "2"));
            }
            (_, Verdict::Inconclusive) => self.say(&format!("        {detail}")),
            _ => {}
        }
    }

    /// Prints the summary of a run.
    pub(super) fn ended(&self, report: &Report, changes: Option<&[Change]>) {
        if self.json {
            if let Some(changes) = changes {
                line(&json!({"event": "changes", "changes": changes}));
            }
            return line(&json!({
                "event": "ended", "exit": report.exit, "message": report.summary(), "score": report.score,
                "coverage": report.coverage, "budget": report.budget,
            }));
        }
        self.say("");
        let colour = if report.exit != 0 {
            "1;31"
        } else if report.score.should.failed > 0 {
            "1;33"
        } else {
            "1;32"
        };
        self.say(&self.painted(&format!("{}.", output::tame(&report.summary())), colour));
        let coverage = &report.coverage;
        self.say(&format!(
            "Coverage: {} of {} requirements judged ({} %); {} do not apply here, {} cannot be tested.",
            coverage.judged,
            coverage.applicable(),
            coverage.percent(),
            coverage.not_applicable,
            coverage.untestable
        ));
        let budget = &report.budget;
        self.say(&format!(
            "Used: {}, {}.",
            counted(budget.tokens_made, "Export Token"),
            counted(budget.avatars_consumed, "avatar")
        ));
        for row in &report.latency {
            self.say(&format!(
                "Time: {:<8} {:>4} answers, median {} ms, 95 % within {} ms, slowest {} ms",
                row.call, row.answers, row.p50_ms, row.p95_ms, row.max_ms
            ));
        }
        self.changed(changes);
    }

    fn changed(&self, changes: Option<&[Change]>) {
        match changes {
            None => {}
            Some([]) => self.say("Since the baseline: no verdict changed."),
            Some(changes) => {
                self.say("Since the baseline:");
                for change in changes {
                    let words = format!("  {}", change.words());
                    self.say(&self.painted(&words, if change.is_worse() { "31" } else { "0" }));
                }
            }
        }
    }

    /// Prints to stdout, or to stderr with --json, where stdout is JSON only.
    pub(super) fn say(&self, words: &str) {
        if self.json {
            output::people(format_args!("{words}"));
        } else {
            output::result(format_args!("{words}"));
        }
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    fn painted(&self, words: &str, colour: &str) -> String {
        if self.colours { format!("\u{1b}[{colour}m{words}\u{1b}[0m") } else { words.to_owned() }
    }
}

pub(super) fn line(value: &Value) {
    output::result(format_args!("{value}"));
}

fn detail(judged: &Judged) -> String {
    match judged {
        Judged::Pass(words, _)
        | Judged::Skipped(words)
        | Judged::Inconclusive(words)
        | Judged::NotApplicable(words) => words.clone(),
        Judged::Fail(findings) => findings.first().map_or_else(String::new, |finding| {
            format!("expected {}, came {}", finding.expected, finding.came)
        }),
    }
}
