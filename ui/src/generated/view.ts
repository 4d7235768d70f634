// Derived from crates/kiosk/src/view; do not edit.
// UPDATE_BINDINGS=1 cargo test -p kiosk --test bindings

export type Snapshot = { 
/**
 * Grows by at least one with every change.
 */
revision: number, 
/**
 * The backend that visits are made at.
 */
backend: BackendView, 
/**
 * What the operator set for every screen.
 */
booth: BoothView, 
/**
 * What is on the screen.
 */
screen: Screen, };

export type BackendView = { 
/**
 * The profile's name.
 */
profile: string, 
/**
 * Host (and port) that is asked.
 */
host: string, 
/**
 * Whether it is the embedded sandbox and no real Copresence backend.
 */
sandbox: boolean, 
/**
 * The address that phones on this network reach the sandbox at, once the operator allowed it.
 */
phones_at: string | null, };

export type BoothView = { 
/**
 * The language in which a new visitor is met, as in `de`; none follows the system.
 */
language: string | null, 
/**
 * The line that invites, in place of the program's own in every language; chosen as [consent] is.
 *
 * [consent]: super::Screen::Consent::texts
 */
attract_text: Texts, 
/**
 * Where the web view gets the operator's logo, when there is one.
 */
logo: string | null, 
/**
 * Seconds without a touch before a face on the screen is asked about; the other screens wait in proportion.
 * 15 to 3,600.
 */
idle_seconds: number, 
/**
 * Whether screens are read aloud. The idle warning is in any case.
 */
voice: boolean, 
/**
 * How long the files of a visit are kept: hours, 0 until the visitor leaves, none for ever.
 */
keep_hours: number | null, 
/**
 * Whether the window is guarded now: full screen, and left by the PIN alone.
 */
kiosk_mode: boolean, 
/**
 * Why no visit can begin now. Visitors are told so, and the operator what to do.
 */
closed: Problem | null, };

export type Texts = { [key in string]: string };

export type Screen = { "kind": "attract" } | { "kind": "consent", 
/**
 * The operator's words, in one language at least. The page shows them in the one that the visitor chose, else
 * in the booth's first, else in the first there is.
 */
texts: Texts, } | { "kind": "preparing", 
/**
 * The visit's id.
 */
visit: string, 
/**
 * What stands in the way, while it is tried again.
 */
trouble: Problem | null, } | { "kind": "invite", 
/**
 * The visit's id.
 */
visit: string, 
/**
 * The code with its four quiet modules, dark on light, as an SVG document.
 */
qr_svg: string, 
/**
 * What the code says.
 */
link: string, 
/**
 * When the token runs out (RFC 3339), where the profile knows.
 */
expires_at: string | null, 
/**
 * Whether that moment has passed: the code is veiled and a new one is offered.
 */
expired: boolean, 
/**
 * Whether *play the phone* can be offered (the backend is the sandbox).
 */
can_play_phone: boolean, 
/**
 * What stands in the way, while it is tried again.
 */
trouble: Problem | null, } | { "kind": "making", 
/**
 * The visit's id.
 */
visit: string, 
/**
 * `in_queue`, `processing`, `failed`, or a word that the specification does not list.
 */
status: string, 
/**
 * 0 to 100.
 */
progress: number | null, 
/**
 * Place in the queue.
 */
queue_position: number | null, 
/**
 * How it went so far, oldest first: the basis of an honest time left, also after a reload.
 */
seen: Array<SeenView>, 
/**
 * What the QR said, for whoever must record again after `failed`.
 */
link: string, 
/**
 * The code, likewise.
 */
qr_svg: string, 
/**
 * Whether *play the phone* can be offered, which helps after `failed` only.
 */
can_play_phone: boolean, 
/**
 * What stands in the way, while it is tried again.
 */
trouble: Problem | null, } | { "kind": "saving", 
/**
 * The visit's id.
 */
visit: string, 
/**
 * One entry a file.
 */
files: Array<FileView>, 
/**
 * What stands in the way, while a download is tried again.
 */
trouble: Problem | null, } | { "kind": "reveal", 
/**
 * The visit's id.
 */
visit: string, 
/**
 * The folder it was saved to, as people read it: `~/…` below the home folder.
 */
directory: string, 
/**
 * What was saved.
 */
files: Array<SavedFileView>, 
/**
 * Where the web view gets the GLB, when there is one.
 */
glb: string | null, 
/**
 * Where the web view gets the portrait, when there is one.
 */
portrait: string | null, } | { "kind": "forgetting", 
/**
 * The visit's id.
 */
visit: string, 
/**
 * How far it is.
 */
stand: ForgettingStand, } | { "kind": "ended", 
/**
 * The visit's id.
 */
visit: string, 
/**
 * Why, and what to do.
 */
problem: Problem, 
/**
 * Whether somebody may have come: there is something of theirs to forget then.
 */
of_somebody: boolean, };

