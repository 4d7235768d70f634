//! Passports: signed statements of the verdicts of a run, with the evidence by which they can be judged again.
//!
//! A passport is an in-toto statement in a DSSE envelope ([`signed_envelope`]), so that other tools can check its
//! signature. Its predicate is a [`PassportPredicate`].

mod signed_envelope;
mod signing_key;
mod verification;

use crate::check::Verdict;
use crate::evidence::{InconsistentRunEvidence, RunEvidence};
use crate::observations::sha256_hex;
use crate::report::{
    CheckReport, JudgedChecks, PlannedAndUsedTokensAndAvatars, Report, RequirementCoverage, Score, TargetReport, Tool,
};
use crate::requirement::{all_requirements, requirement_table_version};
use crate::run::RunResult;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

pub use signing_key::{PassportKeyError, PassportSignerPublicKey, PassportSigningKey};
pub use verification::{PassportInvalidityReason, PassportRefusal, RejudgedPassport, RequirementTableDifference};

/// Version of the passport format. Increases if a field is removed or changes its meaning, but not for new fields.
const PASSPORT_VERSION: u32 = 1;
/// Maximum size of a passport, in bytes. That of a run has about 200 kB, and one of a slow avatar a few megabytes.
/// Reading a passport takes several times its size.
pub const MAX_PASSPORT_BYTES: usize = 32 << 20;
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE: &str = "urn:copresence:validate:passport:v1";

/// What a passport signs: an in-toto statement.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PassportStatement {
    /// Type of the statement, `https://in-toto.io/Statement/v1`.
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// What the statement is about, by digests: the recorded evidence, and each delivered file.
    pub subject: Vec<PassportSubject>,
    /// Type of the predicate, `urn:copresence:validate:passport:v1`.
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// The verdicts and their evidence.
    pub predicate: PassportPredicate,
}

/// Something that a statement is about, and its digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PassportSubject {
    /// `evidence`, or `file 1 (glb)`.
    pub name: String,
    /// The digest by its algorithm, `sha256`, in hexadecimal. That of the evidence is over its JSON in the payload.
    pub digest: BTreeMap<String, String>,
}

/// The verdicts of a run, and the evidence by which they can be judged again.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct PassportPredicate {
    /// Version of the passport format.
    pub passport_version: u32,
    /// The program that made the passport.
    pub tool: Tool,
    /// When the run started (RFC 3339).
    pub started_at: String,
    /// When the run ended (RFC 3339).
    pub ended_at: String,
    /// The backend that was checked.
    pub target: TargetReport,
    /// Planned and used tokens and avatars.
    pub budget: PlannedAndUsedTokensAndAvatars,
    /// The requirements by which the backend was judged.
    pub requirements: RequirementTableReference,
    /// Passed and failed checks by level.
    pub score: Score,
    /// How many requirements were judged.
    pub coverage: RequirementCoverage,
    /// Every check, judged from `evidence`.
    pub checks: Vec<CheckReport>,
    /// Everything that the run observed, without secrets.
    #[schemars(with = "RunEvidence")]
    pub evidence: Box<RawValue>,
}

/// The requirements by which a backend was judged: the version of the table, and a digest of each row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RequirementTableReference {
    /// Version of the table of requirements.
    pub version: u32,
    /// SHA-256 of each row, in hexadecimal, by its id.
    pub rows: BTreeMap<String, String>,
}

impl RequirementTableReference {
    /// Refers to the table of requirements that this program contains.
    pub(crate) fn refer_to_own_requirement_table() -> Self {
        let rows = all_requirements().iter().map(|row| (row.id.clone(), row.sha256_of_row()));
        Self { version: requirement_table_version(), rows: rows.collect() }
    }
}

/// A check whose verdict from the recorded evidence is not that of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejudgedVerdictDifference {
    /// Id of the check.
    pub check: String,
    /// The one verdict, as shown to people.
    pub before: String,
    /// The other verdict, as shown to people.
    pub after: String,
}

/// A passport, before it is written.
#[derive(Debug)]
pub struct SignedPassportToWrite {
    /// Content of the file.
    pub text: String,
    /// The checks whose verdict differs from the run's, because masking hid what decided them. Usually empty.
    pub differences: Vec<RejudgedVerdictDifference>,
}

/// Why a run gets no passport.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoPassportReason {
    /// The run ended early.
    #[error("the run ended early, so that there is nothing to certify")]
    RunEndedEarly,
    /// The evidence cannot be judged.
    #[error("{0}; please report this")]
    Evidence(#[from] InconsistentRunEvidence),
    /// It would be larger than [`MAX_PASSPORT_BYTES`], so that no program would read it.
    #[error("it would have {0} bytes, and at most {MAX_PASSPORT_BYTES} are read")]
    TooLarge(usize),
    /// The statement cannot be written as JSON.
    #[error("it cannot be written as JSON: {0}")]
    Json(String),
}

