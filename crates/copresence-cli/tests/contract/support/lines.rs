//! Lines of `visit --json`, held to the contract's table: these fields, of these types, and no other.

use serde_json::Value;
use std::collections::HashMap;

/// The table, as written: event, and each field with a check.
const TABLE: &[(&str, &[(&str, Is)])] = &[
    ("started", &[("profile", text), ("api_url", text)]),
    ("invited", &[("link", text), ("expires_at", time_or_null)]),
    (
        "status",
        &[
            ("completion_status", text),
            ("completion_progress", Value::is_i64),
            ("queue_position", Value::is_i64),
            ("next_poll_ms", Value::is_u64),
        ],
    ),
    (
        "retrying",
        &[("code", text), ("message", text), ("attempt", Value::is_u64), ("next_poll_ms", Value::is_u64)],
    ),
    ("redeemed", &[("exports", texts)]),
    ("progress", &[("file", text), ("bytes", Value::is_u64), ("total", u64_or_null)]),
    ("saved", &[("directory", text), ("files", files)]),
    ("ended", &[("code", text), ("exit", Value::is_u64), ("message", text), ("visit_state", text)]),
];

type Is = fn(&Value) -> bool;

fn text(value: &Value) -> bool {
    value.is_string()
}

fn texts(value: &Value) -> bool {
    value.as_array().is_some_and(|all| all.iter().all(Value::is_string))
}

fn u64_or_null(value: &Value) -> bool {
    value.is_u64() || value.is_null()
}

fn time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains('T') && text.parse::<jiff::Timestamp>().is_ok())
}

fn time_or_null(value: &Value) -> bool {
    value.is_null() || time(value)
}

fn files(value: &Value) -> bool {
    let file = |file: &Value| {
        fields(file) == ["bytes", "export_type", "path", "sha256"]
            && file["bytes"].is_u64()
            && file["export_type"].is_string()
            && file["path"].is_string()
            && file["sha256"].as_str().is_some_and(|hex| hex.len() == 64)
    };
    value.as_array().is_some_and(|all| all.iter().all(file))
}

fn fields(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// All lines of a run, each of which kept the table.
#[derive(Debug)]
pub(crate) struct Lines(pub(crate) Vec<Value>);

impl Lines {
    #[track_caller]
    pub(crate) fn read(stdout: &str) -> Self {
        let all: Vec<Value> =
            stdout.lines().map(|line| serde_json::from_str(line).expect("one JSON object a line")).collect();
        for line in &all {
            keeps_the_table(line);
        }
        Self(all)
    }

    /// The lines with this event.
    pub(crate) fn of(&self, event: &str) -> Vec<&Value> {
        self.0.iter().filter(|line| line["event"] == event).collect()
    }

    /// The one line with this event.
    #[track_caller]
    pub(crate) fn one(&self, event: &str) -> &Value {
        let all = self.of(event);
        assert_eq!(all.len(), 1, "one `{event}` is due: {:#?}", self.0);
        all[0]
    }

    /// The last line, which is the only `ended`.
    #[track_caller]
    pub(crate) fn ended(&self) -> &Value {
        let last = self.0.last().expect("a line");
        assert_eq!(last["event"], "ended", "{:#?}", self.0);
        self.one("ended")
    }

    /// The events in order, repetitions left out.
    pub(crate) fn order(&self) -> Vec<&str> {
        let mut order: Vec<&str> = self.0.iter().filter_map(|line| line["event"].as_str()).collect();
        order.dedup();
        order
    }

    /// `completion_status` of every `status`.
    pub(crate) fn statuses(&self) -> Vec<&str> {
        self.of("status").iter().filter_map(|line| line["completion_status"].as_str()).collect()
    }

    /// At most five `progress` a second and file: six in a row take longer than a second.
    #[track_caller]
    pub(crate) fn progress_is_sparse(&self) {
        let mut by_file: HashMap<&str, Vec<jiff::Timestamp>> = HashMap::new();
        for line in self.of("progress") {
            let at = line["at"].as_str().and_then(|at| at.parse().ok()).expect("a time");
            by_file.entry(line["file"].as_str().expect("a name")).or_default().push(at);
        }
        for (file, times) in by_file {
            for six in times.windows(6) {
                let took = six[5].as_millisecond() - six[0].as_millisecond();
                assert!(took >= 1_000, "{file}: six lines within {took} ms");
            }
        }
    }
}

#[track_caller]
fn keeps_the_table(line: &Value) {
    let event = line["event"].as_str().unwrap_or_else(|| panic!("no event in {line}"));
    let row = TABLE.iter().find(|(name, _)| *name == event);
    let (_, expected) = row.unwrap_or_else(|| panic!("`{event}` is no event of the contract: {line}"));
    let mut names: Vec<&str> = expected.iter().map(|(name, _)| *name).collect();
    names.extend(["at", "event", "visit"]);
    names.sort_unstable();
    assert_eq!(fields(line), names, "{line}");
    assert!(line["visit"].is_string() && time(&line["at"]), "{line}");
    for (name, is) in *expected {
        assert!(is(&line[name]), "`{name}` is of another type: {line}");
    }
}
