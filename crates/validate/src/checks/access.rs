//! Checks of login and token generation.

use super::{find_repeated_tokens, refused};
use crate::act::Act;
use crate::check::{Check, Judged, Sheet};
use crate::points;
use crate::seen::{Role, Seen};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "login.gives-session",
        title: "A valid login returns a session token",
        needs: &[Act::Login],
        remedy: "Answer the login of a business account with 200 and the session token as a string, at the JSON Pointer of the profile's `login.token`.",
        judge: gives_session,
    },
    Check {
        id: "login.wrong-password",
        title: "A wrong password is refused",
        needs: &[Act::Login],
        remedy: "Refuse a login whose password is wrong with 401 (Parse: 404 with code 101), without a session token.",
        judge: |observations| refused(observations, Role::LoginWrongPassword, "a wrong password"),
    },
    Check {
        id: "login.unknown-user",
        title: "An unknown user is refused",
        needs: &[Act::Login],
        remedy: "Refuse the login of an unknown user with the same response as for a wrong password, so that the response does not disclose who has an account.",
        judge: |observations| refused(observations, Role::LoginUnknownUser, "an unknown user"),
    },
    Check {
        id: "login.needs-key",
        title: "A login without the REST API key is refused",
        needs: &[Act::Login],
        remedy: "Require X-Copresence-REST-API-Key for the login too, as for every other call.",
        judge: |observations| refused(observations, Role::LoginNoKey, "a login without the API key"),
    },
    Check {
        id: "generate.succeeds",
        title: "An Export Token is generated for a valid key and session token",
        needs: &[Act::Generate],
        remedy: "Answer POST /generateExportToken with 200 if both headers are valid. If the credentials may be wrong, check them first: `copresence credentials status`.",
        judge: succeeds,
    },
    Check {
        id: "generate.token-string",
        title: "`token` in the response is a string that is valid in a header",
        needs: &[Act::Generate],
        remedy: "Answer with a JSON object whose `token` is a non-empty string of visible ASCII characters: clients send it back in a header.",
        judge: token_string,
    },
    Check {
        id: "generate.distinct",
        title: "Two Export Tokens are never the same",
        needs: &[Act::Generate, Act::GenerateAgain],
        remedy: "Generate a new token for each request, and do not let proxies cache the response.",
        judge: distinct,
    },
    Check {
        id: "generate.json",
        title: "The response of /generateExportToken is declared as JSON",
        needs: &[Act::Generate],
        remedy: "Send `Content-Type: application/json` with the response of /generateExportToken.",
        judge: json,
    },
    Check {
        id: "generate.no-key",
        title: "No token without the REST API key",
        needs: &[Act::Strangers],
        remedy: "Refuse /generateExportToken without X-Copresence-REST-API-Key (401 or 403).",
        judge: |observations| refused(observations, Role::GenerateNoKey, "no API key"),
    },
    Check {
        id: "generate.wrong-key",
        title: "No token for a wrong REST API key",
        needs: &[Act::Strangers],
        remedy: "Compare the value of X-Copresence-REST-API-Key. It is not enough that the header is present.",
        judge: |observations| refused(observations, Role::GenerateWrongKey, "a wrong API key"),
    },
    Check {
        id: "generate.no-session",
        title: "No token without a session token",
        needs: &[Act::Strangers],
        remedy: "Refuse /generateExportToken without X-Copresence-Session-Token (401; Parse: code 209): only business accounts may generate tokens.",
        judge: |observations| refused(observations, Role::GenerateNoSession, "no session token"),
    },
    Check {
        id: "generate.wrong-session",
        title: "No token for a wrong session token",
        needs: &[Act::Strangers],
        remedy: "Compare the whole session token before a token is generated.",
        judge: |observations| refused(observations, Role::GenerateWrongSession, "a wrong session token"),
    },
    Check {
        id: "generate.get-makes-none",
        title: "GET generates no token",
        needs: &[Act::Strangers],
        remedy: "Answer all methods except POST at /generateExportToken with 405: browsers, crawlers and caches send GET requests on their own.",
        judge: |observations| refused(observations, Role::GenerateByGet, "GET instead of POST"),
    },
];

fn gives_session(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in observations.of(Role::Login).filter(|step| step.reply.is_some()) {
        let body = step.json();
        let point = points::session(body.as_ref(), &observations.ground.session_pointer);
        let good = step.succeeded() && point.good;
        let expected = format!("2xx, and {}", point.expected);
        collector.expect(step, good, expected, format!("{}, {}", step.came(), point.came));
    }
    collector.judged("a session token was received", "no response was received")
}

fn succeeds(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in observations.of(Role::Generate).filter(|step| step.reply.is_some()) {
        collector.expect(step, step.succeeded(), "2xx for valid credentials", step.came());
    }
    collector.judged("generated", "no response was received")
}

fn token_string(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in observations.of(Role::Generate).filter(|step| step.succeeded()) {
        let body = step.json();
        collector.point(step, points::token(body.as_ref(), &observations.ground.token_pointer));
    }
    collector.judged("a valid string", "no token was generated")
}

fn distinct(observations: &Seen) -> Judged {
    let (collector, different) = find_repeated_tokens(observations, "a different token for each request");
    if different < 2 && !collector.has_findings() {
        return Judged::Inconclusive("fewer than two tokens were generated".to_owned());
    }
    collector.judged(format!("{different} tokens, all different"), "fewer than two tokens were generated")
}

fn json(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in observations.of(Role::Generate).filter(|step| step.succeeded()) {
        collector.point(step, points::content_type(step.header("content-type").as_deref()));
    }
    collector.judged("application/json", "no token was generated")
}
