//! Verifies a passport: its signature, who signed it, and the verdicts by judging its evidence again.

use super::signed_envelope::{EnvelopeError, parse_envelope_and_verify_signature};
use super::{
    MAX_PASSPORT_BYTES, PASSPORT_VERSION, PREDICATE_TYPE, PassportSignerPublicKey, PassportStatement,
    RejudgedVerdictDifference, RequirementTableReference, STATEMENT_TYPE, list_verdict_differences,
};
use crate::check::{Check, CheckResult, Verdict};
use crate::evidence::{InconsistentRunEvidence, RunEvidence};
use crate::observations::sha256_hex;
use crate::report::{CheckReport, JudgedChecks, RequirementCoverage, Score};
use crate::requirement::Level;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::sync::mpsc;
use std::time::Duration;

/// Time limit for judging the evidence of a passport. That of a real run takes less than a second.
const JUDGING_TIME_LIMIT: Duration = Duration::from_mins(1);

/// A passport that was read and judged again.
#[derive(Debug)]
pub struct RejudgedPassport {
    /// What the passport states.
    pub statement: PassportStatement,
    /// Who signed it.
    pub signer: PassportSignerPublicKey,
    /// Every check, as the present program judges the evidence.
    pub checks: Vec<CheckReport>,
    /// Passed and failed checks by level, as judged now.
    pub score: Score,
    /// How many requirements were judged, as judged now.
    pub coverage: RequirementCoverage,
    /// How the requirements have changed since; `None` if they are the same.
    pub table_difference: Option<RequirementTableDifference>,
    /// The checks whose verdicts differ from the signed ones.
    pub verdict_differences: Vec<RejudgedVerdictDifference>,
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
    Altered(PassportSignerPublicKey),
    /// The signed statement contradicts itself; the reason.
    #[error("the signed statement contradicts itself: {0}")]
    Contradictory(String),
    /// The evidence was not judged within this time. That of a run is judged at once.
    #[error("its evidence could not be judged within {0:?}, so it is not the evidence of a run")]
    TooSlow(Duration),
}

/// Why a passport that can be read is not valid as it is. The first that applies is the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PassportInvalidityReason {
    /// Somebody else signed it.
    OtherSigner,
    /// The table of requirements is the same, but the evidence gives other verdicts.
    VerdictsDiffer,
    /// It was judged by another table of requirements.
    OtherRequirements,
    /// A check fails that fails a run.
    CheckFailed,
}

impl RejudgedPassport {
    /// Reads a passport, checks its signature, and judges its evidence again by the present checks, within a minute.
    ///
    /// # Errors
    /// The file is not a passport, was changed, contradicts itself, or takes too long to judge.
    pub fn verify_and_rejudge_passport(text: &[u8]) -> Result<Self, PassportRefusal> {
        Self::verify_passport_within_time_limit(text, JUDGING_TIME_LIMIT)
    }

