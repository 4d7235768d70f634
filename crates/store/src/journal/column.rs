//! How values stand in the database.

use crate::error::StoreError;
use jiff::Timestamp;
use rusqlite::types::{Type, Value};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Microseconds since 1970.
pub(super) fn time(at: Timestamp) -> i64 {
    at.as_microsecond()
}

pub(super) fn read_time(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or_default()
}

/// A size in bytes; no disk holds what does not fit.
pub(super) fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

pub(super) fn read_size(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or_default()
}

/// A span of time in milliseconds.
pub(super) fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// A path: text where it is UTF-8 (so that people can read it), its raw bytes where it is not.
#[cfg_attr(
    unix,
    expect(clippy::unnecessary_wraps, reason = "elsewhere a name may have no form to be kept in")
)]
pub(super) fn path(path: &Path) -> Result<Value, StoreError> {
    if let Some(text) = path.to_str() {
        return Ok(Value::Text(text.to_owned()));
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt as _;
        Ok(Value::Blob(path.as_os_str().as_bytes().to_vec()))
    }
    #[cfg(not(unix))]
    Err(StoreError::NotOurs { path: path.to_owned(), why: "its name is not Unicode" })
}

pub(super) fn read_path(value: Value) -> PathBuf {
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

/// Reads a value that has a form of its own; what does not keep it is damage.
pub(super) fn parsed<T: std::str::FromStr>(column: usize, text: &str) -> rusqlite::Result<T> {
    text.parse().map_err(|_| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            Type::Text,
            "not of the form that it should have".into(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_paths_survive() {
        let at: Timestamp = "2026-11-22T09:00:00.123456Z".parse().expect("a time");
        assert_eq!(read_time(time(at)), at);
        assert_eq!(read_path(path(Path::new("/a/b c")).expect("UTF-8")), Path::new("/a/b c"));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_utf8_survives() {
        use std::os::unix::ffi::OsStrExt as _;
        let odd = Path::new(std::ffi::OsStr::from_bytes(b"/out/\xff\xfe"));
        assert_eq!(read_path(path(odd).expect("bytes")), odd);
    }
}
