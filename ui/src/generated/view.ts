// Derived from crates/kiosk/src/view.rs; do not edit.
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

export type Screen = { "kind": "attract" } | { "kind": "preparing", 
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
portrait: string | null, } | { "kind": "ended", 
/**
 * The visit's id.
 */
visit: string, 
/**
 * Why, and what to do.
 */
problem: Problem, };

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
