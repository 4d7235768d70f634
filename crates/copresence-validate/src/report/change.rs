//! Compares the verdicts of two runs.

use super::Report;
use crate::check::Verdict;
use crate::requirement::Level;
use serde::Serialize;
use std::collections::BTreeMap;

/// A check whose verdict differs from that of an earlier run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerdictChange {
    /// Id of the check.
    pub id: String,
    /// Level of the check.
    pub level: Level,
    /// The earlier verdict; null if the check did not exist.
    pub before: Option<Verdict>,
    /// The current verdict; null if the check no longer exists.
    pub now: Option<Verdict>,
}

impl VerdictChange {
    /// Whether the check fails now and did not before.
    pub fn is_new_failure(&self) -> bool {
        self.now == Some(Verdict::Fail)
    }

    /// The change in one line, as in `redeem.json (SHOULD): pass → warn`.
    pub fn describe_change(&self) -> String {
        let word = |verdict: Option<Verdict>| {
            verdict.map_or("not there", |verdict| verdict.verdict_word_for_level(self.level))
        };
        format!("{} ({}): {} → {}", self.id, self.level.uppercase_level(), word(self.before), word(self.now))
    }
}

/// Returns every check whose verdict changed, those that fail now first.
pub fn list_changed_verdicts(before: &Report, now: &Report) -> Vec<VerdictChange> {
    let verdicts = |report: &Report| {
        report.checks.iter().map(|check| (check.id.clone(), (check.level, check.verdict))).collect::<BTreeMap<_, _>>()
    };
    let (old, new) = (verdicts(before), verdicts(now));
    let ids: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let change = |id: &String| {
        let (was, is) = (old.get(id), new.get(id));
        let level = is.or(was)?.0;
        let (before, now) = (was.map(|row| row.1), is.map(|row| row.1));
        (before != now).then(|| VerdictChange { id: id.clone(), level, before, now })
    };
    let mut changes: Vec<_> = ids.into_iter().filter_map(change).collect();
    changes.sort_by_key(|change| (!change.is_new_failure(), change.level));
    changes
}
