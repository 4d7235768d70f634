//! Observations of a run: every request with its raw response (in memory only) and its redacted evidence.

use crate::act::{Act, State};
use crate::content::Inspected;
use crate::points;
use crate::target::Ground;
use client::Exchange;
use client::probe::Reply;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::collections::BTreeMap;

/// Purpose of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "`describe` says what each is")]
pub enum Role {
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
    StrangerTokenNoKey,
    StrangerTokenWrongKey,
    RedeemFresh,
    RedeemUnknown,
    RedeemMissing,
    RedeemMangled,
    RedeemLengthened,
    RedeemNoKey,
    RedeemWrongKey,
    RedeemByPost,
    RedeemUntouched,
    PreflightGenerate,
    PreflightRedeem,
    RedeemFromPage,
    PlainHttp,
    Poll,
    RedeemSpent,
    Download,
    DownloadAgain,
    Race,
    LateDownload,
    FailedPoll,
    FailedAgain,
    RedeemExpired,
    LostAnswer,
    Watched,
}

impl Role {
    /// What the step does, as shown to people. Reports name the shape of the response by it, so that two reports can
    /// be compared: do not reword.
    pub fn words(self) -> &'static str {
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
            Self::StrangerTokenNoKey => "ask the relay for a token without its key",
            Self::StrangerTokenWrongKey => "ask the relay for a token with a wrong key",
            Self::RedeemFresh => "redeem a token that nobody has scanned",
            Self::RedeemUnknown => "redeem a token that was never made",
            Self::RedeemMissing => "redeem without a token",
            Self::RedeemMangled => "redeem a token with one character changed",
            Self::RedeemLengthened => "redeem a token with one character more",
            Self::RedeemNoKey => "redeem without the key",
            Self::RedeemWrongKey => "redeem with a wrong key",
            Self::RedeemByPost => "redeem with POST",
            Self::RedeemUntouched => "redeem the fresh token again, after the refusals",
            Self::PreflightGenerate => "ask, as a browser would, whether a stranger's page may generate",
            Self::PreflightRedeem => "ask, as a browser would, whether a stranger's page may redeem",
            Self::RedeemFromPage => "redeem with the Origin of a stranger's page",
            Self::PlainHttp => "ask over plain HTTP, without credentials",
            Self::Poll => "redeem while the avatar is made",
            Self::RedeemSpent => "redeem the token whose URLs were delivered",
            Self::Download => "fetch a file",
            Self::DownloadAgain => "fetch the file again",
            Self::Race => "redeem, several at once",
            Self::LateDownload => "fetch a file after a while",
            Self::FailedPoll => "redeem while the avatar fails",
            Self::FailedAgain => "redeem the failed avatar's token again",
            Self::RedeemExpired => "redeem a token whose time is over",
            Self::LostAnswer => "redeem while the upstream spends the token and loses its answer",
            Self::Watched => "redeem while the upstream counts",
        }
    }

    /// Whether the step sends a deliberately wrong request, to which an error is the right response.
    pub fn is_wrong_on_purpose(self) -> bool {
        !matches!(
            self,
            Self::Login
                | Self::Generate
                | Self::RedeemFresh
                | Self::RedeemUntouched
                | Self::RedeemFromPage
                | Self::Poll
                | Self::Race
                | Self::Download
                | Self::FailedPoll
                | Self::FailedAgain
                | Self::LostAnswer
                | Self::Watched
        )
    }
}

/// One request and its response.
#[derive(Debug, Clone)]
pub struct Step {
    /// From 1, in the order of the run.
    pub number: usize,
    /// The act that sent it.
    pub act: Act,
    /// Purpose of the request.
    pub role: Role,
    /// Number of the run's Export Token that it was about, from 1.
    pub token: Option<usize>,
    /// Index of the delivered file that it was about, from 0.
    pub file: Option<usize>,
    /// The request as a `curl` command, with variables for secrets.
    pub curl: String,
    /// The redacted exchange.
    pub exchange: Exchange,
    /// The complete response, if one arrived.
    pub reply: Option<Reply>,
}

impl Step {
    /// HTTP status of the response; `None` without a response.
    pub fn status(&self) -> Option<u16> {
        self.reply.as_ref().map(|reply| reply.status)
    }

    /// Whether the response has a 2xx status.
    pub fn succeeded(&self) -> bool {
        self.status().is_some_and(|status| (200..300).contains(&status))
    }

