//! What the operator sees and does behind the PIN.

use super::{BackendView, Problem, Texts};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The door to panel, inspector and checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct GateView {
    /// Whether a PIN was ever set; without one, the first opening asks for one.
    pub pin_set: bool,
    /// Whether the door is open for this page.
    pub open: bool,
    /// Whether the PIN just tried was wrong.
    pub wrong: bool,
    /// Seconds until another try is taken.
    pub wait_seconds: u32,
}

/// The panel, whole.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct PanelView {
    /// The program's version.
    pub version: String,
    /// Where journal, settings and, unless said otherwise, avatars stand, as people read it.
    pub data_dir: String,
    /// Where avatars are saved.
    pub out: String,
    /// The backend in use.
    pub backend: BackendView,
    /// Every profile that can be chosen.
    pub profiles: Vec<ProfileChoice>,
    /// The file that they stand in.
    pub profiles_file: String,
    /// The credentials that the profile in use can need; none of their values.
    pub credentials: Vec<CredentialView>,
    /// Why the keychain cannot be asked, and what to do.
    pub keychain: Option<Problem>,
    /// What can be set of the sandbox, when that is the backend.
    pub sandbox: Option<SandboxView>,
    /// Whether the window is guarded, and by what.
    pub kiosk_mode: KioskModeView,
    /// How the window looks and speaks.
    pub display: DisplaySettings,
    /// What `display.monitor` may say.
    pub monitors: Vec<MonitorView>,
    /// What `display.language` may say.
    pub languages: Vec<String>,
    /// Hours that the files of a visit are kept: 0 until the visitor leaves, none for ever.
    pub keep_hours: Option<u32>,
    /// Visits that the history knows.
    pub visits_kept: u32,
    /// Visits that are going on, on the screen or behind it.
    pub visits_live: u32,
}

/// A profile that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ProfileChoice {
    /// Its name.
    pub name: String,
    /// Host (and port) that it asks; none for the embedded sandbox.
    pub host: Option<String>,
    /// What is wrong with it; then it cannot be chosen.
    pub flaw: Option<String>,
}

/// A credential, as far as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct CredentialView {
    /// Its stable word, as in `api-key`.
    pub slot: String,
    /// Its last two characters, when it is set and long enough to tell them.
    pub ends_in: Option<String>,
    /// Whether it is set.
    pub set: bool,
    /// `environment`, `keychain`, or `this run`.
    pub origin: Option<String>,
}

/// The embedded sandbox, as far as it can be set.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct SandboxView {
    /// What happens to the tokens.
    pub scenario: String,
    /// What it may be.
    pub scenarios: Vec<WordView>,
    /// Simulated seconds a real second.
    pub speed: f64,
    /// The faults that are on.
    pub faults: Vec<FaultView>,
    /// The faults that can be put on.
    pub fault_kinds: Vec<WordView>,
    /// The endpoints that they can be put on.
    pub endpoints: Vec<String>,
    /// Where phones on this network reach it, when they are let in.
    pub phones_at: Option<String>,
}

/// A word that can be chosen, and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct WordView {
    /// The word.
    pub name: String,
    /// What it means, in English.
    pub about: String,
    /// Endpoints that it can be chosen for; empty means every one.
    pub only_on: Vec<String>,
}

/// A fault that is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct FaultView {
    /// The endpoint.
    pub on: String,
    /// Its kind.
    pub kind: String,
    /// Which requests, in words.
    pub when: String,
    /// How often it has struck.
    pub struck: u32,
}

/// Kiosk mode: full screen, guarded, left by the PIN alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
pub struct KioskModeView {
    /// Whether it is in force now, whatever turned it on.
    pub on: bool,
    /// Whether the settings say so.
    pub set: bool,
    /// Whether the program was started with `--kiosk`: then each such start begins in kiosk mode, whatever is set.
    pub by_flag: bool,
}

/// How the window looks and speaks. Whole when read and when set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DisplaySettings {
    /// The monitor's name; none for the first.
    pub monitor: Option<String>,
    /// The language in which a new visitor is met; none follows the system.
    pub language: Option<String>,
    /// Seconds without a touch before a face on the screen is asked about: 15 to 3,600.
    pub idle_seconds: u32,
    /// The line that invites, at most 120 characters in each language; none in any for the program's own.
    pub attract_text: Texts,
    /// What is told before the code, at most 600 characters in each language. One in any language has everybody asked;
    /// none shows no such screen.
    pub consent: Texts,
    /// Whether screens are read aloud.
    pub voice: bool,
    /// Whether a logo is set; setting it false removes it.
    pub logo: bool,
}

