//! The faults and the expected exit codes of the visits: the table that the fault matrix runs and prints.

use copresence_sandbox::Endpoint;

/// The request of a visit to which a fault is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RequestPosition {
    /// The first request of the endpoint. A visit without faults has one login and one token request.
    First,
    /// One in the middle: a poll while the avatar is created, or the second of three files.
    Middle,
    /// The last one: the poll that gets the URLs, or the last of three files.
    Last,
    /// Every request.
    Every,
}

impl RequestPosition {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Middle => "middle",
            Self::Last => "last",
            Self::Every => "every",
        }
    }
}

/// The endpoints with the positions that a visit without faults has.
pub(crate) const POSITIONS: [(Endpoint, &[RequestPosition]); 4] = [
    (Endpoint::Login, &[RequestPosition::First, RequestPosition::Every]),
    (Endpoint::Generate, &[RequestPosition::First, RequestPosition::Every]),
    (
        Endpoint::Redeem,
        &[RequestPosition::First, RequestPosition::Middle, RequestPosition::Last, RequestPosition::Every],
    ),
    (Endpoint::File, &[RequestPosition::First, RequestPosition::Middle, RequestPosition::Last, RequestPosition::Every]),
];

/// A fault and its expected exit codes, in the order of [`POSITIONS`].
pub(crate) struct Variant {
    pub(crate) name: &'static str,
    /// The effect as JSON of a fault. `{part}` is a part of the response body in bytes.
    pub(crate) effect: &'static str,
    /// The effect that is applied to the same file first. A range is requested only after an interrupted download.
    pub(crate) preceded_by: Option<&'static str>,
    pub(crate) login: Option<[u8; 2]>,
    pub(crate) generate: Option<[u8; 2]>,
    pub(crate) redeem: Option<[u8; 4]>,
    pub(crate) file: Option<[u8; 4]>,
}

impl Variant {
    /// The expected exit codes per position. `None` if the fault does not apply to the endpoint.
    pub(crate) fn expected_exits(&self, on: Endpoint) -> Option<&[u8]> {
        match on {
            Endpoint::Login => self.login.as_ref().map(<[u8; 2]>::as_slice),
            Endpoint::Generate => self.generate.as_ref().map(<[u8; 2]>::as_slice),
            Endpoint::Redeem => self.redeem.as_ref().map(<[u8; 4]>::as_slice),
            Endpoint::File => self.file.as_ref().map(<[u8; 4]>::as_slice),
        }
    }
}

const fn on_all_endpoints(
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
        preceded_by: None,
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
    Variant { file: None, ..on_all_endpoints(name, effect, login, generate, redeem, [0; 4]) }
}

const fn on_redeem(name: &'static str, effect: &'static str, redeem: [u8; 4]) -> Variant {
    Variant { login: None, generate: None, ..on_json(name, effect, [0; 2], [0; 2], redeem) }
}

const fn on_files(name: &'static str, effect: &'static str, file: [u8; 4]) -> Variant {
    Variant { file: Some(file), redeem: None, ..on_redeem(name, effect, [0; 4]) }
}

