//! The responses of the backend, with the fields of the vendor's specification.

use serde_json::{Value, json};

/// The response of one call.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A complete response with a status and a body.
    Complete(u16, Vec<u8>),
    /// A complete response with an additional header.
    WithHeader(u16, (&'static str, String), Vec<u8>),
    /// Status 200 with download URLs for every file. Spends the token.
    Urls,
    /// Like `Urls`, but sent after this time. Spends the token.
    #[cfg_attr(not(unix), expect(dead_code, reason = "for tests of signals"))]
    UrlsAfter(std::time::Duration),
    /// Like `Urls`, but only the first half of the body is sent. Spends the token.
    UrlsTruncated,
    /// Closes the connection without a response. The token stays active.
    ClosesConnection,
    /// Sends no response until the backend is dropped.
    Hangs,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::Complete(status, body.to_string().into_bytes())
    }

    /// "If an avatar has not been associated, the value is -1."
    pub(crate) fn unscanned() -> Self {
        Self::incomplete("no_associated_avatar", -1, -1)
    }

    pub(crate) fn queued(place: i64) -> Self {
        Self::incomplete("in_queue", 0, place)
    }

    pub(crate) fn processing(percent: i64) -> Self {
        Self::incomplete("processing", percent, -1)
    }

    pub(crate) fn failed() -> Self {
        Self::incomplete("failed", 40, -1)
    }

    /// "Provided Export Token string does not match an active Export Token in the Copresence backend".
    pub(crate) fn no_such_token() -> Self {
        Self::json(400, &json!({"code": 101, "error": "no active Export Token"}))
    }

    fn incomplete(status: &str, percent: i64, place: i64) -> Self {
        Self::json(
            200,
            &json!({"avatar_ready": false, "payload_incomplete": {"completion_status": status,
                "completion_progress": percent, "queue_position": place}}),
        )
    }
}

/// One of the avatar's files with its one-time URL.
#[derive(Debug, Clone)]
pub(crate) struct Asset {
    pub(crate) export_type: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) url_behavior: UrlBehavior,
}

/// The behavior of a download URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UrlBehavior {
    /// Works once; an interrupted download can be resumed with a range.
    Once,
    /// Responds with this status.
    Refuses(u16),
    /// The first response stalls after this many bytes with the connection open. Ranges are served.
    StallsAfter(usize),
    /// Like `StallsAfter`, but every later request is refused.
    StallsThenRefuses(usize),
    /// The first response is truncated after this many bytes. Ranges are served.
    CutAfter(usize),
    /// Responses have no `Content-Length`. Ranges are served.
    WithoutLength,
}

impl Asset {
    pub(crate) fn new(export_type: &str, bytes: Vec<u8>) -> Self {
        Self { export_type: export_type.to_owned(), bytes, url_behavior: UrlBehavior::Once }
    }

    pub(crate) fn glb() -> Self {
        Self::new("glb", glb(5_000))
    }

    pub(crate) fn with_url_behavior(mut self, url_behavior: UrlBehavior) -> Self {
        self.url_behavior = url_behavior;
        self
    }
}

/// A binary glTF of `size` bytes: a correct header (magic, version 2, length) and noise.
pub(crate) fn glb(size: u32) -> Vec<u8> {
    let mut bytes = b"glTF\x02\0\0\0".to_vec();
    bytes.extend(size.to_le_bytes());
    let noise = (0..size.saturating_sub(12)).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]);
    bytes.extend(noise);
    bytes
}

/// A file with the first and last bytes of a ZIP.
pub(crate) fn zip() -> Vec<u8> {
    let mut bytes = b"PK\x03\x04".to_vec();
    bytes.extend((0..3_000_u32).map(|n| n.to_le_bytes()[0]));
    bytes.extend(b"PK\x05\x06");
    bytes.extend([0; 18]);
    bytes
}
