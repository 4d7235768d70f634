//! What the operator sees and does behind the PIN.

use super::{
    BackendView, IssuedTokenOutcome, LaneSettings, LanesPanelView, LocalizedTextView, PastTicketView, Problem,
    ProblemTypescriptDeclaration,
};
use copresence_engine::health;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// State of the PIN lock in front of panel, inspector and checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[expect(clippy::struct_excessive_bools, reason = "each is one fact of the lock")]
pub struct PinLockView {
    /// Whether a PIN is set. If not, the first opening sets one.
    pub pin_set: bool,
    /// Whether no PIN is set, and it is too late to set one at the screen: in kiosk mode, ten minutes after the start.
    /// `copresence-kiosk --set-pin` sets one from a shell.
    pub first_pin_late: bool,
    /// Whether the lock is open for this page.
    pub open: bool,
    /// Whether the PIN that was just entered is wrong.
    pub wrong: bool,
    /// Seconds until the next attempt is accepted.
    pub wait_seconds: u32,
}

/// The whole panel.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct PanelView {
    /// Version of the program.
    pub version: String,
    /// Data folder with journal, settings and, by default, avatars; `~/…` below the home folder.
    pub data_dir: String,
    /// Folder for new avatars.
    pub out: String,
    /// The backend in use.
    pub backend: BackendView,
    /// Every profile that can be chosen.
    pub profiles: Vec<ProfileChoice>,
    /// Path of the profiles file.
    pub profiles_file: String,
    /// Credentials that the profile in use can need, without their values.
    pub credentials: Vec<CredentialView>,
    /// Why the keychain cannot be used, and what to do.
    #[ts(as = "Option<ProblemTypescriptDeclaration>")]
    pub keychain: Option<Problem>,
    /// The backend's refusal of the credentials, which closed the booth until they change.
    #[ts(as = "Option<ProblemTypescriptDeclaration>")]
    pub refused_credentials: Option<Problem>,
    /// Controls of the sandbox, if that is the backend in use.
    pub sandbox: Option<SandboxControlsView>,
    /// Whether kiosk mode is on, and what turned it on.
    pub kiosk_mode: KioskModeView,
    /// Appearance and language of the window.
    pub display: AppearanceAndLanguageSettings,
    /// Allowed values of `display.monitor`.
    pub monitors: Vec<ConnectedMonitorView>,
    /// Allowed values of `display.language`.
    pub languages: Vec<String>,
    /// Hours that a visit's files are kept; 0 means until the visitor leaves, none means for ever.
    pub keep_hours: Option<u32>,
    /// Number of visits in the history.
    pub visits_kept: u32,
    /// Number of visits in progress, on the screen or in the background.
    pub visits_live: u32,
    /// Lanes: settings, live tickets, and what became of the Export Tokens.
    pub lanes: LanesPanelView,
}

/// A profile that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ProfileChoice {
    /// Profile name.
    pub name: String,
    /// Host (and port) of the backend; none for the embedded sandbox.
    pub host: Option<String>,
    /// Why the profile cannot be chosen, if it cannot.
    pub flaw: Option<String>,
}

/// A credential as the panel shows it, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct CredentialView {
    /// Stable name, as in `api-key`.
    pub slot: String,
    /// Last two characters, if it is set and long enough to show them.
    pub ends_in: Option<String>,
    /// Whether it is set.
    pub set: bool,
    /// `environment`, `keychain`, or `this run`.
    pub origin: Option<String>,
}

/// Controls of the embedded sandbox.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct SandboxControlsView {
    /// Current scenario: how the sandbox treats tokens.
    pub scenario: String,
    /// Scenarios that can be chosen.
    pub scenarios: Vec<OfferedScenarioOrFaultView>,
    /// Simulated seconds per real second.
    pub speed: f64,
    /// Active faults.
    pub faults: Vec<ActiveFaultView>,
    /// Faults that can be added.
    pub fault_kinds: Vec<OfferedScenarioOrFaultView>,
    /// Endpoints that a fault can be added to.
    pub endpoints: Vec<String>,
    /// URL under which phones on this network reach the sandbox, if that is allowed.
    pub phones_at: Option<String>,
}

