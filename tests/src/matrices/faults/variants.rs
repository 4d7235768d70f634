//! What the backend does wrong, and how each visit must end: the one table that the fault matrix runs and prints.

use copresence_sandbox::Endpoint;

/// Where in a visit a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// The first request on the endpoint. A healthy visit makes one login and asks for one token.
    First,
    /// One in the middle: a poll while the avatar is made; the second of three files.
    Middle,
    /// The last one: the poll that gets the URLs; the last of three files.
    Last,
    /// Every request, for as long as the visit lasts.
    Every,
}

impl Place {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Middle => "middle",
            Self::Last => "last",
            Self::Every => "every",
        }
    }
}

/// The endpoints with the places that a healthy visit has there.
pub(crate) const PLACES: [(Endpoint, &[Place]); 4] = [
    (Endpoint::Login, &[Place::First, Place::Every]),
    (Endpoint::Generate, &[Place::First, Place::Every]),
    (Endpoint::Redeem, &[Place::First, Place::Middle, Place::Last, Place::Every]),
    (Endpoint::File, &[Place::First, Place::Middle, Place::Last, Place::Every]),
];

/// One thing that goes wrong, and the exit codes that are right for it, place by place in the order of [`PLACES`].
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    /// What the fault does, as in a list of faults. `{part}` is a part of the answer's body, in bytes.
    pub(crate) effect: &'static str,
    /// Only after this happened to the same file (a range is asked for only after a break).
    pub(crate) after: Option<&'static str>,
    pub(crate) login: Option<[u8; 2]>,
    pub(crate) generate: Option<[u8; 2]>,
    pub(crate) redeem: Option<[u8; 4]>,
    pub(crate) file: Option<[u8; 4]>,
}

impl Variant {
    /// The exit codes that are due, with their places; none where the fault cannot strike.
    pub(crate) fn due(&self, on: Endpoint) -> Option<&[u8]> {
        match on {
            Endpoint::Login => self.login.as_ref().map(<[u8; 2]>::as_slice),
            Endpoint::Generate => self.generate.as_ref().map(<[u8; 2]>::as_slice),
            Endpoint::Redeem => self.redeem.as_ref().map(<[u8; 4]>::as_slice),
            Endpoint::File => self.file.as_ref().map(<[u8; 4]>::as_slice),
        }
    }
}

const fn everywhere(
    name: &'static str,
    effect: &'static str,
    login: [u8; 2],
    generate: [u8; 2],
    redeem: [u8; 4],
    file: [u8; 4],
) -> Variant {
    Variant {
        name,
        effect,
        after: None,
        login: Some(login),
        generate: Some(generate),
        redeem: Some(redeem),
        file: Some(file),
    }
}

const fn on_json(
    name: &'static str,
    effect: &'static str,
    login: [u8; 2],
    generate: [u8; 2],
    redeem: [u8; 4],
) -> Variant {
    Variant { file: None, ..everywhere(name, effect, login, generate, redeem, [0; 4]) }
}

const fn on_redeem(name: &'static str, effect: &'static str, redeem: [u8; 4]) -> Variant {
    Variant { login: None, generate: None, ..on_json(name, effect, [0; 2], [0; 2], redeem) }
}

const fn on_files(name: &'static str, effect: &'static str, file: [u8; 4]) -> Variant {
    Variant { file: Some(file), redeem: None, ..on_redeem(name, effect, [0; 4]) }
}

