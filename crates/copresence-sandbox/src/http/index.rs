//! `GET /`: a page that explains the sandbox and its calls.

use super::pages::render_page;
use crate::faults;
use crate::sandbox::Sandbox;
use crate::scenario::Scenario;
use askama::Template;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};

/// An example call: what it does, and its `curl` command with secrets as shell variables.
struct ExampleCall {
    does: &'static str,
    curl: &'static str,
}

const API_KEY_OPTION: &str = "-H \"X-Copresence-REST-API-Key: $API_KEY\"";

/// `BASE` and `KEY` are replaced when the page is rendered.
const VENDOR_CALLS: [ExampleCall; 4] = [
    ExampleCall {
        does: "Log in as the business account",
        curl: "curl -X POST BASE/login KEY -H 'Content-Type: application/json' \
               -d \"{\\\"username\\\":\\\"$USERNAME\\\",\\\"password\\\":\\\"$PASSWORD\\\"}\"",
    },
    ExampleCall {
        does: "Generate an Export Token",
        curl: "curl -X POST BASE/generateExportToken KEY -H \"X-Copresence-Session-Token: $SESSION_TOKEN\"",
    },
    ExampleCall {
        does: "Redeem it: get the progress of the avatar or, once, the download URLs",
        curl: "curl BASE/redeemExportToken KEY -H \"X-Copresence-Export-Token: $EXPORT_TOKEN\"",
    },
    ExampleCall { does: "Download a file, once", curl: "curl -OJ \"$DOWNLOAD_URL\"" },
];

const TESTER_CALLS: [ExampleCall; 10] = [
    ExampleCall { does: "Get all tokens, the scenario and the clock", curl: "curl BASE/sandbox/state" },
    ExampleCall {
        does: "Play the phone",
        curl: "curl -X POST BASE/sandbox/tokens/$EXPORT_TOKEN/associate -d '{\"avatar\":\"new\"}'",
    },
    ExampleCall { does: "Make the avatar ready now", curl: "curl -X POST BASE/sandbox/tokens/$EXPORT_TOKEN/complete" },
    ExampleCall { does: "Make the avatar fail now", curl: "curl -X POST BASE/sandbox/tokens/$EXPORT_TOKEN/fail" },
    ExampleCall { does: "Expire the token now", curl: "curl -X POST BASE/sandbox/tokens/$EXPORT_TOKEN/expire" },
    ExampleCall {
        does: "Advance the clock by a minute",
        curl: "curl -X POST BASE/sandbox/clock -d '{\"advance_ms\":60000}'",
    },
    ExampleCall { does: "List the logged requests, masked", curl: "curl BASE/sandbox/requests" },
    ExampleCall {
        does: "Set faults (see below); DELETE removes them",
        curl: "curl -X PUT BASE/sandbox/faults -d '[{\"on\":\"redeem\",\"nth\":[1],\"do\":{\"status\":{\"code\":503}}}]'",
    },
    ExampleCall { does: "List the active faults and their counts", curl: "curl BASE/sandbox/faults" },
    ExampleCall { does: "List the scenarios", curl: "curl BASE/sandbox/scenarios" },
];

/// The template of the index page: endpoints, scenarios, faults and URLs.
#[derive(Template)]
#[template(path = "index.html")]
struct IndexPageTemplate {
    vendor: Vec<(&'static str, String)>,
    tester: Vec<(&'static str, String)>,
    scenarios: Vec<Scenario>,
    faults: &'static [faults::FaultEntry],
    base: String,
    phone: String,
}

/// The route of the index page.
pub(super) fn routes() -> Router {
    Router::new().route("/", get(serve_index_page))
}

/// Serves the index page, with the URLs by which this client reaches the sandbox.
async fn serve_index_page(Extension(sandbox): Extension<Sandbox>, headers: HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let base = sandbox.base_url_for_client(host);
    let filled = |calls: &[ExampleCall]| {
        let fill = |call: &ExampleCall| {
            (call.does, call.curl.replace("BASE", &base).replace("KEY ", &format!("{API_KEY_OPTION} ")))
        };
        calls.iter().map(fill).collect()
    };
    let page = IndexPageTemplate {
        vendor: filled(&VENDOR_CALLS),
        tester: filled(&TESTER_CALLS),
        scenarios: sandbox.scenarios().to_vec(),
        faults: &faults::CATALOGUE,
        base: base.clone(),
        phone: format!("{base}/phone?exportToken=…"),
    };
    render_page(StatusCode::OK, &page)
}
