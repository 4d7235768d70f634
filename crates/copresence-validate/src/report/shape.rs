//! The form of responses (statuses, headers, fields and their types, without values), and how two backends differ.

use super::{Report, ResponseShape};
use crate::observations::{Observations, RecordedStep};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Headers that say nothing about the form of a backend's responses.
const IGNORED_HEADERS: [&str; 7] =
    ["date", "content-length", "connection", "keep-alive", "transfer-encoding", "etag", "last-modified"];

/// Collects the shapes of a run, by the kind of request and, for an active token, its status.
pub(super) fn collect_response_shapes(observations: &Observations) -> BTreeMap<String, ResponseShape> {
    let mut shapes: BTreeMap<String, ResponseShape> = BTreeMap::new();
    for step in &observations.steps {
        let Some(reply) = &step.reply else { continue };
        let shape = shapes.entry(response_shape_key(step)).or_default();
        shape.statuses.insert(reply.status);
        shape.content_types.extend(step.response_header("content-type").map(|kind| kind.to_ascii_lowercase()));
        let names = reply.headers.keys().map(|name| name.as_str().to_owned());
        shape.headers.extend(names.filter(|name| !IGNORED_HEADERS.contains(&name.as_str())));
        if let Some(body) = step.json_body() {
            collect_field_types(&body, "", &mut shape.fields);
        }
    }
    shapes
}

/// Key of the shape of a response: the delivery, the `completion_status` of a redeem, else the purpose of the step.
fn response_shape_key(step: &RecordedStep) -> String {
    if step.is_token_spending_response() {
        return "redeem: delivered".to_owned();
    }
    match step.read_completion_status_field() {
        Some(status) if step.has_success_status() => format!("redeem: {}", known_completion_status_or_other(&status)),
        _ => step.role.describe_role().to_owned(),
    }
}

/// A status of the specification, or `another status`: a backend's own status may be any text.
fn known_completion_status_or_other(status: &str) -> &str {
    match copresence_protocol::CompletionStatus::from(status) {
        copresence_protocol::CompletionStatus::Other(_) => "another status",
        _ => status,
    }
}

/// Adds the JSON types of a value, and of everything in it, by location.
fn collect_field_types(value: &Value, at: &str, fields: &mut BTreeMap<String, BTreeSet<String>>) {
    let kind = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "boolean".to_owned(),
        // The code of an error is part of its form.
        Value::Number(number) if at == "code" => format!("integer {number}"),
        Value::Number(number) if number.is_f64() => "number".to_owned(),
        Value::Number(_) => "integer".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(items) => {
            for item in items {
                collect_field_types(item, &format!("{at}[]"), fields);
            }
            "array".to_owned()
        }
        Value::Object(members) => {
            for (key, member) in members {
                let location = if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
                collect_field_types(member, &location, fields);
            }
            "object".to_owned()
        }
    };
    fields.entry(if at.is_empty() { "(body)".to_owned() } else { at.to_owned() }).or_default().insert(kind);
}

/// Headers that change what a client does with a response. Other headers are noise.
const MEANINGFUL_HEADERS: [&str; 11] = [
    "accept-ranges",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "content-encoding",
    "content-range",
    "location",
    "retry-after",
    "set-cookie",
    "www-authenticate",
];

/// Whether a difference changes what a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceSignificance {
    /// A status, a field, a media type, or a header that clients act on.
    Meaning,
    /// A parameter of a media type, such as a charset, or a header that clients ignore.
    Noise,
}

/// One difference between the responses of two backends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ShapeDifference {
    /// Whether it changes what a client does.
    pub kind: DifferenceSignificance,
    /// The kind of request.
    pub asked: String,
    /// What differs: status, content type, header, or a location in the body.
    pub what: String,
    /// Value at the first backend.
    pub first: String,
    /// Value at the second backend.
    pub second: String,
}

/// Differences of noise that are the same for several kinds of request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoiseDifferenceGroup {
    /// What differs, as in [`ShapeDifference::what`].
    pub what: String,
    /// Value at the first backend.
    pub first: String,
    /// Value at the second backend.
    pub second: String,
    /// The kinds of request.
    pub asked: Vec<String>,
}

