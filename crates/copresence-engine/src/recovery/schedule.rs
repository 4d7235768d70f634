//! When an unfinished visit is recovered again, and when its token is too old to be kept.

use super::RecoveryOutcome;
use crate::clock::Clock;
use copresence_store::{UnfinishedVisitSummary, VisitId, VisitRecord};
use jiff::{SignedDuration, Timestamp};

/// How long a token is kept for a backend that does not decide, or for a scan, counted from its issue. The
/// specification calls tokens "temporary"; a week is far beyond any such lifetime.
pub const MAX_TOKEN_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Maximum tokens redeemed in one automatic run. Further visits wait for the next run.
pub const MAX_REDEEMS_PER_RUN: usize = 10;

/// Attempts before a token is abandoned for its age, because the age may be a wrong clock's. With the pauses below they
/// take a day.
const MIN_ATTEMPTS: u32 = 12;
/// Attempts before a token is abandoned that was issued later than now, by a clock that was set back since: its age is not
/// known. With the pauses below they take four days.
const MIN_ATTEMPTS_WITHOUT_AGE: u32 = 24;

/// First pause between two automatic attempts; doubled after each.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(1);
/// Maximum pause between two automatic attempts.
const MAX_PAUSE: SignedDuration = SignedDuration::from_hours(6);
/// First pause between two automatic attempts to download files; doubled after each. One-time URLs live for a short
/// while.
const FIRST_DOWNLOAD_PAUSE: SignedDuration = SignedDuration::from_secs(5);
/// Maximum pause between two automatic attempts to download files.
const MAX_DOWNLOAD_PAUSE: SignedDuration = SignedDuration::from_mins(5);
/// Maximum pause while the avatar is being made.
const MAX_PAUSE_WHILE_MAKING: SignedDuration = SignedDuration::from_mins(5);
/// Pause after nothing was tried, because credentials are missing, the journal failed, or the backend of the visit did not
/// answer for another one. Nothing is sent for it, so it may be short: a person may unlock the keychain meanwhile.
const PAUSE_WITHOUT_ATTEMPT: SignedDuration = SignedDuration::from_mins(5);
/// Pause once the token is past its stated lifetime. It is redeemed all the same, because a profile may state too
/// little.
const PAUSE_AFTER_EXPIRY: SignedDuration = SignedDuration::from_hours(24);

/// Whether a token was kept for as long as it can be of use.
///
/// Age is measured against the time at which this process started plus the time since, so that a clock that is set
/// ahead while the program runs makes no token old. A token may also have been issued before a machine without a clock
/// battery learnt the time. Therefore it is abandoned only after [`MIN_ATTEMPTS`].
pub(super) fn is_token_too_old(visit: &VisitRecord, clock: Clock) -> bool {
    let Some(issued) = visit.times.issued else { return false };
    let age = clock.monotonic_timestamp().duration_since(issued);
    is_token_age_too_old(age, visit.recovery_attempts)
}

/// Whether a token of this age is too old to be of use, see [`is_token_too_old`]. A negative age is that of a clock
/// that was set back.
fn is_token_age_too_old(age: SignedDuration, attempts: u32) -> bool {
    age > MAX_TOKEN_AGE && attempts >= MIN_ATTEMPTS || age.is_negative() && attempts >= MIN_ATTEMPTS_WITHOUT_AGE
}

/// The time of the next recovery of a visit that could not be finished. `attempts` counts those before this one.
pub(super) fn next_recovery_time_of_unfinished_visit(
    now: Timestamp,
    attempts: u32,
    outcome: &RecoveryOutcome,
    expires_at: Option<Timestamp>,
) -> Timestamp {
    let doubled = redeem_pause_after_attempts(attempts);
    let is_making = matches!(outcome, RecoveryOutcome::StillActive { status } if is_avatar_in_progress(status));
    let pause = if is_making {
        doubled.min(MAX_PAUSE_WHILE_MAKING)
    } else if expires_at.is_some_and(|expires_at| expires_at < now) {
        PAUSE_AFTER_EXPIRY
    } else {
        doubled
    };
    now.saturating_add(pause).unwrap_or(Timestamp::MAX)
}

