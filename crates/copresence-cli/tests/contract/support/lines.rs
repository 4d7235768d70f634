//! Parses the lines of `visit --json`, and checks that they have exactly the fields and types of the contract.

use serde_json::Value;
use std::collections::HashMap;

/// The fields of each event with their type checks.
const EVENT_FIELDS: &[(&str, &[(&str, FieldCheck)])] = &[
    ("started", &[("profile", is_text), ("api_url", is_text)]),
    ("invited", &[("link", is_text), ("expires_at", is_time_or_null)]),
    (
        "status",
        &[
            ("completion_status", is_text),
            ("completion_progress", Value::is_i64),
            ("queue_position", Value::is_i64),
            ("next_poll_ms", Value::is_u64),
        ],
    ),
    (
        "retrying",
        &[("code", is_text), ("message", is_text), ("attempt", Value::is_u64), ("next_poll_ms", Value::is_u64)],
    ),
    ("redeemed", &[("exports", is_text_array)]),
    ("progress", &[("file", is_text), ("bytes", Value::is_u64), ("total", is_u64_or_null)]),
    ("saved", &[("directory", is_text), ("files", is_file_array)]),
    ("ended", &[("code", is_text), ("exit", Value::is_u64), ("message", is_text), ("visit_state", is_text)]),
];

type FieldCheck = fn(&Value) -> bool;

fn is_text(value: &Value) -> bool {
    value.is_string()
}

fn is_text_array(value: &Value) -> bool {
    value.as_array().is_some_and(|all| all.iter().all(Value::is_string))
}

fn is_u64_or_null(value: &Value) -> bool {
    value.is_u64() || value.is_null()
}

fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains('T') && text.parse::<jiff::Timestamp>().is_ok())
}

fn is_time_or_null(value: &Value) -> bool {
    value.is_null() || is_time(value)
}

fn is_file_array(value: &Value) -> bool {
    let file = |file: &Value| {
        field_names(file) == ["bytes", "export_type", "notes", "path", "sha256"]
            && file["bytes"].is_u64()
            && file["export_type"].is_string()
            && file["path"].is_string()
            && file["sha256"].as_str().is_some_and(|hex| hex.len() == 64)
            && file["notes"].as_array().is_some_and(|notes| notes.iter().all(is_note))
    };
    value.as_array().is_some_and(|all| all.iter().all(file))
}

/// A stable code with a sentence.
fn is_note(note: &Value) -> bool {
    field_names(note) == ["code", "message"] && note["code"].is_string() && note["message"].is_string()
}

fn field_names(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// All lines of a run, after a check of their fields.
#[derive(Debug)]
pub(crate) struct JsonLines(pub(crate) Vec<Value>);

impl JsonLines {
    #[track_caller]
    pub(crate) fn parse(stdout: &str) -> Self {
        let all: Vec<Value> =
            stdout.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect();
        for line in &all {
            check_fields(line);
        }
        Self(all)
    }

    /// The lines with this event.
    pub(crate) fn with_event(&self, event: &str) -> Vec<&Value> {
        self.0.iter().filter(|line| line["event"] == event).collect()
    }

    /// The only line with this event.
    #[track_caller]
    pub(crate) fn only_event(&self, event: &str) -> &Value {
        let all = self.with_event(event);
        assert_eq!(all.len(), 1, "not exactly one `{event}`: {:#?}", self.0);
        all[0]
    }

    /// The last line, which is the only `ended`.
    #[track_caller]
    pub(crate) fn ended_line(&self) -> &Value {
        let last = self.0.last().expect("a line");
        assert_eq!(last["event"], "ended", "{:#?}", self.0);
        self.only_event("ended")
    }

    /// The events in order without repetitions.
    pub(crate) fn event_order(&self) -> Vec<&str> {
        let mut order: Vec<&str> = self.0.iter().filter_map(|line| line["event"].as_str()).collect();
        order.dedup();
        order
    }

    /// The `completion_status` of every `status`.
    pub(crate) fn completion_statuses(&self) -> Vec<&str> {
        self.with_event("status").iter().filter_map(|line| line["completion_status"].as_str()).collect()
    }

    /// Checks that each file has at most five `progress` lines per second: six in a row take at least one second.
    #[track_caller]
    pub(crate) fn check_progress_rate(&self) {
        let mut by_file: HashMap<&str, Vec<jiff::Timestamp>> = HashMap::new();
        for line in self.with_event("progress") {
            let at = line["at"].as_str().and_then(|at| at.parse().ok()).expect("a time");
            by_file.entry(line["file"].as_str().expect("a name")).or_default().push(at);
        }
        for (file, times) in by_file {
            for six in times.windows(6) {
                let duration = six[5].as_millisecond() - six[0].as_millisecond();
                assert!(duration >= 1_000, "{file}: six lines within {duration} ms");
            }
        }
    }
}

#[track_caller]
fn check_fields(line: &Value) {
    let event = line["event"].as_str().unwrap_or_else(|| panic!("no event in {line}"));
    let row = EVENT_FIELDS.iter().find(|(name, _)| *name == event);
    let (_, expected) = row.unwrap_or_else(|| panic!("the contract has no event `{event}`: {line}"));
    let mut names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    names.extend(["at", "event", "visit"]);
    names.sort_unstable();
    assert_eq!(field_names(line), names, "{line}");
    assert!(line["visit"].is_string() && is_time(&line["at"]), "{line}");
    for (name, check) in *expected {
        assert!(check(&line[name]), "`{name}` has another type: {line}");
    }
}
