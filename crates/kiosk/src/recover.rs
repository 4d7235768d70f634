//! Finishes what a crash, a power cut or an interruption left, and says what cannot be finished.
//!
//! For each visit of the journal that no running program holds: an answer with URLs that is on disk is saved; a
//! token that may still be alive is redeemed once more (its answer decides between *still making*, *here it is*
//! and *gone*); the rest is closed with its reason. When the token is gone and the beginning of a lost answer names
//! files, these are saved. A token of which nobody can tell any more is given up after [`TOKEN_KEPT`].

use crate::drive::{
    Needed, Parts, Redeemed, Salvage, SaveOrder, Saved, day_of, ended_line, mask_types, read, redeem, save,
};
use crate::line::{Line, LineEvent};
use client::Answered;
use jiff::{SignedDuration, Timestamp};
use protocol::{CompletionStatus, Delivery, ExportToken};
use std::collections::HashMap;
use std::path::PathBuf;
pub use store::Unfinished;
use store::{
    AnswerKind, AvatarFolder, Avatars, Ending, FileRecord, RedeemNo, RedeemOutcome, RedeemState, StoreError,
    UnfinishedRedeem, VisitId, VisitLimits,
};
use visit::outcome::EndedIn;
use visit::{FaultKind, Outcome, RedeemResult};

/// Why a token that is refused now may have been spent.
const UNREADABLE: &str = "an answer to the redeem could not be read whole";
/// The evidence of a redeem that a crash cut short.
const DIED_BETWEEN: &str = "the program ended between the request and its answer";

/// What became of one unfinished visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The visit.
    pub visit: VisitId,
    /// When it began.
    pub started_at: Timestamp,
    /// What became of it.
    pub fate: Fate,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is finished now, in this way.
    Finished {
        /// As if it had ended so by itself.
        outcome: Outcome,
        /// The avatar's folder, or the incomplete one.
        directory: Option<PathBuf>,
    },
    /// Its token is active and its avatar not ready: `recover` again later.
    StillActive {
        /// The completion status, as sent.
        status: String,
    },
    /// It could not be asked now; everything is kept for a later `recover`.
    NotNow {
        /// Why.
        why: String,
        /// The exit code that says so.
        exit: u8,
    },
    /// There was nothing to lose: no token, or a sandbox that is gone.
    Closed {
        /// Why.
        why: String,
    },
}

impl Fate {
    /// The exit code that a command ends with when this was the worst.
    pub fn exit(&self) -> u8 {
        match self {
            Self::Finished { outcome, .. } => outcome.exit(),
            Self::NotNow { exit, .. } => *exit,
            Self::StillActive { .. } | Self::Closed { .. } => 0,
        }
    }
}

/// Gives what a visit's backend is reached with, by profile name and URL; the error says what is missing.
pub type PartsFor<'a> = dyn Fn(&Unfinished) -> Result<Parts, String> + Send + Sync + 'a;

/// Finishes what can be finished.
///
/// # Errors
/// When the journal cannot be read.
pub async fn recover(
    disk: &crate::setup::Disk,
    parts_for: &PartsFor<'_>,
) -> Result<Vec<Recovered>, StoreError> {
    let ids: Vec<VisitId> = disk.journal.unfinished_list().await?.iter().map(|visit| visit.id).collect();
    Ok(recover_each(disk, parts_for, &ids, &|_| false).await?.0)
}

/// The most visits that one automatic recovery resumes.
const MOST_AT_ONCE: usize = 5;
/// The delay before the next automatic attempt on a visit; doubled after each, up to [`LONGEST_DELAY`].
const FIRST_DELAY: SignedDuration = SignedDuration::from_mins(1);
const LONGEST_DELAY: SignedDuration = SignedDuration::from_hours(6);

/// As [`recover`], for a program that does this by itself: resumes at most [`MOST_AT_ONCE`] visits, the oldest first,
/// each with back-off, and none for which `skip` is true.
///
/// # Errors
/// When the journal cannot be read or written.
pub async fn recover_due(
    disk: &crate::setup::Disk,
    parts_for: &PartsFor<'_>,
    skip: &(dyn Fn(&VisitId) -> bool + Send + Sync),
) -> Result<Vec<Recovered>, StoreError> {
    let now = Timestamp::now();
    let mut due = disk.journal.unfinished_list().await?;
    due.retain(|visit| visit.next_attempt_at.is_none_or(|at| at <= now) && !skip(&visit.id));
    due.truncate(MOST_AT_ONCE);
    let ids: Vec<VisitId> = due.iter().map(|visit| visit.id).collect();
    let (all, postponed) = recover_each(disk, parts_for, &ids, skip).await?;
    for visit in due.iter().filter(|visit| postponed.contains(&visit.id)) {
        let delay = FIRST_DELAY.as_secs() << visit.attempts.min(20);
        let next = now + SignedDuration::from_secs(delay).min(LONGEST_DELAY);
        disk.journal.recovery_postponed(&visit.id, visit.attempts.saturating_add(1), next).await?;
    }
    Ok(all)
}