/// The pause before the next redeem of a token, with `attempts` before the last one.
fn redeem_pause_after_attempts(attempts: u32) -> SignedDuration {
    FIRST_PAUSE.saturating_mul(1 << attempts.min(16)).min(MAX_PAUSE)
}

/// The time of the next recovery of a visit for which nothing could be tried.
pub(super) fn next_recovery_time_when_nothing_tried(now: Timestamp) -> Timestamp {
    now.saturating_add(PAUSE_WITHOUT_ATTEMPT).unwrap_or(Timestamp::MAX)
}

/// The time of the next recovery of a visit whose downloads were interrupted, or whose disk failed. `attempts` counts
/// those before this one.
pub(super) fn next_recovery_time_after_interrupted_downloads(now: Timestamp, attempts: u32) -> Timestamp {
    let pause = FIRST_DOWNLOAD_PAUSE.saturating_mul(1 << attempts.min(16)).min(MAX_DOWNLOAD_PAUSE);
    now.saturating_add(pause).unwrap_or(Timestamp::MAX)
}

/// Whether a completion status says that an avatar is associated and has not failed.
fn is_avatar_in_progress(status: &str) -> bool {
    use copresence_protocol::CompletionStatus as Status;
    !matches!(Status::from(status), Status::NoAssociatedAvatar | Status::Failed)
}

/// The visits to recover now, in order, and whether each needs a redeem. Those that need no redeem are included
/// whenever their next attempt is due.
pub(super) fn due_visits_with_redeem_need(
    unfinished: Vec<UnfinishedVisitSummary>,
    now: Timestamp,
) -> Vec<(VisitId, bool)> {
    let (mut redeems, mut others): (Vec<_>, Vec<_>) =
        unfinished.into_iter().filter(|visit| is_attempt_due(visit, now)).partition(can_only_finish_by_redeem);
    // The newest token is the likeliest to be active.
    redeems.sort_by_key(|visit| std::cmp::Reverse(visit.started_at));
    // URLs live for a short while.
    others.sort_by_key(|visit| std::cmp::Reverse(visit.started_at));
    let others = others.into_iter().map(|visit| (visit.id, false));
    others.chain(redeems.into_iter().map(|visit| (visit.id, true))).collect()
}

/// Whether a visit can be finished only by redeeming its token.
pub(super) fn can_only_finish_by_redeem(visit: &UnfinishedVisitSummary) -> bool {
    visit.has_token && !visit.has_answer && !visit.ephemeral
}

/// Whether the next attempt is due. One that is further ahead than any pause of this visit was set by a clock that has been
/// set back since: its token or its download URLs may expire until then.
fn is_attempt_due(visit: &UnfinishedVisitSummary, now: Timestamp) -> bool {
    visit
        .next_attempt_at
        .is_none_or(|next| next <= now || next.duration_since(now) > longest_pause_before_attempt(visit, next))
}

