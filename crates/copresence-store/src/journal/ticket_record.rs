//! The values of tickets that the journal stores and returns.

use crate::visit_id::VisitId;
use jiff::Timestamp;

/// The ticket of a visit that was handed over: its visitor opens it with a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketRecord {
    /// The visit.
    pub visit: VisitId,
    /// First word of its name.
    pub colour: String,
    /// Second word of its name.
    pub symbol: String,
    /// Hash of its pickup code; `None` once it is closed.
    pub code_hash: Option<String>,
    /// Its place on the strip, in ascending order.
    pub place: u32,
    /// When the visit was handed over.
    pub handed_over_at: Timestamp,
    /// Number of wrong codes so far.
    pub wrong_codes: u32,
    /// When and how it was closed; `None` while it is live.
    pub closure: Option<TicketClosure>,
}

impl TicketRecord {
    /// Its name in English, for operators and logs, as in *Blue Comet*.
    pub fn english_name(&self) -> String {
        format_ticket_name_in_english(&self.colour, &self.symbol)
    }
}

/// The English name of a ticket with these words, as in *Blue Comet*, for operators and logs.
pub fn format_ticket_name_in_english(colour: &str, symbol: &str) -> String {
    let capitalize = |word: &str| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
    };
    format!("{} {}", capitalize(colour), capitalize(symbol))
}

/// When and how a ticket was closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketClosure {
    /// A stable word, as in `picked_up`.
    pub how: String,
    /// When.
    pub at: Timestamp,
}
