//! Reads the properties of JSON objects, and reports those of a wrong type or outside of their range.

use super::InspectionError;
use super::place::DocumentLocation;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// Range of a number. A bound that is not set is infinite.
#[derive(Clone, Copy)]
pub(super) struct NumberRange {
    min: f64,
    greater_than: f64,
    max: f64,
    below: f64,
}

impl NumberRange {
    pub(super) const ANY: Self =
        Self { min: f64::NEG_INFINITY, greater_than: f64::NEG_INFINITY, max: f64::INFINITY, below: f64::INFINITY };
    pub(super) const NOT_NEGATIVE: Self = Self::range_from_minimum(0.0);
    pub(super) const POSITIVE: Self = Self::range_greater_than(0.0);
    pub(super) const UNIT: Self = Self::range_between(0.0, 1.0);

    /// The range of the numbers that are not less than `min`.
    pub(super) const fn range_from_minimum(min: f64) -> Self {
        Self { min, ..Self::ANY }
    }

    /// The range from `min` to `max`, both included.
    pub(super) const fn range_between(min: f64, max: f64) -> Self {
        Self { min, max, ..Self::ANY }
    }

    /// The numbers greater than this one.
    pub(super) const fn range_greater_than(greater_than: f64) -> Self {
        Self { greater_than, ..Self::ANY }
    }

    /// The same range, restricted to numbers less than this one.
    pub(super) const fn with_exclusive_maximum(self, below: f64) -> Self {
        Self { below, ..self }
    }

    /// The same range without the numbers beyond this one.
    pub(super) const fn with_inclusive_maximum(self, max: f64) -> Self {
        Self { max, ..self }
    }

    /// Whether the number is within all bounds of the range.
    fn contains(self, number: f64) -> bool {
        number >= self.min && number > self.greater_than && number <= self.max && number < self.below
    }
}

/// Reads one object of the document. Each reader fails at a value of a wrong type, also at `null`.
#[derive(Clone, Copy)]
pub(super) struct ObjectReader<'a> {
    map: &'a Map<String, Value>,
    /// Where the object is. `None` for the document's root.
    place: Option<&'a DocumentLocation<'a>>,
}

impl<'a> ObjectReader<'a> {
    /// Creates a reader of the document's root object.
    pub(super) fn reader_at_root(map: &'a Map<String, Value>) -> Self {
        Self { map, place: None }
    }

    /// Creates a reader of the object `map`, which is at `place` in the document.
    pub(super) fn reader_at_location(map: &'a Map<String, Value>, place: &'a DocumentLocation<'a>) -> Self {
        Self { map, place: Some(place) }
    }

    /// The place of a property.
    pub(super) fn location_of_property(&self, name: &'a str) -> DocumentLocation<'a> {
        self.place.map_or(DocumentLocation::root_property_location(name), |place| place.child_property_location(name))
    }

    /// The error of this object as a whole.
    pub(super) fn error_for_whole_object(&self, reason: impl std::fmt::Display) -> InspectionError {
        match self.place {
            Some(place) => place.invalid_value_error(reason),
            None => InspectionError::Invalid(format!("the document: {reason}")),
        }
    }

    /// Whether the object has a property of this name.
    pub(super) fn has_property(&self, name: &str) -> bool {
        self.map.contains_key(name)
    }

    /// Returns the value of a required property. Fails if it is absent.
    pub(super) fn require_property<T>(&self, name: &str, value: Option<T>) -> Result<T, InspectionError> {
        value.ok_or_else(|| self.error_for_whole_object(format_args!("`{name}` is missing")))
    }

    /// The error of a property that does not have the expected type.
    fn wrong_type_error(&self, name: &str, expected: &str) -> InspectionError {
        let reason = format!("is not {expected}");
        match self.place {
            Some(place) => place.child_property_location(name).invalid_value_error(reason),
            None => DocumentLocation::root_property_location(name).invalid_value_error(reason),
        }
    }

    /// The value of a property, also if it is `null`; `None` if the property is absent.
    fn find_property_value(&self, name: &str) -> Option<&'a Value> {
        self.map.get(name)
    }

    /// Reads an integer property; `None` if it is absent. Numbers such as `3.0` are integers too.
    fn read_integer_property(&self, name: &str) -> Result<Option<f64>, InspectionError> {
        match self.find_property_value(name) {
            None => Ok(None),
            Some(value) => integer_value(value).map(Some).ok_or_else(|| self.wrong_type_error(name, "an integer")),
        }
    }

