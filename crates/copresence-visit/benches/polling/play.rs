//! Plays visits of a load against a way of polling, and sums up.

use super::world::{Answer, Load, SimulatedVisit, round_trip};
use copresence_visit::MillisSinceOrigin;
use copresence_visit::polling::{PollResult, PollSchedule, PollingConfig};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;
use std::time::Duration;

/// The ways of polling that are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum PollingStrategy {
    /// The policy of the product.
    Adaptive,
    /// `--poll`, through the product's own policy.
    Fixed(Duration),
    /// Twice as long after each answer that brought nothing new, 1 s to 30 s; from 1 s again after any change.
    Exponential,
    /// Knows the future: asks at the very moment of association and of readiness.
    Clairvoyant,
}

/// What many visits came to. Delays in seconds.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) ready_median: f64,
    pub(crate) ready_p95: f64,
    pub(crate) ready_max: f64,
    pub(crate) associated_p95: f64,
    /// Mean polls a visit.
    pub(crate) polls: f64,
    /// Mean polls a visit while nobody had scanned, in the queue, in processing.
    pub(crate) phases: [f64; 3],
}

/// One visit's part of it.
struct Noticed {
    ready: f64,
    associated: f64,
    phases: [u32; 3],
}

/// Plays `visits` visits. The same seed draws the same visitors for every way.
pub(crate) fn simulate_visits(load: &Load, way: PollingStrategy, visits: u32, seed: u64) -> Outcome {
    let noticed: Vec<_> = (0..visits)
        .map(|number| {
            let mut world = ChaCha12Rng::seed_from_u64(seed);
            world.set_stream(u64::from(number) * 2);
            let truth = SimulatedVisit::draw(load, &mut world);
            let mut network = ChaCha12Rng::seed_from_u64(seed);
            network.set_stream(u64::from(number) * 2 + 1);
            follow(load, &truth, way, &mut network)
        })
        .collect();
    summarize_delays(&noticed)
}

fn follow(load: &Load, truth: &SimulatedVisit, way: PollingStrategy, network: &mut ChaCha12Rng) -> Noticed {
    let mut asker = Asker::new(way, truth, network.random_range(0..u64::MAX));
    let mut associated = None;
    let mut phases = [0; 3];
    let mut sent = asker.first();
    loop {
        let trip = round_trip(load, network);
        let looked = sent + trip / 2.0;
        let now = sent + trip;
        let answer = if load.trouble > 0.0 && network.random_bool(load.trouble) {
            Answer::Trouble
        } else {
            truth.progress_at(looked).map_or(Answer::Ready, Answer::NotReady)
        };
        let phase = usize::from(looked >= truth.associated) + usize::from(looked >= truth.started());
        phases[phase] += 1;
        if looked >= truth.associated && !matches!(answer, Answer::Trouble) {
            associated.get_or_insert(now - truth.associated);
        }
        if matches!(answer, Answer::Ready) {
            let associated = associated.unwrap_or(now - truth.associated);
            return Noticed { ready: now - truth.ready, associated, phases };
        }
        sent = asker.next(&answer, now);
    }
}

enum Asker<'a> {
    Policy(Box<PollSchedule>),
    Exponential { wait: f64, last: Option<copresence_protocol::Progress> },
    Clairvoyant(&'a SimulatedVisit),
}

impl<'a> Asker<'a> {
    fn new(way: PollingStrategy, truth: &'a SimulatedVisit, seed: u64) -> Self {
        match way {
            PollingStrategy::Adaptive => {
                Self::Policy(Box::new(PollSchedule::new(PollingConfig::default(), seed)))
            }
            PollingStrategy::Fixed(every) => {
                let pace = PollingConfig { fixed: Some(every), ..PollingConfig::default() };
                Self::Policy(Box::new(PollSchedule::new(pace, seed)))
            }
            PollingStrategy::Exponential => Self::Exponential { wait: 1.0, last: None },
            PollingStrategy::Clairvoyant => Self::Clairvoyant(truth),
        }
    }

    /// The QR is on the screen at zero, and everyone asks then; the clairvoyant knows better.
    fn first(&self) -> f64 {
        if let Self::Clairvoyant(truth) = self { truth.associated } else { 0.0 }
    }

    fn next(&mut self, answer: &Answer, now: f64) -> f64 {
        match self {
            Self::Policy(polling) => {
                let seen = match answer {
                    Answer::NotReady(progress) => PollResult::Progress(progress),
                    _ => PollResult::Failed { retry_after: None },
                };
                #[expect(clippy::cast_precision_loss, reason = "minutes, in milliseconds")]
                {
                    polling.next_poll(&seen, millis_at(now)).as_millis() as f64 / 1000.0
                }
            }
            Self::Exponential { wait, last } => {
                let fresh = match answer {
                    Answer::NotReady(progress) => Some(progress.clone()),
                    _ => last.clone(),
                };
                *wait = if fresh == *last { (*wait * 2.0).min(30.0) } else { 1.0 };
                *last = fresh;
                now + *wait
            }
            Self::Clairvoyant(truth) => now.max(truth.ready),
        }
    }
}

fn millis_at(seconds: f64) -> MillisSinceOrigin {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and a few hours")]
    MillisSinceOrigin::from_millis((seconds * 1000.0).ceil() as u64)
}

fn summarize_delays(noticed: &[Noticed]) -> Outcome {
    let sorted = |of: fn(&Noticed) -> f64| {
        let mut values: Vec<_> = noticed.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let visits = f64::from(u32::try_from(noticed.len()).expect("fewer than 2^32 visits"));
    let (ready, associated) = (sorted(|n| n.ready), sorted(|n| n.associated));
    let phases =
        [0, 1, 2].map(|phase| noticed.iter().map(|n| f64::from(n.phases[phase])).sum::<f64>() / visits);
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