/// On a range, which is asked for after the file's first answer broke off in the middle.
const fn on_ranges(name: &'static str, effect: &'static str, file: [u8; 4]) -> Variant {
    Variant { after: Some(r#"{"cut_body":{"after":{part}}}"#), ..on_files(name, effect, file) }
}

/// Every fault.
///
/// The codes, read by the rules of the product: what has no effect is asked again (0, or 6 when it never ends); an
/// answer that is whole and wrong is looked at again where that costs nothing (redeem), and never asked for again
/// where it costs a token (generate: 9), nor with credentials that were given a moment ago (401, 403 and, from a Parse
/// Server, 400: 3); a redeem whose answer is lost is settled by the next one (0 when it was not
/// the one that delivers, 10 when it was); of a file what can go on goes on (0), and the rest is kept as incomplete
/// and told (7).
pub(crate) const VARIANTS: &[Variant] = &[
    everywhere("late by 300 ms", r#"{"delay":{"ms":300}}"#, [0, 0], [0, 0], [0, 0, 0, 0], [0, 0, 0, 0]),
    everywhere("500", r#"{"status":{"code":500}}"#, [0, 6], [0, 6], [0, 0, 0, 6], [0, 0, 0, 7]),
    everywhere("502", r#"{"status":{"code":502}}"#, [0, 6], [0, 6], [0, 0, 0, 6], [0, 0, 0, 7]),
    everywhere(
        "503, Retry-After 1",
        r#"{"status":{"code":503,"retry_after":1}}"#,
        [0, 6],
        [0, 6],
        [0, 0, 0, 6],
        [0, 0, 0, 7],
    ),
    everywhere(
        "429, Retry-After 1",
        r#"{"status":{"code":429,"retry_after":1}}"#,
        [0, 6],
        [0, 6],
        [0, 0, 0, 6],
        [0, 0, 0, 7],
    ),
    everywhere("400", r#"{"status":{"code":400}}"#, [3, 3], [3, 3], [4, 4, 4, 4], [7, 7, 7, 7]),
    everywhere("401", r#"{"status":{"code":401}}"#, [3, 3], [3, 3], [3, 3, 3, 3], [7, 7, 7, 7]),
    everywhere("403", r#"{"status":{"code":403}}"#, [3, 3], [3, 3], [3, 3, 3, 3], [7, 7, 7, 7]),
    everywhere("404", r#"{"status":{"code":404}}"#, [9, 9], [9, 9], [0, 0, 0, 9], [7, 7, 7, 7]),
    everywhere("200 and an error page", r#""error_page""#, [9, 9], [9, 9], [0, 0, 0, 9], [7, 7, 7, 7]),
    everywhere(
        "redirect to nowhere",
        r#"{"redirect":{"to":"/nowhere","code":307}}"#,
        [9, 9],
        [9, 9],
        [0, 0, 0, 9],
        [7, 7, 7, 7],
    ),
    everywhere("silence", r#""hang""#, [0, 6], [0, 6], [0, 0, 0, 6], [0, 0, 0, 7]),
    everywhere(
        "done, then silence",
        r#"{"hang":{"spends":true}}"#,
        [0, 6],
        [0, 6],
        [0, 0, 10, 6],
        [7, 7, 7, 7],
    ),
    everywhere("reset", r#""reset""#, [0, 6], [0, 6], [0, 0, 0, 6], [0, 0, 0, 7]),
    everywhere("done, then reset", r#""reset_after_spending""#, [0, 6], [0, 6], [0, 0, 10, 6], [7, 7, 7, 7]),
    everywhere(
        "done, then 502",
        r#"{"status":{"code":502,"spends":true}}"#,
        [0, 6],
        [0, 6],
        [0, 0, 10, 6],
        [7, 7, 7, 7],
    ),
    everywhere(
        "body cut after 20 bytes",
        r#"{"cut_body":{"after":20}}"#,
        [0, 6],
        [0, 6],
        [0, 0, 10, 6],
        [0, 0, 0, 7],
    ),
    everywhere(
        "body cut by a reset",
        r#"{"cut_body":{"after":{part},"by":"reset"}}"#,
        [0, 6],
        [0, 6],
        [0, 0, 7, 6],
        [0, 0, 0, 7],
    ),
    everywhere(
        "body cut by silence",
        r#"{"cut_body":{"after":{part},"by":"silence"}}"#,
        [0, 6],
        [0, 6],
        [0, 0, 7, 6],
        [0, 0, 0, 7],
    ),
    everywhere("slow body", r#"{"slow_body":{"bytes_per_second":{slow}}}"#, [0, 0], [0, 0], [0; 4], [0; 4]),
    everywhere(
        "100 bytes more promised",
        r#"{"wrong_length":{"by":100}}"#,
        [0, 6],
        [0, 6],
        [0, 0, 7, 6],
        [7, 7, 7, 7],
    ),
    everywhere(
        "10 bytes fewer promised",
        r#"{"wrong_length":{"by":-10}}"#,
        [9, 9],
        [9, 9],
        [0, 0, 7, 9],
        [7, 7, 7, 7],
    ),
    everywhere("a body without end", r#""huge""#, [0, 6], [0, 6], [0, 0, 7, 6], [7, 7, 7, 7]),
    everywhere("garbage", r#""garbage""#, [9, 9], [9, 9], [0, 0, 9, 9], [7, 7, 7, 7]),
    everywhere("gzip", r#""coded""#, [0, 0], [0, 0], [0, 0, 0, 0], [7, 7, 7, 7]),
    everywhere(
        "says gzip, is not",
        r#"{"coded":{"only_claimed":true}}"#,
        [0, 0],
        [0, 0],
        [0, 0, 0, 0],
        [7, 7, 7, 7],
    ),
    everywhere(
        "no length, no ETag",
        r#"{"headers":{"remove":["Content-Length","ETag"]}}"#,
        [0, 0],
        [0, 0],
        [0; 4],
        [0; 4],
    ),
    on_json(
        "a field missing",
        r#"{"wrong_shape":{"field":"{field}","becomes":"missing"}}"#,
        [9, 9],
        [9, 9],
        [0, 0, 9, 9],
    ),
    on_json(
        "a field null",
        r#"{"wrong_shape":{"field":"{field}","becomes":"null"}}"#,
        [9, 9],
        [9, 9],
        [0, 0, 9, 9],
    ),
    on_json(
        "a field of another type",
        r#"{"wrong_shape":{"field":"{field}","becomes":"other_type"}}"#,
        [9, 9],
        [9, 9],
        [0, 0, 9, 9],
    ),
    on_redeem(
        "progress out of range",
        r#"{"wrong_shape":{"field":"payload_incomplete.completion_progress","becomes":"out_of_range"}}"#,
        [0, 0, 0, 9],
    ),
    on_redeem(
        "a URL of another type",
        r#"{"wrong_shape":{"field":"payload_complete[0].download_URL","becomes":"other_type"}}"#,
        [0, 0, 7, 7],
    ),
    on_ranges("then the whole file", r#""ignore_range""#, [0, 0, 0, 0]),
    on_ranges("then 416", r#""refuse_range""#, [7, 7, 7, 7]),
    on_ranges("then a later range", r#"{"wrong_range":{"by":100}}"#, [7, 7, 7, 7]),
    on_ranges("then another version", r#""changed_etag""#, [0, 0, 0, 0]),
];
