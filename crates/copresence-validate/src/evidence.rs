//! What a run observed, without secrets, as data that can be stored and judged again.
//!
//! Each secret is replaced by an alias ([`SecretAliases`]), so that the checks see the same equalities, origins and
//! disclosures as in the run. Files are recorded as their size, digest and inspected facts.

use crate::act::{Act, ActOutcome};
use crate::check::{Check, CheckResult};
use crate::check_judge::CheckResultsSoFar;
use crate::file_content::{FileContent, InspectionError};
use crate::observations::{
    DeliveredFileInspection, FileDigest, Observations, RecordedStep, RelayAndUpstreamRedeemCounts,
    SecretForbiddenInResponses, StepRole,
};
use crate::report::Header;
use crate::run::RunResult;
use crate::target::KnownBackendFacts;
use copresence_client::probe::ProbeResponse;
use copresence_client::redact::{MASK, MIN_SECRET_LENGTH};
use copresence_client::{CallKind, Exchange, ExchangeOutcome, Redactor, SecretAliases};
use http::{HeaderMap, HeaderName, HeaderValue};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Everything that a run observed, without secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunEvidence {
    /// What was known about the backend before the first request.
    pub backend: KnownBackendFacts,
    /// Every act, in the order of a run.
    pub acts: Vec<ActEvidence>,
    /// Every request, in order.
    pub steps: Vec<StepEvidence>,
    /// The delivered files.
    pub files: Vec<FileEvidence>,
    /// The secrets that no response may repeat, as their aliases.
    pub known_secrets: Vec<KnownSecretAlias>,
    /// Redeem counts of a relay's upstream.
    pub upstream_counts: Vec<RelayAndUpstreamRedeemCounts>,
    /// For each redeem whose response the upstream lost on purpose: the number of the step, and the redeems of its token.
    pub lost_answer_counts: Vec<(usize, RelayAndUpstreamRedeemCounts)>,
    /// Numbers of the deliberately wrong requests that failed twice, while the API answered valid requests in between.
    pub repeated_failures: BTreeSet<usize>,
    /// Whether the sandbox said that the avatar was ready.
    pub is_avatar_ready: bool,
}

/// Outcome of an act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ActEvidence {
    /// The act.
    pub act: Act,
    /// How it ended.
    pub outcome: ActOutcomeWord,
    /// Why it was not completed; null if it was.
    pub why: Option<String>,
    /// Number of steps of the run when it ended; null if it was not run.
    pub steps_so_far: Option<usize>,
}

/// How an act ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ActOutcomeWord {
    /// Completed.
    Done,
    /// The backend has nothing that the act could be applied to.
    NotApplicable,
    /// Omitted.
    Skipped,
    /// Started but not completed.
    Incomplete,
}

/// One request and its response, with aliases in place of secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepEvidence {
    /// Number of the step, from 1.
    pub number: usize,
    /// The act that sent it.
    pub act: Act,
    /// Purpose of the request.
    pub role: StepRole,
    /// Number of the run's Export Token that it was about, from 1; null if none.
    pub token: Option<usize>,
    /// Index of the delivered file that it was about, from 0; null if none.
    pub file: Option<usize>,
    /// The endpoint: `login`, `generate`, `redeem`, `download`, `logout`.
    #[schemars(with = "String")]
    pub call: CallKind,
    /// When the request started (RFC 3339).
    #[schemars(with = "String")]
    pub started_at: jiff::Timestamp,
    /// Time from the start to the end of the exchange, in nanoseconds.
    pub duration_ns: u64,
    /// How the exchange ended: `complete`, `never-sent`, `response-lost`, `invalid-response`, `cancelled`.
    #[schemars(with = "String")]
    pub outcome: ExchangeOutcome,
    /// Why no complete response was received; null if one was.
    pub error: Option<String>,
    /// Method of the request.
    pub method: String,
    /// URL of the request; a download URL is reduced to its origin.
    pub url: String,
    /// Headers of the request, masked.
    pub request_headers: Vec<Header>,
    /// Body of the request, masked.
    pub request_body: Option<String>,
    /// The response; null if no complete one was received.
    pub response: Option<ResponseEvidence>,
}

