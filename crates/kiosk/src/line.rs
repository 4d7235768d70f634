//! What a visit says as it goes, one line an event: the contract of `visit --json`, and the source from which
//! the window's screens are folded.

use jiff::Timestamp;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use store::VisitId;

/// One line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The visit it speaks of.
    pub visit: VisitId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub event: LineEvent,
}

/// What happened. Never a secret, never a download URL.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum LineEvent {
    /// The first line.
    Started {
        /// The profile's name.
        profile: String,
        /// The backend's base URL.
        api_url: String,
    },
    /// A link stands in a QR code.
    Invited {
        /// What the QR says.
        link: String,
        /// When the Export Token runs out, where the profile knows its life.
        expires_at: Option<Timestamp>,
    },
    /// The status changed.
    Status {
        /// As on the wire.
        completion_status: String,
        /// As on the wire: 0 to 100, or −1.
        completion_progress: i64,
        /// As on the wire: a place, or −1.
        queue_position: i64,
        /// Milliseconds until the next poll.
        next_poll_ms: u64,
    },
    /// Something failed and is tried again.
    Retrying {
        /// The stable word.
        code: String,
        /// What, in an operator's words.
        message: String,
        /// From 1.
        attempt: u32,
        /// Milliseconds until the next try.
        next_poll_ms: u64,
    },
    /// URLs came; the token is spent.
    Redeemed {
        /// The export types, as sent and in the order sent.
        exports: Vec<String>,
    },
    /// A file on its way.
    Progress {
        /// Its name in the avatar's folder.
        file: String,
        /// Bytes that came.
        bytes: u64,
        /// Bytes in all, when the backend said so.
        total: Option<u64>,
    },
    /// The avatar's folder stands.
    Saved {
        /// The folder.
        directory: String,
        /// What is in it, beside `manifest.json`.
        files: Vec<SavedFile>,
    },
    /// The last line.
    Ended {
        /// A stable word.
        code: String,
        /// The process's exit code.
        exit: u8,
        /// What happened and what to do, in an operator's words.
        message: String,
        /// In which of its states the visit ended.
        visit_state: String,
    },
}

/// A saved file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SavedFile {
    /// Its name in the avatar's folder.
    pub path: String,
    /// As sent.
    pub export_type: String,
    /// Size.
    pub bytes: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

impl LineEvent {
    /// The word that stands in `event`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Invited { .. } => "invited",
            Self::Status { .. } => "status",
            Self::Retrying { .. } => "retrying",
            Self::Redeemed { .. } => "redeemed",
            Self::Progress { .. } => "progress",
            Self::Saved { .. } => "saved",
            Self::Ended { .. } => "ended",
        }
    }
}

impl Serialize for Line {
    /// `event`, `visit`, `at`, and then the event's own fields.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error;
        let event = serde_json::to_value(&self.event).map_err(S::Error::custom)?;
        let fields = event.as_object().ok_or_else(|| S::Error::custom("an event is an object"))?;
        let mut map = serializer.serialize_map(Some(fields.len() + 2))?;
        map.serialize_entry("event", self.event.word())?;
        map.serialize_entry("visit", &self.visit)?;
        map.serialize_entry("at", &rfc3339(self.at))?;
        for (key, value) in fields.iter().filter(|(key, _)| *key != "event") {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// RFC 3339 in UTC, to the millisecond.
pub fn rfc3339(at: Timestamp) -> String {
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_begins_with_event_visit_and_time() {
        let line = Line {
            visit: VisitId::new(),
            at: "2026-11-22T10:00:00.1234Z".parse().expect("a time"),
            event: LineEvent::Progress { file: "avatar.glb".into(), bytes: 7, total: None },
        };
        let text = serde_json::to_string(&line).expect("plain data");
        let expected = format!(
            r#"{{"event":"progress","visit":"{}","at":"2026-11-22T10:00:00.123Z","file":"avatar.glb","bytes":7,"total":null}}"#,
            line.visit
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn the_word_is_the_tag() {
        let event = LineEvent::Ended {
            code: "saved".into(),
            exit: 0,
            message: String::new(),
            visit_state: "saved".into(),
        };
        assert_eq!(serde_json::to_value(&event).expect("plain data")["event"], event.word());
    }
}
