//! Observations of a run: every request with its raw response (in memory only) and its redacted evidence.

use crate::act::{Act, ActOutcome};
use crate::file_content::{FileContent, InspectionError};
use crate::response_fields;
use crate::target::KnownBackendFacts;
use copresence_client::Exchange;
use copresence_client::probe::ProbeResponse;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// Purpose of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "`describe` says what each is")]
pub enum StepRole {
    Login,
    LoginWrongPassword,
    LoginUnknownUser,
    LoginNoKey,
    Generate,
    GenerateNoKey,
    GenerateWrongKey,
    GenerateNoSession,
    GenerateWrongSession,
    GenerateByGet,
    RelayTokenNoKey,
    RelayTokenWrongKey,
    RedeemFresh,
    RedeemUnknown,
    RedeemMissing,
    RedeemMangled,
    RedeemLengthened,
    RedeemNoKey,
    RedeemWrongKey,
    RedeemByPost,
    RedeemAfterRefusals,
    RedeemControl,
    PreflightGenerate,
    PreflightRedeem,
    RedeemCrossOrigin,
    PlainHttp,
    Poll,
    RedeemSpent,
    Download,
    DownloadAgain,
    DownloadWithoutAnswer,
    ConcurrentRedeem,
    LateDownload,
    PollFailing,
    RedeemAfterFailure,
    RedeemExpired,
    LostAnswer,
    CountedRedeem,
}

impl StepRole {
    /// What the step does, as shown to people. Reports name the shape of the response by it, so that two reports can
    /// be compared: do not reword.
    pub fn describe_role(self) -> &'static str {
        match self {
            Self::Login => "log in",
            Self::LoginWrongPassword => "log in with a wrong password",
            Self::LoginUnknownUser => "log in as somebody unknown",
            Self::LoginNoKey => "log in without the API key",
            Self::Generate => "generate an Export Token",
            Self::GenerateNoKey => "generate without the API key",
            Self::GenerateWrongKey => "generate with a wrong API key",
            Self::GenerateNoSession => "generate without a session token",
            Self::GenerateWrongSession => "generate with a wrong session token",
            Self::GenerateByGet => "generate with GET",
            Self::RelayTokenNoKey => "ask the relay for a token without its key",
            Self::RelayTokenWrongKey => "ask the relay for a token with a wrong key",
            Self::RedeemFresh => "redeem a token that nobody has scanned",
            Self::RedeemUnknown => "redeem a token that was never made",
            Self::RedeemMissing => "redeem without a token",
            Self::RedeemMangled => "redeem a token with one character changed",
            Self::RedeemLengthened => "redeem a token with one character more",
            Self::RedeemNoKey => "redeem without the key",
            Self::RedeemWrongKey => "redeem with a wrong key",
            Self::RedeemByPost => "redeem with POST",
            Self::RedeemAfterRefusals => "redeem the fresh token again, after the refusals",
            Self::RedeemControl => "redeem a token that nobody has scanned, to see whether the API answers",
            Self::PreflightGenerate => "ask, as a browser would, whether a stranger's page may generate",
            Self::PreflightRedeem => "ask, as a browser would, whether a stranger's page may redeem",
            Self::RedeemCrossOrigin => "redeem with the Origin of a stranger's page",
            Self::PlainHttp => "ask over plain HTTP, without credentials",
            Self::Poll => "redeem while the avatar is made",
            Self::RedeemSpent => "redeem the token whose URLs were delivered",
            Self::Download => "fetch a file",
            Self::DownloadAgain => "fetch the file again",
            Self::DownloadWithoutAnswer => "fetch a file, while its server does not answer",
            Self::ConcurrentRedeem => "redeem, several at once",
            Self::LateDownload => "fetch a file after a while",
            Self::PollFailing => "redeem while the avatar fails",
            Self::RedeemAfterFailure => "redeem the failed avatar's token again",
            Self::RedeemExpired => "redeem a token whose time is over",
            Self::LostAnswer => "redeem while the upstream spends the token and loses its answer",
            Self::CountedRedeem => "redeem while the upstream counts",
        }
    }

    /// Whether the step sends a deliberately wrong request, to which an error is the right response.
    pub fn is_deliberately_wrong(self) -> bool {
        !matches!(
            self,
            Self::Login
                | Self::Generate
                | Self::RedeemFresh
                | Self::RedeemAfterRefusals
                | Self::RedeemControl
                | Self::RedeemCrossOrigin
                | Self::Poll
                | Self::ConcurrentRedeem
                | Self::Download
                | Self::DownloadWithoutAnswer
                | Self::PollFailing
                | Self::RedeemAfterFailure
                | Self::LostAnswer
                | Self::CountedRedeem
        )
    }
}

