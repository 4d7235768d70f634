//! Events of a visit: the lines of `visit --json` (a stable contract), and the source of the window's screens.

use copresence_store::{SavedFileNote, VisitId};
use jiff::Timestamp;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// An event of a visit: one line of `visit --json`.
#[derive(Debug, Clone, PartialEq)]
pub struct VisitEvent {
    /// The visit.
    pub visit: VisitId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
}

/// What happened. Contains no secret and no download URL.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    /// The first event.
    Started {
        /// The profile's name.
        profile: String,
        /// The backend's base URL.
        api_url: String,
    },
    /// A token was issued, and its link is shown as a QR code.
    Invited {
        /// The link in the QR code.
        link: String,
        /// When the Export Token expires, if the profile states its lifetime.
        expires_at: Option<Timestamp>,
    },
    /// The status changed.
    Status {
        /// As on the wire.
        completion_status: String,
        /// As on the wire: 0 to 100, or −1.
        completion_progress: i64,
        /// As on the wire: a position, or −1.
        queue_position: i64,
        /// Milliseconds until the next poll.
        next_poll_ms: u64,
    },
    /// Something failed and is retried.
    Retrying {
        /// The stable error code.
        code: String,
        /// What failed, for an operator.
        message: String,
        /// Number of failures in a row, from 1.
        attempt: u32,
        /// Milliseconds until the next attempt.
        next_poll_ms: u64,
    },
    /// URLs were received; the token is spent.
    Redeemed {
        /// The export types, as sent and in the order sent.
        exports: Vec<String>,
    },
    /// Progress of a download.
    Progress {
        /// Its name in the avatar's folder.
        file: String,
        /// Received bytes.
        bytes: u64,
        /// Size in bytes, if the backend stated it.
        total: Option<u64>,
    },
    /// The avatar's folder is complete.
    Saved {
        /// The folder.
        directory: String,
        /// Its files, without `manifest.json`.
        files: Vec<SavedFile>,
    },
    /// The last event.
    Ended {
        /// The stable code of the outcome.
        code: String,
        /// The process's exit code.
        exit: u8,
        /// What happened and what to do, for an operator.
        message: String,
        /// The state in which the visit ended.
        visit_state: String,
    },
}

/// A file that a visit saved, in the folder of its avatar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SavedFile {
    /// Its name in the avatar's folder.
    pub path: String,
    /// As sent.
    pub export_type: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Digest, in lower-case hexadecimal.
    pub sha256: String,
    /// What is unusual about it; a note is not a failure.
    pub notes: Vec<SavedFileNote>,
}

impl EventKind {
    /// The value of the field `event`.
    pub fn event_name(&self) -> &'static str {
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

impl Serialize for VisitEvent {
    /// Serializes `event`, `visit`, `at`, and then the event's own fields.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error;
        let event = serde_json::to_value(&self.kind).map_err(S::Error::custom)?;
        let fields = event.as_object().ok_or_else(|| S::Error::custom("an event is an object"))?;
        let mut map = serializer.serialize_map(Some(fields.len() + 2))?;
        map.serialize_entry("event", self.kind.event_name())?;
        map.serialize_entry("visit", &self.visit)?;
        map.serialize_entry("at", &format_rfc3339(self.at))?;
        for (key, value) in fields.iter().filter(|(key, _)| *key != "event") {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// RFC 3339 in UTC, to the millisecond.
pub fn format_rfc3339(at: Timestamp) -> String {
    format!("{at:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_starts_with_event_visit_and_time() {
        let line = VisitEvent {
            visit: VisitId::new(),
            at: "2026-11-22T10:00:00.1234Z".parse().expect("a time"),
            kind: EventKind::Progress { file: "avatar.glb".into(), bytes: 7, total: None },
        };
        let text = serde_json::to_string(&line).expect("plain data");
        let expected = format!(
            r#"{{"event":"progress","visit":"{}","at":"2026-11-22T10:00:00.123Z","file":"avatar.glb","bytes":7,"total":null}}"#,
            line.visit
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn the_kind_is_the_serde_tag() {
        let event =
            EventKind::Ended { code: "saved".into(), exit: 0, message: String::new(), visit_state: "saved".into() };
        assert_eq!(serde_json::to_value(&event).expect("plain data")["event"], event.event_name());
    }
}
