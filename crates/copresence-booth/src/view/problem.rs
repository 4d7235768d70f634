//! The TypeScript declaration of [`Problem`].

pub use copresence_engine::problem::Problem;

use ts_rs::TS;

/// A failure for people: a stable code, and a sentence for each audience.
///
/// Declares [`Problem`] in TypeScript, because the engine does not depend on `ts-rs`. The conversion keeps the fields
/// equal.
#[derive(TS)]
#[ts(rename = "Problem")]
pub struct ProblemTypescriptDeclaration {
    /// Stable code, as in `backend_unreachable`.
    pub code: String,
    /// Sentence for the visitor.
    pub visitor: String,
    /// Sentence for the operator, with details.
    pub operator: String,
    /// What to do about it.
    pub hint: String,
    /// Whether trying again can help.
    pub retry_helps: bool,
}

impl From<Problem> for ProblemTypescriptDeclaration {
    fn from(problem: Problem) -> Self {
        let Problem { code, visitor, operator, hint, retry_helps } = problem;
        Self { code, visitor, operator, hint, retry_helps }
    }
}
