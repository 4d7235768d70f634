//! One redeem: intent on disk, one request, the raw answer on disk, and only then is it read.

use super::{Parts, at_the_disk, fault};
use client::{Answered, Api, CallError, Class};
use jiff::Timestamp;
use protocol::{CompletionStatus, Delivery, ExportToken, ExportType, RedeemAnswer};
use store::crash::{self, Point};
use store::{Journal, RedeemNo, StoreError, VisitId};
use visit::{Fault, FaultKind, RedeemResult};

/// How it ended, and what it delivered.
pub(crate) struct Redeemed {
    pub(crate) result: RedeemResult,
    pub(crate) delivery: Option<Delivery>,
    /// The journal's word on it, when the disk did not take it.
    pub(crate) unsettled: Option<Unsettled>,
}

impl Redeemed {
    fn nothing(result: RedeemResult) -> Self {
        Self { result, delivery: None, unsettled: None }
    }

    fn failed(fault: Fault) -> Self {
        Self::nothing(RedeemResult::Failed(fault))
    }
}

/// How a redeem ended, as the journal is to have it. While it has not, it lets no further redeem leave.
pub(crate) struct Unsettled {
    no: RedeemNo,
    end: End,
    at: Timestamp,
    /// Whether the first half is on disk: of an answer the raw body.
    written: bool,
}

enum End {
    /// `kept`: it carries URLs.
    Answered {
        answered: Answered,
        kept: bool,
    },
    NeverSent(String),
    Unanswered(String),
}

impl Unsettled {
    fn new(no: RedeemNo, end: End, at: Timestamp) -> Self {
        Self { no, end, at, written: false }
    }

    /// Writes down what is not on disk yet.
    pub(crate) fn settle(&mut self, journal: &Journal, id: VisitId) -> Result<(), StoreError> {
        self.write(journal, id)?;
        match &self.end {
            End::Answered { kept, .. } => journal.redeem_read(&id, self.no, *kept),
            End::NeverSent(_) | End::Unanswered(_) => Ok(()),
        }
    }

    /// Writes down how it ended: of an answer the raw body, unread.
    fn write(&mut self, journal: &Journal, id: VisitId) -> Result<(), StoreError> {
        if self.written {
            return Ok(());
        }
        match &self.end {
            End::Answered { answered, .. } => {
                journal.redeem_answered(&id, self.no, answered.status, &answered.body, self.at)
            }
            End::NeverSent(cause) => journal.redeem_never_sent(&id, self.no, cause, self.at),
            End::Unanswered(evidence) => journal.redeem_unanswered(&id, self.no, evidence, self.at),
        }?;
        self.written = true;
        Ok(())
    }
}

/// Redeems once. Dropped in the middle, it leaves an *unanswered* in the journal. `before` is what the journal still
/// has to take in of the last redeem.
pub(crate) async fn redeem(
    parts: &Parts,
    id: VisitId,
    token: &ExportToken,
    before: Option<Unsettled>,
) -> Redeemed {
    // Nothing is sent before these are on disk, so nothing is lost when they cannot be.
    let storage = |error: &StoreError| Fault::new(FaultKind::Storage, error.to_string());
    if let Some(mut before) = before
        && let Err(error) = before.settle(&parts.journal, id)
    {
        return Redeemed { unsettled: Some(before), ..Redeemed::failed(storage(&error)) };
    }
    let no = match at_the_disk(|| parts.journal.redeem_intent(&id, parts.clock.now())) {
        Ok(no) => no,
        Err(error) => return Redeemed::failed(storage(&error)),
    };
    let mut open = OpenIntent { parts, id, no, closed: false };
    let answer = parts.api.redeem(token).await;
    crash::reached(Point::AnswerReceived);
    open.closed = true;
    drop(open);
    let at = parts.clock.now();
    match answer {
        Ok(answered) => {
            let mut end = Unsettled::new(no, End::Answered { answered: answered.clone(), kept: false }, at);
            // The raw answer first, and only then it is read. It may hold the only URLs there will ever be: also when
            // the disk refuses it, going on beats stopping here.
            let written = at_the_disk(|| end.write(&parts.journal, id));
            let mut redeemed = read(&answered);
            crash::reached(Point::AnswerParsed);
            mask(&mut redeemed, &parts.api);
            end.end = End::Answered { answered, kept: redeemed.delivery.is_some() };
            let settled = written.and_then(|()| end.settle(&parts.journal, id));
            Redeemed { unsettled: unwritten(settled, end), ..redeemed }
        }
        Err(error) => {
            let end = match &error {
                CallError::NeverSent(cause) => End::NeverSent(cause.to_string()),
                other => End::Unanswered(other.to_string()),
            };
            let mut end = Unsettled::new(no, end, at);
            let unsettled = unwritten(end.settle(&parts.journal, id), end);
            Redeemed { unsettled, ..Redeemed::failed(fault::of_call(&error)) }
        }
    }
}

fn unwritten(written: Result<(), StoreError>, end: Unsettled) -> Option<Unsettled> {
    let error = written.err()?;
    tracing::error!(%error, "how the redeem ended could not be written");
    Some(end)
}

/// Reads an answer whose raw body is on disk (or could not be brought there).
pub(crate) fn read(answered: &Answered) -> Redeemed {
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
            Redeemed::failed(Fault::new(FaultKind::ProtocolBroken, words))
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
    for export in redeemed.delivery.iter_mut().flat_map(|delivery| &mut delivery.exports) {
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
            let now = self.parts.clock.now();
            let words = "given up before its answer came";
            if let Err(error) = self.parts.journal.redeem_unanswered(&self.id, self.no, words, now) {
                tracing::error!(%error, "an abandoned redeem could not be written");
            }
        }
    }
}
