//! Opening hours of a booth, as an operator writes them: `Mon-Fri 09:00-18:00, Sat 10:00-16:00`.
//!
//! They are in the machine's local time. Days are `Mon` to `Sun`, one day, a range (`Mon-Fri`) or `daily`. A range of
//! hours may end at `24:00`, or on the next day: `Fri 20:00-02:00`.

use jiff::civil::{DateTime, Weekday};
use std::fmt;
use std::str::FromStr;

const MINUTES_PER_DAY: u16 = 24 * 60;
const MINUTES_PER_WEEK: u16 = 7 * MINUTES_PER_DAY;

/// The days as they are written, in the order of [`Weekday::to_monday_zero_offset`].
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// Weekly opening hours in local time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpeningHours {
    /// As written.
    text: String,
    /// When the booth is open, in minutes since Monday 00:00. An end may be in the next week.
    spans: Vec<OpenSpan>,
}

/// A time without a pause, in minutes since Monday 00:00: `start` is in it, `end` is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct OpenSpan {
    start: u16,
    end: u16,
}

/// Why a text cannot be parsed as opening hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{part:?} is no opening hours: {why}. An example: \"Mon-Fri 09:00-18:00, Sat 10:00-16:00\"")]
pub struct OpeningHoursError {
    /// The part between two commas that cannot be used.
    part: String,
    why: &'static str,
}

impl OpeningHours {
    /// Whether the booth is open at this local time.
    pub fn is_open_at(&self, local: DateTime) -> bool {
        self.is_open_at_minute_of_week(to_minute_of_week(local))
    }

    /// The local time of the next opening after `local`, to the minute; `None` if the booth is open now. Changes between
    /// summer time and winter time until then are not counted in.
    pub fn find_next_opening(&self, local: DateTime) -> Option<DateTime> {
        let now = to_minute_of_week(local);
        if self.is_open_at_minute_of_week(now) {
            return None;
        }
        let wait =
            (1..=MINUTES_PER_WEEK).find(|wait| self.is_open_at_minute_of_week((now + wait) % MINUTES_PER_WEEK))?;
        let this_minute = local.with().second(0).subsec_nanosecond(0).build().ok()?;
        this_minute.checked_add(jiff::Span::new().minutes(wait)).ok()
    }

    /// Whether the booth is open at this minute since Monday 00:00.
    fn is_open_at_minute_of_week(&self, minute: u16) -> bool {
        let contains = |span: &OpenSpan, minute: u16| (span.start..span.end).contains(&minute);
        // A span that began last week is in this one a week later.
        self.spans.iter().any(|span| contains(span, minute) || contains(span, minute + MINUTES_PER_WEEK))
    }
}

impl FromStr for OpeningHours {
    type Err = OpeningHoursError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let mut spans = Vec::new();
        for part in text.split(',').map(str::trim) {
            let error = |why| OpeningHoursError { part: part.to_owned(), why };
            let (days, hours) = part
                .split_once(char::is_whitespace)
                .ok_or_else(|| error("it needs days and hours with a space between them"))?;
            let (first, last) = parse_day_range(days).ok_or_else(|| {
                error("its days are not Mon, Tue, Wed, Thu, Fri, Sat, Sun, a range of them, or daily")
            })?;
            let (from, to) = hours
                .split_once(['-', '–'])
                .and_then(|(from, to)| Some((parse_minute_of_day(from)?, parse_minute_of_day(to)?)))
                .ok_or_else(|| error("its hours are not like 09:00-18:00, from 00:00 to 24:00"))?;
            if from == to || from == MINUTES_PER_DAY {
                return Err(error("it is open for no time"));
            }
            let length = if to > from { to - from } else { to + MINUTES_PER_DAY - from };
            let day_count = (last + 7 - first) % 7 + 1;
            for day in (first..first + day_count).map(|day| day % 7) {
                let start = day * MINUTES_PER_DAY + from;
                spans.push(OpenSpan { start, end: start + length });
            }
        }
        Ok(Self { text: text.to_owned(), spans })
    }
}

