//! `payload_incomplete`: the progress of an avatar that is not ready.

use crate::completion_status::CompletionStatus;
use crate::spec_violation::{SpecViolation, json_type_name};
use serde_json::{Map, Value};

/// A percentage, `0..=100`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u8);

impl Percent {
    /// Returns `None` above 100.
    pub fn new(value: u8) -> Option<Self> {
        (value <= 100).then_some(Self(value))
    }

    /// The percentage, `0..=100`.
    pub fn percent_as_u8(self) -> u8 {
        self.0
    }
}

/// A position in the avatar processing queue, as the backend counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueuePosition(u32);

impl QueuePosition {
    /// Wraps a position. Every value is valid.
    pub fn new(value: u32) -> Self {
        Self(value)
    }

    /// The queue position as a number.
    pub fn queue_position_as_u32(self) -> u32 {
        self.0
    }
}

/// Spec: "Information about the completion progress of the avatar." (GET /redeemExportToken)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// `completion_status`.
    pub status: CompletionStatus,
    /// `completion_progress`. `None` is −1 on the wire. Spec: "If an avatar has not been associated, the value is -1."
    pub completion: Option<Percent>,
    /// `queue_position`. `None` is −1 on the wire. Spec: "If no avatar has been associated or the avatar is not in the
    /// queue, value is -1."
    pub queue_position: Option<QueuePosition>,
}

impl Progress {
    /// The progress before an avatar is associated with the token: status `no_associated_avatar`.
    pub fn progress_without_avatar() -> Self {
        Self { status: CompletionStatus::NoAssociatedAvatar, completion: None, queue_position: None }
    }

    /// `completion_progress` as on the wire: −1, or `0..=100`.
    pub fn completion_wire_value(&self) -> i64 {
        self.completion.map_or(-1, |percent| i64::from(percent.percent_as_u8()))
    }

    /// `queue_position` as on the wire: −1, or the position.
    pub fn queue_position_wire_value(&self) -> i64 {
        self.queue_position.map_or(-1, |place| i64::from(place.queue_position_as_u32()))
    }

    /// Parses `payload_incomplete`. `at` is its path in the body. A number that is missing or not as specified is
    /// unknown, and a violation that is returned beside the progress: the status word is clear without it.
    ///
    /// # Errors
    /// Without a status word.
    pub(crate) fn parse(object: &Map<String, Value>, at: &str) -> Result<(Self, Vec<SpecViolation>), SpecViolation> {
        let status = match object.get("completion_status") {
            Some(Value::String(word)) => CompletionStatus::from(word.as_str()),
            other => return Err(field_violation(at, "completion_status", "a string", other)),
        };
        let mut violations = Vec::new();
        let mut parse_number = |field: &str, expected: &str, max: u32| {
            parse_integer_field(object, at, field, expected, max).unwrap_or_else(|violation| {
                violations.push(violation);
                None
            })
        };
        let completion = parse_number("completion_progress", "an integer between 0 and 100, or -1", 100);
        let queue_position = parse_number("queue_position", "a non-negative integer, or -1", u32::MAX);
        let progress = Self {
            status,
            completion: completion.and_then(|percent| u8::try_from(percent).ok()).and_then(Percent::new),
            queue_position: queue_position.map(QueuePosition::new),
        };
        Ok((progress, violations))
    }
}

/// Parses an integer field: `0..=max`, or -1 as `None`. `at` is the path of the object in the body.
fn parse_integer_field(
    object: &Map<String, Value>,
    at: &str,
    field: &str,
    expected: &str,
    max: u32,
) -> Result<Option<u32>, SpecViolation> {
    let value = object.get(field);
    // JSON has one number type (RFC 8259), so 42.0 is accepted as an integer.
    match value.and_then(|v| v.as_i64().or_else(|| v.as_f64().and_then(convert_whole_float_to_integer))) {
        None => Err(field_violation(at, field, expected, value)),
        Some(-1) => Ok(None),
        Some(n) => match u32::try_from(n) {
            Ok(n) if n <= max => Ok(Some(n)),
            _ => Err(SpecViolation::new(format!("{at}.{field}"), expected, format!("{n}"))),
        },
    }
}

/// Converts a number to an integer if it is whole. Returns `None` for other numbers and from 10^15 on.
fn convert_whole_float_to_integer(value: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked first")]
    (value.fract() == 0.0 && value.abs() < 1e15).then_some(value as i64)
}

/// The violation by one field of the object at the path `at`. `found` is the field's value, if it is present.
pub(crate) fn field_violation(at: &str, field: &str, expected: &str, found: Option<&Value>) -> SpecViolation {
    let path = if at.is_empty() { field.to_owned() } else { format!("{at}.{field}") };
    SpecViolation::new(path, expected, found.map_or("nothing", json_type_name))
}