/// A response, with aliases in place of secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ResponseEvidence {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<Header>,
    /// The body. Of a file, `x` in place of its content.
    pub body: String,
}

/// A delivered file: its type, digest and inspected facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileEvidence {
    /// `export_type` as the backend sent it.
    pub export_type: String,
    /// Size and digest of the bytes; null if the download failed.
    pub digest: Option<FileDigest>,
    /// What the file contains; null if it is not valid, or was not examined.
    pub content: Option<FileContent>,
    /// Why the file has no `content`; null if it has, or the download failed.
    pub problem: Option<InspectionError>,
}

/// A secret that no response may repeat, as its alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KnownSecretAlias {
    /// What the secret is, as shown to people.
    pub label: String,
    /// Whether it is a credential for Copresence's API, which a relay must not disclose.
    pub is_credential: bool,
    /// The alias in the responses.
    pub alias: String,
}

/// The evidence contradicts itself, so that it cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the recorded evidence is inconsistent: {0}")]
pub struct InconsistentRunEvidence(String);

impl RunEvidence {
    /// Builds the evidence of a run, with aliases in place of secrets.
    pub fn build_run_evidence(ended: &RunResult) -> Self {
        let observations = &ended.observations;
        let mut aliases = SecretAliases::new(ended.redactor.clone());
        let known_secrets = observations.known_secrets.iter().map(|secret| KnownSecretAlias {
            label: secret.label.clone().into_owned(),
            is_credential: secret.is_credential,
            alias: alias_secret_forbidden_in_responses(secret.value.expose_secret(), &mut aliases),
        });
        Self {
            known_secrets: known_secrets.collect(),
            backend: observations.target_info.clone(),
            acts: build_evidence_of_acts(observations, &ended.redactor),
            steps: observations.steps.iter().map(|step| build_step_evidence(step, &mut aliases)).collect(),
            files: observations.files.iter().map(|file| build_file_evidence(file, &ended.redactor)).collect(),
            upstream_counts: observations.upstream_counts.clone(),
            lost_answer_counts: observations.lost_answer_counts.clone(),
            repeated_failures: observations.repeated_failures.clone(),
            is_avatar_ready: observations.is_avatar_ready,
        }
    }

    /// Judges the evidence by the present checks, in the order of the run: each check sees what it saw in the run.
    ///
    /// # Errors
    /// The numbers of steps contradict each other.
    pub fn judge_evidence(&self) -> Result<Vec<(&'static Check, CheckResult)>, InconsistentRunEvidence> {
        self.validate_step_and_act_order()?;
        let mut judge = CheckResultsSoFar::default();
        let mut observations = self.observations_before_first_act();
        judge.judge_finished_checks(&observations, None, &mut |_, _| {});
        let mut steps = self.steps.iter();
        for act in &self.acts {
            let Some(count) = act.steps_so_far else { continue };
            let of_act = steps.by_ref().take(count.saturating_sub(observations.steps.len()));
            for step in of_act {
                observations.steps.push(restore_step(step)?);
            }
            observations.record_act_outcome(act.act, act.restore_act_outcome());
            judge.judge_finished_checks(&observations, None, &mut |_, _| {});
        }
        judge.judge_remaining_checks(&observations, None, &mut |_, _| {});
        Ok(judge.into_check_results())
    }

    /// What is known before the first act: everything but its steps and outcome.
    fn observations_before_first_act(&self) -> Observations {
        let omitted = self.acts.iter().filter(|act| act.steps_so_far.is_none());
        Observations {
            target_info: self.backend.clone(),
            steps: Vec::new(),
            act_outcomes: omitted.map(|act| (act.act, act.restore_act_outcome())).collect(),
            step_counts_after_acts: BTreeMap::new(),
            files: self.files.iter().map(restore_file_inspection).collect(),
            known_secrets: self.known_secrets.iter().map(restore_secret_forbidden_in_responses).collect(),
            upstream_counts: self.upstream_counts.clone(),
            lost_answer_counts: self.lost_answer_counts.clone(),
            repeated_failures: self.repeated_failures.clone(),
            is_avatar_ready: self.is_avatar_ready,
        }
    }

