// Derived from crates/copresence-booth/src/view; do not edit.
// UPDATE_BINDINGS=1 cargo test -p copresence-booth --test bindings

export type Snapshot = { 
/**
 * Grows by at least one with every change.
 */
revision: number, 
/**
 * The backend that visits use.
 */
backend: BackendView, 
/**
 * Operator settings that every screen needs.
 */
booth: VisitorScreenSettingsView, 
/**
 * The live tickets: visits that continue in the background, in the order of the strip. None without lanes.
 */
tickets: Array<TicketView>, 
/**
 * The current screen.
 */
screen: Screen, };

export type BackendView = { 
/**
 * Profile name.
 */
profile: string, 
/**
 * Host (and port).
 */
host: string, 
/**
 * Whether it is the embedded sandbox and not a real Copresence backend.
 */
sandbox: boolean, 
/**
 * URL under which phones on this network reach the sandbox, if the operator allowed it.
 */
phones_at: string | null, };

export type VisitorScreenSettingsView = { 
/**
 * Initial language for a new visitor, as in `de`; none follows the system.
 */
language: string | null, 
/**
 * Text of the attract screen, replacing the built-in one in every language. The language is chosen as for
 * [consent].
 *
 * [consent]: super::Screen::Consent::texts
 */
attract_text: LocalizedTextView, 
/**
 * URL of the operator's logo for the web view, if one is set.
 */
logo: string | null, 
/**
 * Seconds without a touch before the reveal screen asks whether somebody is there, 15 to 3,600. The other screens
 * wait in proportion.
 */
idle_seconds: number, 
/**
 * Whether screens are read aloud. The idle warning always is.
 */
voice: boolean, 
/**
 * Whether the focus, the buttons and the moments of a visit have sounds.
 */
sounds: boolean, 
/**
 * Hours that a visit's files are kept; 0 means until the visitor leaves, none means for ever.
 */
keep_hours: number | null, 
/**
 * Whether kiosk mode is on: full screen, and closed only with the PIN.
 */
kiosk_mode: boolean, 
/**
 * Settings of the lanes.
 */
lanes: LaneSettings, 
/**
 * Why no visit can start now, for visitors and for the operator.
 */
closed: Problem | null, 
/**
 * Local time of the next opening, as in `2026-11-30T09:00:00`, while the booth is closed by its opening hours: the
 * screen is dark then. None otherwise.
 */
closed_until: string | null, };

export type LocalizedTextView = { [key in string]: string };