/// One request and its response.
#[derive(Debug, Clone)]
pub struct RecordedStep {
    /// From 1, in the order of the run.
    pub number: usize,
    /// The act that sent it.
    pub act: Act,
    /// Purpose of the request.
    pub role: StepRole,
    /// Number of the run's Export Token that it was about, from 1.
    pub token_number: Option<usize>,
    /// Index of the delivered file that it was about, from 0.
    pub file_index: Option<usize>,
    /// The request as a `curl` command, with variables for secrets.
    pub curl: String,
    /// The redacted exchange.
    pub exchange: Exchange,
    /// The complete response, if one arrived.
    pub reply: Option<ProbeResponse>,
}

impl RecordedStep {
    /// HTTP status of the response; `None` without a response.
    pub fn response_status(&self) -> Option<u16> {
        self.reply.as_ref().map(|reply| reply.status)
    }

    /// Whether the response has a 2xx status.
    pub fn has_success_status(&self) -> bool {
        self.response_status().is_some_and(|status| (200..300).contains(&status))
    }

    /// The response body as JSON.
    pub fn json_body(&self) -> Option<Value> {
        serde_json::from_slice(&self.reply.as_ref()?.body).ok()
    }

    /// A response header; several lines are joined with commas.
    pub fn response_header(&self, name: &str) -> Option<String> {
        let headers = &self.reply.as_ref()?.headers;
        let lines: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    /// The status of the response, or why there was none. Without the body.
    pub fn describe_status_or_no_response(&self) -> String {
        match (&self.reply, &self.exchange.error) {
            (Some(reply), _) => format!("status {}", reply.status),
            (None, Some(why)) => format!("no response ({why})"),
            (None, None) => "no response".to_owned(),
        }
    }

    /// URL and export type of each file in the response. Entries without a URL are left out.
    pub fn delivered_urls_and_types(&self) -> Vec<(String, String)> {
        let Some(body) = self.json_body() else { return Vec::new() };
        let entries = body.get("payload_complete").and_then(Value::as_array);
        let read = |entry: &Value| {
            let url = entry.get("download_URL")?.as_str()?.to_owned();
            let kind = entry.get("export_type").and_then(Value::as_str).unwrap_or_default().to_owned();
            Some((url, kind))
        };
        entries.into_iter().flatten().filter_map(read).collect()
    }

    /// Whether this response spends the token: it says that the avatar is ready, or it lists files.
    pub fn is_token_spending_response(&self) -> bool {
        self.has_success_status() && self.json_body().is_some_and(|body| response_fields::is_token_spending_body(&body))
    }

    /// The object `payload_incomplete`, if there is one.
    pub fn status_report(&self) -> Option<serde_json::Map<String, Value>> {
        match self.json_body()?.get("payload_incomplete") {
            Some(Value::Object(progress)) => Some(progress.clone()),
            _ => None,
        }
    }

    /// `completion_status`, if it is a string.
    pub fn read_completion_status_field(&self) -> Option<String> {
        self.status_report()?.get("completion_status")?.as_str().map(str::to_owned)
    }
}

/// A file of the delivery: its type, and the result of inspecting it if the download succeeded. The bytes are not
/// kept.
#[derive(Debug, Clone)]
pub struct DeliveredFileInspection {
    /// `export_type` as the backend sent it.
    pub export_type: String,
    /// Size and digest of the bytes; `None` if the download failed.
    pub digest: Option<FileDigest>,
    /// Result of inspecting the bytes; `None` if the download failed.
    pub content: Option<Result<FileContent, InspectionError>>,
}

/// Size and digest of a delivered file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FileDigest {
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes, in hexadecimal.
    pub sha256: String,
}

