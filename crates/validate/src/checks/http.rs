//! Checks of TLS, caching, CORS, server errors and response times.

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
        remedy: "Serve the API over https only: each request contains a credential.",
        judge: tls,
    },
    Check {
        id: "http.hsts",
        title: "The API sends HSTS",
        needs: ANY,
        remedy: "Send `Strict-Transport-Security: max-age=31536000` with each response.",
        judge: hsts,
    },
    Check {
        id: "http.plain-refused",
        title: "The API does not respond with success over plain HTTP",
        needs: &[Act::Plain],
        remedy: "Refuse connections to the plain HTTP port, or redirect them: a credential that is sent there has already leaked.",
        judge: plain,
    },
    Check {
        id: "http.no-store",
        title: "Responses with tokens, states or URLs must not be cached",
        needs: ANY,
        remedy: "Send `Cache-Control: no-store` with the responses of login, /generateExportToken and /redeemExportToken.",
        judge: no_store,
    },
    Check {
        id: "http.cors",
        title: "Pages of other sites cannot read the API's responses",
        needs: &[Act::Page],
        remedy: "Send no Access-Control-Allow-Origin, or only your own sites: neither `*` nor a copy of the request's Origin.",
        judge: cors,
    },
    Check {
        id: "http.no-5xx",
        title: "No request causes a server error",
        needs: ANY,
        remedy: "Look into the server's log at the time of the run: one of its requests caused an error that the server does not handle.",
        judge: no_5xx,
    },
    Check {
        id: "time.answered",
        title: "Every API request gets a response",
        needs: ANY,
        remedy: "Respond to every request within 30 seconds, and do not close connections without a response.",
        judge: answered,
    },
    Check {
        id: "time.latency",
        title: "95 % of the API calls are answered within two seconds",
        needs: ANY,
        remedy: "Respond from known state, and do the work in the background: clients poll, and each slow response delays one.",
        judge: latency,
    },
];

/// Maximum response time of 95 % of the API calls.
const FAST: Duration = Duration::from_secs(2);

/// Every step at the API, without downloads and plain HTTP.
fn api(observations: &Seen) -> impl Iterator<Item = &Step> {
    observations
        .steps
        .iter()
        .filter(|step| step.exchange.call != Call::Download && step.role != Role::PlainHttp)
}

/// The result of TLS checks for a backend on this machine.
fn home(observations: &Seen) -> Option<Judged> {
    let why = "the backend runs on this machine, so no network is involved";
    (observations.ground.loopback && !observations.ground.https)
        .then(|| Judged::NotApplicable(why.to_owned()))
}

fn tls(observations: &Seen) -> Judged {
    if let Some(judged) = home(observations) {
        return judged;
    }
    let mut collector = Sheet::default();
    if let Some(step) = api(observations).find(|step| step.reply.is_some()) {
        collector.expect(
            step,
            observations.ground.https,
            "https, with a certificate that is trusted here",
            "http",
        );
    }
    for (step, (url, _)) in
        observations.delivery().into_iter().flat_map(|step| step.urls().into_iter().map(move |u| (step, u)))
    {
        collector.expect(step, url.starts_with("https://"), "download URLs over https", "a URL over http");
    }
    collector.judged("https", "no response was received")
}

fn hsts(observations: &Seen) -> Judged {
    if let Some(judged) = home(observations) {
        return judged;
    }
    if !observations.ground.https {
        return Judged::NotApplicable("the API is not reached over TLS".to_owned());
    }
    let mut collector = Sheet::default();
    for step in api(observations).filter(|step| step.succeeded()) {
        collector.point(step, points::hsts(step.header("strict-transport-security").as_deref()));
    }
    collector.judged("sent", "no response was received")
}

fn plain(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in observations.of(Role::PlainHttp) {
        collector.expect(step, !step.succeeded(), "a redirect, a refusal or no server", step.came());
    }
    collector.judged("no success over plain HTTP", "plain HTTP was not tried")
}

fn no_store(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in api(observations).filter(|step| step.succeeded() && !step.role.is_wrong_on_purpose()) {
        collector.point(step, points::no_store(step.header("cache-control").as_deref()));
    }
    collector.judged("no-store", "no response was received")
}