export type Screen = { "kind": "attract" } | { "kind": "consent", 
/**
 * The text in at least one language. The page chooses the visitor's language, else the booth's default, else
 * the first available one.
 */
texts: LocalizedTextView, } | { "kind": "preparing", 
/**
 * Visit id.
 */
visit: string, 
/**
 * Current problem while the request is retried.
 */
trouble: Problem | null, } | { "kind": "invite", 
/**
 * Visit id.
 */
visit: string, 
/**
 * The QR code with a quiet zone of four modules, dark on light, as an SVG document.
 */
qr_svg: string, 
/**
 * The link in the code.
 */
link: string, 
/**
 * Expiry of the token (RFC 3339), if the profile knows its lifetime.
 */
expires_at: string | null, 
/**
 * Whether the token has expired: the code is hidden and a new one is offered.
 */
expired: boolean, 
/**
 * Whether the sandbox's phone page can be opened.
 */
can_play_phone: boolean, 
/**
 * The offer to hand the visit over once the code is scanned, and free the screen; none without lanes and once the
 * code has expired.
 */
next_visitor: NextVisitorOffer | null, 
/**
 * Current problem while polling is retried.
 */
trouble: Problem | null, } | { "kind": "making", 
/**
 * Visit id.
 */
visit: string, 
/**
 * `in_queue`, `processing`, `failed`, or a status that the specification does not list.
 */
status: string, 
/**
 * 0 to 100.
 */
progress: number | null, 
/**
 * Position in the queue.
 */
queue_position: number | null, 
/**
 * Status responses so far, oldest first. The page estimates the time left from them, also after a reload.
 */
seen: Array<AvatarStatusChange>, 
/**
 * The link in the code, for recording again after `failed`.
 */
link: string, 
/**
 * The QR code, for recording again after `failed`.
 */
qr_svg: string, 
/**
 * Whether the sandbox's phone page can be opened. Only after `failed`.
 */
can_play_phone: boolean, 
/**
 * The offer to hand the visit over and free the screen; none without lanes and after `failed`.
 */
next_visitor: NextVisitorOffer | null, 
/**
 * Current problem while polling is retried.
 */
trouble: Problem | null, } | { "kind": "saving", 
/**
 * Visit id.
 */
visit: string, 
/**
 * One entry per file.
 */
files: Array<FileDownloadView>, 
/**
 * Current problem while a download is retried.
 */
trouble: Problem | null, } | { "kind": "reveal", 
/**
 * Visit id.
 */
visit: string, 
/**
 * Folder of the avatar, `~/…` below the home folder.
 */
directory: string, 
/**
 * The saved files.
 */
files: Array<SavedFileView>, 
/**
 * URL of the avatar for the web view, if there is one: a GLB, or another file with glTF in it.
 */
glb: string | null, 
/**
 * URL of the portrait for the web view, if there is one.
 */
portrait: string | null, } | { "kind": "ticket", 
/**
 * Visit id.
 */
visit: string, 
/**
 * The ticket.
 */
ticket: TicketView, 
/**
 * The pickup code: four digits.
 */
pickup_code: string, } | { "kind": "pick_up", 
/**
 * Visit id.
 */
visit: string, 
/**
 * The ticket.
 */
ticket: TicketView, 
/**
 * State of the entry.
 */
entry: PickupCodeEntryView, } | { "kind": "forgetting", 
/**
 * Visit id.
 */
visit: string, 
/**
 * Progress of the deletion.
 */
stand: ForgettingProgress, } | { "kind": "ended", 
/**
 * Visit id.
 */
visit: string, 
/**
 * Why, and what to do.
 */
problem: Problem, 
/**
 * Whether a visitor may have scanned the code, so that there is data to delete.
 */
of_somebody: boolean, };

export type ForgettingProgress = { "kind": "working" } | { "kind": "done" } | { "kind": "failed", 
/**
 * What could not be removed, and what to do.
 */
problem: Problem, };

export type AvatarStatusChange = { 
/**
 * Time of the response, in milliseconds since 1970 (UTC).
 */
at_ms: number, 
/**
 * 0 to 100.
 */
progress: number | null, 
/**
 * Position in the queue.
 */
queue_position: number | null, };

export type FileDownloadView = { 
/**
 * Our name of the file, as in `avatar.glb`.
 */
file: string, 
/**
 * Bytes received.
 */
bytes: number, 
/**
 * Size in bytes, if the backend sent it.
 */
total: number | null, 
/**
 * Whether the file is complete on disk.
 */
whole: boolean, };

export type SavedFileView = { 
/**
 * File name in the avatar's folder.
 */
path: string, 
/**
 * `export_type` as sent.
 */
export_type: string, 
/**
 * Size in bytes.
 */
bytes: number, 
/**
 * SHA-256 in lower-case hexadecimal.
 */
sha256: string, };

export type LaneSettings = { 
/**
 * Maximum number of visits that continue as tickets, 0 to 8. With 0 there are no lanes, and the screen is busy until
 * the avatar is saved.
 */
count: number, 
/**
 * Seconds without input, 5 to 300, after which a visit whose avatar is being made is handed over by itself; none
 * means only on request.
 */
automatic_seconds: number | null, 
/**
 * Minutes, 1 to 1,440, that a ticket waits for its visitor. They count from the time when the avatar was saved or
 * failed.
 */
ticket_minutes: number, };