/// A monitor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct MonitorView {
    /// Its name.
    pub name: String,
    /// In pixels.
    pub width: u32,
    /// In pixels.
    pub height: u32,
}

/// What an operator does. Each answers with the panel as it is then.
#[derive(Clone, Deserialize, TS)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PanelAct {
    /// Visits begin at another backend from now on; those that go on are left in peace.
    UseProfile {
        /// Its name.
        name: String,
    },
    /// Puts a credential of the profile in use into the keychain.
    SetCredential {
        /// As in [`CredentialView::slot`].
        slot: String,
        /// Never shown again.
        #[ts(type = "string")]
        value: secrecy::SecretString,
    },
    /// Takes it out of the keychain.
    RemoveCredential {
        /// As in [`CredentialView::slot`].
        slot: String,
    },
    /// Has the system ask the person at the screen to unlock the keychain.
    UnlockKeychain,
    /// What happens to the sandbox's tokens from now on.
    SetScenario {
        /// As in [`SandboxView::scenarios`].
        name: String,
    },
    /// How fast the sandbox's time passes.
    SetSpeed {
        /// Simulated seconds a real second, 0.1 to 1000.
        speed: f64,
    },
    /// Puts a fault on, beside those that are on.
    AddFault {
        /// As in [`SandboxView::endpoints`].
        on: String,
        /// As in [`SandboxView::fault_kinds`].
        fault: String,
        /// Whether it strikes every request, or the next alone.
        every: bool,
    },
    /// Takes all faults off.
    EndFaults,
    /// Whether phones on this network reach the sandbox.
    LetPhonesIn {
        /// Whether they do.
        on: bool,
    },
    /// Kiosk mode, from now on and at the next start.
    SetKioskMode {
        /// Whether it is on.
        on: bool,
    },
    /// How the window looks and speaks.
    SetDisplay {
        /// All of it.
        display: DisplaySettings,
    },
    /// The operator's logo: a PNG of at most 2 MiB.
    SetLogo {
        /// The file, in base64.
        png: String,
    },
    /// How long files are kept.
    SetKeep {
        /// Hours, 0 until the visitor leaves, none for ever.
        hours: Option<u32>,
    },
    /// Forgets every visit but those that go on, files and all.
    WipeNow,
    /// Forgets one visit, files and all.
    ForgetVisit {
        /// Its id.
        visit: String,
    },
    /// Another PIN.
    ChangePin {
        /// The present one.
        #[ts(type = "string")]
        current: secrecy::SecretString,
        /// The new one: 4 to 32 characters.
        #[ts(type = "string")]
        new: secrecy::SecretString,
    },
    /// Closes the door.
    Lock,
    /// Ends the program in good order.
    Quit,
}

/// One visit of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct PastVisit {
    /// Its id.
    pub visit: String,
    /// When it began (RFC 3339).
    pub started_at: String,
    /// The profile.
    pub profile: String,
    /// The code that it ended with, as in `saved`; none while it goes on or was never closed.
    pub ended: Option<String>,
    /// What that code means, in an operator's words.
    pub words: String,
    /// Where its files are, as people read it.
    pub directory: Option<String>,
    /// Bytes of its files.
    #[ts(type = "number")]
    pub bytes: u64,
    /// Where the web view gets its portrait, while the door is open.
    pub portrait: Option<String>,
    /// Whether it goes on now.
    pub live: bool,
}

/// One thing that a booth depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct HealthView {
    /// Its stable word, as in `keychain`.
    pub part: String,
    /// How it stands.
    pub stand: HealthStand,
    /// What was seen, in one line.
    pub seen: String,
    /// What to do, when there is something to do.
    pub remedy: Option<String>,
}

/// How a part stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum HealthStand {
    /// Works.
    Good,
    /// Works, and will not for long, or not for everything.
    Doubtful,
    /// Does not work.
    Bad,
    /// Cannot be told, or is not needed here.
    Unknown,
}
