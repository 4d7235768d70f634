//! What was seen of a backend: every step with its raw answer (in memory alone) and its redacted evidence.

use crate::act::{Act, State};
use crate::content::Inspected;
use crate::points;
use crate::target::Ground;
use client::Exchange;
use client::probe::Reply;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a step was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is worded in `words`")]
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
    /// What the step does, for people.
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

    /// Whether the step sends something wrong, so that an error is what should come.
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

/// One request and its answer.
#[derive(Debug, Clone)]
pub struct Step {
    /// From 1, in the order of the run.
    pub number: usize,
    /// The act that it belongs to.
    pub act: Act,
    /// What it was for.
    pub role: Role,
    /// Which Export Token of the run it was about, from 1.
    pub token: Option<usize>,
    /// Which file of the delivery it was about, from 0.
    pub file: Option<usize>,
    /// The request as a line of `curl`, with variables for secrets.
    pub curl: String,
    /// The evidence, redacted.
    pub exchange: Exchange,
    /// The whole answer, when one came.
    pub reply: Option<Reply>,
}

impl Step {
    /// The answer's status; `None` when none came.
    pub fn status(&self) -> Option<u16> {
        self.reply.as_ref().map(|reply| reply.status)
    }

    /// Whether it was answered with success.
    pub fn succeeded(&self) -> bool {
        self.status().is_some_and(|status| (200..300).contains(&status))
    }

    /// The answer's body as JSON.
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.reply.as_ref()?.body).ok()
    }

    /// A header of the answer, all its lines in one.
    pub fn header(&self, name: &str) -> Option<String> {
        let headers = &self.reply.as_ref()?.headers;
        let lines: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    /// What came, in words and without a value that may be a secret.
    pub fn came(&self) -> String {
        match (&self.reply, &self.exchange.error) {
            (Some(reply), _) => format!("status {}", reply.status),
            (None, Some(why)) => format!("no answer ({why})"),
            (None, None) => "no answer".to_owned(),
        }
    }

    /// The URLs that came, when the answer carries any: leniently, for what is to be done next.
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

    /// `completion_status`, when it is a string.
    pub fn completion_status(&self) -> Option<String> {
        self.progress()?.get("completion_status")?.as_str().map(str::to_owned)
    }
}

/// A file of the delivery that was watched.
#[derive(Debug, Clone)]
pub struct FileSeen {
    /// As sent.
    pub export_type: String,
    /// What its bytes are; `None` when they did not come.
    pub content: Option<Inspected>,
}

/// A secret that no answer may repeat.
#[derive(Clone)]
pub struct Needle {
    /// What it is, for people.
    pub what: &'static str,
    /// Whether it is a credential for Copresence's own API, which a relay must keep to itself.
    pub credential: bool,
    /// The value.
    pub value: SecretString,
}

impl Needle {
    /// Whether it stands in a text of the backend's.
    pub fn stands_in(&self, text: &str) -> bool {
        let value = self.value.expose_secret();
        value.len() >= client::redact::SHORTEST && text.contains(value)
    }
}

/// How often a relay's upstream was asked about a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// When it was counted, for people.
    pub when: &'static str,
    /// How often this run redeemed it through the relay.
    pub ours: u64,
    /// How often the upstream was asked to.
    pub upstream: u64,
}

/// Everything that was seen.
#[derive(Default)]
pub struct Seen {
    /// The backend.
    pub ground: Ground,
    /// Every step, in order.
    pub steps: Vec<Step>,
    /// What became of each act.
    pub acts: BTreeMap<Act, State>,
    /// The delivery that was watched, file by file.
    pub files: Vec<FileSeen>,
    /// What no answer may repeat.
    pub needles: Vec<Needle>,
    /// What a relay's upstream told.
    pub counts: Vec<Count>,
    /// The same, of the redeem whose answer was lost.
    pub lost: Option<Count>,
    /// Whether the backend's own witness (a sandbox) says that the watched avatar is ready.
    pub known_ready: bool,
}

impl Seen {
    /// Every step of a role.
    pub fn of(&self, role: Role) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.role == role)
    }

    /// The first step of a role.
    pub fn first(&self, role: Role) -> Option<&Step> {
        self.of(role).next()
    }

    /// Every answered redeem of an active token, one that carried URLs included.
    pub fn active(&self) -> impl Iterator<Item = &Step> {
        use Role::{FailedAgain, FailedPoll, Poll, RedeemFresh, RedeemFromPage, RedeemUntouched};
        let of_one = |step: &&Step| {
            matches!(
                step.role,
                RedeemFresh | RedeemUntouched | RedeemFromPage | Poll | FailedPoll | FailedAgain
            )
        };
        self.steps.iter().filter(of_one)
    }

    /// The answer that carried the URLs of the watched avatar.
    pub fn delivery(&self) -> Option<&Step> {
        self.of(Role::Poll).find(|step| step.is_delivery())
    }
}