export type TicketView = { 
/**
 * Visit id; names the ticket in commands.
 */
visit: string, 
/**
 * Colour and symbol.
 */
name: TicketName, 
/**
 * What its visitor can do.
 */
state: TicketState, 
/**
 * Progress of the avatar while it is being made, 0 to 100, if the backend reports it.
 */
progress: number | null, };

export type TicketName = { 
/**
 * First word, and the colour in which the symbol is drawn.
 */
colour: TicketColour, 
/**
 * Second word, and the symbol that is drawn.
 */
symbol: TicketSymbol, };

export type TicketColour = "blue" | "red" | "green" | "yellow" | "orange" | "purple" | "pink" | "white";

export type TicketSymbol = "comet" | "moon" | "anchor" | "bell" | "kite" | "key" | "leaf" | "crown" | "rocket" | "cloud" | "feather" | "mountain";

export type TicketState = "recording" | "making" | "ready" | "failed" | "closed";

export type NextVisitorOffer = { 
/**
 * Whether a lane is free. Otherwise the visit stays on the screen.
 */
has_free_lane: boolean, 
/**
 * Seconds without input after which the page hands the visit over by itself, if the operator wants that, a lane is
 * free and the avatar is being made. Each input starts them again.
 */
automatic_seconds: number | null, };

export type PickupCodeEntryView = { 
/**
 * Whether an entered code is being checked. Other entries are ignored meanwhile.
 */
checking: boolean, 
/**
 * Whether the code that was entered last is wrong.
 */
wrong: boolean, 
/**
 * Attempts left before a wait: 3, 2 or 1. After a wait there is one.
 */
tries_left: number, 
/**
 * Time (RFC 3339) until which no code is accepted. Each further wrong code makes the wait longer.
 */
blocked_until: string | null, };

export type LanesPanelView = { 
/**
 * Settings.
 */
settings: LaneSettings, 
/**
 * Live tickets, in the order of the strip.
 */
tickets: Array<OperatorTicketView>, 
/**
 * Export Tokens of the visits in the history, and of those that were deleted.
 */
tokens: ExportTokenOutcomeCountsView, };

export type OperatorTicketView = { 
/**
 * The ticket.
 */
ticket: TicketView, 
/**
 * Time of the hand-over (RFC 3339).
 */
handed_over_at: string, 
/**
 * Time at which it expires (RFC 3339); none while the avatar is being made.
 */
expires_at: string | null, 
/**
 * Wrong codes so far.
 */
wrong_codes: number, };

export type ExportTokenOutcomeCountsView = { 
/**
 * Tokens issued; the sum of the others.
 */
issued: number, 
/**
 * Tokens that may still deliver an avatar.
 */
active: number, 
/**
 * Tokens that delivered an avatar.
 */
spent: number, 
/**
 * Tokens that ended without an avatar: nobody scanned them, their visitor left, they expired or failed.
 */
abandoned: number, };

export type IssuedTokenOutcome = "active" | "spent" | "abandoned";

export type PastTicketView = { 
/**
 * Colour and symbol.
 */
name: TicketName, 
/**
 * How it was closed; none while it is live.
 */
closed: TicketClosing | null, };

export type TicketClosing = "picked_up" | "opened_by_operator" | "expired";

export type Problem = { 
/**
 * Stable code, as in `backend_unreachable`.
 */
code: string, 
/**
 * Sentence for the visitor.
 */
visitor: string, 
/**
 * Sentence for the operator, with details.
 */
operator: string, 
/**
 * What to do about it.
 */
hint: string, 
/**
 * Whether trying again can help.
 */
retry_helps: boolean, };

export type PinLockView = { 
/**
 * Whether a PIN is set. If not, the first opening sets one.
 */
pin_set: boolean, 
/**
 * Whether no PIN is set, and it is too late to set one at the screen: in kiosk mode, ten minutes after the start.
 * `copresence-kiosk --set-pin` sets one from a shell.
 */
first_pin_late: boolean, 
/**
 * Whether the lock is open for this page.
 */
open: boolean, 
/**
 * Whether the PIN that was just entered is wrong.
 */
wrong: boolean, 
/**
 * Seconds until the next attempt is accepted.
 */
wait_seconds: number, };

