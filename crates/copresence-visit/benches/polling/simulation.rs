//! Simulates visits of a load with a polling strategy, and summarizes their delays.

use super::simulated_backend::{Load, PollResponse, SimulatedVisit, round_trip};
use copresence_visit::MillisSinceOrigin;
use copresence_visit::polling::{PollResult, PollSchedule, PollingConfig};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::time::Duration;

/// The polling strategies that are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum PollingStrategy {
    /// The policy of the product.
    Adaptive,
    /// `--poll`, through the product's own policy.
    Fixed(Duration),
    /// Doubles the interval after each response without a change, 1 s to 30 s. Restarts at 1 s after a change.
    Exponential,
    /// Knows the future: polls exactly at association and at readiness.
    Clairvoyant,
}

/// The summary of many visits. Delays in seconds.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) ready_median: f64,
    pub(crate) ready_p95: f64,
    pub(crate) ready_max: f64,
    pub(crate) associated_p95: f64,
    /// Mean polls per visit.
    pub(crate) polls: f64,
    /// Mean polls per visit before association, in the queue, and in processing.
    pub(crate) phases: [f64; 3],
}

/// Delays in seconds and polls per phase of one visit.
struct VisitDelays {
    ready: f64,
    associated: f64,
    phases: [u32; 3],
}

/// Simulates `visits` visits. The same seed draws the same visitors for every strategy.
pub(crate) fn simulate_visits(load: &Load, strategy: PollingStrategy, visits: u32, seed: u64) -> Outcome {
    let delays: Vec<_> = (0..visits)
        .map(|number| {
            let mut world = ChaCha12Rng::seed_from_u64(seed);
            world.set_stream(u64::from(number) * 2);
            let visit = SimulatedVisit::draw_visit(load, &mut world);
            let mut network = ChaCha12Rng::seed_from_u64(seed);
            network.set_stream(u64::from(number) * 2 + 1);
            simulate_visit(load, &visit, strategy, &mut network)
        })
        .collect();
    summarize_delays(&delays)
}

fn simulate_visit(
    load: &Load,
    visit: &SimulatedVisit,
    strategy: PollingStrategy,
    network: &mut ChaCha12Rng,
) -> VisitDelays {
    let mut poller = Poller::new(strategy, load, visit, network.random_range(0..u64::MAX));
    let mut associated = None;
    let mut phases = [0; 3];
    let mut sent = poller.first_poll();
    loop {
        let trip = round_trip(load, network);
        let handled_at = sent + trip / 2.0;
        let now = sent + trip;
        let response = if load.failure_rate > 0.0 && network.random_bool(load.failure_rate) {
            PollResponse::Failed
        } else {
            visit.progress_at(handled_at).map_or(PollResponse::Ready, PollResponse::NotReady)
        };
        let phase = usize::from(handled_at >= visit.associated) + usize::from(handled_at >= visit.started());
        phases[phase] += 1;
        if handled_at >= visit.associated && !matches!(response, PollResponse::Failed) {
            associated.get_or_insert(now - visit.associated);
        }
        if matches!(response, PollResponse::Ready) {
            let associated = associated.unwrap_or(now - visit.associated);
            return VisitDelays { ready: now - visit.ready, associated, phases };
        }
        sent = poller.next_poll(&response, now);
    }
}

enum Poller<'a> {
    Policy(Box<PollSchedule>),
    Exponential { wait: f64, last: Option<copresence_protocol::Progress> },
    Clairvoyant(&'a SimulatedVisit),
}

impl<'a> Poller<'a> {
    fn new(strategy: PollingStrategy, load: &Load, visit: &'a SimulatedVisit, seed: u64) -> Self {
        match strategy {
            PollingStrategy::Adaptive => {
                let usual_association = load.learnt_association.map(Duration::from_secs);
                let config = PollingConfig { usual_association, ..PollingConfig::default() };
                Self::Policy(Box::new(PollSchedule::new(config, seed)))
            }
            PollingStrategy::Fixed(every) => {
                let config = PollingConfig { fixed: Some(every), ..PollingConfig::default() };
                Self::Policy(Box::new(PollSchedule::new(config, seed)))
            }
            PollingStrategy::Exponential => Self::Exponential { wait: 1.0, last: None },
            PollingStrategy::Clairvoyant => Self::Clairvoyant(visit),
        }
    }

    /// Seconds of the first poll: 0, when the QR code is shown, except for the clairvoyant strategy.
    fn first_poll(&self) -> f64 {
        if let Self::Clairvoyant(visit) = self { visit.associated } else { 0.0 }
    }

    fn next_poll(&mut self, response: &PollResponse, now: f64) -> f64 {
        match self {
            Self::Policy(polling) => {
                let result = match response {
                    PollResponse::NotReady(progress) => PollResult::Progress(progress),
                    _ => PollResult::Failed { retry_after: None },
                };
                #[expect(clippy::cast_precision_loss, reason = "minutes, in milliseconds")]
                {
                    polling.next_poll(&result, millis_at(now)).as_millis() as f64 / 1000.0
                }
            }
            Self::Exponential { wait, last } => {
                let latest = match response {
                    PollResponse::NotReady(progress) => Some(progress.clone()),
                    _ => last.clone(),
                };
                *wait = if latest == *last { (*wait * 2.0).min(30.0) } else { 1.0 };
                *last = latest;
                now + *wait
            }
            Self::Clairvoyant(visit) => now.max(visit.ready),
        }
    }
}

fn millis_at(seconds: f64) -> MillisSinceOrigin {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and a few hours")]
    MillisSinceOrigin::from_millis((seconds * 1000.0).ceil() as u64)
}

fn summarize_delays(delays: &[VisitDelays]) -> Outcome {
    let sorted_by = |value: fn(&VisitDelays) -> f64| {
        let mut values: Vec<_> = delays.iter().map(value).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let visits = f64::from(u32::try_from(delays.len()).expect("fewer than 2^32 visits"));
    let (ready, associated) = (sorted_by(|n| n.ready), sorted_by(|n| n.associated));
    let phases = [0, 1, 2].map(|phase| delays.iter().map(|n| f64::from(n.phases[phase])).sum::<f64>() / visits);
    Outcome {
        ready_median: quantile(&ready, 50),
        ready_p95: quantile(&ready, 95),
        ready_max: quantile(&ready, 100),
        associated_p95: quantile(&associated, 95),
        polls: phases.iter().sum(),
        phases,
    }
}

fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}