/// A fault of a range request, which follows an interrupted first response.
const fn on_ranges(name: &'static str, effect: &'static str, file: [u8; 4]) -> Variant {
    Variant { preceded_by: Some(r#"{"cut_body":{"after":{part}}}"#), ..on_files(name, effect, file) }
}

/// Every fault.
///
/// The exit codes follow from the rules of the product:
/// - A request without an effect is retried: 0, or 6 if the fault never ends.
/// - A complete but invalid response is requested again if that is free (redeem), but not if it costs a token (generate:
///   9), and not with the same credentials (401, 403 and, from a Parse Server, 400: 3), unless a status was received with
///   them (redeem).
/// - A page that does not come from the API is endured within patience: 6, or 2 if it says that there is no API (404).
/// - After a lost or unreadable response or a 5xx, the next redeem decides: 0 if that response did not deliver, 10 if it
///   did.
/// - A 400 to a redeem is confirmed by further ones. A clear status counts without its numbers.
/// - A delivery whose list of URLs came whole is used, and so is a file that states its own end (0).
/// - An interrupted download is resumed if possible (0). If the fault never ends, the visit ends with 6 and is recovered
///   later. So does every response that is not the file. If the URL is refused again and again, the other files are kept as
///   incomplete (7).
pub(crate) const VARIANTS: &[Variant] = &[
    on_all_endpoints("late by 300 ms", r#"{"delay":{"ms":300}}"#, [0, 0], [0, 0], [0, 0, 0, 0], [0, 0, 0, 0]),
    on_all_endpoints("500", r#"{"status":{"code":500}}"#, [0, 6], [0, 6], [0, 0, 0, 6], [0, 0, 0, 6]),
    on_all_endpoints("502", r#"{"status":{"code":502}}"#, [0, 6], [0, 6], [0, 0, 0, 6], [0, 0, 0, 6]),
    on_all_endpoints(
        "503, Retry-After 1",
        r#"{"status":{"code":503,"retry_after":1}}"#,
        [0, 6],
        [0, 6],
        [0, 0, 0, 6],
        [0, 0, 0, 6],
    ),
    on_all_endpoints(
        "429, Retry-After 1",
        r#"{"status":{"code":429,"retry_after":1}}"#,
        [0, 6],
        [0, 6],
        [0, 0, 0, 6],
        [0, 0, 0, 6],
    ),
    on_all_endpoints("400", r#"{"status":{"code":400}}"#, [3, 3], [3, 3], [0, 0, 0, 4], [0, 0, 0, 7]),
    on_all_endpoints("401", r#"{"status":{"code":401}}"#, [3, 3], [3, 3], [3, 0, 0, 3], [0, 0, 0, 7]),
    on_all_endpoints("403", r#"{"status":{"code":403}}"#, [3, 3], [3, 3], [3, 0, 0, 3], [0, 0, 0, 7]),
    on_all_endpoints("404", r#"{"status":{"code":404}}"#, [0, 2], [0, 2], [0, 0, 0, 2], [0, 0, 0, 7]),
    on_all_endpoints("200 and an error page", r#""error_page""#, [0, 6], [0, 6], [0, 0, 0, 6], [0, 0, 0, 6]),
    on_all_endpoints(
        "redirect to nowhere",
        r#"{"redirect":{"to":"/nowhere","code":307}}"#,
        [9, 9],
        [9, 9],
        [0, 0, 0, 9],
        [0, 0, 0, 6],
    ),
    on_all_endpoints("silence", r#""hang""#, [0, 6], [0, 6], [0, 0, 0, 6], [0, 0, 0, 6]),
    on_all_endpoints("done, then silence", r#"{"hang":{"spends":true}}"#, [0, 6], [0, 6], [0, 0, 10, 6], [7, 7, 7, 6]),
    on_all_endpoints("reset", r#""reset""#, [0, 6], [0, 6], [0, 0, 0, 6], [0, 0, 0, 6]),
    on_all_endpoints("done, then reset", r#""reset_after_spending""#, [0, 6], [0, 6], [0, 0, 10, 6], [7, 7, 7, 6]),
    on_all_endpoints(
        "done, then 502",
        r#"{"status":{"code":502,"spends":true}}"#,
        [0, 6],
        [0, 6],
        [0, 0, 10, 6],
        [7, 7, 7, 6],
    ),
    on_all_endpoints(
        "done, then 500",
        r#"{"status":{"code":500,"spends":true}}"#,
        [0, 6],
        [0, 6],
        [0, 0, 10, 6],
        [7, 7, 7, 6],
    ),
    on_all_endpoints(
        "body cut after 20 bytes",
        r#"{"cut_body":{"after":20}}"#,
        [0, 6],
        [0, 6],
        [0, 0, 10, 6],
        [0, 0, 0, 6],
    ),
    on_all_endpoints(
        "body cut by a reset",
        r#"{"cut_body":{"after":{part},"by":"reset"}}"#,
        [0, 6],
        [0, 6],
        [0, 0, 7, 6],
        [0, 0, 0, 6],
    ),
    on_all_endpoints(
        "body cut by silence",
        r#"{"cut_body":{"after":{part},"by":"silence"}}"#,
        [0, 6],
        [0, 6],
        [0, 0, 7, 6],
        [0, 0, 0, 6],
    ),
    on_all_endpoints("slow body", r#"{"slow_body":{"bytes_per_second":{slow}}}"#, [0, 0], [0, 0], [0; 4], [0; 4]),
    on_all_endpoints(
        "100 bytes more promised",
        r#"{"wrong_length":{"by":100}}"#,
        [0, 6],
        [0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ),
    on_all_endpoints(
        "10 bytes fewer promised",
        r#"{"wrong_length":{"by":-10}}"#,
        [9, 9],
        [9, 9],
        [0, 0, 7, 9],
        [7, 7, 7, 7],
    ),
    on_all_endpoints("a body without end", r#""huge""#, [0, 6], [0, 0], [0, 0, 0, 0], [6, 6, 6, 6]),
    on_all_endpoints("garbage", r#""garbage""#, [9, 9], [9, 9], [0, 0, 10, 9], [0, 0, 0, 0]),
    on_all_endpoints("gzip", r#""coded""#, [0, 0], [0, 0], [0, 0, 0, 0], [0, 0, 0, 0]),
    on_all_endpoints(
        "says gzip, is not",
        r#"{"coded":{"only_claimed":true}}"#,
        [0, 0],
        [0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
    ),
    on_all_endpoints(
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
        [0, 0, 10, 9],
    ),
    on_json("a field null", r#"{"wrong_shape":{"field":"{field}","becomes":"null"}}"#, [9, 9], [9, 9], [0, 0, 10, 9]),
    on_json(
        "a field of another type",
        r#"{"wrong_shape":{"field":"{field}","becomes":"other_type"}}"#,
        [9, 9],
        [9, 9],
        [0, 0, 10, 9],
    ),
    on_redeem(
        "progress out of range",
        r#"{"wrong_shape":{"field":"payload_incomplete.completion_progress","becomes":"out_of_range"}}"#,
        [0, 0, 0, 0],
    ),
    on_redeem(
        "a URL of another type",
        r#"{"wrong_shape":{"field":"payload_complete[0].download_URL","becomes":"other_type"}}"#,
        [0, 0, 7, 7],
    ),
    on_ranges("then the whole file", r#""ignore_range""#, [0, 0, 0, 0]),
    on_ranges("then 416", r#""refuse_range""#, [0, 0, 0, 6]),
    // Only the last byte, which spends the URL.
    on_ranges("then a later range", r#"{"wrong_range":{"by":{to_last_byte}}}"#, [7, 7, 7, 7]),
    on_ranges("then another version", r#""changed_etag""#, [0, 0, 0, 0]),
];
