//! What the backend can be told to answer, in the words of the vendor's specification.

use serde_json::{Value, json};

/// One answer to one redeem (or to another call).
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A status and a body, whole.
    Whole(u16, Vec<u8>),
    /// The same, with a header more.
    With(u16, (&'static str, String), Vec<u8>),
    /// 200 with download URLs for every file; the token is spent by it.
    Urls,
    /// As `Urls`, but only the first half of the body comes; the token is spent by it.
    UrlsCut,
    /// The connection ends without a byte; the token lives on.
    Dropped,
    /// No answer, until the test lets go of the backend.
    Never,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::Whole(status, body.to_string().into_bytes())
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

/// One of the avatar's files, and how its one-time URL behaves.
#[derive(Debug, Clone)]
pub(crate) struct Asset {
    pub(crate) export_type: String,
    pub(crate) bytes: Vec<u8>,
    pub(crate) manner: Manner,
}

/// How a download URL behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Once; whoever was cut off may go on by range.
    Once,
    /// That status and no file.
    Refuses(u16),
    /// An error page, with status 200.
    ErrorPage,
    /// The first request stops for good after so many bytes, and the socket stays open; ranges are served.
    StallsAfter(usize),
    /// As `StallsAfter`, and every later request is refused.
    StallsThenGone(usize),
    /// The first answer ends after so many bytes; ranges are served.
    CutAfter(usize),
    /// No answer says how long the file is; ranges are served.
    Unstated,
}

impl Asset {
    pub(crate) fn new(export_type: &str, bytes: Vec<u8>) -> Self {
        Self { export_type: export_type.to_owned(), bytes, manner: Manner::Once }
    }

    pub(crate) fn glb() -> Self {
        Self::new("glb", glb(5_000))
    }

    pub(crate) fn but(mut self, manner: Manner) -> Self {
        self.manner = manner;
        self
    }
}

/// A binary glTF of `size` bytes by its header (12 bytes: magic, version 2, length), and noise within.
pub(crate) fn glb(size: u32) -> Vec<u8> {
    let mut bytes = b"glTF\x02\0\0\0".to_vec();
    bytes.extend(size.to_le_bytes());
    let noise = (0..size.saturating_sub(12)).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]);
    bytes.extend(noise);
    bytes
}

/// What begins and ends like a zip.
pub(crate) fn zip() -> Vec<u8> {
    let mut bytes = b"PK\x03\x04".to_vec();
    bytes.extend((0..3_000_u32).map(|n| n.to_le_bytes()[0]));
    bytes.extend(b"PK\x05\x06");
    bytes.extend([0; 18]);
    bytes
}
