//! Parses JSON within limits.

use super::InspectionError;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// Maximum number of JSON values. Bounds the memory of the parsed lists.
const MAX_JSON_VALUES: u32 = 2_000_000;
/// Maximum number of JSON objects: accessors, nodes, primitives and all others together. A parsed object takes at most a
/// few hundred bytes.
const MAX_JSON_OBJECTS: u32 = 200_000;

/// Parses a document of at most `max_len` bytes. `offset`: where it begins in the file, for messages.
pub(super) fn parse_json_document(
    text: &[u8],
    offset: usize,
    max_len: usize,
) -> Result<Map<String, Value>, InspectionError> {
    if text.len() > max_len {
        let length = text.len();
        return Err(InspectionError::limit_exceeded(format!(
            "its JSON has {length} bytes, and at most {max_len} are read"
        )));
    }
    let invalid = |error: &serde_json::Error| explain_json_error(text, offset, error);
    refuse_too_many_json_values(text).map_err(|error| error.unwrap_or_else(|error| invalid(&error)))?;
    match serde_json::from_slice(text) {
        Ok(Value::Object(document)) => Ok(document),
        Ok(_) => Err(format!("byte {offset}: its JSON is not an object").into()),
        Err(error) => Err(invalid(&error)),
    }
}

/// The error of a JSON text, with its place in bytes. What only this parser refuses is not examined.
fn explain_json_error(text: &[u8], offset: usize, error: &serde_json::Error) -> InspectionError {
    let lines_before = error.line().saturating_sub(1);
    let line_start: usize = text.split_inclusive(|byte| *byte == b'\n').take(lines_before).map(<[u8]>::len).sum();
    let at = line_start.saturating_add(error.column().saturating_sub(1));
    let place = offset.saturating_add(at);
    let message = error.to_string();
    let only_here = ["recursion limit", "out of range", "surrogate", "unexpected end of hex escape"];
    if only_here.iter().any(|reason| message.contains(reason)) {
        return InspectionError::limit_exceeded(format!("its JSON cannot be read: {message}"));
    }
    if text.get(at) == Some(&0) {
        return format!("byte {place}: its JSON is not valid: a NUL byte; JSON is padded with spaces").into();
    }
    format!("byte {place}: its JSON is not valid: {message}").into()
}

/// Fails above the maximum number of values or objects. Keeps none of them.
fn refuse_too_many_json_values(chunk: &[u8]) -> Result<(), Result<InspectionError, serde_json::Error>> {
    let mut count = JsonValueCount::default();
    let mut reader = serde_json::Deserializer::from_slice(chunk);
    let counted = ValueCountingSeed(&mut count).deserialize(&mut reader);
    match counted {
        _ if count.has_too_many_values() => Err(Ok(InspectionError::limit_exceeded(format!(
            "its JSON has more than {MAX_JSON_VALUES} values or {MAX_JSON_OBJECTS} objects"
        )))),
        Err(error) => Err(Err(error)),
        Ok(()) => Ok(()),
    }
}

/// Number of values of a JSON text, and how many of them are objects.
#[derive(Default)]
struct JsonValueCount {
    values: u32,
    objects: u32,
}

impl JsonValueCount {
    /// Whether there are more values or objects than [`MAX_JSON_VALUES`] or [`MAX_JSON_OBJECTS`].
    fn has_too_many_values(&self) -> bool {
        self.values > MAX_JSON_VALUES || self.objects > MAX_JSON_OBJECTS
    }
}

/// Counts a JSON value and the values in it. Ends with an error above the limits.
struct ValueCountingSeed<'a>(&'a mut JsonValueCount);

impl<'de> DeserializeSeed<'de> for ValueCountingSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.0.values = self.0.values.saturating_add(1);
        if self.0.has_too_many_values() {
            return Err(D::Error::custom("too many values"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueCountingSeed<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(ValueCountingSeed(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        self.0.objects = self.0.objects.saturating_add(1);
        while object.next_key::<IgnoredAny>()?.is_some() {
            object.next_value_seed(ValueCountingSeed(self.0))?;
        }
        Ok(())
    }
}