export type ForgettingStand = { "kind": "working" } | { "kind": "done" } | { "kind": "failed", 
/**
 * What, and what to do.
 */
problem: Problem, };

export type SeenView = { 
/**
 * When it came, in milliseconds since 1970 (UTC).
 */
at_ms: number, 
/**
 * 0 to 100.
 */
progress: number | null, 
/**
 * Place in the queue.
 */
queue_position: number | null, };

export type FileView = { 
/**
 * The product's own name for it, as in `avatar.glb`.
 */
file: string, 
/**
 * Bytes that came.
 */
bytes: number, 
/**
 * Bytes in all, when the backend said so.
 */
total: number | null, 
/**
 * Whether all of it is on disk.
 */
whole: boolean, };

export type SavedFileView = { 
/**
 * Its name in the avatar's folder.
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

export type Problem = { 
/**
 * The stable word, as in `backend_unreachable`.
 */
code: string, 
/**
 * A sentence for the visitor.
 */
visitor: string, 
/**
 * A sentence for the operator: what, where.
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

export type GateView = { 
/**
 * Whether a PIN was ever set; without one, the first opening asks for one.
 */
pin_set: boolean, 
/**
 * Whether the door is open for this page.
 */
open: boolean, 
/**
 * Whether the PIN just tried was wrong.
 */
wrong: boolean, 
/**
 * Seconds until another try is taken.
 */
wait_seconds: number, };

export type PanelView = { 
/**
 * The program's version.
 */
version: string, 
/**
 * Where journal, settings and, unless said otherwise, avatars stand, as people read it.
 */
data_dir: string, 
/**
 * Where avatars are saved.
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
 * The file that they stand in.
 */
profiles_file: string, 
/**
 * The credentials that the profile in use can need; none of their values.
 */
credentials: Array<CredentialView>, 
/**
 * Why the keychain cannot be asked, and what to do.
 */
keychain: Problem | null, 
/**
 * What can be set of the sandbox, when that is the backend.
 */
sandbox: SandboxView | null, 
/**
 * Whether the window is guarded, and by what.
 */
kiosk_mode: KioskModeView, 
/**
 * How the window looks and speaks.
 */
display: DisplaySettings, 
/**
 * What `display.monitor` may say.
 */
monitors: Array<MonitorView>, 
/**
 * What `display.language` may say.
 */
languages: Array<string>, 
/**
 * Hours that the files of a visit are kept: 0 until the visitor leaves, none for ever.
 */
keep_hours: number | null, 
/**
 * Visits that the history knows.
 */
visits_kept: number, 
/**
 * Visits that are going on, on the screen or behind it.
 */
visits_live: number, };

export type ProfileChoice = { 
/**
 * Its name.
 */
name: string, 
/**
 * Host (and port) that it asks; none for the embedded sandbox.
 */
host: string | null, 
/**
 * What is wrong with it; then it cannot be chosen.
 */
flaw: string | null, };

