//! What becomes of a visit, and the tables that count it.

use crate::report::Table;
use std::collections::BTreeMap;

/// What becomes of a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fate {
    /// Whole, in OUT, with the right digests.
    Saved,
    /// What came is kept as incomplete, and what is missing is named.
    InPart,
    /// The answer was lost with the crash; said so, with the evidence.
    PossiblyConsumed,
    /// No token was in the journal: nothing was redeemed, and no avatar can be lost.
    Closed,
    /// There is no visit at all.
    Nothing,
}

/// What a crash left of it, for the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    /// The backend had answered a redeem with the URLs.
    pub(crate) delivered: bool,
    /// That answer was on the disk.
    pub(crate) on_disk: bool,
}

/// How it went on.
pub(crate) struct Verdict {
    pub(crate) left: Left,
    pub(crate) fate: Fate,
    pub(crate) breaches: Vec<String>,
}

/// The fates as the tables name them.
const FATES: [(Fate, &str); 5] = [
    (Fate::Saved, "saved"),
    (Fate::InPart, "in part"),
    (Fate::PossiblyConsumed, "possibly consumed"),
    (Fate::Closed, "closed, no token"),
    (Fate::Nothing, "no visit"),
];

/// What became of the cells of one row.
#[derive(Default)]
pub(crate) struct Row {
    cells: u32,
    delivered: u32,
    on_disk: u32,
    fates: BTreeMap<Fate, u32>,
    broken: u32,
}

impl Row {
    /// Counts a cell; `None`: it could not run.
    pub(crate) fn add(&mut self, verdict: Option<&Verdict>) {
        self.cells += 1;
        let Some(verdict) = verdict else {
            self.broken += 1;
            return;
        };
        self.delivered += u32::from(verdict.left.delivered);
        self.on_disk += u32::from(verdict.left.on_disk);
        *self.fates.entry(verdict.fate).or_default() += 1;
        self.broken += u32::from(!verdict.breaches.is_empty());
    }
}

/// A table of rows, each with its words; fates that none of them met have no column.
pub(crate) fn table(
    title: &str,
    what: &str,
    cells: &str,
    rows: impl IntoIterator<Item = (String, Row)>,
) -> Table {
    let rows: Vec<(String, Row)> = rows.into_iter().collect();
    let met = |fate: &Fate| rows.iter().any(|(_, row)| row.fates.contains_key(fate));
    let shown: Vec<_> = FATES.iter().filter(|(fate, _)| met(fate)).collect();
    let mut head: Vec<String> = [what, cells, "delivered", "on disk"].map(str::to_owned).into();
    head.extend(shown.iter().map(|(_, word)| (*word).to_owned()));
    head.push("broken".to_owned());
    let figure = |count: u32| if count == 0 { "·".to_owned() } else { count.to_string() };
    let line = |(words, row): &(String, Row)| {
        let mut line = vec![words.clone(), row.cells.to_string(), figure(row.delivered), figure(row.on_disk)];
        line.extend(shown.iter().map(|(fate, _)| figure(row.fates.get(fate).copied().unwrap_or(0))));
        line.push(figure(row.broken));
        line
    };
    Table { title: title.to_owned(), rows: rows.iter().map(line).collect(), head }
}