/// Gives what became of each, and those that may be finished later.
async fn recover_each(
    disk: &crate::setup::Disk,
    parts_for: &PartsFor<'_>,
    ids: &[VisitId],
    skip: &(dyn Fn(&VisitId) -> bool + Send + Sync),
) -> Result<(Vec<Recovered>, Vec<VisitId>), StoreError> {
    let (mut all, mut postponed) = (Vec::new(), Vec::new());
    let mut silent = Silent::new();
    for id in ids.iter().copied().filter(|id| !skip(id)) {
        // A program that runs holds its visits; what it holds is not left over.
        let claim = match disk.data.claim(&id) {
            Err(StoreError::Held { .. }) => continue,
            claim => claim,
        };
        // Before the claim another program may have finished it, or brought it further.
        let Some(unfinished) = disk.journal.unfinished_one(&id).await? else {
            continue;
        };
        let started_at = unfinished.visit.start.started_at;
        let fate = match claim {
            Err(error) => Fate::NotNow { why: error.to_string(), exit: 2 },
            Ok(_claim) => one(parts_for, unfinished, &mut silent).await,
        };
        if matches!(fate, Fate::NotNow { .. } | Fate::StillActive { .. }) {
            postponed.push(id);
        }
        all.push(Recovered { visit: id, started_at, fate });
    }
    Ok((all, postponed))
}

/// How long a token is kept for a backend that cannot be asked about it, or for somebody to scan it, from the moment
/// when it was issued. "Temporary" is all that the specification says of its life; a week is far beyond it.
pub const TOKEN_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Backends (by URL) that did not answer in this run, and how: asked for each visit anew, each would wait its time.
type Silent = HashMap<String, String>;

/// What is on disk of a visit's answers.
#[derive(Default)]
struct OnDisk {
    delivery: Option<Delivery>,
    /// The beginning of a lost or broken answer; and what the visit ends with when nothing of it comes.
    salvage: Option<Salvage>,
    /// It was taken for the delivery already.
    salvaged: bool,
    /// What the journal does not know yet, for a crash came first.
    unread: Vec<(RedeemNo, AnswerKind)>,
}

impl OnDisk {
    fn of(unfinished: &Unfinished) -> Self {
        let mut found = Self::default();
        if let Some(UnfinishedRedeem { no, state, .. }) = &unfinished.redeem
            && let RedeemState::Answered { status, body: Some(body), delivered } = state
            && *delivered != Some(false)
        {
            let answer = read(&Answered::new(*status, body.clone()), *no);
            if delivered.is_none() {
                found.unread.push((*no, answer.reading()));
            }
            (found.delivery, found.salvage) = (answer.delivery, answer.salvage);
        }
        for fragment in &unfinished.fragments {
            let delivery = Delivery::of_fragment(&fragment.body);
            if !fragment.read {
                let reading = if delivery.is_some() { AnswerKind::Truncated } else { AnswerKind::Unreadable };
                found.unread.push((fragment.no, reading));
            }
            if found.delivery.is_none() && found.salvage.is_none() {
                found.salvage = delivery.map(|delivery| Salvage { no: fragment.no, delivery });
                found.salvaged = fragment.salvaged && found.salvage.is_some();
            }
        }
        // The oldest first: each that is worth something takes the place of those before it.
        found.unread.sort_unstable_by_key(|(no, _)| *no);
        found
    }

    fn is_spent(&self) -> bool {
        self.delivery.is_some() || self.salvaged
    }
}