impl fmt::Display for OpeningHours {
    /// Writes the opening hours in their original text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The first and the last day, 0 for Monday to 6 for Sunday.
fn parse_day_range(text: &str) -> Option<(u16, u16)> {
    if text.eq_ignore_ascii_case("daily") {
        return Some((0, 6));
    }
    let day = |text: &str| {
        let index = DAYS.iter().position(|day| day.eq_ignore_ascii_case(text.trim()))?;
        u16::try_from(index).ok()
    };
    match text.split_once(['-', '–']) {
        Some((first, last)) => Some((day(first)?, day(last)?)),
        None => day(text).map(|day| (day, day)),
    }
}

/// A time as minutes since midnight, `00:00` to `24:00`.
fn parse_minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |digits: &str| {
        let is_number = (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| digits.parse::<u16>().ok()).flatten()
    };
    let (hour, minute) = (number(hour)?, number(minute).filter(|_| minute.len() == 2)?);
    let total = hour * 60 + minute;
    (minute < 60 && total <= MINUTES_PER_DAY).then_some(total)
}

/// Minutes since Monday 00:00.
fn to_minute_of_week(local: DateTime) -> u16 {
    let day = |weekday: Weekday| weekday.to_monday_zero_offset().unsigned_abs();
    u16::from(day(local.weekday())) * MINUTES_PER_DAY
        + u16::from(local.hour().unsigned_abs()) * 60
        + u16::from(local.minute().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn parse_valid_hours(text: &str) -> OpeningHours {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    /// A local time in the week of Monday, 2026-11-23.
    fn at(day: i8, hour: i8, minute: i8) -> DateTime {
        date(2026, 11, 23 + day).at(hour, minute, 30, 0)
    }

    #[test]
    fn the_booth_is_open_within_its_hours() {
        let hours = parse_valid_hours("Mon-Fri 09:00-18:00, Sat 10:00-16:00");
        for (time, is_open) in [
            (at(0, 8, 59), false),
            (at(0, 9, 0), true),
            (at(4, 17, 59), true),
            (at(4, 18, 0), false),
            (at(5, 9, 30), false),
            (at(5, 10, 0), true),
            (at(6, 12, 0), false),
        ] {
            assert_eq!(hours.is_open_at(time), is_open, "{time}");
        }
        assert_eq!(hours.to_string(), "Mon-Fri 09:00-18:00, Sat 10:00-16:00");
    }

    #[test]
    fn hours_may_end_on_the_next_day_and_in_the_next_week() {
        let hours = parse_valid_hours("fri-sun 20:00-02:00");
        for (time, is_open) in [
            (at(4, 19, 59), false),
            (at(5, 1, 59), true),
            (at(6, 2, 0), false),
            (at(0, 1, 0), true),
            (at(0, 2, 0), false),
        ] {
            assert_eq!(hours.is_open_at(time), is_open, "{time}");
        }
    }

    #[test]
    fn the_next_opening_is_found() {
        let hours = parse_valid_hours("Mon-Fri 09:00-18:00");
        assert_eq!(hours.find_next_opening(at(0, 9, 0)), None);
        assert_eq!(hours.find_next_opening(at(0, 8, 15)), Some(date(2026, 11, 23).at(9, 0, 0, 0)));
        assert_eq!(hours.find_next_opening(at(4, 18, 0)), Some(date(2026, 11, 30).at(9, 0, 0, 0)));
        let always: OpeningHours = "daily 00:00-24:00".parse().expect("hours");
        assert!(always.is_open_at(at(6, 23, 59)) && always.is_open_at(at(0, 0, 0)));
    }

    #[test]
    fn an_error_names_the_unusable_part() {
        for (text, part) in [
            ("", "\"\""),
            ("Mon-Fri", "\"Mon-Fri\""),
            ("Mon 9-18", "\"Mon 9-18\""),
            ("Mon 09:00-18:00; Tue 10:00-11:00", "Tue"),
            ("Mon 09:00-18:00, Montag 10:00-11:00", "\"Montag 10:00-11:00\""),
            ("Mon 09:00-24:01", "09:00-24:01"),
            ("Mon 09:60-18:00", "09:60"),
            ("Mon 09:00-09:00", "09:00-09:00"),
            ("Mon 9:5-18:00", "9:5"),
        ] {
            let error = text.parse::<OpeningHours>().expect_err(text).to_string();
            assert!(error.contains(part) && error.contains("An example"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "[A-Za-z0-9:, –-]{0,40}") {
            _ = text.parse::<OpeningHours>();
        }

        #[test]
        fn one_span_a_day_is_open_for_its_length(from in 0u16..1440, length in 1u16..1440) {
            let to = (from + length) % 1440;
            let text = format!("daily {:02}:{:02}-{:02}:{:02}", from / 60, from % 60, to / 60, to % 60);
            let hours: OpeningHours = text.parse().expect("hours");
            let open = (0..MINUTES_PER_WEEK).filter(|minute| hours.is_open_at_minute_of_week(*minute)).count();
            prop_assert_eq!(open, usize::from(length) * 7);
        }
    }
}
