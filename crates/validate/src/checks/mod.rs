//! Every check, in the order in which reports show them.

mod access;
mod delivery;
mod errors;
mod files;
mod http;
mod progress;
mod redeem;
mod relay;

use crate::act::Act;
use crate::check::{Check, Judged, Sheet};
use crate::seen::{Role, Seen, Step};
use serde_json::Value;
use std::sync::LazyLock;

pub(crate) use redeem::is_delivery;

/// Every check.
pub static CHECKS: LazyLock<Vec<&'static Check>> = LazyLock::new(|| {
    let all: [&'static [Check]; 8] = [
        access::CHECKS,
        redeem::CHECKS,
        progress::CHECKS,
        delivery::CHECKS,
        files::CHECKS,
        errors::CHECKS,
        http::CHECKS,
        relay::CHECKS,
    ];
    all.into_iter().flatten().collect()
});

/// A whole number: 42.0 is one in JSON's own terms.
fn integer(value: &Value) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "whole and small")]
    let whole = |n: f64| (n.fract() == 0.0 && n.abs() < 1e15).then_some(n as i64);
    value.as_i64().or_else(|| value.as_f64().and_then(whole))
}

/// What stands somewhere: a number, a word of the specification, or a kind.
fn shown(value: Option<&Value>) -> String {
    match value {
        None => "nothing".to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(flag)) => flag.to_string(),
        Some(Value::Null) => "null".to_owned(),
        Some(Value::String(text))
            if text.len() <= 40
                && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')) =>
        {
            format!("{text:?}")
        }
        Some(Value::String(_)) => "a string".to_owned(),
        Some(Value::Array(_)) => "an array".to_owned(),
        Some(Value::Object(_)) => "an object".to_owned(),
    }
}

/// Whether a request that has no right to succeed was refused: a failure of the server hands out nothing either, and
/// is told by a check of its own.
fn refused(seen: &Seen, role: Role, what: &str) -> Judged {
    if seen.first(role).is_none() {
        return not_asked();
    }
    let mut sheet = Sheet::default();
    for step in seen.of(role).filter(|step| step.reply.is_some()) {
        let good = step.status().is_some_and(|status| status >= 400);
        sheet.expect(step, good, format!("{what}: a refusal (4xx)"), step.came());
    }
    sheet.judged("refused", "no answer came")
}

/// Whether a redeem of what is no active token was answered 400.
fn not_active(seen: &Seen, role: Role) -> Judged {
    if seen.first(role).is_none() {
        return not_asked();
    }
    let mut sheet = Sheet::default();
    for step in seen.of(role).filter(|step| step.reply.is_some()) {
        let expected = "status 400: the token “does not match an active Export Token”";
        sheet.expect(step, step.status() == Some(400), expected, step.came());
    }
    sheet.judged("answered with 400", "no answer came")
}

fn not_asked() -> Judged {
    Judged::NotApplicable("there is nothing to ask on this route".to_owned())
}

fn is_json(step: &Step) -> bool {
    let kind = step.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// For checks that look at every step: nothing that they need can be missing.
const ANY: &[Act] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_says_what_to_do_in_whole_sentences() {
        for check in CHECKS.iter() {
            assert!(
                check.title.ends_with(|c: char| c.is_alphanumeric() || c == ')' || c == '`'),
                "{}",
                check.id
            );
            assert!(check.remedy.ends_with('.') && check.remedy.len() > 20, "{}", check.id);
            assert!(check.id.contains('.') && check.id.is_ascii(), "{}", check.id);
        }
    }

    #[test]
    fn what_is_shown_of_a_body_is_no_secret() {
        assert_eq!(shown(Some(&Value::from("in_queue"))), "\"in_queue\"");
        assert_eq!(shown(Some(&Value::from("https://files.test/secret"))), "a string");
        assert_eq!(integer(&serde_json::json!(42.0)), Some(42));
        assert_eq!(integer(&serde_json::json!(42.5)), None);
        assert_eq!(integer(&serde_json::json!("42")), None);
    }
}
