//! TLS, caches, strangers' pages, and time.

use super::ANY;
use crate::act::Act;
use crate::check::{Check, Judged, Sheet};
use crate::latency::percentiles;
use crate::points;
use crate::seen::{Role, Seen, Step};
use client::Call;
use std::time::Duration;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "http.tls",
        title: "The API is reached over TLS",
        needs: ANY,
        remedy: "Serve the API over https alone: each request carries a credential.",
        judge: tls,
    },
    Check {
        id: "http.hsts",
        title: "The API asks for TLS from now on (HSTS)",
        needs: ANY,
        remedy: "Send `Strict-Transport-Security: max-age=31536000` with each answer.",
        judge: hsts,
    },
    Check {
        id: "http.plain-refused",
        title: "Over plain HTTP the API answers nothing",
        needs: &[Act::Plain],
        remedy: "Refuse connections to the plain port, or redirect them: a credential sent there has leaked already.",
        judge: plain,
    },
    Check {
        id: "http.no-store",
        title: "Answers with tokens, states or URLs are not to be cached",
        needs: ANY,
        remedy: "Send `Cache-Control: no-store` with the answers of login, /generateExportToken and /redeemExportToken.",
        judge: no_store,
    },
    Check {
        id: "http.cors",
        title: "A stranger's page may not read the API's answers",
        needs: &[Act::Page],
        remedy: "Send no Access-Control-Allow-Origin, or name your own sites in it: neither `*` nor whatever Origin was sent.",
        judge: cors,
    },
    Check {
        id: "http.no-5xx",
        title: "No request makes the server fail",
        needs: ANY,
        remedy: "Look into the server's log for this time: a request of this run, right or wrong, met an error that nobody handles.",
        judge: no_5xx,
    },
    Check {
        id: "time.answered",
        title: "Every API request is answered",
        needs: ANY,
        remedy: "Answer within 30 seconds, whatever is asked, and close no connection without an answer.",
        judge: answered,
    },
    Check {
        id: "time.latency",
        title: "Of a hundred API calls, ninety-five are answered within two seconds",
        needs: ANY,
        remedy: "Answer from what is known, and do the work beside: clients poll, and each slow answer holds one up.",
        judge: latency,
    },
];

const FAST: Duration = Duration::from_secs(2);

fn api(seen: &Seen) -> impl Iterator<Item = &Step> {
    seen.steps.iter().filter(|step| step.exchange.call != Call::Download && step.role != Role::PlainHttp)
}

fn home(seen: &Seen) -> Option<Judged> {
    let why = "the backend is on this machine, and no network lies between";
    (seen.ground.loopback && !seen.ground.https).then(|| Judged::NotApplicable(why.to_owned()))
}

fn tls(seen: &Seen) -> Judged {
    if let Some(judged) = home(seen) {
        return judged;
    }
    let mut sheet = Sheet::default();
    if let Some(step) = api(seen).find(|step| step.reply.is_some()) {
        sheet.expect(step, seen.ground.https, "https, with a certificate that is trusted here", "http");
    }
    for (step, (url, _)) in
        seen.delivery().into_iter().flat_map(|step| step.urls().into_iter().map(move |u| (step, u)))
    {
        sheet.expect(step, url.starts_with("https://"), "download URLs over https", "one over http");
    }
    sheet.judged("https", "no answer came")
}

fn hsts(seen: &Seen) -> Judged {
    if let Some(judged) = home(seen) {
        return judged;
    }
    if !seen.ground.https {
        return Judged::NotApplicable("the API is not reached over TLS".to_owned());
    }
    let mut sheet = Sheet::default();
    for step in api(seen).filter(|step| step.succeeded()) {
        sheet.point(step, points::hsts(step.header("strict-transport-security").as_deref()));
    }
    sheet.judged("sent", "no answer came")
}

fn plain(seen: &Seen) -> Judged {
    let mut sheet = Sheet::default();
    for step in seen.of(Role::PlainHttp) {
        sheet.expect(step, !step.succeeded(), "a redirect, a refusal, or nobody there", step.came());
    }
    sheet.judged("nothing is answered there", "it was not tried")
}

fn no_store(seen: &Seen) -> Judged {
    let mut sheet = Sheet::default();
    for step in api(seen).filter(|step| step.succeeded() && !step.role.is_wrong_on_purpose()) {
        sheet.point(step, points::no_store(step.header("cache-control").as_deref()));
    }
    sheet.judged("no-store", "no answer came")
}

fn cors(seen: &Seen) -> Judged {
    let mut sheet = Sheet::default();
    for step in [Role::PreflightGenerate, Role::PreflightRedeem, Role::RedeemFromPage]
        .into_iter()
        .flat_map(|role| seen.of(role))
    {
        if step.reply.is_none() {
            continue;
        }
        let allowed = step.header("access-control-allow-origin").unwrap_or_default();
        sheet.point(step, points::cors(&allowed));
    }
    sheet.judged("no leave", "no answer came")
}

