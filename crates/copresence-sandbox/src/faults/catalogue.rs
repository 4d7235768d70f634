//! The table of all effects of faults. `--list-faults`, the documentation and the checks use it.

use super::fault::{Effect, Endpoint};

/// When a fault acts, relative to the effect of the request (a token is issued, spent or a session token created; the
/// URL of a file is used).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultTiming {
    /// In place of the effect: nothing is issued, spent or used.
    Instead,
    /// In place of the effect, or after it with `"spends":true`.
    InsteadOrAfter,
    /// After the effect: the response is lost or changed.
    After,
}

/// A parameter of an effect.
#[derive(Debug, Clone, Copy)]
pub struct FaultParameter {
    /// Its name in JSON.
    pub name: &'static str,
    /// Its meaning, unit and default.
    pub meaning: &'static str,
}

/// One fault effect in the catalogue: its name, what it does, and where it can be applied.
#[derive(Debug, Clone, Copy)]
pub struct FaultEntry {
    /// The name under `do`.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub does: &'static str,
    /// When it acts.
    pub timing: FaultTiming,
    /// The endpoints that it can apply to.
    pub endpoints: &'static [Endpoint],
    /// Its parameters.
    pub parameters: &'static [FaultParameter],
    /// A complete fault with this effect, as JSON.
    pub example: &'static str,
}

const ALL_ENDPOINTS: &[Endpoint] = &[Endpoint::Redeem, Endpoint::Generate, Endpoint::Login, Endpoint::File];
const JSON_ENDPOINTS: &[Endpoint] = &[Endpoint::Redeem, Endpoint::Generate, Endpoint::Login];
const FILE_ENDPOINT: &[Endpoint] = &[Endpoint::File];

const SPENDS_PARAMETER: FaultParameter = FaultParameter {
    name: "spends",
    meaning: "true: after the request has had its effect (the token is spent, the file's URL used); false by default",
};

/// Builds the catalogue's entry of a fault parameter from its name and its meaning.
const fn build_fault_parameter(name: &'static str, means: &'static str) -> FaultParameter {
    FaultParameter { name, meaning: means }
}

