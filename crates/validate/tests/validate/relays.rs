//! A partner's relay between the console and Copresence: a good one passes, and each wrong one is caught.

use crate::support::{Assets, Serving, options, serve, validate};
use crate::wrong::{KEY, Memory, SESSION, TOKEN};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use client::probe::{Probe, Prober, Reply};
use client::{Call, PartnerSource, TimeOuts};
use http::Method;
use protocol::PartnerKey;
use sandbox::{Sandbox, Server};
use std::sync::Arc;
use url::Url;
use validate::run::Ended;
use validate::{Backend, Credentials, Hand, RedeemRoute, Target, Tester, TokenSource, Verdict};

const OWN_KEY: &str = "partner-key-0123456789";

/// What a relay does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    HandsOutOneToken,
    CachesRedeems,
    ShowsTheKey,
    ShowsTheSession,
    LetsStrangersIn,
    LetsStrangersRedeem,
    LooksBeforehand,
    SendsAgain,
    HidesTheLoss,
    ServesFromACdn,
}

/// A relay as a partner writes one: holds the credentials, checks a key of its own, passes the rest on.
#[derive(Clone)]
struct Relay {
    fault: Fault,
    upstream: Url,
    sandbox: Sandbox,
    prober: Arc<Prober>,
    token: Memory<Vec<u8>>,
    answers: Memory<Vec<u8>>,
}

impl Relay {
    fn router(self) -> Router {
        Router::new()
            .route("/token", post(token))
            .route("/avatar", get(redeem))
            .method_not_allowed_fallback(async || refused(405, "not by this method"))
            .with_state(self)
    }

    /// One request at Copresence; `None` when its answer was lost.
    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Option<Reply> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let url = self.upstream.join(path).expect("a URL");
        let call = Call::Redeem;
        let probe = Probe { call, method, url, headers, body: None, token_pointer: None, limit: 1_000_000 };
        self.prober.send(probe).await.expect("sent").reply.ok()
    }

    async fn redeem(&self, token: &str) -> Option<Reply> {
        let key = self.sandbox.credentials().api_key.expose().to_owned();
        self.ask(Method::GET, "redeemExportToken", &[(KEY, &key), (TOKEN, token)]).await
    }
}

fn knows(headers: &HeaderMap) -> bool {
    headers
        .get("authorization")
        .is_some_and(|value| value.as_bytes() == format!("Bearer {OWN_KEY}").as_bytes())
}

fn refused(status: u16, error: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [("cache-control", "no-store")], axum::Json(serde_json::json!({ "error": error })))
        .into_response()
}

fn passed(status: u16, body: Vec<u8>) -> Response {
    let head = [("cache-control", "no-store"), ("content-type", "application/json")];
    (StatusCode::from_u16(status).expect("a status"), head, body).into_response()
}

async fn token(State(relay): State<Relay>, headers: HeaderMap) -> Response {
    if !knows(&headers) && relay.fault != Fault::LetsStrangersIn {
        return refused(401, "whose kiosk is this?");
    }
    if let (Fault::HandsOutOneToken, Some(body)) = (relay.fault, relay.token.get("")) {
        return passed(200, body);
    }
    let known = relay.sandbox.credentials().clone();
    let (key, session) = (known.api_key.expose(), known.session_token.expose());
    let Some(reply) = relay.ask(Method::POST, "generateExportToken", &[(KEY, key), (SESSION, session)]).await
    else {
        return refused(502, "Copresence does not answer");
    };
    relay.token.put("", reply.body.to_vec());
    let body: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    let token = body["token"].as_str().expect("a token").to_owned();
    if relay.fault == Fault::LooksBeforehand {
        relay.redeem(&token).await;
    }
    match relay.fault {
        Fault::ShowsTheSession => {
            passed(200, serde_json::json!({"token": token, "debug": session}).to_string().into_bytes())
        }
        Fault::ShowsTheKey => {
            let mut response = passed(200, reply.body.to_vec());
            response.headers_mut().insert("x-upstream", format!("key={key}").parse().expect("a value"));
            response
        }
        _ => passed(200, reply.body.to_vec()),
    }
}