    /// As [`verify_and_rejudge_passport`](Self::verify_and_rejudge_passport), with another time limit for judging the evidence.
    ///
    /// # Errors
    /// The file is not a passport, was changed, contradicts itself, or takes longer to judge.
    pub fn verify_passport_within_time_limit(
        text: &[u8],
        judging_time_limit: Duration,
    ) -> Result<Self, PassportRefusal> {
        if text.len() > MAX_PASSPORT_BYTES {
            let why = format!("it is larger than {} MiB", MAX_PASSPORT_BYTES >> 20);
            return Err(PassportRefusal::NotAPassport(why));
        }
        let (payload, signer) = parse_envelope_and_verify_signature(text).map_err(|error| match error {
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
        let step_count = evidence.steps.len();
        let results = judge_evidence_on_timed_thread(evidence, judging_time_limit)?;
        let JudgedChecks { checks, score, coverage, .. } = JudgedChecks::new(&results);
        Ok(Self {
            signer,
            score,
            coverage,
            table_difference: compare_requirement_tables(&statement.predicate.requirements),
            verdict_differences: list_verdict_differences(&statement.predicate.checks, &checks),
            step_count,
            checks,
            statement,
        })
    }

    /// What is wrong with the passport; `None` if nothing is. `expected` is the signer that the reader trusts. Failed
    /// checks of levels below `fail_on` are not counted.
    pub fn find_first_problem(
        &self,
        expected: Option<&PassportSignerPublicKey>,
        fail_on: Level,
    ) -> Option<PassportInvalidityReason> {
        if expected.is_some_and(|expected| *expected != self.signer) {
            return Some(PassportInvalidityReason::OtherSigner);
        }
        match &self.table_difference {
            None if !self.verdict_differences.is_empty() => return Some(PassportInvalidityReason::VerdictsDiffer),
            Some(_) => return Some(PassportInvalidityReason::OtherRequirements),
            None => {}
        }
        self.failed_checks_of_level_or_stricter(fail_on).next().map(|_| PassportInvalidityReason::CheckFailed)
    }

    /// The checks of this level and stricter ones that fail, as judged now.
    pub fn failed_checks_of_level_or_stricter(&self, fail_on: Level) -> impl Iterator<Item = &CheckReport> {
        self.checks.iter().filter(move |check| check.verdict == Verdict::Fail && check.level <= fail_on)
    }
}

/// Judges evidence on a thread of its own, which is left alone if it does not end within the time: a stranger may have
/// made it up.
fn judge_evidence_on_timed_thread(
    evidence: RunEvidence,
    time_limit: Duration,
) -> Result<Vec<(&'static Check, CheckResult)>, PassportRefusal> {
    let contradictory = |why: String| PassportRefusal::Contradictory(why);
    let (sender, receiver) = mpsc::channel();
    let judge = move || {
        // Without a receiver the time is over.
        _ = sender.send(evidence.judge_evidence());
    };
    std::thread::Builder::new()
        .name("passport-judge".to_owned())
        .spawn(judge)
        .map_err(|error| contradictory(format!("no thread could be started to judge it: {error}")))?;
    match receiver.recv_timeout(time_limit) {
        Ok(judged) => judged.map_err(|error: InconsistentRunEvidence| contradictory(error.to_string())),
        Err(mpsc::RecvTimeoutError::Timeout) => Err(PassportRefusal::TooSlow(time_limit)),
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(contradictory("judging its evidence failed".to_owned())),
    }
}

/// What a statement says about its kind. Nothing else of it is kept: a stranger may have made up the rest.
#[derive(Deserialize)]
struct StatementKind<'a> {
    #[serde(rename = "_type", default)]
    statement_type: Option<String>,
    #[serde(rename = "predicateType", default)]
    predicate_type: Option<String>,
    #[serde(borrow, default)]
    predicate: Option<&'a RawValue>,
}

/// The format version in a predicate.
#[derive(Deserialize)]
struct PredicateVersion {
    passport_version: u32,
}

/// Parses the payload of an envelope.
fn parse_statement(payload: &[u8]) -> Result<PassportStatement, PassportRefusal> {
    let not = |why: String| PassportRefusal::NotAPassport(why);
    let kind: StatementKind = serde_json::from_slice(payload).map_err(|error| not(error.to_string()))?;
    if kind.statement_type.as_deref() != Some(STATEMENT_TYPE) || kind.predicate_type.as_deref() != Some(PREDICATE_TYPE)
    {
        return Err(not("it signs a statement of another kind".to_owned()));
    }
    let version = kind.predicate.and_then(|predicate| serde_json::from_str(predicate.get()).ok());
    match version {
        Some(PredicateVersion { passport_version }) if passport_version > PASSPORT_VERSION => {
            return Err(PassportRefusal::NewerFormat(passport_version));
        }
        Some(_) => {}
        None => return Err(not("it has no format version".to_owned())),
    }
    serde_json::from_slice(payload).map_err(|error| not(error.to_string()))
}

/// Compares the table of a passport with the present one. `None` if they are the same.
fn compare_requirement_tables(signed: &RequirementTableReference) -> Option<RequirementTableDifference> {
    let present = RequirementTableReference::refer_to_own_requirement_table();
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
