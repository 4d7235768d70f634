//! Backends that are wrong in one thing: each is caught by the checks meant for it, and by no other.

mod access;
mod deliveries;
mod downloads;
mod fresh;
mod manners;
mod progress;
mod refusals;

use crate::support::{Assets, Serving, credentials, hand, options, serve, target, validate};
use crate::wrong::requests;
use axum::Router;
use axum::extract::Request;
use futures_util::StreamExt;
use futures_util::stream;
use sandbox::{Sandbox, Server, faults};
use validate::Verdict;
use validate::requirement::level_of;

struct Mutant {
    name: &'static str,
    /// Exactly these fail.
    caught_by: &'static [&'static str],
    wrong: Wrong,
}

enum Wrong {
    /// A layer before the sandbox.
    Layer(fn(&Sandbox, Router) -> Router),
    /// The sandbox's own faults, as JSON.
    Faults(&'static str),
}

fn mutants() -> Vec<Mutant> {
    let mut all = access::mutants();
    all.extend(fresh::mutants());
    all.extend(refusals::mutants());
    all.extend(progress::mutants());
    all.extend(deliveries::mutants());
    all.extend(downloads::mutants());
    all.extend(manners::mutants());
    all
}

const fn mutant(name: &'static str, caught_by: &'static [&'static str], wrong: Wrong) -> Mutant {
    Mutant { name, caught_by, wrong }
}

/// A wrong backend, listening.
enum Running {
    Wrapped(Serving),
    Faulty(Server),
}

impl Running {
    fn url(&self) -> url::Url {
        match self {
            Self::Wrapped(serving) => serving.url.clone(),
            Self::Faulty(server) => server.url(),
        }
    }
}

async fn start(mutant: &Mutant, sandbox: &Sandbox) -> Running {
    match mutant.wrong {
        Wrong::Layer(layer) => Running::Wrapped(serve(layer(sandbox, sandbox::app(sandbox.clone()))).await),
        Wrong::Faults(list) => {
            sandbox.set_faults(faults::read(list.as_bytes()).expect("a list")).expect("faults");
            let anywhere = ([127, 0, 0, 1], 0).into();
            Running::Faulty(Server::serve(sandbox.clone(), anywhere).expect("a port"))
        }
    }
}

/// What failed, sorted.
async fn caught(mutant: &Mutant, assets: &Assets) -> Vec<&'static str> {
    let sandbox = assets.sandbox();
    let running = start(mutant, &sandbox).await;
    let target = target(&running.url(), credentials(&sandbox));
    let (_, ended) = validate(&target, &options(), &hand(&running.url()).await).await;
    assert_eq!(ended.error, None, "{}", mutant.name);
    let failed = ended.verdicts.iter().filter(|(_, judged)| judged.verdict() == Verdict::Fail);
    let mut failed: Vec<_> = failed.map(|(check, _)| check.id).collect();
    failed.sort_unstable();
    failed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_mutant_is_caught_by_the_checks_meant_for_it_and_by_no_other() {
    let mutants = mutants();
    assert!(mutants.len() >= 40, "{} mutants", mutants.len());
    let assets = &Assets::make();
    let judged: Vec<_> = stream::iter(&mutants)
        .map(|mutant| async move { (mutant, caught(mutant, assets).await) })
        .buffered(4)
        .collect()
        .await;
    let mut wrong = Vec::new();
    println!("{:<44} caught by", "mutant");
    for (mutant, caught) in &judged {
        let told: Vec<_> = caught.iter().map(|id| format!("{id} ({})", level_of(id).as_str())).collect();
        println!("{:<44} {}", mutant.name, told.join(", "));
        let mut meant = mutant.caught_by.to_vec();
        meant.sort_unstable();
        if *caught != meant {
            wrong.push(format!("{}: meant {meant:?}, caught by {caught:?}", mutant.name));
        }
    }
    println!("{} mutants", judged.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn key(sandbox: &Sandbox) -> String {
    sandbox.credentials().api_key.expose().to_owned()
}

fn session(sandbox: &Sandbox) -> String {
    sandbox.credentials().session_token.expose().to_owned()
}

/// A layer of a router comes after its routing, so that another method needs a router around it.
fn requests_before_routing(
    app: Router,
    change: impl Fn(&mut Request) + Clone + Send + Sync + 'static,
) -> Router {
    requests(Router::new().fallback_service(app), change)
}