    /// Reads an index property; `None` if it is absent.
    pub(super) fn read_index_property(&self, name: &str) -> Result<Option<usize>, InspectionError> {
        match self.read_integer_property(name)? {
            None => Ok(None),
            Some(number) => number_to_index(number).map(Some).ok_or_else(|| self.wrong_type_error(name, "an index")),
        }
    }

    /// Reads an index property that must be present. Does not check that the index exists.
    pub(super) fn read_required_index(&self, name: &str) -> Result<usize, InspectionError> {
        self.require_property(name, self.read_index_property(name)?)
    }

    /// Reads an unsigned integer property of at least `min`; `None` if it is absent.
    pub(super) fn read_unsigned_at_least(&self, name: &'a str, min: u64) -> Result<Option<u64>, InspectionError> {
        self.read_unsigned_between(name, min, u64::MAX)
    }

    /// Reads an unsigned integer property between `min` and `max`; `None` if it is absent.
    pub(super) fn read_unsigned_between(
        &self,
        name: &'a str,
        min: u64,
        max: u64,
    ) -> Result<Option<u64>, InspectionError> {
        let Some(number) = self.read_integer_property(name)? else { return Ok(None) };
        match integer_to_unsigned_capped(number) {
            Some(value) if (min..=max).contains(&value) => Ok(Some(value)),
            _ => Err(self.location_of_property(name).invalid_value_error(format_args!("{number} is out of range"))),
        }
    }

    /// Reads an integer property with a list of known values; `None` if it is absent or unknown.
    pub(super) fn read_integer_of_known_values(
        &self,
        name: &str,
        known: &[u64],
    ) -> Result<Option<u64>, InspectionError> {
        let number = self.read_integer_property(name)?.and_then(integer_to_unsigned_capped);
        Ok(number.filter(|number| known.contains(number)))
    }

    /// Reads a number property that must lie within a range; `None` if it is absent.
    pub(super) fn read_number_in_range(
        &self,
        name: &'a str,
        range: NumberRange,
    ) -> Result<Option<f64>, InspectionError> {
        let Some(value) = self.find_property_value(name) else { return Ok(None) };
        let number = value.as_f64().ok_or_else(|| self.wrong_type_error(name, "a number"))?;
        if !range.contains(number) {
            return Err(self.location_of_property(name).invalid_value_error(format_args!("{number} is out of range")));
        }
        Ok(Some(number))
    }

    /// Reads a list of numbers: of `length` if it is given, and not empty; `None` if it is absent.
    pub(super) fn read_number_list(
        &self,
        name: &'a str,
        length: Option<usize>,
        range: NumberRange,
    ) -> Result<Option<Vec<f64>>, InspectionError> {
        let Some(list) = self.read_nonempty_list(name)? else { return Ok(None) };
        let place = self.location_of_property(name);
        if length.is_some_and(|length| length != list.len()) {
            let (has, wanted) = (list.len(), length.unwrap_or_default());
            return Err(place.invalid_value_error(format_args!("has {has} items instead of {wanted}")));
        }
        let numbers = list.iter().enumerate().map(|(index, value)| match value.as_f64() {
            Some(number) if range.contains(number) => Ok(number),
            Some(number) => {
                Err(place.list_item_location(index).invalid_value_error(format_args!("{number} is out of range")))
            }
            None => Err(place.list_item_location(index).invalid_value_error("is not a number")),
        });
        numbers.collect::<Result<_, _>>().map(Some)
    }

