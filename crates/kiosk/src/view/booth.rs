//! What the operator set for every screen of the visitor.

use super::{Problem, Texts};
use serde::Serialize;
use ts_rs::TS;

/// The booth around the visits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct BoothView {
    /// The language in which a new visitor is met, as in `de`; none follows the system.
    pub language: Option<String>,
    /// The line that invites, in place of the program's own in every language; chosen as [consent] is.
    ///
    /// [consent]: super::Screen::Consent::texts
    pub attract_text: Texts,
    /// Where the web view gets the operator's logo, when there is one.
    pub logo: Option<String>,
    /// Seconds without a touch before a face on the screen is asked about; the other screens wait in proportion.
    /// 15 to 3,600.
    pub idle_seconds: u32,
    /// Whether screens are read aloud. The idle warning is in any case.
    pub voice: bool,
    /// How long the files of a visit are kept: hours, 0 until the visitor leaves, none for ever.
    pub keep_hours: Option<u32>,
    /// Whether the window is guarded now: full screen, and left by the PIN alone.
    pub kiosk_mode: bool,
    /// Why no visit can begin now. Visitors are told so, and the operator what to do.
    pub closed: Option<Problem>,
}

impl Default for BoothView {
    fn default() -> Self {
        Self {
            language: None,
            attract_text: Texts::default(),
            logo: None,
            idle_seconds: 90,
            voice: false,
            keep_hours: None,
            kiosk_mode: false,
            closed: None,
        }
    }
}