/// A scenario or fault that the sandbox offers, with its description.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct OfferedScenarioOrFaultView {
    /// Stable name.
    pub name: String,
    /// Description in English.
    pub about: String,
    /// Endpoints that it is available for; empty means all.
    pub only_on: Vec<String>,
}

/// An active fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ActiveFaultView {
    /// Endpoint.
    pub on: String,
    /// Kind of fault.
    pub kind: String,
    /// Affected requests, in words.
    pub when: String,
    /// Number of requests affected so far.
    pub struck: u32,
}

/// Kiosk mode: full screen, and closed only with the PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
pub struct KioskModeView {
    /// Whether it is on now, whatever turned it on.
    pub on: bool,
    /// Whether it is on in the settings.
    pub set: bool,
    /// Whether the program was started with `--kiosk`, which turns it on at every such start.
    pub by_flag: bool,
}

/// Settings of the display: appearance and language of the window. All fields are read and written together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct AppearanceAndLanguageSettings {
    /// Monitor name; none for the first monitor.
    pub monitor: Option<String>,
    /// Initial language for a new visitor; none follows the system.
    pub language: Option<String>,
    /// Seconds without a touch before the reveal screen asks whether somebody is there: 15 to 3,600.
    pub idle_seconds: u32,
    /// Text of the attract screen, at most 120 characters in each language; empty for the built-in text.
    pub attract_text: LocalizedTextView,
    /// Consent text shown before the code, at most 10,000 characters in each language. If it is empty, there is no consent
    /// screen.
    pub consent: LocalizedTextView,
    /// Whether screens are read aloud.
    pub voice: bool,
    /// Whether the focus, the buttons and the moments of a visit have sounds.
    pub sounds: bool,
    /// When visits can begin, as in `Mon-Fri 09:00-18:00, Sat 10:00-16:00`, in the machine's local time; none for always.
    pub opening_hours: Option<String>,
    /// Whether the screen is kept from blanking in kiosk mode, within the opening hours.
    pub keep_awake: bool,
    /// Whether a logo is set. Set it to false to remove the logo.
    pub logo: bool,
}

/// A connected monitor, as shown to the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ConnectedMonitorView {
    /// Unique name.
    pub name: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// An action of the operator. The response is the updated panel.
