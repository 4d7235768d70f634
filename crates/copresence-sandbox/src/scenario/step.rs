//! The steps of a scenario, and the values of their keys.

use serde::Deserialize;
use serde::de::{self, Deserializer, SeqAccess, Unexpected, Visitor};
use std::fmt;
use std::time::Duration;

/// Longest time in a scenario: a week.
const MAX_TIME: Duration = Duration::from_hours(7 * 24);

/// Highest queue position.
const MAX_QUEUE_POSITION: u32 = 1_000;

/// A step in the course of an avatar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ScenarioStep {
    /// The queue position stays as it is.
    WaitInQueue { position: NumberRange, lasts: TimeRange },
    /// The queue position falls to 1; the time is for each position.
    AdvanceInQueue { from: NumberRange, lasts_per_position: TimeRange },
    /// The progress moves from one percentage to another.
    Process { progress: NumberRange, lasts: TimeRange },
    /// It has failed, at this percentage or at the last one. Without `lasts`, until the visitor records again.
    Fail { progress: Option<u32>, lasts: Option<TimeRange> },
}

/// A step as written. Which keys it may have depends on its status.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepAsWritten {
    status: StatusAsWritten,
    queue_position: Option<QueuePositions>,
    progress: Option<PercentRange>,
    lasts: Option<TimeRange>,
    lasts_per_position: Option<TimeRange>,
}

/// The `status` of a step as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StatusAsWritten {
    InQueue,
    Processing,
    Failed,
}

/// One number, or the first and the last of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NumberRange(pub(crate) u32, pub(crate) u32);

/// One time, or the shortest and the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimeRange(pub(crate) Duration, pub(crate) Duration);

/// Queue positions, from 1.
#[derive(Debug, Clone, Copy)]
struct QueuePositions(NumberRange);

/// Percentages, 0 to 100. The second may be lower.
#[derive(Debug, Clone, Copy)]
struct PercentRange(NumberRange);

impl StepAsWritten {
    /// Checks that a step has the keys that its status needs and no others, and converts it.
    ///
    /// # Errors
    /// A key is missing or does not belong to the status; the text says which, and what would be right.
    pub(super) fn check_step_keys_and_convert(self) -> Result<ScenarioStep, String> {
        let given = [
            ("queue_position", self.queue_position.is_some()),
            ("progress", self.progress.is_some()),
            ("lasts", self.lasts.is_some()),
            ("lasts_per_position", self.lasts_per_position.is_some()),
        ];
        let (name, allowed): (_, &[&str]) = match self.status {
            StatusAsWritten::InQueue => ("in_queue", &["queue_position", "lasts", "lasts_per_position"]),
            StatusAsWritten::Processing => ("processing", &["progress", "lasts"]),
            StatusAsWritten::Failed => ("failed", &["progress", "lasts"]),
        };
        if let Some((key, _)) = given.iter().find(|(key, is_given)| *is_given && !allowed.contains(key)) {
            return Err(format!("a step `{name}` has no `{key}`; it may have {}", join_key_names_for_message(allowed)));
        }
        match self.status {
            StatusAsWritten::InQueue => {
                let QueuePositions(position) = self
                    .queue_position
                    .ok_or("a step `in_queue` needs `queue_position`, as in `queue_position = 3`")?;
                match (self.lasts, self.lasts_per_position) {
                    (Some(lasts), None) => Ok(ScenarioStep::WaitInQueue { position, lasts }),
                    (None, Some(lasts_per_position)) => {
                        Ok(ScenarioStep::AdvanceInQueue { from: position, lasts_per_position })
                    }
                    _ => Err("a step `in_queue` needs either `lasts`, the time at its position, or \
                              `lasts_per_position`, the time at each position down to 1"
                        .to_owned()),
                }
            }
            StatusAsWritten::Processing => {
                let PercentRange(progress) =
                    self.progress.ok_or("a step `processing` needs `progress`, as in `progress = [0, 99]`")?;
                let lasts = self.lasts.ok_or("a step `processing` needs `lasts`, as in `lasts = \"10s\"`")?;
                Ok(ScenarioStep::Process { progress, lasts })
            }
            StatusAsWritten::Failed => match self.progress {
                Some(PercentRange(NumberRange(from, to))) if from != to => {
                    Err("the `progress` of a step `failed` is one percentage, as in `progress = 40`".to_owned())
                }
                progress => Ok(ScenarioStep::Fail { progress: progress.map(|p| p.0.0), lasts: self.lasts }),
            },
        }
    }
}