fn no_5xx(seen: &Seen) -> Judged {
    let mut sheet = Sheet::default();
    for step in seen.steps.iter().filter(|step| step.reply.is_some() && step.role != Role::LostAnswer) {
        let good = step.status().is_some_and(|status| status < 500);
        sheet.expect(step, good, "a status under 500", step.came());
    }
    sheet.judged("none failed", "no answer came")
}

fn answered(seen: &Seen) -> Judged {
    let mut sheet = Sheet::default();
    for step in api(seen).filter(|step| step.role != Role::LostAnswer) {
        sheet.expect(step, step.reply.is_some(), "an answer", step.came());
    }
    sheet.judged("each was answered", "nothing was asked")
}

fn latency(seen: &Seen) -> Judged {
    let steps: Vec<_> = api(seen).filter(|step| step.reply.is_some()).collect();
    let times: Vec<_> = steps.iter().map(|step| step.exchange.duration).collect();
    let Some(told) = percentiles(&times) else {
        return Judged::Inconclusive("no answer came".to_owned());
    };
    let words = format!("median {:?}, 95 % within {:?}, slowest {:?}", told.p50, told.p95, told.max);
    let mut sheet = Sheet::default();
    sheet.look(steps[0]);
    if told.p95 > FAST {
        let slow: Vec<_> = steps.iter().copied().filter(|step| step.exchange.duration > FAST).collect();
        sheet.wrong(&slow, "95 % within 2 s", words.clone());
    }
    sheet.judged(words, "no answer came")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::target::Ground;
    use client::Exchange;
    use client::probe::Reply;

    fn step(role: Role, status: u16, header: Option<(&'static str, &'static str)>, took: Duration) -> Step {
        let headers = header.into_iter().map(|(name, value)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
        });
        Step {
            number: 1,
            act: Act::Fresh,
            role,
            token: Some(1),
            file: None,
            curl: String::new(),
            exchange: Exchange {
                call: Call::Redeem,
                started_at: jiff::Timestamp::UNIX_EPOCH,
                head_after: Some(took),
                duration: took,
                method: "GET".to_owned(),
                url: String::new(),
                request_headers: Vec::new(),
                request_body: None,
                status: Some(status),
                response_headers: Vec::new(),
                body: None,
                body_size: 2,
                ending: client::Ending::Whole,
                error: None,
            },
            reply: Some(Reply { status, headers: headers.collect(), body: "{}".into() }),
        }
    }

    fn seen(https: bool, loopback: bool, steps: Vec<Step>) -> Seen {
        Seen { ground: Ground { https, loopback, ..Ground::default() }, steps, ..Seen::default() }
    }

    const SOON: Duration = Duration::from_millis(20);
    const HSTS: &str = "strict-transport-security";

    #[test]
    fn plain_http_fails_but_on_this_machine() {
        let fresh = || vec![step(Role::RedeemFresh, 200, None, SOON)];
        assert_eq!(tls(&seen(true, false, fresh())).verdict(), Verdict::Pass);
        assert_eq!(tls(&seen(false, false, fresh())).verdict(), Verdict::Fail);
        assert_eq!(tls(&seen(false, true, fresh())).verdict(), Verdict::NotApplicable);
    }

    #[test]
    fn hsts_is_asked_for_over_tls_and_must_last() {
        let judged =
            |header| hsts(&seen(true, false, vec![step(Role::RedeemFresh, 200, header, SOON)])).verdict();
        assert_eq!(judged(Some((HSTS, "max-age=31536000; includeSubDomains"))), Verdict::Pass);
        assert_eq!(judged(Some((HSTS, "max-age=0"))), Verdict::Fail);
        assert_eq!(judged(None), Verdict::Fail);
        assert_eq!(hsts(&seen(false, false, Vec::new())).verdict(), Verdict::NotApplicable);
    }

    #[test]
    fn the_plain_side_may_send_on_and_refuse_but_not_answer() {
        let judged =
            |status| plain(&seen(true, false, vec![step(Role::PlainHttp, status, None, SOON)])).verdict();
        assert_eq!([judged(301), judged(403), judged(200)], [Verdict::Pass, Verdict::Pass, Verdict::Fail]);
    }

    #[test]
    fn one_slow_answer_of_many_is_no_slow_backend() {
        let slow = |count: usize| {
            let took = |index| if index < count { Duration::from_secs(3) } else { SOON };
            let steps = (0..40).map(|index| step(Role::Poll, 200, None, took(index))).collect();
            latency(&seen(true, false, steps)).verdict()
        };
        assert_eq!([slow(0), slow(2), slow(3)], [Verdict::Pass, Verdict::Pass, Verdict::Fail]);
    }
}