export type PanelView = { 
/**
 * Version of the program.
 */
version: string, 
/**
 * Data folder with journal, settings and, by default, avatars; `~/…` below the home folder.
 */
data_dir: string, 
/**
 * Folder for new avatars.
 */
out: string, 
/**
 * The backend in use.
 */
backend: BackendView, 
/**
 * Every profile that can be chosen.
 */
profiles: Array<ProfileChoice>, 
/**
 * Path of the profiles file.
 */
profiles_file: string, 
/**
 * Credentials that the profile in use can need, without their values.
 */
credentials: Array<CredentialView>, 
/**
 * Why the keychain cannot be used, and what to do.
 */
keychain: Problem | null, 
/**
 * The backend's refusal of the credentials, which closed the booth until they change.
 */
refused_credentials: Problem | null, 
/**
 * Controls of the sandbox, if that is the backend in use.
 */
sandbox: SandboxControlsView | null, 
/**
 * Whether kiosk mode is on, and what turned it on.
 */
kiosk_mode: KioskModeView, 
/**
 * Appearance and language of the window.
 */
display: AppearanceAndLanguageSettings, 
/**
 * Allowed values of `display.monitor`.
 */
monitors: Array<ConnectedMonitorView>, 
/**
 * Allowed values of `display.language`.
 */
languages: Array<string>, 
/**
 * Hours that a visit's files are kept; 0 means until the visitor leaves, none means for ever.
 */
keep_hours: number | null, 
/**
 * Number of visits in the history.
 */
visits_kept: number, 
/**
 * Number of visits in progress, on the screen or in the background.
 */
visits_live: number, 
/**
 * Lanes: settings, live tickets, and what became of the Export Tokens.
 */
lanes: LanesPanelView, };

export type ProfileChoice = { 
/**
 * Profile name.
 */
name: string, 
/**
 * Host (and port) of the backend; none for the embedded sandbox.
 */
host: string | null, 
/**
 * Why the profile cannot be chosen, if it cannot.
 */
flaw: string | null, };

export type CredentialView = { 
/**
 * Stable name, as in `api-key`.
 */
slot: string, 
/**
 * Last two characters, if it is set and long enough to show them.
 */
ends_in: string | null, 
/**
 * Whether it is set.
 */
set: boolean, 
/**
 * `environment`, `keychain`, or `this run`.
 */
origin: string | null, };

export type SandboxControlsView = { 
/**
 * Current scenario: how the sandbox treats tokens.
 */
scenario: string, 
/**
 * Scenarios that can be chosen.
 */
scenarios: Array<OfferedScenarioOrFaultView>, 
/**
 * Simulated seconds per real second.
 */
speed: number, 
/**
 * Active faults.
 */
faults: Array<ActiveFaultView>, 
/**
 * Faults that can be added.
 */
fault_kinds: Array<OfferedScenarioOrFaultView>, 
/**
 * Endpoints that a fault can be added to.
 */
endpoints: Array<string>, 
/**
 * URL under which phones on this network reach the sandbox, if that is allowed.
 */
phones_at: string | null, };

export type OfferedScenarioOrFaultView = { 
/**
 * Stable name.
 */
name: string, 
/**
 * Description in English.
 */
about: string, 
/**
 * Endpoints that it is available for; empty means all.
 */
only_on: Array<string>, };

export type ActiveFaultView = { 
/**
 * Endpoint.
 */
on: string, 
/**
 * Kind of fault.
 */
kind: string, 
/**
 * Affected requests, in words.
 */
when: string, 
/**
 * Number of requests affected so far.
 */
struck: number, };

export type KioskModeView = { 
/**
 * Whether it is on now, whatever turned it on.
 */
on: boolean, 
/**
 * Whether it is on in the settings.
 */
set: boolean, 
/**
 * Whether the program was started with `--kiosk`, which turns it on at every such start.
 */
by_flag: boolean, };