export type CredentialView = { 
/**
 * Its stable word, as in `api-key`.
 */
slot: string, 
/**
 * Its last two characters, when it is set and long enough to tell them.
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

export type SandboxView = { 
/**
 * What happens to the tokens.
 */
scenario: string, 
/**
 * What it may be.
 */
scenarios: Array<WordView>, 
/**
 * Simulated seconds a real second.
 */
speed: number, 
/**
 * The faults that are on.
 */
faults: Array<FaultView>, 
/**
 * The faults that can be put on.
 */
fault_kinds: Array<WordView>, 
/**
 * The endpoints that they can be put on.
 */
endpoints: Array<string>, 
/**
 * Where phones on this network reach it, when they are let in.
 */
phones_at: string | null, };

export type WordView = { 
/**
 * The word.
 */
name: string, 
/**
 * What it means, in English.
 */
about: string, 
/**
 * Endpoints that it can be chosen for; empty means every one.
 */
only_on: Array<string>, };

export type FaultView = { 
/**
 * The endpoint.
 */
on: string, 
/**
 * Its kind.
 */
kind: string, 
/**
 * Which requests, in words.
 */
when: string, 
/**
 * How often it has struck.
 */
struck: number, };

export type KioskModeView = { 
/**
 * Whether it is in force now, whatever turned it on.
 */
on: boolean, 
/**
 * Whether the settings say so.
 */
set: boolean, 
/**
 * Whether the program was started with `--kiosk`: then each such start begins in kiosk mode, whatever is set.
 */
by_flag: boolean, };

export type DisplaySettings = { 
/**
 * The monitor's name; none for the first.
 */
monitor: string | null, 
/**
 * The language in which a new visitor is met; none follows the system.
 */
language: string | null, 
/**
 * Seconds without a touch before a face on the screen is asked about: 15 to 3,600.
 */
idle_seconds: number, 
/**
 * The line that invites, at most 120 characters in each language; none in any for the program's own.
 */
attract_text: Texts, 
/**
 * What is told before the code, at most 600 characters in each language. One in any language has everybody asked;
 * none shows no such screen.
 */
consent: Texts, 
/**
 * Whether screens are read aloud.
 */
voice: boolean, 
/**
 * Whether a logo is set; setting it false removes it.
 */
logo: boolean, };

export type MonitorView = { 
/**
 * Its name.
 */
name: string, 
/**
 * In pixels.
 */
width: number, 
/**
 * In pixels.
 */
height: number, };

export type PanelAct = { "kind": "use_profile", 
/**
 * Its name.
 */
name: string, } | { "kind": "set_credential", 
/**
 * As in [`CredentialView::slot`].
 */
slot: string, 
/**
 * Never shown again.
 */
value: string, } | { "kind": "remove_credential", 
/**
 * As in [`CredentialView::slot`].
 */
slot: string, } | { "kind": "unlock_keychain" } | { "kind": "set_scenario", 
/**
 * As in [`SandboxView::scenarios`].
 */
name: string, } | { "kind": "set_speed", 
/**
 * Simulated seconds a real second, 0.1 to 1000.
 */
speed: number, } | { "kind": "add_fault", 
/**
 * As in [`SandboxView::endpoints`].
 */
on: string, 
/**
 * As in [`SandboxView::fault_kinds`].
 */
fault: string, 
/**
 * Whether it strikes every request, or the next alone.
 */
every: boolean, } | { "kind": "end_faults" } | { "kind": "let_phones_in", 
/**
 * Whether they do.
 */
on: boolean, } | { "kind": "set_kiosk_mode", 
/**
 * Whether it is on.
 */
on: boolean, } | { "kind": "set_display", 
/**
 * All of it.
 */
display: DisplaySettings, } | { "kind": "set_logo", 
/**
 * The file, in base64.
 */
png: string, } | { "kind": "set_keep", 
/**
 * Hours, 0 until the visitor leaves, none for ever.
 */
hours: number | null, } | { "kind": "wipe_now" } | { "kind": "forget_visit", 
/**
 * Its id.
 */
visit: string, } | { "kind": "change_pin", 
/**
 * The present one.
 */
current: string, 
/**
 * The new one: 4 to 32 characters.
 */
new: string, } | { "kind": "lock" } | { "kind": "quit" };

