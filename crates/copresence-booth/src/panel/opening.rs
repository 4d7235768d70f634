//! Opening hours: outside of them the booth is closed and its screen dark.

use super::Panel;
use crate::view::Problem;
use copresence_engine::opening_hours::OpeningHours;
use copresence_engine::problem::problem_for_code;
use jiff::Zoned;
use jiff::civil::DateTime;
use std::sync::atomic::Ordering;

/// Why the booth is closed by its opening hours, and until when.
pub(super) struct ClosureByOpeningHours {
    /// For visitors and for the operator.
    pub(super) problem: Problem,
    /// Local time of the next opening.
    pub(super) until: DateTime,
}

/// Why these hours close the booth at this local time, and until when; `None` if they do not.
fn find_opening_hours_closure_at(hours: Option<&OpeningHours>, local: DateTime) -> Option<ClosureByOpeningHours> {
    let until = hours?.find_next_opening(local)?;
    let mut problem = problem_for_code("outside_hours", None);
    let hours = hours.map(ToString::to_string).unwrap_or_default();
    problem.operator =
        format!("The booth is closed until {}: its opening hours are {hours}.", until.strftime("%A %H:%M"));
    Some(ClosureByOpeningHours { problem, until })
}

impl Panel {
    /// Why the opening hours close the booth now, and until when, by the machine's clock and time zone; `None` if they
    /// do not.
    pub(super) fn find_opening_hours_closure_now(&self) -> Option<ClosureByOpeningHours> {
        let hours = self.0.settings_file.current_settings().display.opening_hours?;
        // Settings contain usable hours only.
        find_opening_hours_closure_at(hours.parse().ok().as_ref(), Zoned::now().datetime())
    }

    /// Closes or opens the booth if its opening hours have ended or begun. A visit on the screen continues.
    pub fn open_or_close_booth_by_hours(&self) {
        let is_outside = self.find_opening_hours_closure_now().is_some();
        if self.0.is_outside_hours.load(Ordering::Relaxed) != is_outside {
            tracing::info!(is_open = !is_outside, "the opening hours have changed the booth");
            self.publish_booth_settings();
        }
    }

    /// Whether the booth is within its opening hours, as they were published last.
    pub fn is_within_opening_hours(&self) -> bool {
        !self.0.is_outside_hours.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn the_booth_is_closed_outside_of_its_hours_and_says_until_when() {
        let hours: OpeningHours = "Mon-Fri 09:00-18:00".parse().expect("hours");
        let friday = |hour| date(2026, 11, 27).at(hour, 0, 0, 0);
        assert!(find_opening_hours_closure_at(Some(&hours), friday(12)).is_none());
        assert!(find_opening_hours_closure_at(None, friday(3)).is_none());
        let closed = find_opening_hours_closure_at(Some(&hours), friday(18)).expect("closed");
        assert_eq!(closed.until, date(2026, 11, 30).at(9, 0, 0, 0));
        assert_eq!(closed.problem.code, "outside_hours");
        assert!(closed.problem.operator.contains("Monday 09:00"), "{:?}", closed.problem);
    }
}
