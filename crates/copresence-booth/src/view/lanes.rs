//! Lanes: visits that continue in the background as tickets, so that the screen is free for the next visitor.
//!
//! Nothing here has a face, a file or a secret. The pickup code is only in [`Screen::Ticket`](super::Screen::Ticket),
//! which is shown once.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Settings of the lanes. All fields are read and written together.
///
/// # Defaults
/// 8 lanes, no automatic hand-over, 30 minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct LaneSettings {
    /// Maximum number of visits that continue as tickets, 0 to 8. With 0 there are no lanes, and the screen is busy until
    /// the avatar is saved.
    pub count: u32,
    /// Seconds without input, 5 to 300, after which a visit whose avatar is being made is handed over by itself; none
    /// means only on request.
    pub automatic_seconds: Option<u32>,
    /// Minutes, 1 to 1,440, that a ticket waits for its visitor. They count from the time when the avatar was saved or
    /// failed.
    pub ticket_minutes: u32,
}

impl Default for LaneSettings {
    fn default() -> Self {
        Self { count: 8, automatic_seconds: None, ticket_minutes: 30 }
    }
}

/// Name of a ticket: two words, colour and symbol, as in *Blue Comet*. Live tickets differ in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, TS)]
pub struct TicketName {
    /// First word, and the colour in which the symbol is drawn.
    pub colour: TicketColour,
    /// Second word, and the symbol that is drawn.
    pub symbol: TicketSymbol,
}

/// A ticket as everybody may see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct TicketView {
    /// Visit id; names the ticket in commands.
    pub visit: String,
    /// Colour and symbol.
    pub name: TicketName,
    /// What its visitor can do.
    pub state: TicketState,
    /// Progress of the avatar while it is being made, 0 to 100, if the backend reports it.
    pub progress: Option<u8>,
}

/// State of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum TicketState {
    /// Its visitor records with the phone; the code shows the QR code again.
    Recording,
    /// The avatar is queued, being made or being saved. The code is not accepted yet.
    Making,
    /// The avatar is saved; the code shows it.
    Ready,
    /// There is no complete avatar; the code shows why, and what its visitor can do.
    Failed,
    /// The ticket is closed: it expired, was opened elsewhere, or its visit was deleted. Only while its screen is still
    /// shown; a closed ticket is in no list.
    Closed,
}

/// The offer to free the screen while the visitor records with the phone, or while the avatar is being made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct NextVisitorOffer {
    /// Whether a lane is free. Otherwise the visit stays on the screen.
    pub has_free_lane: bool,
    /// Seconds without input after which the page hands the visit over by itself, if the operator wants that, a lane is
    /// free and the avatar is being made. Each input starts them again.
    pub automatic_seconds: Option<u32>,
}

/// State of the pickup code entry of a ticket, as the screen shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct PickupCodeEntryView {
    /// Whether an entered code is being checked. Other entries are ignored meanwhile.
    pub checking: bool,
    /// Whether the code that was entered last is wrong.
    pub wrong: bool,
    /// Attempts left before a wait: 3, 2 or 1. After a wait there is one.
    pub tries_left: u32,
    /// Time (RFC 3339) until which no code is accepted. Each further wrong code makes the wait longer.
    pub blocked_until: Option<String>,
}

/// A ticket as the operator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct OperatorTicketView {
    /// The ticket.
    pub ticket: TicketView,
    /// Time of the hand-over (RFC 3339).
    pub handed_over_at: String,
    /// Time at which it expires (RFC 3339); none while the avatar is being made.
    pub expires_at: Option<String>,
    /// Wrong codes so far.
    pub wrong_codes: u32,
}

/// Lanes as the operator sees them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct LanesPanelView {
    /// Settings.
    pub settings: LaneSettings,
    /// Live tickets, in the order of the strip.
    pub tickets: Vec<OperatorTicketView>,
    /// Export Tokens of the visits in the history, and of those that were deleted.
    pub tokens: ExportTokenOutcomeCountsView,
}