export type PastVisit = { 
/**
 * Its id.
 */
visit: string, 
/**
 * When it began (RFC 3339).
 */
started_at: string, 
/**
 * The profile.
 */
profile: string, 
/**
 * The code that it ended with, as in `saved`; none while it goes on or was never closed.
 */
ended: string | null, 
/**
 * What that code means, in an operator's words.
 */
words: string, 
/**
 * Where its files are, as people read it.
 */
directory: string | null, 
/**
 * Bytes of its files.
 */
bytes: number, 
/**
 * Where the web view gets its portrait, while the door is open.
 */
portrait: string | null, 
/**
 * Whether it goes on now.
 */
live: boolean, };

export type HealthView = { 
/**
 * Its stable word, as in `keychain`.
 */
part: string, 
/**
 * How it stands.
 */
stand: HealthStand, 
/**
 * What was seen, in one line.
 */
seen: string, 
/**
 * What to do, when there is something to do.
 */
remedy: string | null, };

export type HealthStand = "good" | "doubtful" | "bad" | "unknown";

export type InspectorView = { 
/**
 * The visits since the program's start that are still remembered, the newest first.
 */
visits: Array<InspectedVisit>, 
/**
 * The one that was asked for, or the newest.
 */
shown: Timeline | null, 
/**
 * Exchanges that were let go for want of room.
 */
dropped: number, };

export type InspectedVisit = { 
/**
 * Its id.
 */
visit: string, 
/**
 * When it began, in milliseconds since 1970 (UTC).
 */
started_ms: number, 
/**
 * The code that it ended with; none while it goes on.
 */
ended: string | null, 
/**
 * Exchanges recorded.
 */
exchanges: number, 
/**
 * Rules that were broken.
 */
broken: number, };

export type Timeline = { 
/**
 * The visit.
 */
visit: InspectedVisit, 
/**
 * What happened, in order.
 */
entries: Array<Entry>, };

export type Entry = { "kind": "step", 
/**
 * In milliseconds since 1970 (UTC).
 */
at_ms: number, 
/**
 * The line's event, as in `invited`.
 */
event: string, 
/**
 * The line, as JSON on one line.
 */
line: string, } | { "kind": "exchange", 
/**
 * The exchange.
 */
exchange: ExchangeView, };

export type ExchangeView = { 
/**
 * Stays the same while it is remembered.
 */
id: number, 
/**
 * When it began, in milliseconds since 1970 (UTC).
 */
at_ms: number, 
/**
 * `login`, `generate`, `redeem` or `download`.
 */
call: string, 
/**
 * The request's method.
 */
method: string, 
/**
 * The request's URL, masked.
 */
url: string, 
/**
 * The request's headers, masked.
 */
request_headers: Array<[string, string]>, 
/**
 * The request's body, masked.
 */
request_body: string | null, 
/**
 * The answer's status; none when none came.
 */
status: number | null, 
/**
 * Milliseconds until the answer's head.
 */
wait_ms: number | null, 
/**
 * Milliseconds in all.
 */
duration_ms: number, 
/**
 * The answer's headers, masked.
 */
response_headers: Array<[string, string]>, 
/**
 * The answer's body, masked and bounded.
 */
response_body: string | null, 
/**
 * Bytes of the body that came.
 */
body_size: number, 
/**
 * Why it did not end well on the wire.
 */
error: string | null, 
/**
 * The rules of the specification that it meets or breaks.
 */
rules: Array<RuleView>, 
/**
 * The same request for a shell, with names of variables in place of the secrets.
 */
curl: string, };

