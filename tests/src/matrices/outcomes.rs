//! The outcomes of a visit after recovery, and the tables that count them.

use crate::report::Table;
use std::collections::BTreeMap;

/// The outcome of a visit after recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum VisitOutcome {
    /// The avatar is complete, in OUT, with the right digests.
    Saved,
    /// The received files are kept as incomplete, and the missing ones are listed.
    SavedInPart,
    /// The response was lost in the crash, and this is reported with the evidence.
    PossiblyConsumed,
    /// No token was in the journal: nothing was redeemed, so no avatar can be lost.
    ClosedWithoutToken,
    /// The journal has no visit.
    NoVisit,
}

/// Each outcome with its column head.
const OUTCOME_LABELS: [(VisitOutcome, &str); 5] = [
    (VisitOutcome::Saved, "saved"),
    (VisitOutcome::SavedInPart, "in part"),
    (VisitOutcome::PossiblyConsumed, "possibly consumed"),
    (VisitOutcome::ClosedWithoutToken, "closed, no token"),
    (VisitOutcome::NoVisit, "no visit"),
];

/// What a crash left, for the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CrashSummary {
    /// Whether the backend had sent a response with the URLs.
    pub(crate) delivered: bool,
    /// Whether that response was on the disk.
    pub(crate) on_disk: bool,
}

/// The result of one cell.
pub(crate) struct Verdict {
    pub(crate) crash: CrashSummary,
    pub(crate) outcome: VisitOutcome,
    pub(crate) violations: Vec<String>,
}

/// The outcomes of the cells of one row.
#[derive(Default)]
pub(crate) struct OutcomeCounts {
    cells: u32,
    delivered: u32,
    on_disk: u32,
    outcomes: BTreeMap<VisitOutcome, u32>,
    violated: u32,
}

impl OutcomeCounts {
    /// Counts a cell. `None` if it could not run.
    pub(crate) fn count_cell(&mut self, verdict: Option<&Verdict>) {
        self.cells += 1;
        let Some(verdict) = verdict else {
            self.violated += 1;
            return;
        };
        self.delivered += u32::from(verdict.crash.delivered);
        self.on_disk += u32::from(verdict.crash.on_disk);
        *self.outcomes.entry(verdict.outcome).or_default() += 1;
        self.violated += u32::from(!verdict.violations.is_empty());
    }
}

/// A table of labelled rows. Outcomes that did not occur have no column.
pub(crate) fn outcome_table(
    title: &str,
    row_head: &str,
    cells_head: &str,
    rows: impl IntoIterator<Item = (String, OutcomeCounts)>,
) -> Table {
    let rows: Vec<(String, OutcomeCounts)> = rows.into_iter().collect();
    let occurred = |outcome: &VisitOutcome| rows.iter().any(|(_, row)| row.outcomes.contains_key(outcome));
    let shown: Vec<_> = OUTCOME_LABELS.iter().filter(|(outcome, _)| occurred(outcome)).collect();
    let mut head: Vec<String> = [row_head, cells_head, "delivered", "on disk"].map(str::to_owned).into();
    head.extend(shown.iter().map(|(_, label)| (*label).to_owned()));
    head.push("broken".to_owned());
    let figure = |count: u32| if count == 0 { "·".to_owned() } else { count.to_string() };
    let line = |(label, row): &(String, OutcomeCounts)| {
        let mut line = vec![label.clone(), row.cells.to_string(), figure(row.delivered), figure(row.on_disk)];
        line.extend(shown.iter().map(|(outcome, _)| figure(row.outcomes.get(outcome).copied().unwrap_or(0))));
        line.push(figure(row.violated));
        line
    };
    Table { title: title.to_owned(), rows: rows.iter().map(line).collect(), head }
}
