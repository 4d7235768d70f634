//! The open model: when visitors arrive. Arrivals do not wait for responses, so a slow backend cannot hide load.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Maximum rate of a stage, in visits per second.
pub(crate) const MAX_ARRIVALS_PER_SECOND: f64 = 100_000.0;

/// One part of a schedule: a constant rate, or a linear ramp from one rate to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArrivalStage {
    /// Visits per second at its start, 0 to 100,000.
    pub from_per_second: f64,
    /// Visits per second at its end; equal to the first for a constant rate.
    pub to_per_second: f64,
    /// How long it lasts.
    pub duration: Duration,
}

/// A schedule as written on the command line: stages, of which the last may have no duration of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct ArrivalSchedule(Vec<(f64, f64, Option<Duration>)>);

/// Why a schedule is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArrivalScheduleError {
    /// A stage cannot be parsed.
    #[error(
        "`{0}` is no stage; write RATE, RATE@DURATION or RATE..RATE@DURATION, as in `50/s`, `50/s@2m` or `0..50/s@2m`"
    )]
    Stage(String),
    /// A rate is out of range.
    #[error("the rate `{0}` must be from 0 to 100000 visits per second")]
    Rate(String),
    /// A duration is invalid or zero.
    #[error("the duration `{0}` must be above zero, as in `90s` or `2m`")]
    Duration(String),
    /// A stage before the last has no duration.
    #[error("only the last stage may be without a duration, as in `0..50/s@2m,50/s`")]
    MissingDuration,
    /// There is neither a duration of the last stage nor one of the run.
    #[error("the last stage of --arrivals lasts as long as --duration says, so one of the two must state a duration")]
    EndlessSchedule,
    /// The stages last longer than the run.
    #[error("the stages of --arrivals last {stages:?}, longer than --duration ({duration:?})")]
    LongerThanRun {
        /// Sum of the stages.
        stages: Duration,
        /// `--duration`.
        duration: Duration,
    },
}

impl FromStr for ArrivalSchedule {
    type Err = ArrivalScheduleError;

    /// Parses stages separated by commas: `RATE@DURATION` (a step) or `RATE..RATE@DURATION` (a ramp). A rate is a number
    /// with `/s`, `/m` or `/h`; in a ramp the unit of the second rate applies to both.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let stages: Vec<_> = text.split(',').map(|stage| parse_stage(stage.trim())).collect::<Result<_, _>>()?;
        match stages.split_last() {
            Some((_, before)) if before.iter().all(|(_, _, duration)| duration.is_some()) => Ok(Self(stages)),
            _ => Err(ArrivalScheduleError::MissingDuration),
        }
    }
}

impl fmt::Display for ArrivalSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (from, to, duration)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let rate = if (from - to).abs() < f64::EPSILON { format!("{to}/s") } else { format!("{from}..{to}/s") };
            write!(f, "{comma}{rate}")?;
            if let Some(duration) = duration {
                write!(f, "@{}", humantime::format_duration(*duration).to_string().replace(' ', ""))?;
            }
        }
        Ok(())
    }
}

impl ArrivalSchedule {
    /// Gives every stage its duration in a run that lasts `duration`. The last stage fills the rest if it has no
    /// duration of its own.
    ///
    /// # Errors
    /// There is no duration at all, or the stages are longer than the run.
    pub fn resolve_stage_durations(
        &self,
        duration: Option<Duration>,
    ) -> Result<Vec<ArrivalStage>, ArrivalScheduleError> {
        let stated: Duration = self.0.iter().filter_map(|(_, _, duration)| *duration).sum();
        let rest = match duration {
            Some(duration) => Some(
                duration.checked_sub(stated).ok_or(ArrivalScheduleError::LongerThanRun { stages: stated, duration })?,
            ),
            None => None,
        };
        let stage = |(from, to, stated): &(f64, f64, Option<Duration>)| {
            let duration = stated.or(rest).ok_or(ArrivalScheduleError::EndlessSchedule)?;
            Ok(ArrivalStage { from_per_second: *from, to_per_second: *to, duration })
        };
        self.0.iter().map(stage).collect()
    }
}