async fn one(parts_for: &PartsFor<'_>, mut unfinished: Unfinished, silent: &mut Silent) -> Fate {
    let id = unfinished.visit.start.id;
    let on_disk = OnDisk::of(&unfinished);
    if on_disk.is_spent() || unfinished.visit.start.ephemeral {
        // Spent, or of a backend that is gone: whoever looks for credentials need not find any.
        unfinished.token = None;
    }
    let unasked = match silent.get(&unfinished.visit.start.api_url) {
        Some(why) if unfinished.token.is_some() => Err((why.clone(), 6)),
        _ => parts_for(&unfinished).map_err(|why| (why, 3)),
    };
    let (parts, unasked) = match unasked {
        Ok(parts) => (parts, None),
        Err((why, exit)) if !is_too_old(&unfinished) => return Fate::NotNow { why, exit },
        Err((why, exit)) => {
            // To give it up, nothing is asked of its backend.
            unfinished.token = None;
            match parts_for(&unfinished) {
                Ok(parts) => (parts, Some(why)),
                Err(_) => return Fate::NotNow { why, exit },
            }
        }
    };
    if let Err(error) = parts.journal.reopen(&id).await {
        return Fate::NotNow { why: error.to_string(), exit: 2 };
    }
    for (no, reading) in &on_disk.unread {
        if let Err(error) = parts.journal.redeem_read(&id, *no, *reading).await {
            // The URLs do not live long: going on beats stopping here.
            tracing::error!(%error, visit = %id, "what the answer said could not be written");
        }
    }
    if let Some(why) = unasked {
        return give_up(&parts, &unfinished, &why).await;
    }
    if let Some(delivery) = on_disk.delivery {
        return finish_saving(&parts, &unfinished, delivery, None).await;
    }
    let otherwise = past(&parts, &unfinished).await.unless_it_comes();
    if let Some(Salvage { delivery, .. }) = on_disk.salvage.clone().filter(|_| on_disk.salvaged) {
        return finish_saving(&parts, &unfinished, delivery, Some(otherwise)).await;
    }
    if unfinished.visit.start.ephemeral {
        let why = "its backend was the embedded sandbox, which ended with the program".to_owned();
        return close(&parts, &unfinished, why).await;
    }
    if let Some(UnfinishedRedeem { no, state: RedeemState::Intent, .. }) = unfinished.redeem {
        let now = parts.clock.now();
        if let Err(error) = parts.journal.redeem_unanswered(&id, no, DIED_BETWEEN, &[], now).await {
            return Fate::NotNow { why: error.to_string(), exit: 2 };
        }
    }
    if let Some(token) = unfinished.token.clone() {
        return ask_once_more(&parts, &unfinished, &token, on_disk.salvage, silent).await;
    }
    close(&parts, &unfinished, "no Export Token had come, so nothing is lost".to_owned()).await
}

async fn ask_once_more(
    parts: &Parts,
    unfinished: &Unfinished,
    token: &ExportToken,
    salvage: Option<Salvage>,
    silent: &mut Silent,
) -> Fate {
    let start = &unfinished.visit.start;
    let past = past(parts, unfinished).await;
    let needed = Needed { out: &start.out_dir, least: limits(parts, unfinished).min_free_space };
    let Redeemed { result, delivery, .. } = redeem(parts, start.id, token, None, needed).await;
    if let Some(delivery) = delivery {
        return finish_saving(parts, unfinished, delivery, None).await;
    }
    let failed = async |outcome: Outcome| {
        let (exit, why) = (outcome.exit(), outcome.detail().unwrap_or_default().to_owned());
        if is_too_old(unfinished) && !matches!(outcome, Outcome::DiskFull(_) | Outcome::StorageFailed(_)) {
            return give_up(parts, unfinished, &why).await;
        }
        end(parts, unfinished, &outcome, reached(unfinished), None).await;
        Fate::NotNow { why, exit }
    };
    match result {
        RedeemResult::Refused => {
            if let Some(Salvage { no, delivery }) = salvage {
                if let Err(error) = parts.journal.redeem_salvaged(&start.id, no).await {
                    // There will be no other URLs: going on beats stopping here.
                    tracing::error!(%error, visit = %start.id, "what is salvaged could not be journalled");
                }
                return finish_saving(parts, unfinished, delivery, Some(past.unless_it_comes())).await;
            }
            let broken = unfinished.visit.ending.as_ref().filter(|ending| ending.exit == 9);
            let outcome = match (past.doubt, broken) {
                (Some(words), _) => Outcome::PossiblyConsumed(words),
                // One of the answers that could not be read may have been the one with the URLs.
                (None, Some(_)) => Outcome::ProtocolBroken(UNREADABLE.to_owned()),
                (None, None) => Outcome::TokenRefused { was_active: past.was_active },
            };
            end(parts, unfinished, &outcome, reached(unfinished), None).await;
            Fate::Finished { outcome, directory: None }
        }
        RedeemResult::NotReady(progress) => {
            let nobody = progress.status == CompletionStatus::NoAssociatedAvatar;
            if nobody && is_too_old(unfinished) {
                return give_up(parts, unfinished, "nobody scanned its code, and nobody can any more").await;
            }
            let state = if nobody { reached(unfinished) } else { EndedIn::Making };
            end(parts, unfinished, &Outcome::Interrupted, state, None).await;
            Fate::StillActive { status: progress.status.as_str().to_owned() }
        }
        // One broken answer does not end a token that may still live, so none of these is an ending that forgets it.
        RedeemResult::Failed(fault) | RedeemResult::Fragment(fault) => {
            failed(match fault.kind {
                FaultKind::CredentialsRefused => Outcome::CredentialsRefused(fault.detail),
                FaultKind::Storage => Outcome::StorageFailed(fault.detail),
                FaultKind::DiskFull => Outcome::DiskFull(fault.detail),
                FaultKind::NeverSent | FaultKind::Unanswered => {
                    silent.insert(start.api_url.clone(), fault.detail.clone());
                    Outcome::Unreachable(fault.detail)
                }
                FaultKind::Busy
                | FaultKind::BackendFailing
                | FaultKind::GatewayLostAnswer
                | FaultKind::ProtocolBroken => Outcome::BackendFailing(fault.detail),
            })
            .await
        }
        RedeemResult::Delivered => {
            let why = "the backend delivered, and what it delivered is in the journal";
            end(parts, unfinished, &Outcome::Interrupted, reached(unfinished), None).await;
            Fate::NotNow { why: why.to_owned(), exit: Outcome::Interrupted.exit() }
        }
    }
}

