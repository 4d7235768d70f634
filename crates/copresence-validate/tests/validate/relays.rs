//! A partner's relay between the console and Copresence: a correct relay passes, each faulty one is caught.

use crate::layers::{KEY, Memory, SESSION, TOKEN};
use crate::support::{Assets, Serving, run_checks, run_options, serve_router};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use copresence_client::probe::{ProbeRequest, ProbeResponse, Prober};
use copresence_client::{CallKind, PartnerTokenSource, Timeouts};
use copresence_protocol::PartnerKey;
use copresence_sandbox::{Sandbox, Server};
use copresence_validate::run::RunResult;
use copresence_validate::{
    BackendWithRoutes, CheckTarget, Credentials, PhoneDriver, RedeemEndpoint, SandboxControl, TokenSource, Verdict,
};
use http::Method;
use std::sync::Arc;
use url::Url;

const OWN_KEY: &str = "partner-key-0123456789";

/// What a relay does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    ReturnsOneToken,
    CachesRedeems,
    DisclosesApiKey,
    DisclosesSession,
    IssuesTokensWithoutKey,
    RedeemsWithoutKey,
    RedeemsOnItsOwn,
    RetriesRedeems,
    /// Retries responses of 500 and above, but no lost connection, as many HTTP clients do.
    RetriesServerErrors,
    /// Retries only the statuses of gateways.
    RetriesGatewayTimeouts,
    HidesLostResponse,
    ServesFromCdn,
}

/// A partner's relay: holds the credentials, verifies its own key, and forwards the rest.
#[derive(Clone)]
struct Relay {
    fault: Fault,
    upstream: Url,
    sandbox: Sandbox,
    prober: Arc<Prober>,
    token: Memory<Vec<u8>>,
    responses: Memory<Vec<u8>>,
}

impl Relay {
    fn router(self) -> Router {
        Router::new()
            .route("/token", post(handle_token))
            .route("/avatar", get(handle_redeem))
            .method_not_allowed_fallback(async || error_response(405, "method not allowed"))
            .with_state(self)
    }

    /// Sends one request to Copresence; `None` if the response was lost.
    async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Option<ProbeResponse> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let url = self.upstream.join(path).expect("a URL");
        let call = CallKind::Redeem;
        let probe = ProbeRequest { call, method, url, headers, body: None, token_pointer: None, max_body: 1_000_000 };
        self.prober.send_probe(probe).await.expect("sent").response.ok()
    }

    async fn redeem(&self, token: &str) -> Option<ProbeResponse> {
        let key = self.sandbox.accepted_credentials().api_key.expose().to_owned();
        self.send(Method::GET, "redeemExportToken", &[(KEY, &key), (TOKEN, token)]).await
    }
}

fn has_own_key(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_some_and(|value| value.as_bytes() == format!("Bearer {OWN_KEY}").as_bytes())
}

fn error_response(status: u16, error: &str) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [("cache-control", "no-store")], axum::Json(serde_json::json!({ "error": error }))).into_response()
}

fn json_response(status: u16, body: Vec<u8>) -> Response {
    let head = [("cache-control", "no-store"), ("content-type", "application/json")];
    (StatusCode::from_u16(status).expect("a status"), head, body).into_response()
}

async fn handle_token(State(relay): State<Relay>, headers: HeaderMap) -> Response {
    if !has_own_key(&headers) && relay.fault != Fault::IssuesTokensWithoutKey {
        return error_response(401, "unknown key");
    }
    if let (Fault::ReturnsOneToken, Some(body)) = (relay.fault, relay.token.get("")) {
        return json_response(200, body);
    }
    let known = relay.sandbox.accepted_credentials().clone();
    let (key, session) = (known.api_key.expose(), known.session_token.expose());
    let Some(reply) = relay.send(Method::POST, "generateExportToken", &[(KEY, key), (SESSION, session)]).await else {
        return error_response(502, "Copresence does not respond");
    };
    relay.token.put("", reply.body.to_vec());
    let body: serde_json::Value = serde_json::from_slice(&reply.body).expect("JSON");
    let token = body["token"].as_str().expect("a token").to_owned();
    if relay.fault == Fault::RedeemsOnItsOwn {
        relay.redeem(&token).await;
    }
    match relay.fault {
        Fault::DisclosesSession => {
            json_response(200, serde_json::json!({"token": token, "debug": session}).to_string().into_bytes())
        }
        Fault::DisclosesApiKey => {
            let mut response = json_response(200, reply.body.to_vec());
            response.headers_mut().insert("x-upstream", format!("key={key}").parse().expect("a value"));
            response
        }
        _ => json_response(200, reply.body.to_vec()),
    }
}

