//! Simulated visitors and a simulated backend, drawn from the loads. They do not depend on the policy, and the policy
//! sees only the responses of its polls.
//!
//! Assumptions:
//! - An avatar is associated "after recording or selection": a token has no avatar for scan + recording, or, with an
//!   existing avatar, for scan + 2–8 s of choosing.
//! - The queue position is the number of avatars ahead: `n`, …, 2, 1, then processing. With none ahead, processing starts
//!   immediately.
//! - The drawn processing time includes stalls, which take at most half of it. 30 % of the visits stall once and 5 % twice,
//!   for 10–40 s, at any point of the work.
//! - Progress is the share of the work done, transformed by a power (some backends start slowly, some end slowly: log-normal
//!   around 1, σ 0.15), with an error of σ 2 percentage points that drifts along the work and is the same for repeated
//!   polls. It is rounded down to the backend's step (1, 5, 5 or 10) and limited to 99 until ready. It may decrease.
//! - A response is received immediately, except for the load with round trips: those are log-normal (σ 0.5), the backend
//!   reads its state halfway, and delays are measured to the receipt of the response.

use copresence_protocol::{CompletionStatus, Percent, Progress, QueuePosition};
use rand::RngExt;
use rand_chacha::ChaCha12Rng;
use rand_distr::{Distribution, LogNormal, Normal, Poisson};

/// The origin of an avatar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Avatar {
    /// Recorded, then queued and processed.
    New {
        /// Median of the log-normal processing time, in seconds.
        processing: f64,
    },
    /// Selected on the phone: ready once associated.
    Existing,
}

/// The progress that the backend reports while processing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ProgressReporting {
    /// Progress in steps with an error and stalls.
    Progress,
    /// Like `Progress`, with an error of σ 5 percentage points.
    Noise,
    /// Always 0 %.
    Nothing,
    /// 0 %, then 50 % in the second half.
    Halves,
}

/// A load: a population of visits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Name in the table.
    pub(crate) name: &'static str,
    /// Median of the log-normal time to the scan, in seconds.
    pub(crate) scan: f64,
    /// Origin of the avatar.
    pub(crate) avatar: Avatar,
    /// The reported progress.
    pub(crate) reporting: ProgressReporting,
    /// Share of requests without a usable response, 0.0..=1.0.
    pub(crate) failure_rate: f64,
    /// The usual time to an association in seconds that the policy has learnt, if any.
    pub(crate) learnt_association: Option<u64>,
    /// Median of the log-normal round trip of a request, in seconds.
    pub(crate) round_trip: f64,
}

const RECORD_NEW: Load = Load {
    name: "record new",
    scan: 35.0,
    avatar: Avatar::New { processing: 90.0 },
    reporting: ProgressReporting::Progress,
    failure_rate: 0.0,
    learnt_association: None,
    round_trip: 0.0,
};

/// The loads with targets.
pub(crate) const LOADS_WITH_TARGETS: [Load; 4] = [
    RECORD_NEW,
    Load { name: "slower than learnt", avatar: Avatar::New { processing: 240.0 }, ..RECORD_NEW },
    Load { name: "existing avatar", avatar: Avatar::Existing, learnt_association: Some(40), ..RECORD_NEW },
    Load { name: "one request in ten fails", failure_rate: 0.1, ..RECORD_NEW },
];

/// The loads without targets.
pub(crate) const OTHER_LOADS: [Load; 9] = [
    Load { name: "faster than learnt (45 s)", avatar: Avatar::New { processing: 45.0 }, ..RECORD_NEW },
    Load { name: "scanned late (median 90 s)", scan: 90.0, ..RECORD_NEW },
    Load { name: "existing, scanned late", scan: 90.0, avatar: Avatar::Existing, ..RECORD_NEW },
    Load { name: "progress never reported", reporting: ProgressReporting::Nothing, ..RECORD_NEW },
    Load { name: "progress in two halves", reporting: ProgressReporting::Halves, ..RECORD_NEW },
    Load { name: "existing avatar, not learnt", avatar: Avatar::Existing, ..RECORD_NEW },
    Load { name: "record new, existing learnt", learnt_association: Some(40), ..RECORD_NEW },
    Load { name: "responses take 80 ms", round_trip: 0.08, ..RECORD_NEW },
    Load { name: "noisier progress", reporting: ProgressReporting::Noise, ..RECORD_NEW },
];

/// The response of one poll.
#[derive(Debug, Clone)]
pub(crate) enum PollResponse {
    Ready,
    NotReady(Progress),
    Failed,
}

/// The course of one visit. Times are seconds since the QR code was shown.
#[derive(Debug, Clone)]
pub(crate) struct SimulatedVisit {
    pub(crate) associated: f64,
    pub(crate) ready: f64,
    /// The times at which the queue position decreases. The last one is the start of processing.
    places: Vec<f64>,
    reporting: ProgressReporting,
    stalls: Vec<Stall>,
    bend: f64,
    step: f64,
    /// The drifting error at each twentieth of the work.
    errors: [f64; 22],
}

#[derive(Debug, Clone, Copy)]
struct Stall {
    /// Share of the work at which it stalls, 0.0..=1.0.
    at: f64,
    lasts: f64,
}