    /// Fails if the steps are not numbered from 1, an act is listed twice, or an act ends before an earlier one or after
    /// the last step.
    fn validate_step_and_act_order(&self) -> Result<(), InconsistentRunEvidence> {
        let inconsistent = |what: String| Err(InconsistentRunEvidence(what));
        if let Some((index, step)) = self.steps.iter().enumerate().find(|(index, step)| step.number != index + 1) {
            return inconsistent(format!("step {} has the number {}", index + 1, step.number));
        }
        let (mut earlier, mut listed) = (0, BTreeSet::new());
        for act in &self.acts {
            if !listed.insert(act.act) {
                return inconsistent(format!("the act {:?} is listed twice", act.act));
            }
            let Some(count) = act.steps_so_far else { continue };
            if count < earlier || count > self.steps.len() {
                return inconsistent(format!("an act ends after step {count} of {}", self.steps.len()));
            }
            earlier = count;
        }
        if earlier < self.steps.len() {
            return inconsistent(format!("step {} belongs to no act", earlier + 1));
        }
        Ok(())
    }
}

impl ActEvidence {
    /// Restores the outcome of the act from its evidence.
    fn restore_act_outcome(&self) -> ActOutcome {
        let why = self.why.clone().unwrap_or_default();
        match self.outcome {
            ActOutcomeWord::Done => ActOutcome::Done,
            ActOutcomeWord::NotApplicable => ActOutcome::NotApplicable(why),
            ActOutcomeWord::Skipped => ActOutcome::Skipped(why),
            ActOutcomeWord::Incomplete => ActOutcome::Incomplete(why),
        }
    }
}

/// The alias of a secret that no response may repeat. Short ones are looked for in no response, and their alias is too.
fn alias_secret_forbidden_in_responses(secret: &str, aliases: &mut SecretAliases) -> String {
    if secret.len() < MIN_SECRET_LENGTH { MASK.to_owned() } else { aliases.alias_secret(secret) }
}

/// Builds the evidence of every act that has an outcome, with secrets masked in the reasons.
fn build_evidence_of_acts(observations: &Observations, redactor: &Redactor) -> Vec<ActEvidence> {
    let record = |(act, outcome): (&Act, &ActOutcome)| {
        let (outcome, why) = match outcome {
            ActOutcome::Done => (ActOutcomeWord::Done, None),
            ActOutcome::NotApplicable(why) => (ActOutcomeWord::NotApplicable, Some(why)),
            ActOutcome::Skipped(why) => (ActOutcomeWord::Skipped, Some(why)),
            ActOutcome::Incomplete(why) => (ActOutcomeWord::Incomplete, Some(why)),
        };
        let why = why.map(|why| redactor.redact_text(why));
        ActEvidence { act: *act, outcome, why, steps_so_far: observations.step_counts_after_acts.get(act).copied() }
    };
    observations.act_outcomes.iter().map(record).collect()
}

/// Builds the evidence of a step. Each secret in it is replaced by its alias.
fn build_step_evidence(step: &RecordedStep, aliases: &mut SecretAliases) -> StepEvidence {
    let exchange = &step.exchange;
    let response = step.reply.as_ref().map(|reply| {
        let masked = aliases.alias_response(exchange.call, reply);
        let headers = masked.headers.iter().map(|(name, value)| Header {
            name: name.to_string(),
            value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
        });
        ResponseEvidence {
            status: masked.status,
            headers: headers.collect(),
            body: String::from_utf8_lossy(&masked.body).into_owned(),
        }
    });
    let header = |(name, value): &(String, String)| Header { name: name.clone(), value: value.clone() };
    StepEvidence {
        number: step.number,
        act: step.act,
        role: step.role,
        token: step.token_number,
        file: step.file_index,
        call: exchange.call,
        started_at: exchange.started_at,
        duration_ns: u64::try_from(exchange.duration.as_nanos()).unwrap_or(u64::MAX),
        outcome: exchange.outcome,
        error: exchange.error.clone(),
        method: exchange.method.clone(),
        url: exchange.url.clone(),
        request_headers: exchange.request_headers.iter().map(header).collect(),
        request_body: exchange.request_body.clone(),
        response,
    }
}

