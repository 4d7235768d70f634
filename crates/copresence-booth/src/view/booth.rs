//! Operator settings that every visitor screen needs.

use super::{LaneSettings, LocalizedTextView, Problem, ProblemTypescriptDeclaration};
use serde::Serialize;
use ts_rs::TS;

/// Operator settings that every visitor screen needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct VisitorScreenSettingsView {
    /// Initial language for a new visitor, as in `de`; none follows the system.
    pub language: Option<String>,
    /// Text of the attract screen, replacing the built-in one in every language. The language is chosen as for
    /// [consent].
    ///
    /// [consent]: super::Screen::Consent::texts
    pub attract_text: LocalizedTextView,
    /// URL of the operator's logo for the web view, if one is set.
    pub logo: Option<String>,
    /// Seconds without a touch before the reveal screen asks whether somebody is there, 15 to 3,600. The other screens
    /// wait in proportion.
    pub idle_seconds: u32,
    /// Whether screens are read aloud. The idle warning always is.
    pub voice: bool,
    /// Whether the focus, the buttons and the moments of a visit have sounds.
    pub sounds: bool,
    /// Hours that a visit's files are kept; 0 means until the visitor leaves, none means for ever.
    pub keep_hours: Option<u32>,
    /// Whether kiosk mode is on: full screen, and closed only with the PIN.
    pub kiosk_mode: bool,
    /// Settings of the lanes.
    pub lanes: LaneSettings,
    /// Why no visit can start now, for visitors and for the operator.
    #[ts(as = "Option<ProblemTypescriptDeclaration>")]
    pub closed: Option<Problem>,
    /// Local time of the next opening, as in `2026-11-30T09:00:00`, while the booth is closed by its opening hours: the
    /// screen is dark then. None otherwise.
    pub closed_until: Option<String>,
}

impl Default for VisitorScreenSettingsView {
    fn default() -> Self {
        Self {
            language: None,
            attract_text: LocalizedTextView::default(),
            logo: None,
            idle_seconds: 90,
            voice: false,
            sounds: false,
            keep_hours: None,
            kiosk_mode: false,
            lanes: LaneSettings::default(),
            closed: None,
            closed_until: None,
        }
    }
}
