//! Limits of what a backend's response may make the program store and show: the specification has none.

use crate::redeem_response::DeliveredExports;
use crate::spec_violation::SpecViolation;

/// Maximum number of files of a delivery that are downloaded. An avatar has a handful; each file costs memory, a file name and
/// requests.
pub const MAX_DOWNLOADED_EXPORTS: usize = 10_000;

/// Maximum number of violations that are kept of a delivery. Each is named in the manifest and in the outcome.
const MAX_KEPT_VIOLATIONS: usize = 100;

impl DeliveredExports {
    /// Leaves out exports above [`MAX_DOWNLOADED_EXPORTS`] and violations above a hundred. What was left out is a violation itself, so
    /// the avatar counts as incomplete.
    #[must_use]
    pub fn limited_to_plausible_size(mut self) -> Self {
        let excess = self.exports.len().saturating_sub(MAX_DOWNLOADED_EXPORTS);
        if excess > 0 {
            self.exports.truncate(MAX_DOWNLOADED_EXPORTS);
            let found = format!("{excess} more, which are not downloaded");
            let expected = format!("at most {MAX_DOWNLOADED_EXPORTS} files");
            self.unusable_entries.insert(0, SpecViolation::new("payload_complete", expected, found));
        }
        let excess = self.unusable_entries.len().saturating_sub(MAX_KEPT_VIOLATIONS);
        if excess > 0 {
            // The last one may say that the response was truncated.
            let first_left_out = MAX_KEPT_VIOLATIONS - 2;
            let others = format!("{} more entries without one", excess + 1);
            let summary = SpecViolation::new("payload_complete", "a download URL", others);
            self.unusable_entries.splice(first_left_out..=first_left_out + excess, [summary]);
        }
        self
    }
}

/// A text of a backend of at most `max` bytes, and `…` where the rest of it was.
pub fn shorten_text_of_backend(text: &str, max: usize) -> String {
    let end = text.floor_char_boundary(max);
    if end == text.len() { text.to_owned() } else { format!("{}…", &text[..end]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DownloadUrl, DownloadableExport, ExportType};

    fn delivery(exports: usize, violations: usize) -> DeliveredExports {
        let export = |index| DownloadableExport {
            download_url: DownloadUrl::new(&format!("https://files.test/{index}")).expect("a URL"),
            export_type: ExportType::new("glb"),
        };
        let violation = |index| SpecViolation::new(format!("payload_complete[{index}]"), "an object", "a number");
        DeliveredExports {
            exports: (0..exports).map(export).collect(),
            unusable_entries: (0..violations).map(violation).collect(),
            contradiction: None,
        }
    }

    #[test]
    fn a_delivery_of_a_plausible_size_is_unchanged() {
        let usual = delivery(MAX_DOWNLOADED_EXPORTS, MAX_KEPT_VIOLATIONS);
        assert_eq!(usual.clone().limited_to_plausible_size(), usual);
    }

    #[test]
    fn what_is_left_out_of_a_delivery_is_said_in_its_violations() {
        let limited = delivery(MAX_DOWNLOADED_EXPORTS + 7, 50_000).limited_to_plausible_size();
        assert_eq!(
            (limited.exports.len(), limited.unusable_entries.len()),
            (MAX_DOWNLOADED_EXPORTS, MAX_KEPT_VIOLATIONS)
        );
        assert!(limited.unusable_entries[0].to_string().contains("7 more"), "{}", limited.unusable_entries[0]);
        let summary = limited.unusable_entries[MAX_KEPT_VIOLATIONS - 2].to_string();
        assert!(summary.contains("49902 more"), "{summary}");
        let last = limited.unusable_entries[MAX_KEPT_VIOLATIONS - 1].to_string();
        assert!(last.contains("[49999]"), "{last}");
        assert_eq!(limited.clone().limited_to_plausible_size(), limited, "it is within the limits");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(shorten_text_of_backend("größer", 3), "gr…");
        assert_eq!(shorten_text_of_backend("größer", 8), "größer");
    }
}