impl SimulatedVisit {
    /// Draws a visit.
    pub(crate) fn draw_visit(load: &Load, rng: &mut ChaCha12Rng) -> Self {
        let scanned = Self::draw_scan_time(load, rng);
        Self::draw_visit_after_scan(load, scanned, rng)
    }

    /// Draws the time of the scan.
    pub(crate) fn draw_scan_time(load: &Load, rng: &mut ChaCha12Rng) -> f64 {
        log_normal(load.scan, 0.8, rng)
    }

    /// Draws a visit whose code is scanned at this time.
    pub(crate) fn draw_visit_after_scan(load: &Load, scanned: f64, rng: &mut ChaCha12Rng) -> Self {
        match load.avatar {
            Avatar::Existing => {
                let associated = scanned + rng.random_range(2.0..8.0);
                Self::draw_progress(associated, Vec::new(), 0.0, load.reporting, rng)
            }
            Avatar::New { processing } => {
                let associated = scanned + rng.random_range(60.0..150.0);
                let mut at = associated;
                let ahead = Poisson::new(3.0).expect("a positive mean").sample(rng);
                let mut places = Vec::new();
                while f64::from(u32::try_from(places.len()).expect("a short queue")) < ahead {
                    at += rng.random_range(20.0..60.0);
                    places.push(at);
                }
                let takes = log_normal(processing, 0.4, rng);
                Self::draw_progress(associated, places, takes, load.reporting, rng)
            }
        }
    }

    fn draw_progress(
        associated: f64,
        places: Vec<f64>,
        takes: f64,
        reporting: ProgressReporting,
        rng: &mut ChaCha12Rng,
    ) -> Self {
        let started = places.last().copied().unwrap_or(associated);
        let count = match rng.random_range(0.0..1.0) {
            draw if draw < 0.05 => 2_u8,
            draw if draw < 0.35 => 1,
            _ => 0,
        };
        let share = 0.5 * takes / f64::from(count.max(1));
        let mut stalls: Vec<_> = (0..count)
            .map(|_| Stall { at: rng.random_range(0.02..0.98), lasts: rng.random_range(10.0_f64..40.0).min(share) })
            .collect();
        stalls.sort_by(|a, b| a.at.total_cmp(&b.at));
        let error = if reporting == ProgressReporting::Noise { 0.05 } else { 0.02 };
        let error = Normal::new(0.0, error).expect("a positive deviation");
        Self {
            associated,
            ready: started + takes,
            places,
            reporting,
            stalls,
            bend: log_normal(1.0, 0.15, rng),
            step: [1.0, 5.0, 5.0, 10.0][rng.random_range(0..4)],
            errors: std::array::from_fn(|_| error.sample(rng)),
        }
    }

    /// When processing starts.
    pub(crate) fn started(&self) -> f64 {
        self.places.last().copied().unwrap_or(self.associated)
    }

    /// The progress at time `t`. `None` if the avatar is ready.
    pub(crate) fn progress_at(&self, t: f64) -> Option<Progress> {
        if t >= self.ready {
            return None;
        }
        if t < self.associated {
            return Some(Progress::progress_without_avatar());
        }
        let ahead = self.places.iter().filter(|left| **left > t).count();
        if ahead > 0 {
            return Some(Progress {
                status: CompletionStatus::InQueue,
                completion: Percent::new(0),
                queue_position: Some(QueuePosition::new(u32::try_from(ahead).expect("a short queue"))),
            });
        }
        Some(Progress {
            status: CompletionStatus::Processing,
            completion: Percent::new(self.percent_at(t)),
            queue_position: None,
        })
    }

    fn percent_at(&self, t: f64) -> u8 {
        if self.reporting == ProgressReporting::Nothing {
            return 0;
        }
        if self.reporting == ProgressReporting::Halves {
            return if t - self.started() < (self.ready - self.started()) / 2.0 { 0 } else { 50 };
        }
        let work = self.work_done(t - self.started());
        let knot = work * 20.0;
        let (low, within) = (knot.floor(), knot.fract());
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 20")]
        let low = low as usize;
        let error = self.errors[low] * (1.0 - within) + self.errors[low + 1] * within;
        let shown = 100.0 * (work.powf(self.bend) + error);
        let stepped = ((shown / self.step).floor() * self.step).clamp(0.0, 99.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 99")]
        {
            stepped as u8
        }
    }

    /// The share of the work that is done after `elapsed` seconds of processing, 0.0..=1.0.
    fn work_done(&self, elapsed: f64) -> f64 {
        let stalled: f64 = self.stalls.iter().map(|stall| stall.lasts).sum();
        let working = (self.ready - self.started() - stalled).max(0.001);
        let mut left = elapsed;
        for stall in &self.stalls {
            if left <= stall.at * working {
                break;
            }
            left = (left - stall.lasts).max(stall.at * working);
        }
        (left / working).clamp(0.0, 1.0)
    }
}

/// A round trip, in seconds.
pub(crate) fn round_trip(load: &Load, rng: &mut ChaCha12Rng) -> f64 {
    if load.round_trip > 0.0 { log_normal(load.round_trip, 0.5, rng).min(2.0) } else { 0.0 }
}

fn log_normal(median: f64, sigma: f64, rng: &mut ChaCha12Rng) -> f64 {
    LogNormal::new(median.ln(), sigma).expect("a positive deviation").sample(rng)
}
