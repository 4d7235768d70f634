//! Holds how a visit ended against the truth of its world.

use crate::disturbance::Disturbance;
use crate::files::TRAILING_BYTES;
use crate::truth::{Effect, Received, TokenState, Truth};
use copresence_protocol::MAX_REDEEM_DELAY;
use copresence_store::{Manifest, ManifestCompleteFile, SavedAvatarOperations, VisitId};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a client keeps trying a URL that is not refused (`downloads.keep_trying`).
const KEEP_TRYING: Duration = Duration::from_hours(24);
/// How long the request for a token is retried at least.
const ISSUE_PATIENCE: Duration = Duration::from_secs(15);
/// Most tokens that one visit may cause without receiving them.
const MAX_UNSEEN_TOKENS: u32 = 3;

/// Longest time for which a client awaits the response to a redeem, with its default timeouts.
const MAX_REDEEM_WAIT: Duration = Duration::from_secs(370);

/// Where avatars are saved: complete ones and incomplete ones.
#[derive(Clone)]
pub(crate) struct AvatarFolders {
    pub(crate) out_dir: PathBuf,
    pub(crate) incomplete: PathBuf,
}

/// An ending that a visit announced or journalled.
pub(crate) struct Ending<'a> {
    pub(crate) code: &'a str,
    pub(crate) exit: u8,
    pub(crate) message: &'a str,
    pub(crate) visit_state: &'a str,
}

/// Judges an ending once.
pub(crate) fn judge_ending(truth: &mut Truth, folders: &AvatarFolders, visit: VisitId, ending: &Ending<'_>) {
    let Some(record) = truth.visits.get_mut(&visit) else { return };
    record.judged_endings.push((ending.code.to_owned(), ending.exit));
    let (token, crashes) = (record.token.clone(), record.crashes);
    truth.note(|| format!("{visit} ended: {} (exit {}): {}", ending.code, ending.exit, ending.message));
    let found = find_avatar(folders, visit);
    judge_issuing(truth, visit, ending);
    if ending.exit == 3 {
        truth.violate("credentials are refused only by the backend", format!("{visit}: {}", ending.message));
    }
    let Some(name) = token else { return };
    judge_files(truth, visit, &name, ending, crashes, found.as_ref());
    judge_meaning(truth, visit, &name, ending, crashes);
}

/// Judges what a visit says while it goes on.
pub(crate) fn judge_retry(truth: &mut Truth, visit: VisitId, code: &str, message: &str) {
    let has_garbage = truth
        .visits
        .get(&visit)
        .and_then(|record| truth.tokens.get(record.token.as_ref()?))
        .is_some_and(|token| token.redeems.iter().any(|redeem| redeem.is_garbage));
    if code == "credentials_refused" || (code == "protocol_broken" && !has_garbage) {
        truth.violate("a gate is not the backend", format!("{visit} retries: {code}: {message}"));
    }
}

/// Endings before a token was shown.
fn judge_issuing(truth: &mut Truth, visit: VisitId, ending: &Ending<'_>) {
    let Some(record) = truth.visits.get(&visit) else { return };
    let age = truth.now().saturating_sub(record.began);
    let (possibly, issued) = (record.possibly_issued, record.issued);
    let unseen = issued.saturating_sub(u32::from(record.token.is_some()));
    if unseen > MAX_UNSEEN_TOKENS {
        truth.violate("tokens issued without a response are bounded", format!("{visit}: {unseen} tokens"));
    }
    let is_issuing = ending.visit_state == "issuing";
    if is_issuing && ending.exit == 6 && age < ISSUE_PATIENCE && possibly < MAX_UNSEEN_TOKENS {
        truth.violate(
            "the request for a token has patience",
            format!("{visit} gave up after {age:?} and {possibly} lost responses: {}", ending.message),
        );
    }
    if is_issuing && ending.exit == 9 {
        truth.violate("a gate is not the backend", format!("{visit}: {}", ending.message));
    }
}

