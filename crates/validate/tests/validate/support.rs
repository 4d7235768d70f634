//! A sandbox behind a port of this machine, with whatever stands before it, and a run against it.

use axum::Router;
use sandbox::{Sandbox, Scenario, Settings};
use std::net::SocketAddr;
use std::time::Duration;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::Url;
use validate::run::Ended;
use validate::{Backend, Credentials, Hand, Options, Plan, Run, Target, Tester, TimeOuts};

/// A backend on a port; it ends when it is dropped.
pub(crate) struct Serving {
    pub(crate) url: Url,
    serving: JoinHandle<()>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

pub(crate) async fn serve(app: Router) -> Serving {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    let serving = tokio::spawn(async move { axum::serve(listener, service).await.expect("serves") });
    let url = format!("http://{address}/").parse().expect("a URL");
    Serving { url, serving }
}

/// One avatar's files, made once for many sandboxes: making them takes longer than all the rest of a run.
pub(crate) struct Assets(TempDir);

impl Assets {
    pub(crate) fn make() -> Self {
        let folder = TempDir::new().expect("a folder");
        let files = avatar::build(7, None);
        let avatar = folder.path().join("anna");
        std::fs::create_dir(&avatar).expect("a folder");
        for (name, bytes) in
            [("avatar.glb", &files.glb), ("avatar_obj.zip", &files.obj_zip), ("avatar.png", &files.png)]
        {
            std::fs::write(avatar.join(name), bytes).expect("written");
        }
        Self(folder)
    }

    pub(crate) fn sandbox(&self) -> Sandbox {
        still(Settings { assets: Some(self.0.path().to_owned()), ..Settings::default() })
    }
}

pub(crate) fn sandbox() -> Sandbox {
    still(Settings::default())
}

/// A sandbox whose time stands still until a run moves it.
fn still(settings: Settings) -> Sandbox {
    let settings = Settings { scenario: Scenario::Happy, seed: 7, ..settings };
    let sandbox = Sandbox::new(settings).expect("a sandbox");
    let paused = sandbox::ClockMove { paused: Some(true), ..sandbox::ClockMove::default() };
    sandbox.move_clock(&paused).expect("paused");
    sandbox
}

pub(crate) fn credentials(sandbox: &Sandbox) -> Credentials {
    let known = sandbox.credentials();
    Credentials {
        api_key: Some(known.api_key.clone()),
        login: Some((known.username.clone(), known.password.clone())),
        ..Credentials::default()
    }
}

pub(crate) fn target(url: &Url, credentials: Credentials) -> Target {
    Target {
        name: "test".to_owned(),
        backend: Backend::vendor(url.clone()),
        credentials,
        link: format!("{url}phone?exportToken={{token}}").parse().expect("a link"),
        time_outs: TimeOuts {
            connect: Duration::from_secs(2),
            read: Duration::from_secs(3),
            total: Duration::from_secs(5),
        },
    }
}

pub(crate) fn options() -> Options {
    Options {
        destructive: true,
        watch: Duration::ZERO,
        // Of the sandbox's own time: three times as long as its slowest avatar.
        patience: Duration::from_mins(2),
        ..Options::default()
    }
}

pub(crate) async fn hand(url: &Url) -> Hand {
    Hand::Sandbox(Tester::find(url.clone(), None).await.expect("HTTP").expect("a sandbox"))
}

/// A whole run against a backend, its phone played at `tester`.
pub(crate) async fn validate(target: &Target, options: &Options, hand: &Hand) -> (Plan, Ended) {
    let plan = Plan::new(target, options, hand);
    let quiet = |_: validate::Event<'_>| {};
    let ended = Run::new(target, options, hand, &plan, &quiet).expect("HTTP").run().await;
    (plan, ended)
}
