//! One redeem: intent on disk, one request, the raw answer on disk, and only then is it read.

use super::{Needed, Parts, fault};
use bytes::Bytes;
use client::{Answered, Api, CallError, Class};
use jiff::Timestamp;
use protocol::{CompletionStatus, Delivery, ExportToken, ExportType, RedeemAnswer};
use store::crash::{self, Point};
use store::{AnswerKind, Journal, RedeemNo, StoreError, VisitId};
use visit::{Fault, FaultKind, RedeemResult};

/// How it ended, and what it delivered.
pub(crate) struct Redeemed {
    pub(crate) result: RedeemResult,
    pub(crate) delivery: Option<Delivery>,
    /// With [`RedeemResult::Fragment`].
    pub(crate) salvage: Option<Salvage>,
    /// The journal's word on it, when the disk did not take it.
    pub(crate) unsettled: Option<Unsettled>,
}

/// What the beginning of a lost or broken answer names: worth something once the token is refused.
#[derive(Debug, Clone)]
pub(crate) struct Salvage {
    pub(crate) no: RedeemNo,
    pub(crate) delivery: Delivery,
}

impl Redeemed {
    fn nothing(result: RedeemResult) -> Self {
        Self { result, delivery: None, salvage: None, unsettled: None }
    }

    fn failed(fault: Fault) -> Self {
        Self::nothing(RedeemResult::Failed(fault))
    }

    /// A failure, and what came of the answer all the same.
    fn failed_after(fault: Fault, no: RedeemNo, came: &[u8]) -> Self {
        match Delivery::of_fragment(came) {
            None => Self::failed(fault),
            Some(delivery) => Self {
                salvage: Some(Salvage { no, delivery }),
                ..Self::nothing(RedeemResult::Fragment(fault))
            },
        }
    }

    /// What the journal has to keep of it.
    pub(crate) fn reading(&self) -> AnswerKind {
        match &self.result {
            _ if self.delivery.is_some() => AnswerKind::Delivery,
            RedeemResult::Fragment(_) => AnswerKind::Truncated,
            RedeemResult::NotReady(_) => AnswerKind::Progress,
            RedeemResult::Refused => AnswerKind::Refused,
            RedeemResult::Failed(Fault { kind: FaultKind::ProtocolBroken, .. }) => AnswerKind::Unreadable,
            _ => AnswerKind::Failed,
        }
    }
}

/// How a redeem ended, as the journal is to have it. While it has not, it lets no further redeem leave.
pub(crate) struct Unsettled {
    no: RedeemNo,
    end: End,
    at: Timestamp,
    reading: AnswerKind,
    /// Whether the first half is on disk: of an answer the raw body.
    written: bool,
}

enum End {
    Answered(Answered),
    NeverSent(String),
    Unanswered { evidence: String, came: Bytes },
}

impl Unsettled {
    fn new(no: RedeemNo, end: End, at: Timestamp) -> Self {
        Self { no, end, at, reading: AnswerKind::Failed, written: false }
    }

    /// Writes down what is not on disk yet.
    pub(crate) async fn settle(&mut self, journal: &Journal, id: VisitId) -> Result<(), StoreError> {
        self.write(journal, id).await?;
        match &self.end {
            End::Unanswered { came, .. } if came.is_empty() => Ok(()),
            End::Answered(_) | End::Unanswered { .. } => {
                journal.redeem_read(&id, self.no, self.reading).await
            }
            End::NeverSent(_) => Ok(()),
        }
    }

    /// Writes down how it ended: of an answer the raw body, unread.
    async fn write(&mut self, journal: &Journal, id: VisitId) -> Result<(), StoreError> {
        if self.written {
            return Ok(());
        }
        match &self.end {
            End::Answered(answered) => {
                journal.redeem_answered(&id, self.no, answered.status, &answered.body, self.at).await
            }
            End::NeverSent(cause) => journal.redeem_never_sent(&id, self.no, cause, self.at).await,
            End::Unanswered { evidence, came } => {
                journal.redeem_unanswered(&id, self.no, evidence, came, self.at).await
            }
        }?;
        self.written = true;
        Ok(())
    }
}