#[derive(Clone, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PanelAction {
    /// Starts new visits at another backend. Visits in progress are not affected.
    UseProfile {
        /// Profile name.
        name: String,
    },
    /// Stores a credential of the profile in use in the keychain.
    SetCredential {
        /// As in [`CredentialView::slot`].
        slot: String,
        /// The value. It is never shown again.
        #[ts(type = "string")]
        value: secrecy::SecretString,
    },
    /// Removes a credential from the keychain.
    RemoveCredential {
        /// As in [`CredentialView::slot`].
        slot: String,
    },
    /// Reads the credentials again and opens the booth, also if they are those that the backend refused.
    RetryCredentials,
    /// Lets the system prompt the person at the screen to unlock the keychain.
    UnlockKeychain,
    /// Sets the sandbox's scenario for new tokens.
    SetScenario {
        /// As in [`SandboxControlsView::scenarios`].
        name: String,
    },
    /// Sets the speed of the sandbox's clock.
    SetSpeed {
        /// Simulated seconds per real second, 0.1 to 1000.
        speed: f64,
    },
    /// Adds a fault to the active ones.
    AddFault {
        /// As in [`SandboxControlsView::endpoints`].
        on: String,
        /// As in [`SandboxControlsView::fault_kinds`].
        fault: String,
        /// Whether it affects every request, or only the next one.
        every: bool,
    },
    /// Removes all faults.
    EndFaults,
    /// Allows or forbids phones on this network to reach the sandbox.
    LetPhonesIn {
        /// Whether they can reach it.
        on: bool,
    },
    /// Turns kiosk mode on or off, now and for the next start.
    SetKioskMode {
        /// Whether it is on.
        on: bool,
    },
    /// Sets appearance and language of the window.
    SetDisplay {
        /// All display settings.
        display: AppearanceAndLanguageSettings,
    },
    /// Sets the operator's logo: a PNG of at most 2 MiB.
    SetLogo {
        /// The file in base64.
        png: String,
    },
    /// Sets how long files are kept.
    SetKeep {
        /// Hours; 0 means until the visitor leaves, none means for ever.
        hours: Option<u32>,
    },
    /// Sets the lanes. Live tickets stay, also if there are more than lanes now.
    SetLanes {
        /// All settings of the lanes.
        lanes: LaneSettings,
    },
    /// Shows the visit of a ticket without its code, and closes the ticket: for a visitor who forgot the code. Refused
    /// while the screen is in use. Lock the panel to see it.
    OpenTicket {
        /// Visit id.
        visit: String,
    },
    /// Closes a ticket and deletes its visit with its files, also while the avatar is being made.
    ForgetTicket {
        /// Visit id.
        visit: String,
    },
    /// Moves a ticket to another place of the strip.
    MoveTicket {
        /// Visit id.
        visit: String,
        /// Its place, from 0; a place behind the last is the last.
        place: u32,
    },
    /// Deletes every visit that is not in progress, with its files. Visits with a live ticket are kept.
    WipeNow,
    /// Deletes one visit with its files.
    ForgetVisit {
        /// Visit id.
        visit: String,
    },
    /// Changes the PIN.
    ChangePin {
        /// The current PIN.
        #[ts(type = "string")]
        current: secrecy::SecretString,
        /// The new PIN: 4 to 32 characters.
        #[ts(type = "string")]
        new: secrecy::SecretString,
    },
    /// Locks the panel.
    Lock,
    /// Quits the program cleanly.
    Quit,
}

/// A visit of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct PastVisit {
    /// Visit id.
    pub visit: String,
    /// Start (RFC 3339).
    pub started_at: String,
    /// Profile name.
    pub profile: String,
    /// Stable code of the ending, as in `saved`; none while it is in progress or if it was cut short.
    pub ended: Option<String>,
    /// Description of the ending for the operator.
    pub words: String,
    /// Folder of its files, `~/…` below the home folder.
    pub directory: Option<String>,
    /// Total size of its files in bytes.
    #[ts(type = "number")]
    pub bytes: u64,
    /// URL of the portrait for the web view, available while the panel is unlocked.
    pub portrait: Option<String>,
    /// Whether it is in progress.
    pub live: bool,
    /// The outcome of its Export Token; none if no token was issued.
    pub token: Option<IssuedTokenOutcome>,
    /// Its ticket, if it was handed over.
    pub ticket: Option<PastTicketView>,
}

/// Health of one part that the booth depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct PartHealthView {
    /// Stable name, as in `keychain`.
    pub part: String,
    /// Its state.
    pub stand: PartHealthState,
    /// What was found, in one line.
    pub seen: String,
    /// What to do, if something is to be done.
    pub remedy: Option<String>,
}

/// State of a part of the booth, as shown in the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum PartHealthState {
    /// Works.
    Good,
    /// Works, but not for long or not for everything.
    Doubtful,
    /// Does not work.
    Bad,
    /// Could not be determined, or is not needed here.
    Unknown,
}

impl From<health::PartHealth> for PartHealthView {
    fn from(health: health::PartHealth) -> Self {
        let health::PartHealth { part, stand, seen, remedy } = health;
        Self { part, stand: stand.into(), seen, remedy }
    }
}

impl From<health::PartHealthState> for PartHealthState {
    fn from(state: health::PartHealthState) -> Self {
        match state {
            health::PartHealthState::Good => Self::Good,
            health::PartHealthState::Doubtful => Self::Doubtful,
            health::PartHealthState::Bad => Self::Bad,
            health::PartHealthState::Unknown => Self::Unknown,
        }
    }
}