    pub(super) fn read_text_property(&self, name: &str) -> Result<Option<&'a str>, InspectionError> {
        match self.find_property_value(name) {
            None => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or_else(|| self.wrong_type_error(name, "a string")),
        }
    }

    pub(super) fn read_boolean_property(&self, name: &str) -> Result<Option<bool>, InspectionError> {
        match self.find_property_value(name) {
            None => Ok(None),
            Some(value) => value.as_bool().map(Some).ok_or_else(|| self.wrong_type_error(name, "true or false")),
        }
    }

    /// A list that is not empty.
    pub(super) fn read_nonempty_list(&self, name: &str) -> Result<Option<&'a [Value]>, InspectionError> {
        match self.find_property_value(name) {
            None => Ok(None),
            Some(value) => match value.as_array() {
                Some(list) if !list.is_empty() => Ok(Some(list)),
                Some(_) => Err(self.wrong_type_error(name, "allowed to be empty")),
                None => Err(self.wrong_type_error(name, "a list")),
            },
        }
    }

    /// Reads a list of distinct indices that is not empty; `None` if it is absent.
    pub(super) fn read_distinct_indices(&self, name: &'a str) -> Result<Option<Vec<usize>>, InspectionError> {
        let Some(list) = self.read_nonempty_list(name)? else { return Ok(None) };
        let place = self.location_of_property(name);
        let mut known = HashSet::with_capacity(list.len());
        let indices = list.iter().enumerate().map(|(index, value)| {
            let number = integer_value(value).and_then(number_to_index);
            let number =
                number.ok_or_else(|| place.list_item_location(index).invalid_value_error("is not an index"))?;
            if !known.insert(number) {
                return Err(place.list_item_location(index).invalid_value_error(format_args!("repeats {number}")));
            }
            Ok(number)
        });
        indices.collect::<Result<_, _>>().map(Some)
    }

    /// A list of different strings that is not empty.
    pub(super) fn read_distinct_texts(&self, name: &'a str) -> Result<Option<Vec<&'a str>>, InspectionError> {
        let Some(list) = self.read_nonempty_list(name)? else { return Ok(None) };
        let place = self.location_of_property(name);
        let mut known = HashSet::with_capacity(list.len());
        let texts = list.iter().enumerate().map(|(index, value)| {
            let text =
                value.as_str().ok_or_else(|| place.list_item_location(index).invalid_value_error("is not a string"))?;
            if !known.insert(text) {
                return Err(place.list_item_location(index).invalid_value_error("repeats an earlier item"));
            }
            Ok(text)
        });
        texts.collect::<Result<_, _>>().map(Some)
    }

    /// Reads an object with `read`.
    pub(super) fn read_object_property<T>(
        &self,
        name: &'a str,
        read: impl FnOnce(&ObjectReader<'_>) -> Result<T, InspectionError>,
    ) -> Result<Option<T>, InspectionError> {
        let Some(value) = self.find_property_value(name) else { return Ok(None) };
        let map = value.as_object().ok_or_else(|| self.wrong_type_error(name, "an object"))?;
        let place = self.location_of_property(name);
        read(&ObjectReader::reader_at_location(map, &place)).map(Some)
    }

    /// Reads each object of a list that is not empty.
    pub(super) fn read_object_list<T>(
        &self,
        name: &'a str,
        mut read: impl FnMut(&ObjectReader<'_>) -> Result<T, InspectionError>,
    ) -> Result<Option<Vec<T>>, InspectionError> {
        let Some(list) = self.read_nonempty_list(name)? else { return Ok(None) };
        let list_place = self.location_of_property(name);
        let items = list.iter().enumerate().map(|(index, value)| {
            let place = list_place.list_item_location(index);
            let map = value.as_object().ok_or_else(|| place.invalid_value_error("is not an object"))?;
            read(&ObjectReader::reader_at_location(map, &place))
        });
        items.collect::<Result<_, _>>().map(Some)
    }

    /// The members of the object.
    pub(super) fn members(&self) -> impl Iterator<Item = (&'a str, &'a Value)> + use<'a> {
        self.map.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The members of the object as indices. The object must not be empty.
    pub(super) fn read_members_as_indices(&self) -> Result<Vec<(String, usize)>, InspectionError> {
        if self.map.is_empty() {
            return Err(self.error_for_whole_object("must not be empty"));
        }
        let member = |(name, value): (&str, &Value)| {
            let index = integer_value(value).and_then(number_to_index);
            Ok((name.to_owned(), index.ok_or_else(|| self.wrong_type_error(name, "an index"))?))
        };
        self.members().map(member).collect()
    }
}

/// The value as an integer.
fn integer_value(value: &Value) -> Option<f64> {
    value.as_f64().filter(|number| number.fract() == 0.0)
}

/// Converts an integer to an index, at most the largest one; `None` if it is negative.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates; no list is that long")]
fn number_to_index(number: f64) -> Option<usize> {
    (number >= 0.0).then_some(number as usize)
}

/// The integer as an unsigned one, at most the largest one.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates; no file is that long")]
fn integer_to_unsigned_capped(number: f64) -> Option<u64> {
    (number >= 0.0).then_some(number as u64)
}