/// Redeems once, if there is room for what it may bring. Dropped in the middle, it leaves an *unanswered* in the
/// journal. `before` is what the journal still has to take in of the last redeem.
pub(crate) async fn redeem(
    parts: &Parts,
    id: VisitId,
    token: &ExportToken,
    before: Option<Unsettled>,
    needed: Needed<'_>,
) -> Redeemed {
    // Nothing is sent before these are on disk, so nothing is lost when they cannot be.
    if let Some(mut before) = before
        && let Err(error) = before.settle(&parts.journal, id).await
    {
        return Redeemed { unsettled: Some(before), ..Redeemed::failed(fault::of_disk(&error)) };
    }
    if let Err(fault) = needed.is_free(parts) {
        return Redeemed::failed(fault);
    }
    let no = match parts.journal.redeem_intent(&id, parts.clock.now()).await {
        Ok(no) => no,
        Err(error) => return Redeemed::failed(fault::of_disk(&error)),
    };
    let mut open = OpenIntent { parts, id, no, closed: false };
    let answer = parts.api.redeem(token).await;
    crash::reached(Point::AnswerReceived);
    open.closed = true;
    drop(open);
    let at = parts.clock.now();
    // The raw answer first, and only then it is read. It may hold the only URLs there will ever be: also when the disk
    // refuses it, going on beats stopping here.
    let (mut end, written, mut redeemed) = match answer {
        Ok(mut answered) => {
            answered.body = parts.api.without_secrets_in_answer(Some(answered.status), &answered.body);
            let mut end = Unsettled::new(no, End::Answered(answered.clone()), at);
            let written = end.write(&parts.journal, id).await;
            (end, written, read(&answered, no))
        }
        Err(error) => {
            let came = parts.api.without_secrets_in_answer(None, &what_came(&error));
            let fault = fault::of_call(&error);
            let lost = match error {
                CallError::NeverSent(cause) => End::NeverSent(cause.to_string()),
                other => End::Unanswered { evidence: other.to_string(), came: came.clone() },
            };
            let mut end = Unsettled::new(no, lost, at);
            let written = end.write(&parts.journal, id).await;
            (end, written, Redeemed::failed_after(fault, no, &came))
        }
    };
    crash::reached(Point::AnswerParsed);
    mask(&mut redeemed, &parts.api);
    end.reading = redeemed.reading();
    let settled = match written {
        Ok(()) => end.settle(&parts.journal, id).await,
        Err(error) => Err(error),
    };
    Redeemed { unsettled: unwritten(settled, end), ..redeemed }
}

/// As much as came of the body of a 200 that is no whole answer.
fn what_came(error: &CallError) -> Bytes {
    match error {
        CallError::Unanswered(evidence) if evidence.status == Some(200) => evidence.body.clone(),
        CallError::Broken(broken) if broken.status == 200 => broken.body.clone(),
        _ => Bytes::new(),
    }
}

fn unwritten(written: Result<(), StoreError>, end: Unsettled) -> Option<Unsettled> {
    let error = written.err()?;
    tracing::error!(%error, "how the redeem ended could not be written");
    Some(end)
}

/// Reads an answer whose raw body is on disk (or could not be brought there).
pub(crate) fn read(answered: &Answered, no: RedeemNo) -> Redeemed {
    if let Some(refusal) = answered.refusal() {
        return Redeemed::nothing(match refusal.class {
            Class::TokenRefused => RedeemResult::Refused,
            _ => RedeemResult::Failed(fault::of_refusal(&refusal)),
        });
    }
    match RedeemAnswer::read(&answered.body) {
        Ok(RedeemAnswer::Ready(delivery)) => {
            Redeemed { delivery: Some(delivery), ..Redeemed::nothing(RedeemResult::Delivered) }
        }
        Ok(RedeemAnswer::NotReady(progress)) => Redeemed::nothing(RedeemResult::NotReady(progress)),
        Err(mismatch) => {
            let words = format!("GET /redeemExportToken, {mismatch}");
            Redeemed::failed_after(Fault::new(FaultKind::ProtocolBroken, words), no, &answered.body)
        }
    }
}

/// Masks what a backend says in words of its own, before anything shows or keeps it: it may repeat a credential
/// anywhere.
fn mask(redeemed: &mut Redeemed, api: &Api) {
    if let RedeemResult::NotReady(progress) = &mut redeemed.result
        && let CompletionStatus::Other(word) = &mut progress.status
    {
        *word = api.without_secrets(word);
    }
    let salvage = redeemed.salvage.iter_mut().map(|salvage| &mut salvage.delivery);
    redeemed.delivery.iter_mut().chain(salvage).for_each(|delivery| mask_types(delivery, api));
}

/// The same of what an answer on disk delivered.
pub(crate) fn mask_types(delivery: &mut Delivery, api: &Api) {
    for export in &mut delivery.exports {
        export.export_type = ExportType::new(api.without_secrets(export.export_type.as_str()));
    }
}

/// An intent whose request may be under way.
struct OpenIntent<'a> {
    parts: &'a Parts,
    id: VisitId,
    no: RedeemNo,
    closed: bool,
}

impl Drop for OpenIntent<'_> {
    fn drop(&mut self) {
        if !self.closed {
            self.parts.journal.redeem_cancelled(&self.id, Some(self.no), true, self.parts.clock.now());
        }
    }
}
