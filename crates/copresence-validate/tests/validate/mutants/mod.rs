//! Backends that violate one requirement each (mutants): each fails exactly the intended checks.

mod access;
mod deliveries;
mod downloads;
mod fresh;
mod http;
mod progress;
mod refusals;

use crate::layers::change_requests;
use crate::support::{
    Assets, Serving, run_checks, run_options, sandbox_credentials, sandbox_phone, serve_router, vendor_target,
};
use axum::Router;
use axum::extract::Request;
use copresence_sandbox::{Sandbox, Server, faults};
use copresence_validate::Verdict;
use copresence_validate::requirement::strictest_level_of_check;
use futures_util::StreamExt;
use futures_util::stream;

struct Mutant {
    name: &'static str,
    /// Ids of exactly the checks that fail.
    caught_by: &'static [&'static str],
    mutation: Mutation,
}

enum Mutation {
    /// A layer in front of the sandbox.
    Layer(fn(&Sandbox, Router) -> Router),
    /// Faults that the sandbox injects, as JSON.
    Faults(&'static str),
}

fn mutants() -> Vec<Mutant> {
    let mut all = access::mutants();
    all.extend(fresh::mutants());
    all.extend(refusals::mutants());
    all.extend(progress::mutants());
    all.extend(deliveries::mutants());
    all.extend(downloads::mutants());
    all.extend(http::mutants());
    all
}

const fn mutant(name: &'static str, caught_by: &'static [&'static str], mutation: Mutation) -> Mutant {
    Mutant { name, caught_by, mutation }
}

/// A mutant that is served on a port.
enum Running {
    Wrapped(Serving),
    Faulty(Server),
}

impl Running {
    fn url(&self) -> url::Url {
        match self {
            Self::Wrapped(serving) => serving.url.clone(),
            Self::Faulty(server) => server.local_url(),
        }
    }
}

async fn start_mutant(mutant: &Mutant, sandbox: &Sandbox) -> Running {
    match mutant.mutation {
        Mutation::Layer(layer) => {
            Running::Wrapped(serve_router(layer(sandbox, copresence_sandbox::build_router(sandbox.clone()))).await)
        }
        Mutation::Faults(list) => {
            sandbox.set_faults(faults::parse_and_check_faults(list.as_bytes()).expect("a list")).expect("faults");
            let anywhere = ([127, 0, 0, 1], 0).into();
            Running::Faulty(Server::start_server_for_existing_sandbox(sandbox.clone(), anywhere).expect("a port"))
        }
    }
}

/// Ids of the failed checks, sorted.
async fn failed_checks(mutant: &Mutant, assets: &Assets) -> Vec<&'static str> {
    let sandbox = assets.sandbox();
    let running = start_mutant(mutant, &sandbox).await;
    let target = vendor_target(&running.url(), sandbox_credentials(&sandbox));
    let (_, ended) = run_checks(&target, &run_options(), &sandbox_phone(&running.url()).await).await;
    assert_eq!(ended.error, None, "{}", mutant.name);
    let failed = ended.check_results.iter().filter(|(_, judged)| judged.verdict() == Verdict::Fail);
    let mut failed: Vec<_> = failed.map(|(check, _)| check.id).collect();
    failed.sort_unstable();
    failed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mutant_fails_exactly_the_intended_checks() {
    let mutants = mutants();
    assert!(mutants.len() >= 40, "{} mutants", mutants.len());
    let assets = &Assets::make();
    let judged: Vec<_> = stream::iter(&mutants)
        .map(|mutant| async move { (mutant, failed_checks(mutant, assets).await) })
        .buffered(4)
        .collect()
        .await;
    let mut wrong = Vec::new();
    println!("{:<44} caught by", "mutant");
    for (mutant, caught) in &judged {
        let caught_with_level: Vec<_> =
            caught.iter().map(|id| format!("{id} ({})", strictest_level_of_check(id).uppercase_level())).collect();
        println!("{:<44} {}", mutant.name, caught_with_level.join(", "));
        let mut expected = mutant.caught_by.to_vec();
        expected.sort_unstable();
        if *caught != expected {
            wrong.push(format!("{}: expected {expected:?}, caught by {caught:?}", mutant.name));
        }
    }
    println!("{} mutants", judged.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn sandbox_api_key(sandbox: &Sandbox) -> String {
    sandbox.accepted_credentials().api_key.expose().to_owned()
}

fn sandbox_session_token(sandbox: &Sandbox) -> String {
    sandbox.accepted_credentials().session_token.expose().to_owned()
}

/// Changes requests before the sandbox routes them. A layer runs after routing, so changing the method needs an outer
/// router.
fn change_requests_before_routing(
    app: Router,
    change: impl Fn(&mut Request) + Clone + Send + Sync + 'static,
) -> Router {
    change_requests(Router::new().fallback_service(app), change)
}