/// Groups the differences that are noise by what differs and how. The largest groups come first.
pub fn group_noise_differences(differences: &[ShapeDifference]) -> Vec<NoiseDifferenceGroup> {
    let mut groups: Vec<NoiseDifferenceGroup> = Vec::new();
    for noise in differences.iter().filter(|difference| difference.kind == DifferenceSignificance::Noise) {
        let ShapeDifference { asked, what, first, second, .. } = noise;
        match groups.iter_mut().find(|group| (&group.what, &group.first, &group.second) == (what, first, second)) {
            Some(group) => group.asked.push(asked.clone()),
            None => groups.push(NoiseDifferenceGroup {
                what: what.clone(),
                first: first.clone(),
                second: second.clone(),
                asked: vec![asked.clone()],
            }),
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.asked.len()));
    groups
}

/// The media types of `Content-Type` headers, without parameters.
fn media_types_of_headers(headers: &BTreeSet<String>) -> BTreeSet<&str> {
    headers.iter().map(|header| header.split(';').next().unwrap_or_default().trim()).collect()
}

/// Compares the shapes of two reports. Returns the differences, those of meaning first, and the kinds of request that
/// only one report contains.
pub fn compare_response_shapes(first: &Report, second: &Report) -> (Vec<ShapeDifference>, Vec<String>) {
    let mut found = Vec::new();
    for (asked, one) in &first.shapes {
        let Some(other) = second.shapes.get(asked) else { continue };
        let mut differ = |kind: DifferenceSignificance, what: &str, first: String, second: String| {
            if first != second {
                found.push(ShapeDifference { kind, asked: asked.clone(), what: what.to_owned(), first, second });
            }
        };
        differ(
            DifferenceSignificance::Meaning,
            "status",
            join_alternatives(&one.statuses),
            join_alternatives(&other.statuses),
        );
        let is_same_media_type =
            media_types_of_headers(&one.content_types) == media_types_of_headers(&other.content_types);
        let kind = if is_same_media_type { DifferenceSignificance::Noise } else { DifferenceSignificance::Meaning };
        differ(kind, "Content-Type", join_alternatives(&one.content_types), join_alternatives(&other.content_types));
        for header in one.headers.symmetric_difference(&other.headers) {
            let presence =
                |shape: &ResponseShape| if shape.headers.contains(header) { "sent" } else { "not sent" }.to_owned();
            let is_meaningful = MEANINGFUL_HEADERS.contains(&header.as_str());
            let kind = if is_meaningful { DifferenceSignificance::Meaning } else { DifferenceSignificance::Noise };
            differ(kind, &format!("header {header}"), presence(one), presence(other));
        }
        let locations: BTreeSet<_> = one.fields.keys().chain(other.fields.keys()).collect();
        for location in locations {
            let kinds = |shape: &ResponseShape| {
                shape.fields.get(location).map_or_else(|| "absent".to_owned(), join_alternatives)
            };
            differ(DifferenceSignificance::Meaning, location, kinds(one), kinds(other));
        }
    }
    found.sort_by_key(|difference| difference.kind);
    let asked = |report: &Report| report.shapes.keys().cloned().collect::<BTreeSet<_>>();
    let (one, other) = (asked(first), asked(second));
    let only = |mine: &BTreeSet<String>, theirs: &BTreeSet<String>, name: &str| {
        mine.difference(theirs).map(|asked| format!("{asked} (seen at {name} only)")).collect::<Vec<_>>()
    };
    let mut alone = only(&one, &other, &first.target.name);
    alone.extend(only(&other, &one, &second.target.name));
    (found, alone)
}

/// Joins the items with `or`; `none` if there is none.
fn join_alternatives<T: ToString>(items: &BTreeSet<T>) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_contains_types_but_no_values() {
        let body = serde_json::json!({"token": "secret", "code": 209, "list": [{"n": 1}, {"n": null}], "x": 1.5});
        let mut fields = BTreeMap::new();
        collect_field_types(&body, "", &mut fields);
        let found: Vec<_> = fields.iter().map(|(at, kinds)| format!("{at}: {}", join_alternatives(kinds))).collect();
        assert_eq!(
            found,
            [
                "(body): object",
                "code: integer 209",
                "list: array",
                "list[]: object",
                "list[].n: integer or null",
                "token: string",
                "x: number"
            ]
        );
    }
}