/// Every file that could be had is there, byte by byte.
fn judge_files(
    truth: &mut Truth,
    visit: VisitId,
    name: &str,
    ending: &Ending<'_>,
    crashes: u32,
    found: Option<&(PathBuf, Manifest)>,
) {
    let is_kept_for_recovery = matches!(ending.exit, 2 | 6 | 8 | 130);
    let now = truth.now();
    let (mut wrong, mut lost, mut untrue) = (Vec::new(), Vec::new(), Vec::new());
    let Some(token) = truth.tokens.get(name) else { return };
    // A crash may come between the last byte of the delivery and its first write to the journal.
    let is_used = truth.files.values().any(|file| file.token == name && file.requests > 0);
    let was_delivered =
        (crashes == 0 || is_used) && token.spending_redeem().is_some_and(crate::truth::Redeem::is_received_delivery);
    let is_late = truth.clock_was_set || token.spent_at.is_some_and(|spent| now > spent + KEEP_TRYING);
    for (path, file) in truth.files.iter().filter(|(_, file)| file.token == name) {
        let saved = found.and_then(|(folder, manifest)| {
            let read = |entry: &ManifestCompleteFile| std::fs::read(folder.join(&entry.path)).ok();
            let of_type = |export_type: &str| {
                let export_type = export_type.to_owned();
                manifest.files.iter().filter(move |entry| entry.export_type == export_type).filter_map(read)
            };
            // A response that broke off behind the URL names no type.
            let of_unknown_type = || of_type("").find(|content| *content == file.content);
            of_type(file.export_type).next().or_else(of_unknown_type)
        });
        if saved.is_none() && ending.exit == 7 {
            if file.requests == 0 && ending.message.contains("cannot be asked again") {
                untrue.push(format!("{path} was never asked for"));
            }
            // Refusals between other failures prove nothing; then the file is given up for its age, as the message says.
            let is_given_up_for_age = ending.message.contains("`downloads.keep_trying`");
            if file.was_refused_as_expired && !is_given_up_for_age && !ending.message.contains("expired") {
                untrue.push(format!("{path}: the file server said that the request has expired"));
            }
        }
        match saved {
            Some(saved) if saved == file.content => {}
            // The model is whole, and the bytes behind it cannot be had any more.
            Some(saved)
                if !file.could_be_had(now)
                    && file.content.strip_suffix(TRAILING_BYTES).is_some_and(|model| model == saved) => {}
            Some(saved) => wrong.push(format!("{path}: {} bytes saved, {} right", saved.len(), file.content.len())),
            None if is_kept_for_recovery || is_late => {}
            None if (was_delivered || file.requests > 0) && file.could_be_had(now) => lost.push(format!(
                "{path}: one-time {}, ranges {}, spent {}, {} of {} bytes held, {} requests",
                file.is_one_time,
                file.allows_ranges,
                file.is_spent,
                file.received,
                file.coded.len(),
                file.requests
            )),
            None if ending.exit == 0 => wrong.push(format!("{path}: missing")),
            None => {}
        }
    }
    for file in wrong {
        truth.violate("saved files are identical", format!("{visit}: {file}"));
    }
    for what in untrue {
        truth.violate("messages are true", format!("{visit}: {what}; {}", ending.message));
    }
    for file in lost {
        truth.violate(
            "no file is lost that could be had",
            format!("{visit} ended {} ({}): {file}; {}", ending.code, ending.exit, ending.message),
        );
    }
}