async fn redeem(State(relay): State<Relay>, request: Request) -> Response {
    let headers = request.headers();
    if !knows(headers) && relay.fault != Fault::LetsStrangersRedeem {
        return refused(401, "whose kiosk is this?");
    }
    let token = headers.get(TOKEN).map_or("", |value| value.to_str().expect("visible")).to_owned();
    // Each answer of an avatar that is not ready is given twice.
    if let (Fault::CachesRedeems, Some(body)) = (relay.fault, relay.answers.take(&token)) {
        return passed(200, body);
    }
    let mut reply = relay.redeem(&token).await;
    if reply.is_none() && relay.fault == Fault::SendsAgain {
        reply = relay.redeem(&token).await;
    }
    let Some(reply) = reply else {
        return match relay.fault {
            Fault::HidesTheLoss => passed(200, br#"{"avatar_ready":false}"#.to_vec()),
            _ => refused(502, "Copresence's answer was lost; the token may be spent"),
        };
    };
    if reply.status == 200 && !String::from_utf8_lossy(&reply.body).contains("payload_complete") {
        relay.answers.put(&token, reply.body.to_vec());
    }
    let mut response = passed(reply.status, reply.body.to_vec());
    if relay.fault == Fault::ServesFromACdn {
        response.headers_mut().insert("age", "17".parse().expect("a value"));
    }
    response
}

struct Stand {
    _relay: Serving,
    _upstream: Server,
    ended: Ended,
}

async fn checked(fault: Fault, assets: &Assets) -> Stand {
    let sandbox = assets.sandbox();
    let upstream = Server::serve(sandbox.clone(), ([127, 0, 0, 1], 0).into()).expect("a port");
    let prober = Arc::new(Prober::new(TimeOuts::default(), false).expect("a prober"));
    let relay = Relay {
        fault,
        upstream: upstream.url(),
        sandbox: sandbox.clone(),
        prober,
        token: Memory::default(),
        answers: Memory::default(),
    };
    let relay = serve(relay.router()).await;
    let headers = vec![("Authorization".to_owned(), "Bearer {partner_key}".to_owned())];
    let source = PartnerSource {
        headers: headers.clone(),
        ..PartnerSource::new(relay.url.join("token").expect("a URL"))
    };
    let redeem = RedeemRoute::Partner { url: relay.url.join("avatar").expect("a URL"), headers };
    let known = sandbox.credentials();
    let target = Target {
        backend: Backend {
            source: TokenSource::Partner(source),
            redeem,
            ..Backend::vendor(relay.url.clone())
        },
        // Known so that they can be looked for; no request carries them.
        credentials: Credentials {
            api_key: Some(known.api_key.clone()),
            session_token: Some(known.session_token.clone()),
            partner_key: Some(PartnerKey::new(OWN_KEY)),
            ..Credentials::default()
        },
        ..crate::support::target(&relay.url, Credentials::default())
    };
    let tester = Tester::find(upstream.url(), None).await.expect("HTTP").expect("a sandbox");
    let (_, ended) = validate(&target, &options(), &Hand::Sandbox(tester)).await;
    assert_eq!(ended.error, None);
    Stand { _relay: relay, _upstream: upstream, ended }
}

fn with(ended: &Ended, verdict: Verdict) -> Vec<&'static str> {
    let of = ended.verdicts.iter().filter(|(_, judged)| judged.verdict() == verdict);
    let mut ids: Vec<_> = of.map(|(check, _)| check.id).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_good_relay_passes_and_every_relay_check_is_judged() {
    let stand = checked(Fault::None, &Assets::make()).await;
    let failed: Vec<_> = stand.ended.verdicts.iter().filter(|(_, j)| j.verdict() == Verdict::Fail).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let passed = with(&stand.ended, Verdict::Pass);
    let relay: Vec<_> = passed.into_iter().filter(|id| id.starts_with("relay.")).collect();
    assert_eq!(
        relay,
        [
            "relay.fresh-token",
            "relay.no-cache",
            "relay.no-credential",
            "relay.no-resend",
            "relay.quiet",
            "relay.stranger-redeem",
            "relay.stranger-token"
        ]
    );
    assert!(
        with(&stand.ended, Verdict::Inconclusive).is_empty(),
        "{:?}",
        with(&stand.ended, Verdict::Inconclusive)
    );
    // The console of a relay holds no credential of Copresence's.
    let known = stand.ended.seen.steps.iter().flat_map(|step| &step.exchange.request_headers);
    assert!(known.map(|(name, _)| name).all(|name| name != KEY && name != SESSION));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_wrong_relay_is_caught_by_the_checks_meant_for_it_and_by_no_other() {
    let table: [(Fault, &[&str]); 10] = [
        (Fault::HandsOutOneToken, &["generate.distinct", "relay.fresh-token"]),
        (Fault::CachesRedeems, &["relay.no-cache"]),
        (Fault::ShowsTheKey, &["relay.no-credential"]),
        (Fault::ShowsTheSession, &["relay.no-credential"]),
        (Fault::LetsStrangersIn, &["relay.stranger-token"]),
        (Fault::LetsStrangersRedeem, &["relay.stranger-redeem"]),
        (Fault::LooksBeforehand, &["relay.quiet"]),
        (Fault::SendsAgain, &["relay.no-resend"]),
        (Fault::HidesTheLoss, &["relay.no-resend"]),
        (Fault::ServesFromACdn, &["relay.no-cache"]),
    ];
    let (mut wrong, assets) = (Vec::new(), Assets::make());
    println!("{:<24} caught by", "relay");
    for (fault, meant) in table {
        let caught = with(&checked(fault, &assets).await.ended, Verdict::Fail);
        println!("{:<24} {}", format!("{fault:?}"), caught.join(", "));
        if caught != meant {
            wrong.push(format!("{fault:?}: meant {meant:?}, caught by {caught:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