/// The longest pause that may have been taken before the next attempt at a visit.
fn longest_pause_before_attempt(visit: &UnfinishedVisitSummary, next: Timestamp) -> SignedDuration {
    let pause = if !can_only_finish_by_redeem(visit) {
        MAX_DOWNLOAD_PAUSE
    } else if visit.token_expires_at.is_some_and(|expires_at| expires_at < next) {
        PAUSE_AFTER_EXPIRY
    } else {
        redeem_pause_after_attempts(visit.attempts.saturating_sub(1))
    };
    pause.max(PAUSE_WITHOUT_ATTEMPT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(attempts: u32, outcome: &RecoveryOutcome, expires_in: Option<SignedDuration>) -> SignedDuration {
        let now = Timestamp::now();
        let expires_at = expires_in.map(|life| now + life);
        next_recovery_time_of_unfinished_visit(now, attempts, outcome, expires_at).duration_since(now)
    }

    #[test]
    fn attempts_are_spaced_by_what_the_last_one_showed() {
        let active = |status: &str| RecoveryOutcome::StillActive { status: status.into() };
        let failed = RecoveryOutcome::Postponed { why: String::new(), exit: 6 };
        assert_eq!(pause(0, &failed, None), FIRST_PAUSE);
        assert_eq!(pause(3, &failed, None), SignedDuration::from_mins(8));
        assert_eq!(pause(u32::MAX, &failed, None), MAX_PAUSE);
        assert_eq!(pause(9, &active("no_associated_avatar"), None), MAX_PAUSE);
        assert_eq!(pause(9, &active("processing"), None), MAX_PAUSE_WHILE_MAKING);
        let minute = SignedDuration::from_mins(1);
        assert_eq!(pause(0, &failed, Some(minute)), FIRST_PAUSE);
        assert_eq!(pause(0, &failed, Some(-minute)), PAUSE_AFTER_EXPIRY);
        assert_eq!(pause(0, &active("processing"), Some(-minute)), FIRST_PAUSE, "the profile was wrong");
    }

    #[test]
    fn a_token_is_too_old_by_its_age_and_by_attempts_together() {
        let week = MAX_TOKEN_AGE + SignedDuration::from_secs(1);
        assert!(!is_token_age_too_old(week, 11) && is_token_age_too_old(week, 12));
        assert!(!is_token_age_too_old(MAX_TOKEN_AGE, 1000));
        // Issued by a clock that was a year ahead.
        let in_future = SignedDuration::from_hours(-365 * 24);
        assert!(!is_token_age_too_old(in_future, 23) && is_token_age_too_old(in_future, 24));
    }

    #[test]
    fn downloads_are_tried_again_soon_and_often() {
        let now = Timestamp::UNIX_EPOCH;
        let pause = |attempts| next_recovery_time_after_interrupted_downloads(now, attempts).duration_since(now);
        assert_eq!((pause(0), pause(1)), (FIRST_DOWNLOAD_PAUSE, 2 * FIRST_DOWNLOAD_PAUSE));
        assert_eq!((pause(6), pause(u32::MAX)), (MAX_DOWNLOAD_PAUSE, MAX_DOWNLOAD_PAUSE));
    }

    /// The clock of a machine was ahead, as one of another time zone is, until the network came back.
    #[test]
    fn a_clock_that_was_set_back_makes_every_visit_due() {
        let (now, minute, hour) = (Timestamp::now(), SignedDuration::from_mins(1), SignedDuration::from_hours(1));
        let is_due = |attempts, has_answer: bool, expires_at, next_attempt_at| {
            let visit = UnfinishedVisitSummary {
                id: VisitId::new(),
                api_url: "https://api.test/".to_owned(),
                started_at: now,
                issued_at: Some(now),
                token_expires_at: expires_at,
                has_token: !has_answer,
                has_answer,
                ephemeral: false,
                attempts,
                next_attempt_at,
            };
            due_visits_with_redeem_need(vec![visit], now).len() == 1
        };
        for has_answer in [true, false] {
            assert!(is_due(1, has_answer, None, None) && is_due(1, has_answer, None, Some(now)));
            assert!(!is_due(1, has_answer, None, Some(now + minute)));
            assert!(is_due(1, has_answer, None, Some(now + 2 * hour)), "its URLs or its token may expire");
        }
        assert!(!is_due(20, false, None, Some(now + 6 * hour)) && is_due(20, false, None, Some(now + 7 * hour)));
        let expired = Some(now - minute);
        assert!(!is_due(1, false, expired, Some(now + 24 * hour)) && is_due(1, false, expired, Some(now + 25 * hour)));
    }
}