async fn handle_redeem(State(relay): State<Relay>, request: Request) -> Response {
    let headers = request.headers();
    if !has_own_key(headers) && relay.fault != Fault::RedeemsWithoutKey {
        return error_response(401, "unknown key");
    }
    let token = headers.get(TOKEN).map_or("", |value| value.to_str().expect("visible")).to_owned();
    // Returns each response of an avatar that is not ready twice.
    if let (Fault::CachesRedeems, Some(body)) = (relay.fault, relay.responses.take(&token)) {
        return json_response(200, body);
    }
    let mut reply = relay.redeem(&token).await;
    if reply.is_none() && relay.fault == Fault::RetriesRedeems {
        reply = relay.redeem(&token).await;
    }
    let retried: &[u16] = match relay.fault {
        Fault::RetriesServerErrors => &[500, 501, 502, 503, 504],
        Fault::RetriesGatewayTimeouts => &[504],
        _ => &[],
    };
    if reply.as_ref().is_some_and(|reply| retried.contains(&reply.status)) {
        reply = relay.redeem(&token).await;
    }
    let Some(reply) = reply else {
        return match relay.fault {
            Fault::HidesLostResponse => json_response(200, br#"{"avatar_ready":false}"#.to_vec()),
            _ => error_response(502, "Copresence's response was lost; the token may be spent"),
        };
    };
    if reply.status == 200 && !String::from_utf8_lossy(&reply.body).contains("payload_complete") {
        relay.responses.put(&token, reply.body.to_vec());
    }
    let mut response = json_response(reply.status, reply.body.to_vec());
    if relay.fault == Fault::ServesFromCdn {
        response.headers_mut().insert("age", "17".parse().expect("a value"));
    }
    response
}

struct CheckedRelay {
    _relay: Serving,
    _upstream: Server,
    ended: RunResult,
}

async fn check_relay(fault: Fault, assets: &Assets) -> CheckedRelay {
    let sandbox = assets.sandbox();
    let upstream =
        Server::start_server_for_existing_sandbox(sandbox.clone(), ([127, 0, 0, 1], 0).into()).expect("a port");
    let prober = Arc::new(Prober::new(Timeouts::default(), false).expect("a prober"));
    let relay = Relay {
        fault,
        upstream: upstream.local_url(),
        sandbox: sandbox.clone(),
        prober,
        token: Memory::default(),
        responses: Memory::default(),
    };
    let relay = serve_router(relay.router()).await;
    let headers = vec![("Authorization".to_owned(), "Bearer {partner_key}".to_owned())];
    let source = PartnerTokenSource {
        headers: headers.clone(),
        ..PartnerTokenSource::new(relay.url.join("token").expect("a URL"))
    };
    let redeem = RedeemEndpoint::Partner { url: relay.url.join("avatar").expect("a URL"), headers };
    let known = sandbox.accepted_credentials();
    let target = CheckTarget {
        backend: BackendWithRoutes {
            token_source: TokenSource::Partner(source),
            redeem_route: redeem,
            ..BackendWithRoutes::copresence_backend_from_url(relay.url.clone())
        },
        // Known to the run, so that it can search responses for them. No request contains them.
        credentials: Credentials {
            api_key: Some(known.api_key.clone()),
            session_token: Some(known.session_token.clone()),
            partner_key: Some(PartnerKey::new(OWN_KEY)),
            ..Credentials::default()
        },
        ..crate::support::vendor_target(&relay.url, Credentials::default())
    };
    let tester =
        SandboxControl::detect_sandbox_at_url(upstream.local_url(), None).await.expect("HTTP").expect("a sandbox");
    let (_, ended) = run_checks(&target, &run_options(), &PhoneDriver::Sandbox(tester)).await;
    assert_eq!(ended.error, None);
    CheckedRelay { _relay: relay, _upstream: upstream, ended }
}

fn ids_with_verdict(ended: &RunResult, verdict: Verdict) -> Vec<&'static str> {
    let of = ended.check_results.iter().filter(|(_, judged)| judged.verdict() == verdict);
    let mut ids: Vec<_> = of.map(|(check, _)| check.id).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test]
async fn a_correct_relay_passes_every_relay_check() {
    let checked = check_relay(Fault::None, &Assets::make()).await;
    let failed: Vec<_> = checked.ended.check_results.iter().filter(|(_, j)| j.verdict() == Verdict::Fail).collect();
    assert!(failed.is_empty(), "{failed:#?}");
    let passed = ids_with_verdict(&checked.ended, Verdict::Pass);
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
        ids_with_verdict(&checked.ended, Verdict::Inconclusive).is_empty(),
        "{:?}",
        ids_with_verdict(&checked.ended, Verdict::Inconclusive)
    );
    // The console of a relay has no credential of Copresence.
    let known = checked.ended.observations.steps.iter().flat_map(|step| &step.exchange.request_headers);
    assert!(known.map(|(name, _)| name).all(|name| name != KEY && name != SESSION));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_faulty_relay_fails_exactly_the_intended_checks() {
    let table: [(Fault, &[&str]); 12] = [
        (Fault::ReturnsOneToken, &["generate.distinct", "relay.fresh-token"]),
        (Fault::CachesRedeems, &["relay.no-cache"]),
        (Fault::DisclosesApiKey, &["relay.no-credential"]),
        (Fault::DisclosesSession, &["relay.no-credential"]),
        (Fault::IssuesTokensWithoutKey, &["relay.stranger-token"]),
        (Fault::RedeemsWithoutKey, &["relay.stranger-redeem"]),
        (Fault::RedeemsOnItsOwn, &["relay.quiet"]),
        (Fault::RetriesRedeems, &["relay.no-resend"]),
        (Fault::RetriesServerErrors, &["relay.no-resend"]),
        (Fault::RetriesGatewayTimeouts, &["relay.no-resend"]),
        (Fault::HidesLostResponse, &["relay.no-resend"]),
        (Fault::ServesFromCdn, &["relay.no-cache"]),
    ];
    let (mut wrong, assets) = (Vec::new(), Assets::make());
    println!("{:<24} caught by", "relay");
    for (fault, expected) in table {
        let caught = ids_with_verdict(&check_relay(fault, &assets).await.ended, Verdict::Fail);
        println!("{:<24} {}", format!("{fault:?}"), caught.join(", "));
        if caught != expected {
            wrong.push(format!("{fault:?}: expected {expected:?}, caught by {caught:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