/// Builds the evidence of a delivered file, with secrets masked.
fn build_file_evidence(file: &DeliveredFileInspection, redactor: &Redactor) -> FileEvidence {
    let (content, problem) = match &file.content {
        None => (None, None),
        Some(Ok(content)) => match mask_secrets_in_texts(content, redactor) {
            Some(content) => (Some(content), None),
            None => (None, Some(InspectionError::NotExamined("it contains a secret of the run".to_owned()))),
        },
        Some(Err(error)) => (None, Some(error.clone().map_reason(|reason| redactor.redact_text(&reason)))),
    };
    let export_type = redactor.redact_text(&file.export_type);
    FileEvidence { export_type, digest: file.digest.clone(), content, problem }
}

/// A value with each known secret masked in its texts. `None` if it is not a value of its type then.
fn mask_secrets_in_texts<T: Serialize + DeserializeOwned>(value: &T, redactor: &Redactor) -> Option<T> {
    let mut json = serde_json::to_value(value).ok()?;
    mask_json_strings(&mut json, redactor);
    serde_json::from_value(json).ok()
}

fn mask_json_strings(value: &mut Value, redactor: &Redactor) {
    match value {
        Value::String(text) => *text = redactor.redact_text(text),
        Value::Array(items) => items.iter_mut().for_each(|item| mask_json_strings(item, redactor)),
        Value::Object(members) => members.values_mut().for_each(|member| mask_json_strings(member, redactor)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Restores a recorded step from its evidence. Aliases stay in place of secrets.
fn restore_step(step: &StepEvidence) -> Result<RecordedStep, InconsistentRunEvidence> {
    let pair = |header: &Header| (header.name.clone(), header.value.clone());
    let reply = step.response.as_ref().map(|response| restore_response(response, step.number)).transpose()?;
    Ok(RecordedStep {
        number: step.number,
        act: step.act,
        role: step.role,
        token_number: step.token,
        file_index: step.file,
        curl: String::new(),
        exchange: Exchange {
            call: step.call,
            started_at: step.started_at,
            time_to_headers: None,
            duration: Duration::from_nanos(step.duration_ns),
            method: step.method.clone(),
            url: step.url.clone(),
            request_headers: step.request_headers.iter().map(pair).collect(),
            request_body: step.request_body.clone(),
            status: reply.as_ref().map(|reply| reply.status),
            response_headers: step.response.iter().flat_map(|response| &response.headers).map(pair).collect(),
            body: step.response.as_ref().map(|response| response.body.clone()),
            body_size: step.response.as_ref().map_or(0, |response| response.body.len() as u64),
            outcome: step.outcome,
            error: step.error.clone(),
        },
        reply,
    })
}

/// Restores the response of the step with the number `step`. Fails if a header is not valid.
fn restore_response(response: &ResponseEvidence, step: usize) -> Result<ProbeResponse, InconsistentRunEvidence> {
    let mut headers = HeaderMap::new();
    for header in &response.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(&header.value)) else {
            return Err(InconsistentRunEvidence(format!("step {step} has a header that is not valid")));
        };
        headers
            .try_append(name, value)
            .map_err(|_| InconsistentRunEvidence(format!("step {step} has too many headers")))?;
    }
    Ok(ProbeResponse { status: response.status, headers, body: response.body.clone().into() })
}

/// Restores the inspection of a delivered file from its evidence.
fn restore_file_inspection(file: &FileEvidence) -> DeliveredFileInspection {
    let content = match (&file.content, &file.problem) {
        (Some(content), _) => Some(Ok(content.clone())),
        (None, Some(problem)) => Some(Err(problem.clone())),
        (None, None) => None,
    };
    DeliveredFileInspection { export_type: file.export_type.clone(), digest: file.digest.clone(), content }
}

/// Restores a secret that no response may repeat. Its value is the alias.
fn restore_secret_forbidden_in_responses(secret: &KnownSecretAlias) -> SecretForbiddenInResponses {
    SecretForbiddenInResponses {
        label: secret.label.clone().into(),
        is_credential: secret.is_credential,
        value: SecretString::from(secret.alias.clone()),
    }
}