export type AppearanceAndLanguageSettings = { 
/**
 * Monitor name; none for the first monitor.
 */
monitor: string | null, 
/**
 * Initial language for a new visitor; none follows the system.
 */
language: string | null, 
/**
 * Seconds without a touch before the reveal screen asks whether somebody is there: 15 to 3,600.
 */
idle_seconds: number, 
/**
 * Text of the attract screen, at most 120 characters in each language; empty for the built-in text.
 */
attract_text: LocalizedTextView, 
/**
 * Consent text shown before the code, at most 10,000 characters in each language. If it is empty, there is no consent
 * screen.
 */
consent: LocalizedTextView, 
/**
 * Whether screens are read aloud.
 */
voice: boolean, 
/**
 * Whether the focus, the buttons and the moments of a visit have sounds.
 */
sounds: boolean, 
/**
 * When visits can begin, as in `Mon-Fri 09:00-18:00, Sat 10:00-16:00`, in the machine's local time; none for always.
 */
opening_hours: string | null, 
/**
 * Whether the screen is kept from blanking in kiosk mode, within the opening hours.
 */
keep_awake: boolean, 
/**
 * Whether a logo is set. Set it to false to remove the logo.
 */
logo: boolean, };

export type ConnectedMonitorView = { 
/**
 * Unique name.
 */
name: string, 
/**
 * Width in pixels.
 */
width: number, 
/**
 * Height in pixels.
 */
height: number, };

export type PanelAction = { "kind": "use_profile", 
/**
 * Profile name.
 */
name: string, } | { "kind": "set_credential", 
/**
 * As in [`CredentialView::slot`].
 */
slot: string, 
/**
 * The value. It is never shown again.
 */
value: string, } | { "kind": "remove_credential", 
/**
 * As in [`CredentialView::slot`].
 */
slot: string, } | { "kind": "retry_credentials" } | { "kind": "unlock_keychain" } | { "kind": "set_scenario", 
/**
 * As in [`SandboxControlsView::scenarios`].
 */
name: string, } | { "kind": "set_speed", 
/**
 * Simulated seconds per real second, 0.1 to 1000.
 */
speed: number, } | { "kind": "add_fault", 
/**
 * As in [`SandboxControlsView::endpoints`].
 */
on: string, 
/**
 * As in [`SandboxControlsView::fault_kinds`].
 */
fault: string, 
/**
 * Whether it affects every request, or only the next one.
 */
every: boolean, } | { "kind": "end_faults" } | { "kind": "let_phones_in", 
/**
 * Whether they can reach it.
 */
on: boolean, } | { "kind": "set_kiosk_mode", 
/**
 * Whether it is on.
 */
on: boolean, } | { "kind": "set_display", 
/**
 * All display settings.
 */
display: AppearanceAndLanguageSettings, } | { "kind": "set_logo", 
/**
 * The file in base64.
 */
png: string, } | { "kind": "set_keep", 
/**
 * Hours; 0 means until the visitor leaves, none means for ever.
 */
hours: number | null, } | { "kind": "set_lanes", 
/**
 * All settings of the lanes.
 */
lanes: LaneSettings, } | { "kind": "open_ticket", 
/**
 * Visit id.
 */
visit: string, } | { "kind": "forget_ticket", 
/**
 * Visit id.
 */
visit: string, } | { "kind": "move_ticket", 
/**
 * Visit id.
 */
visit: string, 
/**
 * Its place, from 0; a place behind the last is the last.
 */
place: number, } | { "kind": "wipe_now" } | { "kind": "forget_visit", 
/**
 * Visit id.
 */
visit: string, } | { "kind": "change_pin", 
/**
 * The current PIN.
 */
current: string, 
/**
 * The new PIN: 4 to 32 characters.
 */
new: string, } | { "kind": "lock" } | { "kind": "quit" };

