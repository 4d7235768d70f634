//! What changed since an earlier run.

use super::Report;
use crate::check::Verdict;
use crate::requirement::Level;
use serde::Serialize;
use std::collections::BTreeMap;

/// A check whose verdict is another than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// The check.
    pub id: String,
    /// How much it weighs.
    pub level: Level,
    /// Its verdict before; null when there was no such check.
    pub before: Option<Verdict>,
    /// Its verdict now; null when there is no such check any more.
    pub now: Option<Verdict>,
}

impl Change {
    /// Whether it was not failing before and is now.
    pub fn is_worse(&self) -> bool {
        self.now == Some(Verdict::Fail)
    }

    /// In one line.
    pub fn words(&self) -> String {
        let word = |verdict: Option<Verdict>| verdict.map_or("not there", |verdict| verdict.word(self.level));
        format!("{} ({}): {} → {}", self.id, self.level.as_str(), word(self.before), word(self.now))
    }
}

/// Every check whose verdict changed; what has become worse first.
pub fn changes(before: &Report, now: &Report) -> Vec<Change> {
    let verdicts = |report: &Report| {
        report
            .checks
            .iter()
            .map(|check| (check.id.clone(), (check.level, check.verdict)))
            .collect::<BTreeMap<_, _>>()
    };
    let (old, new) = (verdicts(before), verdicts(now));
    let ids: std::collections::BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let change = |id: &String| {
        let (was, is) = (old.get(id), new.get(id));
        let level = is.or(was)?.0;
        let (before, now) = (was.map(|row| row.1), is.map(|row| row.1));
        (before != now).then(|| Change { id: id.clone(), level, before, now })
    };
    let mut changes: Vec<_> = ids.into_iter().filter_map(change).collect();
    changes.sort_by_key(|change| (!change.is_worse(), change.level));
    changes
}
