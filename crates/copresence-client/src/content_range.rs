//! The header `Content-Range` of a partial response.

/// `Content-Range: bytes FIRST-LAST/TOTAL` (RFC 9110, 14.4). The total may be `*`.
///
/// `headers::ContentRange` accepts the unit in lower case only, but units are case-insensitive (RFC 9110, 14.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContentRange {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) total: Option<u64>,
}

impl ContentRange {
    /// Parses the header value. Returns `None` if it is not valid or has no range.
    pub(crate) fn parse_content_range(text: &str) -> Option<Self> {
        let (unit, rest) = text.trim().split_once(' ')?;
        let (range, total) = rest.trim().split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let total = if total == "*" { None } else { Some(total.parse().ok()?) };
        let range = Self { first: first.parse().ok()?, last: last.parse().ok()?, total };
        (unit.eq_ignore_ascii_case("bytes") && range.first <= range.last).then_some(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_content_range_is_parsed_and_invalid_ones_are_rejected() {
        let range = ContentRange { first: 5, last: 9, total: Some(10) };
        assert_eq!(ContentRange::parse_content_range("bytes 5-9/10"), Some(range));
        assert_eq!(ContentRange::parse_content_range("Bytes 5-9/10"), Some(range));
        assert_eq!(ContentRange::parse_content_range("bytes 5-9/*"), Some(ContentRange { total: None, ..range }));
        for bad in ["", "bytes", "bytes */10", "bytes 9-5/10", "items 5-9/10", "bytes 5-9", "bytes -9/10"] {
            assert_eq!(ContentRange::parse_content_range(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_content_range_is_parsed_without_a_panic(text in ".*") {
            let _ = ContentRange::parse_content_range(&text);
        }
    }
}