fn cors(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in [Role::PreflightGenerate, Role::PreflightRedeem, Role::RedeemFromPage]
        .into_iter()
        .flat_map(|role| observations.of(role))
    {
        if step.reply.is_none() {
            continue;
        }
        let allowed = step.header("access-control-allow-origin").unwrap_or_default();
        collector.point(step, points::cors(&allowed));
    }
    collector.judged("no access", "no response was received")
}

fn no_5xx(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in observations.steps.iter().filter(|step| step.reply.is_some() && step.role != Role::LostAnswer)
    {
        let good = step.status().is_some_and(|status| status < 500);
        collector.expect(step, good, "a status below 500", step.came());
    }
    collector.judged("no server error", "no response was received")
}

fn answered(observations: &Seen) -> Judged {
    let mut collector = Sheet::default();
    for step in api(observations).filter(|step| step.role != Role::LostAnswer) {
        collector.expect(step, step.reply.is_some(), "a response", step.came());
    }
    collector.judged("each request got a response", "no request was sent")
}

fn latency(observations: &Seen) -> Judged {
    let steps: Vec<_> = api(observations).filter(|step| step.reply.is_some()).collect();
    let durations: Vec<_> = steps.iter().map(|step| step.exchange.duration).collect();
    let Some(times) = percentiles(&durations) else {
        return Judged::Inconclusive("no response was received".to_owned());
    };
    let summary = format!("median {:?}, 95 % within {:?}, slowest {:?}", times.p50, times.p95, times.max);
    let mut collector = Sheet::default();
    collector.look(steps[0]);
    if times.p95 > FAST {
        let slow: Vec<_> = steps.iter().copied().filter(|step| step.exchange.duration > FAST).collect();
        collector.wrong(&slow, "95 % within 2 s", summary.clone());
    }
    collector.judged(summary, "no response was received")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;
    use crate::target::Ground;
    use client::Exchange;
    use client::probe::Reply;

    fn build_step(
        role: Role,
        status: u16,
        header: Option<(&'static str, &'static str)>,
        took: Duration,
    ) -> Step {
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

    fn observe(https: bool, loopback: bool, steps: Vec<Step>) -> Seen {
        Seen { ground: Ground { https, loopback, ..Ground::default() }, steps, ..Seen::default() }
    }

    const FAST_RESPONSE: Duration = Duration::from_millis(20);
    const HSTS: &str = "strict-transport-security";

    #[test]
    fn plain_http_fails_except_on_loopback() {
        let fresh = || vec![build_step(Role::RedeemFresh, 200, None, FAST_RESPONSE)];
        assert_eq!(tls(&observe(true, false, fresh())).verdict(), Verdict::Pass);
        assert_eq!(tls(&observe(false, false, fresh())).verdict(), Verdict::Fail);
        assert_eq!(tls(&observe(false, true, fresh())).verdict(), Verdict::NotApplicable);
    }

    #[test]
    fn hsts_is_required_over_tls_with_a_max_age() {
        let judged = |header| {
            hsts(&observe(true, false, vec![build_step(Role::RedeemFresh, 200, header, FAST_RESPONSE)]))
                .verdict()
        };
        assert_eq!(judged(Some((HSTS, "max-age=31536000; includeSubDomains"))), Verdict::Pass);
        assert_eq!(judged(Some((HSTS, "max-age=0"))), Verdict::Fail);
        assert_eq!(judged(None), Verdict::Fail);
        assert_eq!(hsts(&observe(false, false, Vec::new())).verdict(), Verdict::NotApplicable);
    }

    #[test]
    fn plain_http_may_redirect_or_refuse_but_not_succeed() {
        let judged = |status| {
            plain(&observe(true, false, vec![build_step(Role::PlainHttp, status, None, FAST_RESPONSE)]))
                .verdict()
        };
        assert_eq!([judged(301), judged(403), judged(200)], [Verdict::Pass, Verdict::Pass, Verdict::Fail]);
    }

    #[test]
    fn a_few_slow_responses_do_not_fail_latency() {
        let slow = |count: usize| {
            let took = |index| if index < count { Duration::from_secs(3) } else { FAST_RESPONSE };
            let steps = (0..40).map(|index| build_step(Role::Poll, 200, None, took(index))).collect();
            latency(&observe(true, false, steps)).verdict()
        };
        assert_eq!([slow(0), slow(2), slow(3)], [Verdict::Pass, Verdict::Pass, Verdict::Fail]);
    }
}