/// The code and the message mean what happened.
fn judge_meaning(truth: &mut Truth, visit: VisitId, name: &str, ending: &Ending<'_>, crashes: u32) {
    let now = truth.now();
    let Some(token) = truth.tokens.get(name) else { return };
    // A redeem is settled by a "not ready" only when it cannot reach the backend any more.
    let is_settled = |doubt: &crate::truth::Redeem| {
        let settled_at = doubt.sent_at + MAX_REDEEM_WAIT + MAX_REDEEM_DELAY;
        token.redeems.iter().any(|redeem| redeem.proves_active() && redeem.sent_at >= settled_at)
    };
    let may_hide_delivery =
        crashes > 0 || token.redeems.iter().any(|redeem| redeem.leaves_doubt() && !is_settled(redeem));
    // A clock that was set hides how late a redeem may be.
    let is_clock_reliable = !truth.weather.has(Disturbance::ClockJump);
    let is_unseen = token
        .spending_redeem()
        .is_some_and(|redeem| !redeem.is_received_delivery() && (is_clock_reliable || !redeem.is_late));
    let has_garbage = token.redeems.iter().any(|redeem| redeem.is_garbage);
    let was_active = token.redeems.iter().any(crate::truth::Redeem::proves_active);
    let last_seen = token.redeems.iter().rev().find(|redeem| redeem.proves_active()).map(|redeem| redeem.effect);
    let has_failed = last_seen == Some(Effect::Progress(TokenState::Failed));
    let is_refusal = |redeem: &&crate::truth::Redeem| {
        redeem.effect == Effect::Refused && redeem.received == Received::Whole && redeem.is_genuine
    };
    // One refusal is confirmed by a second one.
    let refused = token.redeems.iter().filter(is_refusal).count() > 1;
    let sent = token.redeems.len();
    let state = token.state(now);
    let mut violations: Vec<(&'static str, String)> = Vec::new();
    match ending.exit {
        4 | 5 if is_unseen => violations.push(("a token that is consumed unseen ends with exit 10", String::new())),
        4 if state != TokenState::Inactive && ending.code != "token_abandoned" => {
            violations.push(("a token is refused only by the backend", format!("its state is {state:?}")));
        }
        4 if ending.code == "token_refused" && was_active => {
            violations.push(("an expired token is told from an unknown one", String::new()));
        }
        4 if ending.message.contains("first redeem") && sent > 1 => {
            violations.push(("messages are true", format!("{sent} redeems were sent")));
        }
        4 if has_failed && refused => {
            violations.push(("a failed avatar ends with exit 5", String::new()));
        }
        5 if !has_failed && !may_hide_delivery => {
            violations.push(("an avatar failed only if the backend said so", format!("{last_seen:?}")));
        }
        9 if !has_garbage => violations.push(("a gate is not the backend", String::new())),
        9 if is_unseen && refused => {
            violations.push(("a token that is consumed unseen ends with exit 10", String::new()));
        }
        10 if !may_hide_delivery && is_clock_reliable => {
            violations.push(("exit 10 only after a lost answer", String::new()));
        }
        _ => {}
    }
    for (guarantee, detail) in violations {
        truth.violate(
            guarantee,
            format!("{visit} ended {} ({}): {detail}; {}", ending.code, ending.exit, ending.message),
        );
    }
}

/// At the end of a world nothing is left that could still become an avatar.
pub(crate) fn judge_final_state(truth: &mut Truth, visit: VisitId) {
    let now = truth.now();
    let Some(record) = truth.visits.get(&visit) else { return };
    let Some((code, exit)) = record.judged_endings.last().cloned() else { return };
    let Some(name) = record.token.clone() else { return };
    let Some(token) = truth.tokens.get(&name) else { return };
    let is_old = now > token.issued_at + Duration::from_hours(7 * 24);
    let is_excused = is_old || truth.clock_was_set || truth.weather.has(Disturbance::Interrupt);
    if token.state(now) == TokenState::Ready && !is_excused {
        truth.violate("no token is given up that would deliver", format!("{visit} ended {code} ({exit})"));
    }
}

fn find_avatar(folders: &AvatarFolders, visit: VisitId) -> Option<(PathBuf, Manifest)> {
    let find = |parent: &Path| SavedAvatarOperations::find_durable_avatar_with_manifest(parent, &visit).ok().flatten();
    find(&folders.out_dir).or_else(|| find(&folders.incomplete))
}