/// All effects that a fault can have.
pub const CATALOGUE: [FaultEntry; 19] = [
    FaultEntry {
        name: "status",
        does: "Responds with a given status, as a failing backend or gateway does.",
        timing: FaultTiming::InsteadOrAfter,
        endpoints: ALL_ENDPOINTS,
        parameters: &[
            build_fault_parameter("code", "the status, 200 to 599"),
            build_fault_parameter(
                "retry_after",
                "the header Retry-After: seconds, or a text such as an HTTP date; none by default",
            ),
            build_fault_parameter("headers", "further headers, {\"name\":\"value\"}"),
            build_fault_parameter("body", "the body; by default {\"code\":…,\"error\":…}"),
            SPENDS_PARAMETER,
        ],
        example: r#"{"on":"redeem","nth":[1,3],"do":{"status":{"code":503,"retry_after":2}}}"#,
    },
    FaultEntry {
        name: "error_page",
        does: "Responds with an HTML page (status 200 by default), as captive portals and proxies do.",
        timing: FaultTiming::Instead,
        endpoints: ALL_ENDPOINTS,
        parameters: &[build_fault_parameter("code", "the status, 200 to 599; 200 by default")],
        example: r#"{"on":"file","export_type":"glb","nth":1,"do":"error_page"}"#,
    },
    FaultEntry {
        name: "redirect",
        does: "Redirects to another URL.",
        timing: FaultTiming::InsteadOrAfter,
        endpoints: ALL_ENDPOINTS,
        parameters: &[
            build_fault_parameter("to", "the header Location: a URL, or a path for a loop"),
            build_fault_parameter("code", "the status, 300 to 399; 302 by default"),
            SPENDS_PARAMETER,
        ],
        example: r#"{"on":"redeem","nth":1,"do":{"redirect":{"to":"https://elsewhere.test/","code":307}}}"#,
    },
    FaultEntry {
        name: "delay",
        does: "Waits for a fixed time, or one drawn from a log-normal distribution, then continues.",
        timing: FaultTiming::InsteadOrAfter,
        endpoints: ALL_ENDPOINTS,
        parameters: &[
            build_fault_parameter("ms", "milliseconds of real time; or:"),
            build_fault_parameter("median_ms", "the median of the random times, in milliseconds of real time"),
            build_fault_parameter("sigma", "their spread: the standard deviation of the logarithm; 1 by default"),
            build_fault_parameter(
                "spends",
                "true: waits after the request has had its effect, before the response; false by default",
            ),
        ],
        example: r#"{"on":"redeem","do":{"delay":{"median_ms":300,"sigma":0.8}}}"#,
    },
    FaultEntry {
        name: "hang",
        does: "Never responds; the connection stays open.",
        timing: FaultTiming::InsteadOrAfter,
        endpoints: ALL_ENDPOINTS,
        parameters: &[SPENDS_PARAMETER],
        example: r#"{"on":"generate","nth":1,"do":"hang"}"#,
    },
    FaultEntry {
        name: "reset",
        does: "Resets the connection (TCP RST) before the request has any effect.",
        timing: FaultTiming::Instead,
        endpoints: ALL_ENDPOINTS,
        parameters: &[],
        example: r#"{"on":"redeem","nth":2,"do":"reset"}"#,
    },
    FaultEntry {
        name: "reset_after_spending",
        does: "Lets the request have its full effect, then resets the connection: the response is lost, and with it a \
               spent token, or a file whose URL is used.",
        timing: FaultTiming::After,
        endpoints: ALL_ENDPOINTS,
        parameters: &[],
        example: r#"{"on":"redeem","ready":true,"nth":1,"do":"reset_after_spending"}"#,
    },
    FaultEntry {
        name: "cut_body",
        does: "Ends the response in the middle of its body; its Content-Length promises more.",
        timing: FaultTiming::After,
        endpoints: ALL_ENDPOINTS,
        parameters: &[
            build_fault_parameter("after", "the number of bytes of the body that are sent"),
            build_fault_parameter(
                "by",
                "how it ends: `close` (the default), `reset` (TCP RST), or `silence` (nothing more is sent, the \
                 connection stays open)",
            ),
        ],
        example: r#"{"on":"file","export_type":"glb","nth":1,"do":{"cut_body":{"after":4096,"by":"reset"}}}"#,
    },
    FaultEntry {
        name: "slow_body",
        does: "Sends the body slowly.",
        timing: FaultTiming::After,
        endpoints: ALL_ENDPOINTS,
        parameters: &[build_fault_parameter("bytes_per_second", "the speed, in bytes per second of real time, from 1")],
        example: r#"{"on":"file","do":{"slow_body":{"bytes_per_second":20000}}}"#,
    },
    FaultEntry {
        name: "wrong_length",
        does: "Sends a Content-Length that differs from the body, then closes the connection.",
        timing: FaultTiming::After,
        endpoints: ALL_ENDPOINTS,
        parameters: &[build_fault_parameter(
            "by",
            "how many bytes more are promised than sent; below 0, this many are sent after the promised end (at most 1 MiB)",
        )],
        example: r#"{"on":"file","nth":1,"do":{"wrong_length":{"by":100}}}"#,
    },
    FaultEntry {
        name: "huge",
        does: "Sends the body, then bytes without end (spaces after JSON, zeros after a file).",
        timing: FaultTiming::After,
        endpoints: ALL_ENDPOINTS,
        parameters: &[],
        example: r#"{"on":"redeem","nth":1,"do":"huge"}"#,
    },
    FaultEntry {
        name: "garbage",
        does: "Sends random bytes in place of the body, with unchanged status and headers.",
        timing: FaultTiming::After,
        endpoints: ALL_ENDPOINTS,
        parameters: &[build_fault_parameter("bytes", "their number, at most 1 GiB; by default the length of the body")],
        example: r#"{"on":"redeem","nth":1,"do":"garbage"}"#,
    },
    FaultEntry {
        name: "wrong_shape",
        does: "Changes one field of a JSON response; a response without that field stays as it is.",
        timing: FaultTiming::After,
        endpoints: JSON_ENDPOINTS,
        parameters: &[
            build_fault_parameter(
                "field",
                "the field, as in `payload_incomplete.completion_progress` or `payload_complete[0].download_URL`; random \
                 by default",
            ),
            build_fault_parameter(
                "becomes",
                "`missing`, `null`, `other_type`, `out_of_range`, or {\"value\":…} with any JSON; by default a random one \
                 of the first four",
            ),
        ],
        example: r#"{"on":"redeem","nth":2,"do":{"wrong_shape":{"field":"payload_incomplete.completion_progress","becomes":"out_of_range"}}}"#,
    },
    FaultEntry {
        name: "coded",
        does: "Sends the body in a content coding that was not requested, or claims one that was not applied.",
        timing: FaultTiming::After,
        endpoints: ALL_ENDPOINTS,
        parameters: &[
            build_fault_parameter(
                "coding",
                "the header Content-Encoding; `gzip` (the default) and `deflate` are applied, others only claimed",
            ),
            build_fault_parameter("only_claimed", "true: the body stays as it is; false by default"),
        ],
        example: r#"{"on":"file","nth":1,"do":{"coded":{"coding":"gzip"}}}"#,
    },
    FaultEntry {
        name: "headers",
        does: "Sets or removes headers of the response (without Content-Length, the body is chunked).",
        timing: FaultTiming::After,
        endpoints: ALL_ENDPOINTS,
        parameters: &[
            build_fault_parameter("set", "{\"name\":\"value\"}"),
            build_fault_parameter("remove", "a list of names"),
        ],
        example: r#"{"on":"file","do":{"headers":{"remove":["Content-Length","ETag"]}}}"#,
    },
    FaultEntry {
        name: "ignore_range",
        does: "Responds to a range request with the whole file (200 instead of 206).",
        timing: FaultTiming::After,
        endpoints: FILE_ENDPOINT,
        parameters: &[],
        example: r#"{"on":"file","ranged":true,"nth":1,"do":"ignore_range"}"#,
    },
    FaultEntry {
        name: "refuse_range",
        does: "Responds to a range request with 416 and the file's true length; other requests succeed.",
        timing: FaultTiming::Instead,
        endpoints: FILE_ENDPOINT,
        parameters: &[],
        example: r#"{"on":"file","ranged":true,"nth":1,"do":"refuse_range"}"#,
    },
    FaultEntry {
        name: "wrong_range",
        does: "Responds to a range request with 206 and another range, as its Content-Range states.",
        timing: FaultTiming::After,
        endpoints: FILE_ENDPOINT,
        parameters: &[build_fault_parameter(
            "by",
            "how many bytes later the range begins than requested; below 0, earlier",
        )],
        example: r#"{"on":"file","ranged":true,"nth":1,"do":{"wrong_range":{"by":-100}}}"#,
    },
    FaultEntry {
        name: "changed_etag",
        does: "Sends another ETag, as if the file had changed: a range request with If-Range gets the whole file.",
        timing: FaultTiming::After,
        endpoints: FILE_ENDPOINT,
        parameters: &[],
        example: r#"{"on":"file","ranged":true,"nth":1,"do":"changed_etag"}"#,
    },
];