export type PastVisit = { 
/**
 * Visit id.
 */
visit: string, 
/**
 * Start (RFC 3339).
 */
started_at: string, 
/**
 * Profile name.
 */
profile: string, 
/**
 * Stable code of the ending, as in `saved`; none while it is in progress or if it was cut short.
 */
ended: string | null, 
/**
 * Description of the ending for the operator.
 */
words: string, 
/**
 * Folder of its files, `~/…` below the home folder.
 */
directory: string | null, 
/**
 * Total size of its files in bytes.
 */
bytes: number, 
/**
 * URL of the portrait for the web view, available while the panel is unlocked.
 */
portrait: string | null, 
/**
 * Whether it is in progress.
 */
live: boolean, 
/**
 * The outcome of its Export Token; none if no token was issued.
 */
token: IssuedTokenOutcome | null, 
/**
 * Its ticket, if it was handed over.
 */
ticket: PastTicketView | null, };

export type PartHealthView = { 
/**
 * Stable name, as in `keychain`.
 */
part: string, 
/**
 * Its state.
 */
stand: PartHealthState, 
/**
 * What was found, in one line.
 */
seen: string, 
/**
 * What to do, if something is to be done.
 */
remedy: string | null, };

export type PartHealthState = "good" | "doubtful" | "bad" | "unknown";

export type InspectorView = { 
/**
 * Remembered visits since the program started, newest first.
 */
visits: Array<InspectorVisitListEntry>, 
/**
 * The requested visit, or the newest one.
 */
shown: Timeline | null, 
/**
 * Exchanges that were dropped to stay within the memory bounds.
 */
dropped: number, };

export type InspectorVisitListEntry = { 
/**
 * Visit id.
 */
visit: string, 
/**
 * Start, in milliseconds since 1970 (UTC).
 */
started_ms: number, 
/**
 * Stable code of the ending; none while the visit is in progress.
 */
ended: string | null, 
/**
 * Number of recorded exchanges.
 */
exchanges: number, 
/**
 * Number of violated requirements.
 */
broken: number, };

export type Timeline = { 
/**
 * The visit.
 */
visit: InspectorVisitListEntry, 
/**
 * Events and exchanges, in the order in which they began.
 */
entries: Array<TimelineEntry>, };

export type TimelineEntry = { "kind": "step", 
/**
 * In milliseconds since 1970 (UTC).
 */
at_ms: number, 
/**
 * The event's kind, as in `invited`.
 */
event: string, 
/**
 * The event as JSON on one line.
 */
line: string, } | { "kind": "exchange", 
/**
 * The exchange.
 */
exchange: ExchangeView, };

export type ExchangeView = { 
/**
 * Unique and constant while the exchange is remembered.
 */
id: number, 
/**
 * Start, in milliseconds since 1970 (UTC).
 */
at_ms: number, 
/**
 * `login`, `generate`, `redeem` or `download`.
 */
call: string, 
/**
 * HTTP method.
 */
method: string, 
/**
 * URL, masked.
 */
url: string, 
/**
 * Request headers, masked.
 */
request_headers: Array<[string, string]>, 
/**
 * Request body, masked.
 */
request_body: string | null, 
/**
 * HTTP status; none if no response came.
 */
status: number | null, 
/**
 * Milliseconds until the response headers were complete.
 */
wait_ms: number | null, 
/**
 * Total duration in milliseconds.
 */
duration_ms: number, 
/**
 * Response headers, masked.
 */
response_headers: Array<[string, string]>, 
/**
 * Response body, masked and truncated.
 */
response_body: string | null, 
/**
 * Bytes of the body that were received.
 */
body_size: number, 
/**
 * Transport error, if there was one.
 */
error: string | null, 
/**
 * Requirements of the specification that the exchange meets or violates.
 */
rules: Array<RequirementVerdictView>, 
/**
 * The request as a `curl` command, with variable names in place of secrets.
 */
curl: string, };

