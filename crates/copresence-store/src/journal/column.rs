//! Conversions between Rust values and database columns.

use crate::error::StoreError;
use jiff::Timestamp;
use rusqlite::types::{Type, Value};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A time as microseconds since 1970 (UTC).
pub(super) fn timestamp_to_micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// A time from microseconds since 1970 (UTC); 1970 if out of range.
pub(super) fn timestamp_from_micros_or_epoch(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or_default()
}

/// A size in bytes or a count. Larger values than an `i64` holds are clamped.
pub(super) fn size_to_integer(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// A size or count from its column; 0 for a negative value.
pub(super) fn integer_to_size_or_zero(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or_default()
}

/// A duration in milliseconds.
pub(super) fn duration_to_millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// A path as text if it is UTF-8, otherwise as its raw bytes.
#[cfg_attr(unix, expect(clippy::unnecessary_wraps, reason = "on other systems a path may not be representable"))]
pub(super) fn path_to_value(path: &Path) -> Result<Value, StoreError> {
    if let Some(text) = path.to_str() {
        return Ok(Value::Text(text.to_owned()));
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        Ok(Value::Blob(path.as_os_str().as_bytes().to_vec()))
    }
    #[cfg(not(unix))]
    Err(StoreError::ForeignEntry { path: path.to_owned(), why: "its name is not Unicode" })
}

/// A path from its text or raw bytes; empty for any other value.
pub(super) fn path_from_value_or_empty(value: Value) -> PathBuf {
    match value {
        Value::Text(text) => PathBuf::from(text),
        #[cfg(unix)]
        Value::Blob(bytes) => {
            use std::os::unix::ffi::OsStringExt as _;
            PathBuf::from(std::ffi::OsString::from_vec(bytes))
        }
        _ => PathBuf::new(),
    }
}

/// Parses a text column.
///
/// # Errors
/// A conversion failure when the text does not have the form of `T`: the journal is damaged.
pub(super) fn parse_text_column<T: std::str::FromStr>(column: usize, text: &str) -> rusqlite::Result<T> {
    text.parse()
        .map_err(|_| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, "not in the expected format".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_paths_survive() {
        let at: Timestamp = "2026-11-22T09:00:00.123456Z".parse().expect("a time");
        assert_eq!(timestamp_from_micros_or_epoch(timestamp_to_micros(at)), at);
        assert_eq!(path_from_value_or_empty(path_to_value(Path::new("/a/b c")).expect("UTF-8")), Path::new("/a/b c"));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_utf8_survives() {
        use std::os::unix::ffi::OsStrExt as _;
        let odd = Path::new(std::ffi::OsStr::from_bytes(b"/out/\xff\xfe"));
        assert_eq!(path_from_value_or_empty(path_to_value(odd).expect("bytes")), odd);
    }
}