    /// The response body as JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.reply.as_ref()?.body).ok()
    }

    /// A response header; several lines are joined with commas.
    pub fn header(&self, name: &str) -> Option<String> {
        let headers = &self.reply.as_ref()?.headers;
        let lines: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    /// What was received, without values that may be secret.
    pub fn came(&self) -> String {
        match (&self.reply, &self.exchange.error) {
            (Some(reply), _) => format!("status {}", reply.status),
            (None, Some(why)) => format!("no response ({why})"),
            (None, None) => "no response".to_owned(),
        }
    }

    /// URL and export type of each file in the response. Entries without a URL are left out.
    pub fn urls(&self) -> Vec<(String, String)> {
        let Some(body) = self.json() else { return Vec::new() };
        let entries = body.get("payload_complete").and_then(Value::as_array);
        let read = |entry: &Value| {
            let url = entry.get("download_URL")?.as_str()?.to_owned();
            let kind = entry.get("export_type").and_then(Value::as_str).unwrap_or_default().to_owned();
            Some((url, kind))
        };
        entries.into_iter().flatten().filter_map(read).collect()
    }

    /// Whether this response ends the token: it says that the avatar is ready, or it lists files.
    pub fn is_delivery(&self) -> bool {
        self.succeeded() && self.json().is_some_and(|body| points::is_delivery(&body))
    }

    /// The object `payload_incomplete`, if there is one.
    pub fn progress(&self) -> Option<serde_json::Map<String, Value>> {
        match self.json()?.get("payload_incomplete") {
            Some(Value::Object(progress)) => Some(progress.clone()),
            _ => None,
        }
    }

    /// `completion_status`, if it is a string.
    pub fn completion_status(&self) -> Option<String> {
        self.progress()?.get("completion_status")?.as_str().map(str::to_owned)
    }
}

/// A file of the delivery that the visit act downloaded.
#[derive(Debug, Clone)]
pub struct FileSeen {
    /// `export_type` as the backend sent it.
    pub export_type: String,
    /// Result of inspecting the bytes; `None` if the download failed.
    pub content: Option<Inspected>,
}

/// A secret that no response may repeat.
#[derive(Clone)]
pub struct Needle {
    /// What the secret is, as shown to people.
    pub what: &'static str,
    /// Whether it is a credential for Copresence's API, which a relay must not disclose.
    pub credential: bool,
    /// The secret itself.
    pub value: SecretString,
}

impl Needle {
    /// Whether a text from the backend contains the secret.
    pub fn stands_in(&self, text: &str) -> bool {
        let value = self.value.expose_secret();
        value.len() >= client::redact::SHORTEST && text.contains(value)
    }
}

/// Number of redeems of one token, at a relay and at its upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// When it was counted, as shown to people.
    pub when: &'static str,
    /// Redeems that this run sent to the relay.
    pub ours: u64,
    /// Redeems that the upstream received.
    pub upstream: u64,
}

/// Everything that a run observed.
#[derive(Default)]
pub struct Seen {
    /// Facts about the backend.
    pub ground: Ground,
    /// Every step, in order.
    pub steps: Vec<Step>,
    /// Outcome of each act.
    pub acts: BTreeMap<Act, State>,
    /// The files of the visit act's delivery.
    pub files: Vec<FileSeen>,
    /// Secrets that no response may repeat.
    pub needles: Vec<Needle>,
    /// Redeem counts of a relay's upstream.
    pub counts: Vec<Count>,
    /// Redeem count of the token whose response the upstream dropped.
    pub lost: Option<Count>,
    /// Whether the sandbox says that the visit act's avatar is ready.
    pub known_ready: bool,
}

impl Seen {
    /// Every step with this role.
    pub fn of(&self, role: Role) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.role == role)
    }

    /// The first step with this role.
    pub fn first(&self, role: Role) -> Option<&Step> {
        self.of(role).next()
    }

    /// Every redeem of a token that was active when it was sent, including the one that delivered URLs.
    pub fn active(&self) -> impl Iterator<Item = &Step> {
        use Role::{FailedAgain, FailedPoll, Poll, RedeemFresh, RedeemFromPage, RedeemUntouched};
        let is_active = |step: &&Step| {
            matches!(
                step.role,
                RedeemFresh | RedeemUntouched | RedeemFromPage | Poll | FailedPoll | FailedAgain
            )
        };
        self.steps.iter().filter(is_active)
    }

    /// The step whose response delivered the URLs of the visit act's avatar.
    pub fn delivery(&self) -> Option<&Step> {
        self.of(Role::Poll).find(|step| step.is_delivery())
    }
}