/// The outcomes of Export Tokens. Each is paid for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, TS)]
pub struct ExportTokenOutcomeCountsView {
    /// Tokens issued; the sum of the others.
    pub issued: u32,
    /// Tokens that may still deliver an avatar.
    pub active: u32,
    /// Tokens that delivered an avatar.
    pub spent: u32,
    /// Tokens that ended without an avatar: nobody scanned them, their visitor left, they expired or failed.
    pub abandoned: u32,
}

/// The outcome of one Export Token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum IssuedTokenOutcome {
    /// It may still deliver an avatar.
    Active,
    /// It delivered an avatar.
    Spent,
    /// It ended without an avatar.
    Abandoned,
}

impl From<copresence_store::IssuedTokenOutcome> for IssuedTokenOutcome {
    fn from(token_use: copresence_store::IssuedTokenOutcome) -> Self {
        match token_use {
            copresence_store::IssuedTokenOutcome::Active => Self::Active,
            copresence_store::IssuedTokenOutcome::Spent => Self::Spent,
            copresence_store::IssuedTokenOutcome::Abandoned => Self::Abandoned,
        }
    }
}

/// The ticket of a visit in the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
pub struct PastTicketView {
    /// Colour and symbol.
    pub name: TicketName,
    /// How it was closed; none while it is live.
    pub closed: Option<TicketClosing>,
}

/// Declares an enum whose variants have a stable word each, which JSON, the journal and the message keys share.
macro_rules! word_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, TS)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant),+
        }

        impl $name {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The stable word, as in JSON.
            pub fn as_stable_word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word),+
                }
            }

            /// The value of a stable word; `None` for an unknown one.
            pub fn parse_stable_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_stable_word() == word)
            }
        }
    };
}

word_enum! {
    /// Colour of a ticket, and the first word of its name. Eight, so that every lane can have its own.
    TicketColour {
        /// Blue.
        Blue = "blue",
        /// Red.
        Red = "red",
        /// Green.
        Green = "green",
        /// Yellow.
        Yellow = "yellow",
        /// Orange.
        Orange = "orange",
        /// Purple.
        Purple = "purple",
        /// Pink.
        Pink = "pink",
        /// White.
        White = "white",
    }
}

word_enum! {
    /// Symbol of a ticket, and the second word of its name.
    TicketSymbol {
        /// A comet.
        Comet = "comet",
        /// A crescent moon.
        Moon = "moon",
        /// An anchor.
        Anchor = "anchor",
        /// A bell.
        Bell = "bell",
        /// A kite.
        Kite = "kite",
        /// A key.
        Key = "key",
        /// A leaf.
        Leaf = "leaf",
        /// A crown.
        Crown = "crown",
        /// A rocket.
        Rocket = "rocket",
        /// A cloud.
        Cloud = "cloud",
        /// A feather.
        Feather = "feather",
        /// A mountain.
        Mountain = "mountain",
    }
}

word_enum! {
    /// How a ticket was closed.
    TicketClosing {
        /// Its visitor entered the code.
        PickedUp = "picked_up",
        /// The operator opened it.
        OpenedByOperator = "opened_by_operator",
        /// It expired.
        Expired = "expired",
    }
}

impl TicketName {
    /// The name in English, for the desk and the log, as in *Blue Comet*.
    pub fn to_english_name(self) -> String {
        copresence_store::format_ticket_name_in_english(self.colour.as_stable_word(), self.symbol.as_stable_word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_json() {
        for colour in TicketColour::ALL {
            assert_eq!(serde_json::to_value(colour).expect("plain data"), colour.as_stable_word());
            assert_eq!(TicketColour::parse_stable_word(colour.as_stable_word()), Some(*colour));
        }
        for symbol in TicketSymbol::ALL {
            assert_eq!(serde_json::to_value(symbol).expect("plain data"), symbol.as_stable_word());
            assert_eq!(TicketSymbol::parse_stable_word(symbol.as_stable_word()), Some(*symbol));
        }
        for closing in TicketClosing::ALL {
            assert_eq!(serde_json::to_value(closing).expect("plain data"), closing.as_stable_word());
        }
        assert_eq!(TicketColour::parse_stable_word("beige"), None);
    }

    #[test]
    fn names_have_two_words() {
        let name = TicketName { colour: TicketColour::Blue, symbol: TicketSymbol::Comet };
        assert_eq!(name.to_english_name(), "Blue Comet");
    }
}