impl From<serde_json::Error> for NoPassportReason {
    fn from(error: serde_json::Error) -> Self {
        Self::Json(error.to_string())
    }
}

/// Signs a passport of a run and its report.
///
/// # Errors
/// The run ended early, or its evidence cannot be written or judged.
pub fn sign_passport(
    report: &Report,
    ended: &RunResult,
    key: &PassportSigningKey,
) -> Result<SignedPassportToWrite, NoPassportReason> {
    if ended.error.is_some() {
        return Err(NoPassportReason::RunEndedEarly);
    }
    let recorded = RunEvidence::build_run_evidence(ended);
    let evidence = serde_json::to_string(&recorded)?;
    // As a reader will do it: from what was written.
    let read_again: RunEvidence = serde_json::from_str(&evidence)?;
    let JudgedChecks { mut checks, score, coverage, .. } = JudgedChecks::new(&read_again.judge_evidence()?);
    mask_check_texts(&mut checks, &ended.redactor);
    let differences = list_verdict_differences(&report.checks, &checks);
    let statement = PassportStatement {
        statement_type: STATEMENT_TYPE.to_owned(),
        subject: list_statement_subjects(&evidence, &recorded),
        predicate_type: PREDICATE_TYPE.to_owned(),
        predicate: PassportPredicate {
            passport_version: PASSPORT_VERSION,
            tool: report.tool.clone(),
            started_at: report.started_at.clone(),
            ended_at: report.ended_at.clone(),
            target: report.target.clone(),
            budget: report.budget.clone(),
            requirements: RequirementTableReference::refer_to_own_requirement_table(),
            score,
            coverage,
            checks,
            evidence: RawValue::from_string(evidence)?,
        },
    };
    let text = signed_envelope::sign_payload(&serde_json::to_vec(&statement)?, key);
    if text.len() > MAX_PASSPORT_BYTES {
        return Err(NoPassportReason::TooLarge(text.len()));
    }
    Ok(SignedPassportToWrite { text, differences })
}

/// Masks every known secret in the texts of checks.
fn mask_check_texts(checks: &mut [CheckReport], redactor: &copresence_client::Redactor) {
    let mask = |text: &mut String| *text = redactor.redact_text(text);
    for check in checks {
        mask(&mut check.detail);
        for finding in &mut check.findings {
            mask(&mut finding.expected);
            mask(&mut finding.came);
        }
    }
}

/// What the statement is about: the evidence, and each file that was downloaded.
fn list_statement_subjects(evidence: &str, recorded: &RunEvidence) -> Vec<PassportSubject> {
    let subject =
        |name: String, digest: String| PassportSubject { name, digest: [("sha256".to_owned(), digest)].into() };
    let mut subjects = vec![subject("evidence".to_owned(), sha256_hex(evidence.as_bytes()))];
    for (index, file) in recorded.files.iter().enumerate() {
        if let Some(digest) = &file.digest {
            subjects.push(subject(format!("file {} ({})", index + 1, file.export_type), digest.sha256.clone()));
        }
    }
    subjects
}

/// The checks whose verdicts differ between two lists. A check that only one list has differs too.
fn list_verdict_differences(before: &[CheckReport], after: &[CheckReport]) -> Vec<RejudgedVerdictDifference> {
    let (verdicts_before, verdicts_after) = (verdicts_by_check_id(before), verdicts_by_check_id(after));
    let word = |verdict: Option<&Verdict>| verdict.map_or("not judged", |verdict| verdict.as_str()).to_owned();
    let new = after.iter().filter(|check| !verdicts_before.contains_key(check.id.as_str()));
    let ids = before.iter().chain(new).map(|check| check.id.as_str());
    let differences = ids.filter_map(|id| {
        let (before, after) = (word(verdicts_before.get(id)), word(verdicts_after.get(id)));
        (before != after).then(|| RejudgedVerdictDifference { check: id.to_owned(), before, after })
    });
    differences.collect()
}

/// The verdict of each check, by its id. The first one counts if an id is listed twice.
fn verdicts_by_check_id(checks: &[CheckReport]) -> BTreeMap<&str, Verdict> {
    checks.iter().rev().map(|check| (check.id.as_str(), check.verdict)).collect()
}

/// The JSON Schema of what a passport signs, indented, with a final newline.
pub fn passport_schema() -> String {
    let schema = schemars::schema_for!(PassportStatement);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}