/// Whether its token is kept no longer than it can be of use.
fn is_too_old(unfinished: &Unfinished) -> bool {
    let issued = unfinished.visit.times.issued;
    issued.is_some_and(|issued| Timestamp::now().duration_since(issued) > TOKEN_KEPT)
}

/// Forgets a token that is too old, and says why.
async fn give_up(parts: &Parts, unfinished: &Unfinished, why: &str) -> Fate {
    let outcome = match past(parts, unfinished).await.doubt {
        Some(words) => {
            Outcome::PossiblyConsumed(format!("{words}; and for a week it could not be cleared up: {why}"))
        }
        None => Outcome::TokenAbandoned(why.to_owned()),
    };
    end(parts, unfinished, &outcome, reached(unfinished), None).await;
    Fate::Finished { outcome, directory: None }
}

/// What the visit was told to keep to, else what the profile says now.
fn limits(parts: &Parts, unfinished: &Unfinished) -> VisitLimits {
    unfinished.visit.start.limits.unwrap_or(parts.limits)
}

/// How far the visit had come when it was cut short.
fn reached(unfinished: &Unfinished) -> EndedIn {
    let times = &unfinished.visit.times;
    if times.associated.is_some() {
        EndedIn::Making
    } else if times.issued.is_some() {
        EndedIn::Inviting
    } else {
        EndedIn::Issuing
    }
}

/// What the earlier redeems say about a refusal.
#[derive(Debug, Default)]
struct Past {
    /// Whether an answer was lost that no later one cleared up, and how.
    doubt: Option<String>,
    /// Whether the backend ever knew the token.
    was_active: bool,
}

impl Past {
    /// How a visit ends whose token is refused, when not one file comes of what a lost answer names.
    fn unless_it_comes(self) -> Outcome {
        match self.doubt {
            Some(words) => Outcome::PossiblyConsumed(words),
            None => Outcome::ProtocolBroken(UNREADABLE.to_owned()),
        }
    }
}

async fn past(parts: &Parts, unfinished: &Unfinished) -> Past {
    let mut past = Past::default();
    let detail = parts.journal.visit(&unfinished.visit.start.id).await.ok().flatten();
    for redeem in detail.into_iter().flat_map(|detail| detail.redeems) {
        match redeem.outcome {
            RedeemOutcome::Open => past.doubt = Some(DIED_BETWEEN.to_owned()),
            RedeemOutcome::Unanswered { evidence, .. } => past.doubt = Some(evidence),
            RedeemOutcome::Answered { status: 200, .. } => past = Past { doubt: None, was_active: true },
            RedeemOutcome::Answered { status: status @ (502 | 504), .. } => {
                past.doubt = Some(format!("a gateway lost the backend's answer (status {status})"));
            }
            _ => {}
        }
    }
    past
}