/// Parses one stage: rates and duration.
fn parse_stage(text: &str) -> Result<(f64, f64, Option<Duration>), ArrivalScheduleError> {
    let (rates, duration) = match text.split_once('@') {
        Some((rates, duration)) => (rates, Some(duration)),
        None => (text, None),
    };
    let no_stage = || ArrivalScheduleError::Stage(text.to_owned());
    let (numbers, unit) = rates.trim().split_once('/').ok_or_else(no_stage)?;
    let seconds = match unit.trim() {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(no_stage()),
    };
    let rate = |number: &str| {
        let per_second = number.trim().parse::<f64>().map_err(|_| no_stage())? / seconds;
        let valid = per_second.is_finite() && (0.0..=MAX_ARRIVALS_PER_SECOND).contains(&per_second);
        if valid { Ok(per_second) } else { Err(ArrivalScheduleError::Rate(rates.trim().to_owned())) }
    };
    let (from, to) = numbers.split_once("..").unwrap_or((numbers, numbers));
    // `0/s..50/s` is understood too.
    let from = from.trim().trim_end_matches("/s");
    let duration = duration
        .map(|text| match humantime::parse_duration(text.trim()) {
            Ok(duration) if !duration.is_zero() => Ok(duration),
            _ => Err(ArrivalScheduleError::Duration(text.trim().to_owned())),
        })
        .transpose()?;
    Ok((rate(from)?, rate(to)?, duration))
}

/// How arrivals are spread within the rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ArrivalSpacing {
    /// Independent of each other, as people arrive (a Poisson process). Seeded.
    #[default]
    Poisson,
    /// Evenly spaced.
    Even,
}

/// The times of all arrivals of a run, in ascending order.
#[derive(Debug, Clone)]
pub(crate) struct ArrivalTimes {
    stages: std::vec::IntoIter<ArrivalStage>,
    /// The present stage and the seconds at which it starts.
    stage: Option<(ArrivalStage, f64)>,
    /// Expected number of arrivals from the start of the present stage to the last arrival.
    expected: f64,
    spacing: ArrivalSpacing,
    rng: ChaCha8Rng,
}

impl ArrivalTimes {
    /// The arrivals of these stages.
    pub(crate) fn new(stages: Vec<ArrivalStage>, spacing: ArrivalSpacing, seed: u64) -> Self {
        let mut stages = stages.into_iter();
        let stage = stages.next().map(|stage| (stage, 0.0));
        Self { stages, stage, expected: 0.0, spacing, rng: ChaCha8Rng::seed_from_u64(seed) }
    }
}

impl Iterator for ArrivalTimes {
    type Item = Duration;

    /// Time from the start of the run to the next arrival; `None` after the last one.
    fn next(&mut self) -> Option<Duration> {
        let step = match self.spacing {
            ArrivalSpacing::Even => 1.0,
            // `random` is below 1, so the logarithm is finite.
            ArrivalSpacing::Poisson => -(1.0 - self.rng.random::<f64>()).ln(),
        };
        self.expected += step;
        loop {
            let (stage, starts_at) = self.stage?;
            let seconds = stage.duration.as_secs_f64();
            let total = stage.from_per_second.midpoint(stage.to_per_second) * seconds;
            if self.expected < total {
                let within = compute_seconds_until_expected_arrivals(stage, self.expected);
                return Duration::try_from_secs_f64(starts_at + within.min(seconds)).ok();
            }
            self.expected -= total;
            self.stage = self.stages.next().map(|next| (next, starts_at + seconds));
        }
    }
}