export type RuleView = { 
/**
 * Where in the exchange: a JSON Pointer into the answer's body, a header's name, or `status`.
 */
at: string, 
/**
 * The requirement's id, as in `copresence validate`.
 */
requirement: string, 
/**
 * `must`, `should` or `may`.
 */
level: string, 
/**
 * The sentence of the specification, or what is assumed where it is silent.
 */
sentence: string, 
/**
 * Whether it was kept.
 */
kept: boolean, 
/**
 * What came instead, when it was broken.
 */
came: string | null, };

export type ChecksAsk = { 
/**
 * Export Tokens that the run may ask for at most: each is somebody's money.
 */
most_tokens: number, 
/**
 * Whether requests that are wrong on purpose may be sent.
 */
wrong_requests: boolean, 
/**
 * Whether a person with a phone (or the sandbox, by itself) makes an avatar.
 */
with_phone: boolean, 
/**
 * Whether it may begin although a visit is under way that it disturbs, as [`ChecksPlan::disturbs`] says.
 */
despite_visits: boolean, };

export type ChecksPlan = { 
/**
 * Each act, in its order; also those that are left out.
 */
acts: Array<PlannedAct>, 
/**
 * Requests that it sends at least: while it waits for an avatar, each look at it is one more.
 */
requests: number, 
/**
 * Export Tokens that it makes.
 */
tokens: number, 
/**
 * Tokens more, if the backend gives some where it must refuse.
 */
tokens_at_risk: number, 
/**
 * Avatars that it consumes.
 */
avatars: number, 
/**
 * Whether nobody pays for them, because they are a sandbox's.
 */
free: boolean, 
/**
 * Whether somebody is asked to scan a code.
 */
asks_people: boolean, 
/**
 * Whether it moves the sandbox's clock on.
 */
moves_clock: boolean, 
/**
 * Visits under way that it disturbs by that: their time passes, too.
 */
disturbs: number, };

export type PlannedAct = { 
/**
 * What it does, as in `log in`.
 */
does: string, 
/**
 * Requests that it sends at least.
 */
requests: number, 
/**
 * Why it is left out, if it is.
 */
left_out: string | null, };

export type ChecksView = { 
/**
 * What is checked: the backend's host.
 */
target: string, 
/**
 * How the run stands.
 */
stand: ChecksStand, 
/**
 * Every check, in its order.
 */
checks: Array<CheckView>, 
/**
 * What is being done now, in words.
 */
doing: string | null, 
/**
 * The code that somebody with a phone is asked to scan.
 */
invitation: ChecksInvitation | null, 
/**
 * Requests sent so far.
 */
requests: number, 
/**
 * Export Tokens asked for so far.
 */
tokens: number, 
/**
 * The run in one sentence, when it is over.
 */
summary: string | null, 
/**
 * What people should know, in the order in which it came.
 */
notes: Array<string>, 
/**
 * Where the report was saved last, as people read it.
 */
saved: string | null, };

export type ChecksStand = { "kind": "idle" } | { "kind": "running" } | { "kind": "ended", 
/**
 * Whether every MUST holds that could be judged.
 */
passed: boolean, } | { "kind": "broken", 
/**
 * Why, and what to do.
 */
problem: Problem, };

export type CheckView = { 
/**
 * Stable, as in `redeem.unknown-400`.
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
 * None while it waits; else `pass`, `fail`, `skipped`, `inconclusive` or `not applicable`.
 */
verdict: string | null, 
/**
 * What was seen, or what is wrong: expected and came.
 */
findings: Array<string>, 
/**
 * What to do when it fails.
 */
remedy: string, 
/**
 * The requirements that it covers.
 */
requirements: Array<string>, };

export type ChecksInvitation = { 
/**
 * What the code says.
 */
link: string, 
/**
 * The code, as an SVG document.
 */
qr_svg: string, 
/**
 * What the avatar is needed for.
 */
purpose: string, 
/**
 * How far the avatar is, in words.
 */
status: string | null, };
