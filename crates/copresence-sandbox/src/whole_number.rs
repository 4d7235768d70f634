//! Whole numbers in JSON, with or without a fraction of zero.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::Number;

/// The largest whole number up to which every whole number is an `f64`: 2^53.
const MAX_EXACT_F64: f64 = 9_007_199_254_740_992.0;

/// Deserializes a whole number from 0 on. `142.0` is one too, as JSON Schema says: programs that calculate with fractions send
/// it.
///
/// # Errors
/// It is not a number, is negative, or has a fraction.
pub(crate) fn deserialize_whole_number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let number = Number::deserialize(from)?;
    whole_number_from_json(&number).map(Some).map_err(D::Error::custom)
}

/// As [`deserialize_whole_number`], where `null` is `None`.
///
/// # Errors
/// It is neither `null` nor a whole number.
pub(crate) fn deserialize_optional_whole_number<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let number = Option::<Number>::deserialize(from)?;
    number.as_ref().map(whole_number_from_json).transpose().map_err(D::Error::custom)
}

/// The value of a JSON number that is whole and not negative. `142.0` is whole too.
fn whole_number_from_json(number: &Number) -> Result<u64, String> {
    let exact = number.as_u64().or_else(|| {
        let value = number.as_f64()?;
        let is_whole = value.fract() == 0.0 && (0.0..=MAX_EXACT_F64).contains(&value);
        // `as` is exact in this range.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and in range")]
        is_whole.then_some(value as u64)
    });
    exact.ok_or_else(|| format!("a whole number from 0 on is needed, not {number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_may_have_a_fraction_of_zero() {
        let read = |text: &str| deserialize_whole_number(&mut serde_json::Deserializer::from_str(text)).ok().flatten();
        assert_eq!([read("142"), read("142.0"), read("1e3"), read("0")], [Some(142), Some(142), Some(1000), Some(0)]);
        assert_eq!(read(&u64::MAX.to_string()), Some(u64::MAX));
        assert_eq!([read("1.5"), read("-1"), read("-1.0"), read("1e300"), read("null"), read("\"1\"")], [None; 6]);
    }
}