impl FileDigest {
    /// Measures and digests the bytes of a file.
    pub(crate) fn compute_digest(bytes: &[u8]) -> Self {
        Self { bytes: bytes.len() as u64, sha256: sha256_hex(bytes) }
    }
}

/// The SHA-256 of some bytes, in hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    let digits = |byte: u8| format!("{byte:02x}");
    Sha256::digest(bytes).into_iter().map(digits).collect()
}

/// A secret that no response may repeat.
#[derive(Clone)]
pub struct SecretForbiddenInResponses {
    /// What the secret is, as shown to people.
    pub label: Cow<'static, str>,
    /// Whether it is a credential for Copresence's API, which a relay must not disclose.
    pub is_credential: bool,
    /// The secret itself.
    pub value: SecretString,
}

impl SecretForbiddenInResponses {
    /// Whether a text from the backend contains the secret.
    pub fn is_secret_in_text(&self, text: &str) -> bool {
        let value = self.value.expose_secret();
        value.len() >= copresence_client::redact::MIN_SECRET_LENGTH && text.contains(value)
    }
}

/// Number of redeems of one token, at a relay and at its upstream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RelayAndUpstreamRedeemCounts {
    /// When it was counted, as shown to people.
    pub when: Cow<'static, str>,
    /// Redeems that this run sent to the relay.
    pub relay_redeems: u64,
    /// Redeems that the upstream received.
    pub upstream_redeems: u64,
}

/// Everything that a run observed.
#[derive(Default)]
pub struct Observations {
    /// Facts about the backend.
    pub target_info: KnownBackendFacts,
    /// Every step, in order.
    pub steps: Vec<RecordedStep>,
    /// Outcome of each act.
    pub act_outcomes: BTreeMap<Act, ActOutcome>,
    /// For each act that was run: the number of steps of the run when it ended.
    pub step_counts_after_acts: BTreeMap<Act, usize>,
    /// The files of the visit act's delivery.
    pub files: Vec<DeliveredFileInspection>,
    /// Secrets that no response may repeat.
    pub known_secrets: Vec<SecretForbiddenInResponses>,
    /// Redeem counts of a relay's upstream.
    pub upstream_counts: Vec<RelayAndUpstreamRedeemCounts>,
    /// For each redeem whose response the upstream lost on purpose: the number of the step, and the redeems of its token.
    pub lost_answer_counts: Vec<(usize, RelayAndUpstreamRedeemCounts)>,
    /// Numbers of the deliberately wrong requests without an answer that failed twice, while the API answered valid
    /// requests in between.
    pub repeated_failures: BTreeSet<usize>,
    /// Whether the sandbox says that the visit act's avatar is ready.
    pub is_avatar_ready: bool,
}

impl Observations {
    /// Records the outcome of an act that has ended.
    pub(crate) fn record_act_outcome(&mut self, act: Act, outcome: ActOutcome) {
        self.act_outcomes.insert(act, outcome);
        self.step_counts_after_acts.insert(act, self.steps.len());
    }

    /// Every step with this role.
    pub fn steps_with_role(&self, role: StepRole) -> impl Iterator<Item = &RecordedStep> {
        self.steps.iter().filter(move |step| step.role == role)
    }

    /// The first step with this role.
    pub fn first_step_with_role(&self, role: StepRole) -> Option<&RecordedStep> {
        self.steps_with_role(role).next()
    }

    /// The redeems of active tokens, which are unscanned or polled by the purpose of the step, including the redeem
    /// that delivered URLs. Without concurrent redeems and those that count or lose responses at a relay.
    pub fn redeems_of_active_tokens(&self) -> impl Iterator<Item = &RecordedStep> {
        use StepRole::{Poll, PollFailing, RedeemAfterFailure, RedeemAfterRefusals, RedeemCrossOrigin, RedeemFresh};
        let is_active = |step: &&RecordedStep| {
            matches!(
                step.role,
                RedeemFresh | RedeemAfterRefusals | RedeemCrossOrigin | Poll | PollFailing | RedeemAfterFailure
            )
        };
        self.steps.iter().filter(is_active)
    }

    /// The poll of the visit act whose response delivered the URLs.
    pub fn delivery_step(&self) -> Option<&RecordedStep> {
        self.steps_with_role(StepRole::Poll).find(|step| step.is_token_spending_response())
    }
}