/// Seconds from the start of a stage until `expected` arrivals are expected: solves
/// `from·t + (to − from)·t² / (2·duration) = expected` for `t`.
fn compute_seconds_until_expected_arrivals(stage: ArrivalStage, expected: f64) -> f64 {
    let ArrivalStage { from_per_second: from, to_per_second: to, duration } = stage;
    let slope = (to - from) / duration.as_secs_f64();
    let root = (from * from + 2.0 * slope * expected).max(0.0).sqrt();
    // This form has no cancellation, also for a slope of zero.
    let denominator = from + root;
    if denominator > 0.0 { 2.0 * expected / denominator } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn list_arrival_times(text: &str, duration: Option<u64>, spacing: ArrivalSpacing) -> Vec<f64> {
        let spec: ArrivalSchedule = text.parse().expect("a schedule");
        let stages = spec.resolve_stage_durations(duration.map(Duration::from_secs)).expect("stages");
        ArrivalTimes::new(stages, spacing, 7).map(|time| time.as_secs_f64()).collect()
    }

    #[test]
    fn even_arrivals_follow_steps_and_ramps() {
        let steady = list_arrival_times("10/s", Some(2), ArrivalSpacing::Even);
        assert_eq!(steady.len(), 19);
        assert!((steady[0] - 0.1).abs() < 1e-9 && (steady[18] - 1.9).abs() < 1e-9, "{steady:?}");
        // 0 to 20 per second in 10 s are 100 arrivals, a quarter of them in the first half.
        let ramp = list_arrival_times("0..20/s@10s", None, ArrivalSpacing::Even);
        assert_eq!(ramp.len(), 99);
        assert_eq!(ramp.iter().filter(|time| **time <= 5.0).count(), 25);
        let steps = list_arrival_times("60/m@10s, 0/s@5s, 2/s@10s", None, ArrivalSpacing::Even);
        assert_eq!(steps.iter().filter(|time| **time < 10.0).count(), 9);
        assert!(!steps.iter().any(|time| (10.5..15.0).contains(time)), "a pause: {steps:?}");
        assert_eq!(list_arrival_times("100..0/s@2s", None, ArrivalSpacing::Even).len(), 99);
    }

    #[test]
    fn independent_arrivals_have_the_rate_and_are_repeatable() {
        let arrivals = list_arrival_times("100/s", Some(100), ArrivalSpacing::Poisson);
        // 10,000 are expected, with a standard deviation of 100.
        assert!((9_500..=10_500).contains(&arrivals.len()), "{}", arrivals.len());
        assert_eq!(arrivals, list_arrival_times("100/s", Some(100), ArrivalSpacing::Poisson));
        let gaps: Vec<f64> = arrivals.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let short = gaps.iter().filter(|gap| **gap < 0.01).count();
        let share =
            f64::from(u32::try_from(short).expect("small")) / f64::from(u32::try_from(gaps.len()).expect("small"));
        assert!((share - 0.632).abs() < 0.03, "exponential gaps: {share}");
    }

    #[test]
    fn invalid_schedules_are_refused_with_explanation() {
        for bad in ["", "50", "fast/s", "-1/s", "50/d", "1e9/s", "nan/s", "5/s@", "5/s@0s", "5/s,6/s@1m"] {
            let error = bad.parse::<ArrivalSchedule>().expect_err(bad).to_string();
            assert!(error.len() > 20, "{bad}: {error}");
        }
        let endless: ArrivalSchedule = "50/s".parse().expect("a schedule");
        assert_eq!(endless.resolve_stage_durations(None), Err(ArrivalScheduleError::EndlessSchedule));
        let long: ArrivalSchedule = "50/s@2m".parse().expect("a schedule");
        assert!(long.resolve_stage_durations(Some(Duration::from_mins(1))).is_err());
        assert_eq!("0..50/s@2m,50/s".parse::<ArrivalSchedule>().expect("a schedule").to_string(), "0..50/s@2m,50/s");
    }

    proptest! {
        #[test]
        fn arrivals_are_ordered_and_within_the_stages(
            stages in prop::collection::vec((0.0_f64..200.0, 0.0_f64..200.0, 1_u64..20), 1..5), seed: u64
        ) {
            let stages: Vec<_> = stages.into_iter().map(|(from_per_second, to_per_second, seconds)| ArrivalStage {
                from_per_second, to_per_second, duration: Duration::from_secs(seconds),
            }).collect();
            let end: Duration = stages.iter().map(|stage| stage.duration).sum();
            let times: Vec<_> = ArrivalTimes::new(stages, ArrivalSpacing::Poisson, seed).collect();
            prop_assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert!(times.iter().all(|time| *time <= end));
        }
    }
}
