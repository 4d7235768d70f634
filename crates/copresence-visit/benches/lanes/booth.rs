//! A simulated booth with one screen: how many visitors it serves, and how long they wait.
//!
//! Assumptions:
//! - The visitors and their avatars are those of the polling benchmark. A status is noticed without delay.
//! - The QR code is on the screen 5 s after the visitor began. An avatar that is ready is saved in 5 s and looked at for
//!   40 s.
//! - A visit is handed over 8 s after the moment from which it may be, unless the avatar is ready by then; its ticket is on
//!   the screen for 8 s. The visitor returns to the screen a log-normal time (median 30 s, σ 0.8) after the avatar is saved
//!   and enters the code in 12 s. One in twenty never returns: the ticket keeps its lane for 30 minutes.
//! - A free screen first serves who returns, then who comes first.

use super::simulated_backend::{Load, SimulatedVisit};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use rand_distr::{Distribution, Exp, LogNormal};
use std::collections::VecDeque;

/// Seconds from the first button to the QR code.
const START: f64 = 5.0;
/// Seconds in which an avatar is saved.
const SAVING: f64 = 5.0;
/// Seconds for which an avatar is looked at.
const REVEAL: f64 = 40.0;
/// Seconds from the offer of the next visitor until it is taken.
const REACTION: f64 = 8.0;
/// Seconds for which a ticket is on the screen.
const TICKET: f64 = 8.0;
/// Seconds in which a ticket is chosen and its code entered.
const CODE_ENTRY: f64 = 12.0;
/// Median of the seconds from the saved avatar until its visitor returns.
const RETURN_MEDIAN: f64 = 30.0;
/// Share of the visitors who never return.
const NO_SHOW: f64 = 0.05;
/// Seconds after which a ticket expires.
const TICKET_EXPIRY: f64 = 1800.0;
/// Seconds of a day of the booth.
const DAY: f64 = 8.0 * 3600.0;

/// From which moment a visit may be handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandOver {
    /// From the scan of the QR code.
    AfterScan,
    /// From the association: the recording has arrived.
    AfterRecording,
}

/// How the booth is set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BoothRules {
    /// Maximum number of tickets; 0 for none.
    pub(crate) lanes: usize,
    pub(crate) hand_over: HandOver,
}

/// Result of the simulated days.
#[derive(Debug, Clone)]
pub(crate) struct BoothResult {
    /// Avatars that were seen in an hour.
    pub(crate) visitors_per_hour: f64,
    /// Seconds from the arrival until the visitor begins: median and 95th percentile.
    pub(crate) wait_to_begin: [f64; 2],
    /// Seconds from the arrival until the avatar is seen: median and 95th percentile.
    pub(crate) wait_for_avatar: [f64; 2],
}

/// How visitors arrive.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Arrivals {
    /// Somebody always waits.
    Always,
    /// So many an hour, at random.
    PerHour(f64),
}

/// A ticket whose visitor has not picked the avatar up.
struct OpenTicket {
    arrived: f64,
    /// When its visitor is back; `None` if never.
    back_at: Option<f64>,
    /// When it expires.
    expires_at: f64,
}

/// Simulates `days` days. The same seed draws the same visitors for all rules.
pub(crate) fn simulate_booth(load: &Load, rules: BoothRules, arrivals: Arrivals, days: u32, seed: u64) -> BoothResult {
    let (mut begins, mut sights, mut seen_in_time, mut number) = (Vec::new(), Vec::new(), 0_u32, 0_u64);
    for day in 0..days {
        let mut door = ChaCha12Rng::seed_from_u64(seed);
        door.set_stream(u64::MAX - u64::from(day));
        let mut queue = draw_arrivals(arrivals, &mut door);
        let (mut now, mut tickets) = (0.0_f64, Vec::<OpenTicket>::new());
        loop {
            tickets.retain(|ticket| ticket.expires_at > now);
            let back = tickets.iter().position(|ticket| ticket.back_at.is_some_and(|at| at <= now));
            if let Some(place) = back {
                let ticket = tickets.swap_remove(place);
                now += CODE_ENTRY;
                sights.push(now - ticket.arrived);
                seen_in_time += u32::from(now <= DAY);
                now += REVEAL;
                continue;
            }
            let next = queue.front().copied().map(|arrived| if arrived < 0.0 { now } else { arrived });
            let Some(arrived) = next.filter(|arrived| *arrived <= now && now < DAY) else {
                // Until somebody comes or returns.
                let returns = tickets.iter().filter_map(|ticket| ticket.back_at);
                let moments = returns.chain(next.filter(|_| now < DAY));
                match moments.filter(|moment| *moment > now).min_by(f64::total_cmp) {
                    Some(moment) => now = moment,
                    None => break,
                }
                continue;
            };
            if queue.front().is_some_and(|arrived| *arrived >= 0.0) {
                queue.pop_front();
            }
            begins.push(now - arrived);
            let mut rng = ChaCha12Rng::seed_from_u64(seed);
            rng.set_stream(number);
            number += 1;
            let scanned = SimulatedVisit::draw_scan_time(load, &mut rng);
            let visit = SimulatedVisit::draw_visit_after_scan(load, scanned, &mut rng);
            let code_shown = now + START;
            let saved = code_shown + visit.ready + SAVING;
            let offered = match rules.hand_over {
                HandOver::AfterScan => scanned,
                HandOver::AfterRecording => visit.associated,
            };
            let handed_over = code_shown + offered + REACTION;
            if handed_over < code_shown + visit.ready && tickets.len() < rules.lanes {
                now = handed_over + TICKET;
                let ready = saved.max(now);
                let returns = ready + LogNormal::new(RETURN_MEDIAN.ln(), 0.8).expect("positive").sample(&mut rng);
                let expires_at = ready + TICKET_EXPIRY;
                let back_at = (!rng.random_bool(NO_SHOW)).then_some(returns);
                tickets.push(OpenTicket { arrived, back_at, expires_at });
            } else {
                now = saved;
                sights.push(now - arrived);
                seen_in_time += u32::from(now <= DAY);
                now += REVEAL;
            }
        }
    }
    BoothResult {
        visitors_per_hour: f64::from(seen_in_time) / (f64::from(days) * DAY / 3600.0),
        wait_to_begin: median_and_p95(begins),
        wait_for_avatar: median_and_p95(sights),
    }
}

/// The arrivals of a day. A single negative one stands for visitors who always wait.
fn draw_arrivals(arrivals: Arrivals, rng: &mut ChaCha12Rng) -> VecDeque<f64> {
    let Arrivals::PerHour(rate) = arrivals else { return VecDeque::from([-1.0]) };
    let gap = Exp::new(rate / 3600.0).expect("a positive rate");
    let mut at = 0.0;
    std::iter::from_fn(|| {
        at += gap.sample(rng);
        (at < DAY).then_some(at)
    })
    .collect()
}

fn median_and_p95(mut values: Vec<f64>) -> [f64; 2] {
    values.sort_by(f64::total_cmp);
    [50, 95]
        .map(|percent| values.get((values.len() * percent / 100).min(values.len().saturating_sub(1))).copied())
        .map(Option::unwrap_or_default)
}
