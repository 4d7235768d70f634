//! The outcomes of Export Tokens, and their numbers.

/// The outcome of one Export Token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IssuedTokenOutcome {
    /// It may still deliver an avatar.
    Active,
    /// It delivered an avatar.
    Spent,
    /// It ended without an avatar.
    Abandoned,
}

impl IssuedTokenOutcome {
    /// The stable word, in the database and in JSON.
    pub fn as_stable_word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Spent => "spent",
            Self::Abandoned => "abandoned",
        }
    }
}

/// Numbers of Export Tokens by their outcome, including those of visits that were deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenCounts {
    /// Tokens that may still deliver an avatar.
    pub active: u32,
    /// Tokens that delivered one.
    pub spent: u32,
    /// Tokens that ended without one.
    pub abandoned: u32,
}

impl TokenCounts {
    /// Tokens issued: the sum of all.
    pub fn issued_token_count(self) -> u32 {
        self.active.saturating_add(self.spent).saturating_add(self.abandoned)
    }
}
