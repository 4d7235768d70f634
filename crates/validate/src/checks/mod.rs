//! Every check, in report order.

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
use crate::plan::NO_WRONG_REQUESTS;
use crate::seen::{Role, Seen};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Every check, in report order.
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

/// Judges a request that must not succeed: status 400 or above. A server error (5xx) also discloses nothing, and has a
/// check of its own.
fn refused(observations: &Seen, role: Role, what: &str) -> Judged {
    if observations.first(role).is_none() {
        return not_asked(observations);
    }
    let mut collector = Sheet::default();
    for step in observations.of(role).filter(|step| step.reply.is_some()) {
        let good = step.status().is_some_and(|status| status >= 400);
        collector.expect(step, good, format!("{what}: a refusal (4xx)"), step.came());
    }
    collector.judged("refused", "no response was received")
}

/// Judges a redeem without an active token: status 400.
fn not_active(observations: &Seen, role: Role) -> Judged {
    if observations.first(role).is_none() {
        return not_asked(observations);
    }
    let mut collector = Sheet::default();
    for step in observations.of(role).filter(|step| step.reply.is_some()) {
        let expected = "status 400: the token “does not match an active Export Token”";
        collector.expect(step, step.status() == Some(400), expected, step.came());
    }
    collector.judged("status 400", "no response was received")
}

/// The result if the run sent no such request.
fn not_asked(observations: &Seen) -> Judged {
    if observations.ground.right_only {
        return Judged::Skipped(NO_WRONG_REQUESTS.to_owned());
    }
    Judged::NotApplicable("this route has no such request".to_owned())
}

/// Looks for an Export Token that came more than once, and counts the different ones.
fn find_repeated_tokens(observations: &Seen, expected: &str) -> (Sheet, usize) {
    let mut collector = Sheet::default();
    let mut earlier = BTreeMap::new();
    for step in observations.of(Role::Generate).filter(|step| step.succeeded()) {
        let token =
            step.json().and_then(|body| Some(body.pointer(&observations.ground.token_pointer)?.to_string()));
        let Some(token) = token else { continue };
        collector.look(step);
        if let Some(first) = earlier.insert(token, step) {
            collector.wrong(&[first, step], expected, "the same token as before");
        }
    }
    (collector, earlier.len())
}

/// For checks that look at every step and need no specific act.
const ANY: &[Act] = &[];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_an_id_a_title_and_a_remedy() {
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
}
