//! While no avatar is associated: nothing foretells a scan, so here the spacing is a promise instead of a forecast.

/// Nobody unlocks a phone, scans and chooses faster.
const FIRST_LOOK: f64 = 5.0;
/// While scans are most likely: somebody who chooses an existing avatar has it at once, and should not wait 3 s to be seen.
const LIKELY: (f64, f64) = (50.0, 2.65);
/// Choices become rare, recordings end.
const POSSIBLE: (f64, f64) = (105.0, 2.9);
/// Whoever is associated now has recorded for a minute or two, and processing lies ahead: 5 s are soon enough.
const RECORDED: f64 = 5.0;
/// From here on most likely nobody comes any more, and the looks grow rarer …
const FORSAKEN: f64 = 240.0;
/// … down to this: whoever comes after all should not think it broken.
const RAREST: f64 = 15.0;

/// Seconds to the next poll, `waited` seconds after the first answer.
pub(super) fn next(waited: f64) -> f64 {
    match waited {
        // The first answer comes as the code goes up.
        _ if waited < FIRST_LOOK / 2.0 => FIRST_LOOK,
        _ if waited < LIKELY.0 => LIKELY.1,
        _ if waited < POSSIBLE.0 => POSSIBLE.1,
        _ => (RECORDED * (waited / FORSAKEN).max(1.0).powf(1.5)).min(RAREST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_an_hour_with_nobody_costs_few_polls() {
        let (mut waited, mut polls) = (0.0, 0);
        while waited < 900.0 {
            waited += next(waited);
            polls += 1;
        }
        assert!((60..=140).contains(&polls), "{polls} polls");
        assert!(next(waited) >= RAREST);
    }
}