impl Effect {
    /// The row of the fault catalogue for this effect.
    pub fn catalogue_entry(&self) -> &'static FaultEntry {
        let name = self.effect_name();
        // A test ensures that every effect has a row.
        CATALOGUE.iter().find(|entry| entry.name == name).unwrap_or(&CATALOGUE[0])
    }

    /// The name of the effect, as written in the `do` field of a fault.
    pub fn effect_name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::ErrorPage { .. } => "error_page",
            Self::Redirect { .. } => "redirect",
            Self::Delay { .. } => "delay",
            Self::Hang { .. } => "hang",
            Self::Reset {} => "reset",
            Self::ResetAfterSpending {} => "reset_after_spending",
            Self::CutBody { .. } => "cut_body",
            Self::SlowBody { .. } => "slow_body",
            Self::WrongLength { .. } => "wrong_length",
            Self::Huge {} => "huge",
            Self::Garbage { .. } => "garbage",
            Self::WrongShape { .. } => "wrong_shape",
            Self::Coded { .. } => "coded",
            Self::Headers { .. } => "headers",
            Self::IgnoreRange {} => "ignore_range",
            Self::RefuseRange {} => "refuse_range",
            Self::WrongRange { .. } => "wrong_range",
            Self::ChangedEtag {} => "changed_etag",
        }
    }
}
