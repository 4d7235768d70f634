//! One redeem: intent on disk, one request, the raw answer on disk, and only then is it read.

use super::{Parts, fault};
use client::{Answered, CallError, Class};
use protocol::{Delivery, ExportToken, RedeemAnswer};
use store::{Journal, RedeemNo, VisitId};
use visit::{Fault, FaultKind, RedeemResult};

/// How it ended, and what it delivered.
pub(crate) struct Redeemed {
    pub(crate) result: RedeemResult,
    pub(crate) delivery: Option<Delivery>,
}

impl Redeemed {
    fn nothing(result: RedeemResult) -> Self {
        Self { result, delivery: None }
    }

    fn failed(fault: Fault) -> Self {
        Self::nothing(RedeemResult::Failed(fault))
    }
}

/// Redeems once. Dropped in the middle, it leaves an *unanswered* in the journal.
pub(crate) async fn redeem(parts: &Parts, id: VisitId, token: &ExportToken) -> Redeemed {
    let no = match parts.journal.redeem_intent(&id, parts.clock.now()) {
        Ok(no) => no,
        // Nothing was sent, so nothing is lost: without the intent on disk no redeem leaves.
        Err(error) => return Redeemed::failed(Fault::new(FaultKind::Storage, error.to_string())),
    };
    let mut open = OpenIntent { parts, id, no, closed: false };
    let answer = parts.api.redeem(token).await;
    open.closed = true;
    drop(open);
    match answer {
        Ok(answered) => {
            let body = &answered.body;
            let kept = parts.journal.redeem_answered(&id, no, answered.status, body, parts.clock.now());
            if let Err(error) = kept {
                // The answer may hold the only URLs there will ever be: going on beats stopping here.
                tracing::error!(%error, "the raw answer could not be written");
            }
            read_answer(&parts.journal, id, no, &answered)
        }
        Err(error) => {
            let now = parts.clock.now();
            let noted = match &error {
                CallError::NeverSent(cause) => {
                    parts.journal.redeem_never_sent(&id, no, &cause.to_string(), now)
                }
                other => parts.journal.redeem_unanswered(&id, no, &other.to_string(), now),
            };
            if let Err(error) = noted {
                tracing::error!(%error, "how the redeem ended could not be written");
            }
            Redeemed::failed(fault::of_call(&error))
        }
    }
}

/// Reads an answer whose raw body is on disk, and notes there whether it is worth keeping.
pub(crate) fn read_answer(journal: &Journal, id: VisitId, no: RedeemNo, answered: &Answered) -> Redeemed {
    let redeemed = read_again(answered);
    note_read(journal, id, no, redeemed.delivery.is_some());
    redeemed
}

/// Reads an answer, and notes nothing.
pub(crate) fn read_again(answered: &Answered) -> Redeemed {
    if let Some(refusal) = answered.refusal() {
        return Redeemed::nothing(match refusal.class {
            Class::TokenRefused => RedeemResult::Refused,
            _ => RedeemResult::Failed(fault::of_refusal(&refusal)),
        });
    }
    match RedeemAnswer::read(&answered.body) {
        Ok(RedeemAnswer::Ready(delivery)) => {
            Redeemed { result: RedeemResult::Delivered, delivery: Some(delivery) }
        }
        Ok(RedeemAnswer::NotReady(progress)) => Redeemed::nothing(RedeemResult::NotReady(progress)),
        Err(mismatch) => {
            let words = format!("GET /redeemExportToken, {mismatch}");
            Redeemed::failed(Fault::new(FaultKind::ProtocolBroken, words))
        }
    }
}

fn note_read(journal: &Journal, id: VisitId, no: RedeemNo, kept: bool) {
    if let Err(error) = journal.redeem_read(&id, no, kept) {
        tracing::error!(%error, "what the answer said could not be written");
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