/// `otherwise` is how it ends when not one file comes; without it, a visit that was redeemed is saved in part.
async fn finish_saving(
    parts: &Parts,
    unfinished: &Unfinished,
    mut delivery: Delivery,
    otherwise: Option<Outcome>,
) -> Fate {
    mask_types(&mut delivery, &parts.api);
    let start = &unfinished.visit.start;
    let contradiction = delivery.contradiction.as_ref().map(ToString::to_string);
    let whole = contradiction.map_or(Outcome::Saved, Outcome::SavedDespiteBreak);
    if let Some((directory, incomplete)) = in_order_already(parts, unfinished) {
        clear_up(unfinished);
        let ended_in = if incomplete.is_none() { EndedIn::Saved } else { EndedIn::Saving };
        let outcome = incomplete.unwrap_or(whole);
        end(parts, unfinished, &outcome, ended_in, Some(directory.clone())).await;
        return Fate::Finished { outcome, directory: Some(directory) };
    }
    let earlier: Vec<FileRecord> = unfinished.files.iter().map(|file| file.record.clone()).collect();
    let order = SaveOrder {
        id: start.id,
        profile: start.profile.clone(),
        backend_host: start.backend_host.clone(),
        out: start.out_dir.clone(),
        required_exports: start.required_exports.clone(),
        limits: limits(parts, unfinished),
        pause: crate::drive::DOWNLOAD_PAUSE,
        // The token may have been redeemed only now.
        times: parts.journal.times(&start.id).await.unwrap_or_else(|_| unfinished.visit.times.clone()),
        earlier,
    };
    let exports = delivery.exports.iter().map(|export| export.export_type.as_str().to_owned()).collect();
    tell(parts, start.id, LineEvent::Redeemed { exports });
    let Saved { directory, files, missing, disk_full, .. } = save(parts, order, delivery).await;
    let (outcome, ended_in) = if disk_full {
        (Outcome::SavedUntilFull(missing.join("; ")), EndedIn::Saving)
    } else if missing.is_empty() {
        let folder = directory.as_deref().unwrap_or(&start.out_dir).display().to_string();
        tell(parts, start.id, LineEvent::Saved { directory: folder, files });
        (whole, EndedIn::Saved)
    } else {
        let why = missing.join("; ");
        let outcome = match otherwise.filter(|_| files.is_empty()) {
            Some(otherwise) => otherwise.and_nothing_came(&why),
            None => Outcome::SavedInPart(why),
        };
        (outcome, EndedIn::Saving)
    };
    end(parts, unfinished, &outcome, ended_in, directory.clone()).await;
    Fate::Finished { outcome, directory }
}

/// The folder, when the crash came between the rename and the journal's last word; and what is missing in it.
fn in_order_already(parts: &Parts, unfinished: &Unfinished) -> Option<(PathBuf, Option<Outcome>)> {
    let start = &unfinished.visit.start;
    let parents = [start.out_dir.clone(), parts.data.incomplete()];
    let found = parents.iter().find_map(|parent| Avatars::find(parent, &start.id).ok().flatten());
    found.map(|(folder, manifest)| {
        let missing: Vec<String> =
            manifest.missing.iter().map(|file| format!("{}: {}", file.export_type, file.reason)).collect();
        (folder, (!manifest.complete).then(|| Outcome::SavedInPart(missing.join("; "))))
    })
}

/// Of an incomplete avatar that was copied to another disk, the crash may have left what was copied.
fn clear_up(unfinished: &Unfinished) {
    let start = &unfinished.visit.start;
    let left = AvatarFolder::reopen(&start.out_dir, &start.id, day_of(start.started_at));
    if let Err(error) = left.and_then(|folder| folder.map_or(Ok(()), AvatarFolder::discard)) {
        tracing::warn!(%error, visit = %start.id, "what was copied could not be removed");
    }
}

async fn close(parts: &Parts, unfinished: &Unfinished, why: String) -> Fate {
    end(parts, unfinished, &Outcome::Interrupted, reached(unfinished), None).await;
    Fate::Closed { why }
}

async fn end(
    parts: &Parts,
    unfinished: &Unfinished,
    outcome: &Outcome,
    state: EndedIn,
    directory: Option<PathBuf>,
) {
    let id = unfinished.visit.start.id;
    let line = ended_line(outcome, state.as_str(), directory.as_deref());
    let LineEvent::Ended { code, exit, message, visit_state } = line.clone() else {
        return;
    };
    let ending = Ending { code, exit, message, visit_state, directory, at: parts.clock.now() };
    if let Err(error) = parts.journal.ended(&id, &ending).await {
        tracing::error!(%error, visit = %id, "the journal could not take in the visit's end");
    }
    tell(parts, id, line);
}

fn tell(parts: &Parts, visit: VisitId, event: LineEvent) {
    (parts.teller)(Line { visit, at: parts.clock.now(), event });
}
