//! Properties of fault lists that a person or a program wrote wrong.

use super::CATALOGUE;
use super::fault::{Endpoint, RequestAttributes};
use super::fault_set::{FaultSet, parse_and_check_faults};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

/// A value that a person or a program may write in place of a valid one.
fn wrong_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop_oneof![Just(0), Just(1), Just(u64::MAX), any::<u64>()].prop_map(Value::from),
        prop_oneof![Just(i64::MIN), any::<i64>()].prop_map(Value::from),
        prop_oneof![Just(1e308), Just(-0.5), any::<f64>()].prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        Just(Value::from("\u{1b}".repeat(5_000))),
        Just(json!([])),
        Just(json!({})),
    ]
}

/// The JSON Pointers of a value and of everything in it.
fn collect_pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| collect_pointers(item, &format!("{at}/{i}"), found));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| collect_pointers(field, &format!("{at}/{name}"), found));
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn changed_fault_list_is_used_or_refused_in_a_short_message(
        chosen in vec(any::<Index>(), 1..4),
        changes in vec((any::<Index>(), wrong_value()), 0..4),
    ) {
        let mut list: Value = chosen
            .iter()
            .map(|chosen| serde_json::from_str::<Value>(chosen.get(&CATALOGUE).example).expect("JSON"))
            .collect();
        for (place, value) in changes {
            let mut pointers = Vec::new();
            collect_pointers(&list, "", &mut pointers);
            let pointer: &String = place.get(&pointers);
            *list.pointer_mut(pointer).expect("a place") = value;
        }
        match parse_and_check_faults(list.to_string().as_bytes()) {
            Ok(faults) => {
                let written = serde_json::to_vec(&faults).expect("plain data");
                prop_assert_eq!(&parse_and_check_faults(&written).expect("valid again"), &faults);
                let mut set = FaultSet::new(7);
                set.replace_faults(faults).expect("checked");
                for endpoint in Endpoint::ALL.iter().map(|row| row.0) {
                    let of_file = (endpoint == Endpoint::File).then_some("avatar.glb");
                    let attributes = RequestAttributes {
                        endpoint, ready: true, file: of_file, export_type: of_file.map(|_| "glb"), ranged: true,
                    };
                    for _ in 0..4 {
                        set.count_request_returning_its_faults(&attributes);
                    }
                }
            }
            Err(error) => {
                let message = error.to_string();
                prop_assert!(!message.is_empty() && message.chars().count() < 1_000, "{}", message);
            }
        }
    }

    #[test]
    fn any_text_as_a_fault_list_is_refused_or_used(text in "[\\[\\]{}:,\"a-z0-9 .\\-]{0,100}") {
        drop(parse_and_check_faults(text.as_bytes()));
    }
}
