//! Reads `Retry-After` and `Location` of a response.

use http::{HeaderMap, header};
use httpdate::parse_http_date;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};
use url::Url;

/// Maximum `Retry-After`. Longer values are reduced to it.
const MAX_RETRY_AFTER: Duration = Duration::from_hours(24);

/// `Retry-After` in seconds or as a date (RFC 9110, 10.2.3), at most [`MAX_RETRY_AFTER`].
///
/// `headers::RetryAfter` is not used, because it gives no access to its value.
pub(crate) fn parse_retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let pause = if let Ok(seconds) = value.parse() {
        Duration::from_secs(seconds)
    } else {
        // The clock of the backend is used if it sends `Date`, because the clock of this machine may be wrong.
        let date = headers.get(header::DATE).and_then(|date| parse_http_date(date.to_str().ok()?.trim()).ok());
        parse_http_date(value).ok()?.duration_since(date.unwrap_or(now)).unwrap_or(Duration::ZERO)
    };
    Some(pause.min(MAX_RETRY_AFTER))
}

/// The target of a redirect. Returns `None` for other statuses and for an invalid location.
pub(crate) fn redirect_target(response: &reqwest::Response) -> Option<Url> {
    if !response.status().is_redirection() {
        return None;
    }
    let location = response.headers().get(header::LOCATION)?.as_bytes();
    match std::str::from_utf8(location) {
        Ok(location) => response.url().join(location).ok(),
        Err(_) => response.url().join(&percent_encode_bytes_above_ascii(location)?).ok(),
    }
}

/// The text with each byte that is not ASCII as `%XX`: the server means the byte, whatever its encoding is. Without host names
/// that have such bytes: `None`.
fn percent_encode_bytes_above_ascii(text: &[u8]) -> Option<String> {
    let mut encoded = String::new();
    for byte in text {
        if byte.is_ascii() {
            encoded.push(char::from(*byte));
        } else {
            _ = write!(encoded, "%{byte:02X}");
        }
    }
    let authority =
        encoded.split_once("//").map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    (!authority.contains('%')).then_some(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.parse().expect("a name"), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn retry_after_is_parsed_as_seconds_and_as_a_date_by_the_clock_of_the_backend() {
        let now = parse_http_date("Sun, 22 Nov 2026 10:00:00 GMT").expect("a date");
        let pause = |pairs: &[_]| parse_retry_after(&headers(pairs), now);
        assert_eq!(pause(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        let date = ("retry-after", "Sun, 22 Nov 2026 10:01:00 GMT");
        assert_eq!(pause(&[date]), Some(Duration::from_mins(1)));
        let clock = ("date", "Sun, 22 Nov 2026 10:00:50 GMT");
        assert_eq!(pause(&[date, clock]), Some(Duration::from_secs(10)));
        assert_eq!(pause(&[("retry-after", "Sun, 22 Nov 2020 10:01:00 GMT")]), Some(Duration::ZERO));
        assert_eq!(pause(&[("retry-after", "99999999999999")]), Some(MAX_RETRY_AFTER));
        assert_eq!(pause(&[("retry-after", "soon")]), None);
        assert_eq!(pause(&[]), None);
    }
}