/// The names of keys, for a message.
fn join_key_names_for_message(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

impl ScenarioStep {
    /// How long it lasts at least and at most. A step `failed` without a time counts as none.
    pub(super) fn duration_range(&self) -> (Duration, Duration) {
        match self {
            Self::WaitInQueue { lasts, .. } | Self::Process { lasts, .. } | Self::Fail { lasts: Some(lasts), .. } => {
                (lasts.0, lasts.1)
            }
            Self::AdvanceInQueue { from, lasts_per_position } => {
                (lasts_per_position.0.saturating_mul(from.0), lasts_per_position.1.saturating_mul(from.1))
            }
            Self::Fail { lasts: None, .. } => (Duration::ZERO, Duration::ZERO),
        }
    }
}

/// Splits steps into recordings: each ends with a step `failed`, or with the last step. There is at least one, which may
/// be empty.
pub(super) fn split_at_failed_steps(steps: &[ScenarioStep]) -> Vec<&[ScenarioStep]> {
    if steps.is_empty() {
        return vec![steps];
    }
    steps.split_inclusive(|step| matches!(step, ScenarioStep::Fail { .. })).collect()
}

/// Deserializes one value, or a list of two. One value is both ends of the range.
struct OneOrTwoValuesVisitor<T> {
    expecting: &'static str,
    parse_number: fn(i64) -> Option<T>,
    parse_text: fn(&str) -> Option<T>,
}

impl<'de, T: Copy + Deserialize<'de>> Visitor<'de> for OneOrTwoValuesVisitor<T> {
    type Value = (T, T);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expecting)
    }

    /// Reads one number as both ends.
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<(T, T), E> {
        let value = (self.parse_number)(number).ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))?;
        Ok((value, value))
    }

    /// Reads one text as both ends.
    fn visit_str<E: de::Error>(self, text: &str) -> Result<(T, T), E> {
        let value = (self.parse_text)(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))?;
        Ok((value, value))
    }

    /// Reads a list of exactly two values.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(T, T), A::Error> {
        let mut next = |index| list.next_element()?.ok_or_else(|| de::Error::invalid_length(index, &self));
        let both = (next(0)?, next(1)?);
        if list.next_element::<de::IgnoredAny>()?.is_some() {
            return Err(de::Error::invalid_length(3, &self));
        }
        Ok(both)
    }
}

/// A time in a list.
#[derive(Clone, Copy)]
struct DurationInList(Duration);

impl<'de> Deserialize<'de> for DurationInList {
    /// Reads a time, as in `"3.5s"`.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        deserialize_time(from).map(Self)
    }
}

/// Reads a time, as in `"3.5s"`.
pub(super) fn deserialize_time<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    /// Deserializes a time from its text.
    struct TimeVisitor;

    impl Visitor<'_> for TimeVisitor {
        type Value = Duration;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a time of at most a week, as in \"500ms\", \"3.5s\" or \"15m\"")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
            parse_time(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
        }
    }

    from.deserialize_any(TimeVisitor)
}

/// Parses a time in the friendly format of jiff.
fn parse_time(text: &str) -> Option<Duration> {
    let signed: jiff::SignedDuration = text.parse().ok()?;
    Duration::try_from(signed).ok().filter(|time| *time <= MAX_TIME)
}

impl<'de> Deserialize<'de> for TimeRange {
    /// Reads one time, or the shortest and the longest.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let (shortest, longest) = from.deserialize_any(OneOrTwoValuesVisitor {
            expecting: "a time of at most a week, as in \"3.5s\", or the shortest and the longest, as in [\"2s\", \"3.5s\"]",
            parse_number: |_| None,
            parse_text: |text| parse_time(text).map(DurationInList),
        })?;
        if shortest.0 > longest.0 {
            return Err(de::Error::custom("the first time is longer than the second; write the shortest first"));
        }
        Ok(Self(shortest.0, longest.0))
    }
}

impl<'de> Deserialize<'de> for QueuePositions {
    /// Reads one queue position, or the lowest and the highest.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let in_range = |number| u32::try_from(number).ok().filter(|n| (1..=MAX_QUEUE_POSITION).contains(n));
        let (first, last) = from.deserialize_any(OneOrTwoValuesVisitor {
            expecting: "a queue position from 1 to 1000, or the lowest and the highest, as in [2, 4]",
            parse_number: |number| Some(number),
            parse_text: |_| None,
        })?;
        let message = "a queue position is a number from 1 to 1000; of two, write the lowest first";
        match (in_range(first), in_range(last)) {
            (Some(first), Some(last)) if first <= last => Ok(Self(NumberRange(first, last))),
            _ => Err(de::Error::custom(message)),
        }
    }
}

impl<'de> Deserialize<'de> for PercentRange {
    /// Reads one percentage, or the first and the last.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let in_range = |number| u32::try_from(number).ok().filter(|percent| *percent <= 100);
        let (first, last) = from.deserialize_any(OneOrTwoValuesVisitor {
            expecting: "a percentage from 0 to 100, or the first and the last, as in [0, 99]",
            parse_number: |number| Some(number),
            parse_text: |_| None,
        })?;
        match (in_range(first), in_range(last)) {
            (Some(first), Some(last)) => Ok(Self(NumberRange(first, last))),
            _ => Err(de::Error::custom("a percentage is a number from 0 to 100")),
        }
    }
}