export type RequirementVerdictView = { 
/**
 * Position in the exchange: a JSON Pointer into the response body, a header name, or `status`.
 */
at: string, 
/**
 * Requirement id, as in `copresence validate`.
 */
requirement: string, 
/**
 * `must`, `should` or `may`.
 */
level: string, 
/**
 * Sentence of the specification, or the assumption where it is silent.
 */
sentence: string, 
/**
 * Whether it is met.
 */
kept: boolean, 
/**
 * What came instead, if it is violated.
 */
came: string | null, };

export type CheckRunOptions = { 
/**
 * Maximum number of Export Tokens that the run may request. Each one costs money.
 */
most_tokens: number, 
/**
 * Whether deliberately invalid requests may be sent.
 */
wrong_requests: boolean, 
/**
 * Whether avatars are made, by a person with a phone or by the sandbox itself.
 */
with_phone: boolean, 
/**
 * Whether to start even if a visit in progress is disturbed, see [`ChecksPlan::disturbs`].
 */
despite_visits: boolean, };

export type ChecksPlan = { 
/**
 * Every step in order, including those that are left out.
 */
acts: Array<PlannedCheckStep>, 
/**
 * Minimum number of requests. Each poll while waiting for an avatar is one more.
 */
requests: number, 
/**
 * Export Tokens that it requests.
 */
tokens: number, 
/**
 * Further tokens that a backend creates if it accepts requests that it must refuse.
 */
tokens_at_risk: number, 
/**
 * Avatars that it consumes.
 */
avatars: number, 
/**
 * Whether the tokens cost nothing, because the backend is a sandbox.
 */
free: boolean, 
/**
 * Whether a person has to scan a code.
 */
asks_people: boolean, 
/**
 * Whether it moves the sandbox's clock forward.
 */
moves_clock: boolean, 
/**
 * Visits in progress whose time passes faster because the clock is moved.
 */
disturbs: number, };

export type PlannedCheckStep = { 
/**
 * What it does, as in `log in`.
 */
does: string, 
/**
 * Minimum number of requests.
 */
requests: number, 
/**
 * Why it is left out, if it is.
 */
left_out: string | null, };

export type ChecksView = { 
/**
 * Host of the checked backend.
 */
target: string, 
/**
 * State of the run.
 */
stand: ChecksState, 
/**
 * Every check, in order.
 */
checks: Array<CheckView>, 
/**
 * What the run is doing now, in words.
 */
doing: string | null, 
/**
 * The code that a person with a phone has to scan.
 */
invitation: PhoneScanRequestForChecks | null, 
/**
 * Requests sent so far.
 */
requests: number, 
/**
 * Export Tokens requested so far.
 */
tokens: number, 
/**
 * Summary of the run in one sentence, once it has ended.
 */
summary: string | null, 
/**
 * Notes for people, in order of appearance.
 */
notes: Array<string>, 
/**
 * Folder of the last saved report, `~/…` below the home folder.
 */
saved: string | null, };

export type ChecksState = { "kind": "idle" } | { "kind": "running" } | { "kind": "ended", 
/**
 * Whether every MUST that could be judged holds.
 */
passed: boolean, } | { "kind": "broken", 
/**
 * Why, and what to do.
 */
problem: Problem, };

export type CheckView = { 
/**
 * Stable id, as in `redeem.unknown-400`.
 */
id: string, 
/**
 * What should hold, as a sentence.
 */
title: string, 
/**
 * `must`, `should` or `may`.
 */
level: string, 
/**
 * None while it waits; otherwise `pass`, `fail`, `skipped`, `inconclusive` or `not applicable`.
 */
verdict: string | null, 
/**
 * Observations; for a failure, what was expected and what came instead.
 */
findings: Array<string>, 
/**
 * What to do if it fails.
 */
remedy: string, 
/**
 * Ids of the requirements that it covers.
 */
requirements: Array<string>, };

export type PhoneScanRequestForChecks = { 
/**
 * The link in the code.
 */
link: string, 
/**
 * The QR code as an SVG document.
 */
qr_svg: string, 
/**
 * What the avatar is needed for.
 */
purpose: string, 
/**
 * Progress of the avatar, in words.
 */
status: string | null, };
