//! Changes one field of a JSON response.

use super::fault::FieldReplacement;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

/// Changes one field; random if `field` or `becomes` is `None`. Returns whether the field exists.
pub(crate) fn change_json_field(
    body: &mut Value,
    field: Option<&str>,
    becomes: Option<&FieldReplacement>,
    rng: &mut ChaCha8Rng,
) -> bool {
    let pointer = if let Some(field) = field {
        to_json_pointer(field)
    } else {
        let mut fields = Vec::new();
        collect_json_pointers(body, "", &mut fields);
        if fields.is_empty() {
            return false;
        }
        fields.swap_remove(rng.random_range(0..fields.len()))
    };
    let drawn =
        [FieldReplacement::Missing, FieldReplacement::Null, FieldReplacement::OtherType, FieldReplacement::OutOfRange];
    let becomes = becomes.unwrap_or_else(|| &drawn[rng.random_range(0..drawn.len())]);
    let Some(value) = body.pointer_mut(&pointer) else { return false };
    match becomes {
        FieldReplacement::Missing => return remove_json_field(body, &pointer),
        FieldReplacement::Null => *value = Value::Null,
        FieldReplacement::OtherType => *value = value_of_other_type(value),
        FieldReplacement::OutOfRange => *value = out_of_range_value(value),
        FieldReplacement::Value(given) => *value = given.clone(),
    }
    true
}

/// Converts `payload_complete[0].download_URL` to a JSON pointer.
fn to_json_pointer(field: &str) -> String {
    let parts = field.split(['.', '[']).map(|part| part.trim_end_matches(']'));
    parts
        .filter(|part| !part.is_empty())
        .fold(String::new(), |pointer, part| pointer + "/" + &part.replace('~', "~0").replace('/', "~1"))
}

/// Collects the JSON pointers of all fields and elements.
fn collect_json_pointers(value: &Value, at: &str, into: &mut Vec<String>) {
    let mut go = |name: String, child: &Value| {
        let at = format!("{at}/{name}");
        into.push(at.clone());
        collect_json_pointers(child, &at, into);
    };
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(k, v)| go(k.replace('~', "~0").replace('/', "~1"), v));
        }
        Value::Array(elements) => elements.iter().enumerate().for_each(|(i, v)| go(i.to_string(), v)),
        _ => {}
    }
}

/// Removes the field or element at a JSON pointer. Returns whether it existed.
fn remove_json_field(body: &mut Value, pointer: &str) -> bool {
    let Some((parent, name)) = pointer.rsplit_once('/') else { return false };
    match body.pointer_mut(parent) {
        Some(Value::Object(fields)) => fields.shift_remove(&name.replace("~1", "/").replace("~0", "~")).is_some(),
        Some(Value::Array(elements)) => match name.parse::<usize>() {
            Ok(index) if index < elements.len() => {
                elements.remove(index);
                true
            }
            _ => false,
        },
        _ => false,
    }
}

/// A JSON value whose type differs from that of `value`.
fn value_of_other_type(value: &Value) -> Value {
    match value {
        Value::Number(number) => Value::String(number.to_string()),
        Value::Bool(flag) => Value::String(flag.to_string()),
        Value::Object(_) => json!([]),
        Value::Array(_) => json!({}),
        Value::String(_) | Value::Null => json!(7),
    }
}

/// A value of the same type that the specification does not allow: a negative number, a text that is no header value,
/// URL or known word, an empty list or object. A boolean has no range and becomes a number.
fn out_of_range_value(value: &Value) -> Value {
    match value {
        Value::Number(_) => json!(-250),
        Value::String(_) => json!("\u{7}no such thing"),
        Value::Array(_) => json!([]),
        Value::Object(_) => json!({}),
        Value::Bool(_) | Value::Null => json!(2),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::SeedableRng;

    fn example_body() -> Value {
        json!({"avatar_ready": false, "payload_incomplete": {"completion_progress": 40, "completion_status": "processing"},
               "payload_complete": [{"download_URL": "http://a/", "export_type": "glb"}]})
    }

    fn changed(field: &str, becomes: &FieldReplacement) -> Value {
        let mut body = example_body();
        assert!(change_json_field(&mut body, Some(field), Some(becomes), &mut ChaCha8Rng::seed_from_u64(1)), "{field}");
        body
    }

    #[test]
    fn named_field_is_changed_and_no_other() {
        let progress = "payload_incomplete.completion_progress";
        let at = |body: &Value| body["payload_incomplete"]["completion_progress"].clone();
        assert_eq!(at(&changed(progress, &FieldReplacement::OutOfRange)), -250);
        assert_eq!(at(&changed(progress, &FieldReplacement::OtherType)), "40");
        assert_eq!(at(&changed(progress, &FieldReplacement::Value(json!(101)))), 101);
        assert_eq!(at(&changed(progress, &FieldReplacement::Null)), Value::Null);
        let gone = changed("payload_complete[0].download_URL", &FieldReplacement::Missing);
        assert_eq!(gone["payload_complete"], json!([{"export_type": "glb"}]));
        let mut same = gone.clone();
        assert!(!change_json_field(&mut same, Some("token"), None, &mut ChaCha8Rng::seed_from_u64(1)));
        assert_eq!(same, gone);
    }

    proptest! {
        #[test]
        fn random_change_is_effective_and_reproducible(seed: u64) {
            let (mut first, mut second) = (example_body(), example_body());
            prop_assert!(change_json_field(&mut first, None, None, &mut ChaCha8Rng::seed_from_u64(seed)));
            prop_assert!(change_json_field(&mut second, None, None, &mut ChaCha8Rng::seed_from_u64(seed)));
            prop_assert_eq!(&first, &second);
            prop_assert_ne!(first, example_body());
        }
    }
}
