//! Verifies a passport: its signature, who signed it, and the verdicts by judging its evidence again.

use super::signed_envelope::{EnvelopeError, open_envelope};
use super::{
    PASSPORT_VERSION, PREDICATE_TYPE, PassportSigner, PassportStatement, RequirementTableReference, STATEMENT_TYPE,
    VerdictDifference, list_verdict_differences,
};
use crate::check::Verdict;
use crate::evidence::RunEvidence;
use crate::observations::sha256_hex;
use crate::report::{CheckReport, JudgedChecks, RequirementCoverage, Score};
use crate::requirement::Level;

/// A passport that was read and judged again.
#[derive(Debug)]
pub struct PassportVerification {
    /// What the passport states.
    pub statement: PassportStatement,
    /// Who signed it.
    pub signer: PassportSigner,
    /// Every check, as the present program judges the evidence.
    pub checks: Vec<CheckReport>,
    /// Passed and failed checks by level, as judged now.
    pub score: Score,
    /// How many requirements were judged, as judged now.
    pub coverage: RequirementCoverage,
    /// How the requirements have changed since; `None` if they are the same.
    pub table_difference: Option<RequirementTableDifference>,
    /// The checks whose verdicts differ from the signed ones.
    pub verdict_differences: Vec<VerdictDifference>,
    /// Number of requests in the evidence.
    pub step_count: usize,
}

/// How the table of requirements of a passport differs from the present one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequirementTableDifference {
    /// Version of the passport's table.
    pub signed_version: u32,
    /// Version of the present table.
    pub present_version: u32,
    /// Ids of the requirements that the passport's table does not have.
    pub added: Vec<String>,
    /// Ids of the requirements that the present table does not have.
    pub removed: Vec<String>,
    /// Ids of the requirements whose rows differ.
    pub changed: Vec<String>,
}

/// Why a file is not accepted as a passport at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PassportRefusal {
    /// The file is not a passport; the reason.
    #[error("it is not a passport of `copresence validate --passport`: {0}")]
    NotAPassport(String),
    /// The passport is of a newer format.
    #[error(
        "the passport has format version {0}, but this program reads version {PASSPORT_VERSION}: use a newer program"
    )]
    NewerFormat(u32),
    /// The file was changed after it was signed.
    #[error("the signature does not match: the file was changed after {0} signed it, or was not signed by that key")]
    Altered(PassportSigner),
    /// The signed statement contradicts itself; the reason.
    #[error("the signed statement contradicts itself: {0}")]
    Contradictory(String),
}

/// Why a passport that can be read is not valid as it is. The first that applies is the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassportProblem {
    /// Somebody else signed it.
    OtherSigner,
    /// The table of requirements is the same, but the evidence gives other verdicts.
    VerdictsDiffer,
    /// It was judged by another table of requirements.
    OtherRequirements,
    /// A check fails that fails a run.
    CheckFailed,
}

impl PassportVerification {
    /// Reads a passport, checks its signature, and judges its evidence again by the present checks.
    ///
    /// # Errors
    /// The file is not a passport, was changed, or contradicts itself.
    pub fn verify_passport(text: &[u8]) -> Result<Self, PassportRefusal> {
        let (payload, signer) = open_envelope(text).map_err(|error| match error {
            EnvelopeError::NotAnEnvelope(why) => PassportRefusal::NotAPassport(why),
            EnvelopeError::SignatureMismatch(signer) => PassportRefusal::Altered(signer),
        })?;
        let statement = parse_statement(&payload)?;
        let recorded = statement.predicate.evidence.get();
        let digest = sha256_hex(recorded.as_bytes());
        let is_subject = |subject: &super::PassportSubject| {
            subject.name == "evidence" && subject.digest.get("sha256") == Some(&digest)
        };
        if !statement.subject.iter().any(is_subject) {
            return Err(PassportRefusal::Contradictory("the digest of the evidence is another".to_owned()));
        }
        let contradictory = |why: String| PassportRefusal::Contradictory(why);
        let evidence: RunEvidence = serde_json::from_str(recorded).map_err(|error| contradictory(error.to_string()))?;
        let results = evidence.judge_evidence().map_err(|error| contradictory(error.to_string()))?;
        let JudgedChecks { checks, score, coverage, .. } = JudgedChecks::new(&results);
        Ok(Self {
            signer,
            score,
            coverage,
            table_difference: compare_requirement_tables(&statement.predicate.requirements),
            verdict_differences: list_verdict_differences(&statement.predicate.checks, &checks),
            step_count: evidence.steps.len(),
            checks,
            statement,
        })
    }

    /// What is wrong with the passport; `None` if nothing is. `expected` is the signer that the reader trusts. Failed
    /// checks of levels below `fail_on` are not counted.
    pub fn find_first_problem(&self, expected: Option<&PassportSigner>, fail_on: Level) -> Option<PassportProblem> {
        if expected.is_some_and(|expected| *expected != self.signer) {
            return Some(PassportProblem::OtherSigner);
        }
        match &self.table_difference {
            None if !self.verdict_differences.is_empty() => return Some(PassportProblem::VerdictsDiffer),
            Some(_) => return Some(PassportProblem::OtherRequirements),
            None => {}
        }
        self.failed_checks_of_level_or_stricter(fail_on).next().map(|_| PassportProblem::CheckFailed)
    }

    /// The checks of this level and stricter ones that fail, as judged now.
    pub fn failed_checks_of_level_or_stricter(&self, fail_on: Level) -> impl Iterator<Item = &CheckReport> {
        self.checks.iter().filter(move |check| check.verdict == Verdict::Fail && check.level <= fail_on)
    }
}

/// Parses the payload of an envelope.
fn parse_statement(payload: &[u8]) -> Result<PassportStatement, PassportRefusal> {
    let not = |why: String| PassportRefusal::NotAPassport(why);
    let value: serde_json::Value = serde_json::from_slice(payload).map_err(|error| not(error.to_string()))?;
    if value["_type"] != STATEMENT_TYPE || value["predicateType"] != PREDICATE_TYPE {
        return Err(not("it signs a statement of another kind".to_owned()));
    }
    let version = value["predicate"]["passport_version"].as_u64().and_then(|version| u32::try_from(version).ok());
    match version {
        Some(version) if version > PASSPORT_VERSION => return Err(PassportRefusal::NewerFormat(version)),
        Some(_) => {}
        None => return Err(not("it has no format version".to_owned())),
    }
    serde_json::from_slice(payload).map_err(|error| not(error.to_string()))
}

/// Compares the table of a passport with the present one. `None` if they are the same.
fn compare_requirement_tables(signed: &RequirementTableReference) -> Option<RequirementTableDifference> {
    let present = RequirementTableReference::table_of_this_program();
    if present == *signed {
        return None;
    }
    let missing_in = |table: &RequirementTableReference, id: &String| !table.rows.contains_key(id);
    let keys = |table: &RequirementTableReference| table.rows.keys().cloned().collect::<Vec<_>>();
    let is_changed = |id: &String| signed.rows.get(id).is_some_and(|row| present.rows.get(id) != Some(row));
    Some(RequirementTableDifference {
        signed_version: signed.version,
        present_version: present.version,
        added: keys(&present).into_iter().filter(|id| missing_in(signed, id)).collect(),
        removed: keys(signed).into_iter().filter(|id| missing_in(&present, id)).collect(),
        changed: keys(&present).into_iter().filter(|id| is_changed(id)).collect(),
    })
}
