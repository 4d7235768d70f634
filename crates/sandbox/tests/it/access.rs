//! Who may call `/sandbox/…`.

use crate::support::{World, request};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Method;
use sandbox::{OPERATOR_KEY, Scenario};
use std::net::SocketAddr;

async fn status(world: &World, peer: &str, headers: &[(&str, &str)]) -> u16 {
    let mut asked = request(Method::POST, "/sandbox/clock", headers, Body::from(r#"{"paused":true}"#));
    asked.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().expect("an address")));
    world.send(asked).await.status.as_u16()
}

#[tokio::test]
async fn strangers_on_the_network_need_the_operator_key() {
    let world = World::new(Scenario::Happy);
    let key = world.sandbox.credentials().operator_key.expose().to_owned();
    let stranger = "192.168.1.9:5000";
    assert_eq!(status(&world, stranger, &[]).await, 403);
    assert_eq!(status(&world, stranger, &[("Host", "127.0.0.1:8787")]).await, 403);
    assert_eq!(status(&world, stranger, &[("X-Forwarded-For", "127.0.0.1")]).await, 403);
    assert_eq!(status(&world, stranger, &[(OPERATOR_KEY, "wrong")]).await, 403);
    assert_eq!(status(&world, stranger, &[(OPERATOR_KEY, &key)]).await, 200);
    assert_eq!(status(&world, stranger, &[(OPERATOR_KEY, &key), ("Host", "booth.test")]).await, 200);
}

#[tokio::test]
async fn programs_on_this_machine_need_none() {
    let world = World::new(Scenario::Happy);
    for (peer, host) in [
        ("127.0.0.1:5000", "127.0.0.1:8787"),
        ("127.0.0.1:5000", "localhost:8787"),
        ("[::1]:5000", "[::1]:8787"),
        ("[::ffff:127.0.0.1]:5000", "localhost"),
    ] {
        assert_eq!(status(&world, peer, &[("Host", host)]).await, 200, "{peer} {host}");
        let origin = format!("http://{host}");
        assert_eq!(status(&world, peer, &[("Host", host), ("Origin", &origin)]).await, 200, "its own page");
    }
    assert_eq!(world.get("/sandbox/state", &[]).await.status, 200, "within the process");
}

#[tokio::test]
async fn a_web_page_in_a_browser_on_this_machine_moves_nothing() {
    let world = World::new(Scenario::Happy);
    let (peer, host) = ("127.0.0.1:5000", ("Host", "127.0.0.1:8787"));
    assert_eq!(status(&world, peer, &[("Host", "rebound.test:8787")]).await, 403, "DNS rebinding");
    assert_eq!(status(&world, peer, &[("Host", "127.0.0.1.rebound.test")]).await, 403, "DNS rebinding");
    for origin in ["https://evil.test", "null", "http://127.0.0.1:9999", "https://127.0.0.1:8787"] {
        assert_eq!(status(&world, peer, &[host, ("Origin", origin)]).await, 403, "{origin}");
    }
    assert_eq!(status(&world, peer, &[host, ("Sec-Fetch-Site", "cross-site")]).await, 403);
    assert_eq!(status(&world, peer, &[host, ("Sec-Fetch-Site", "same-site")]).await, 403);
    assert_eq!(
        status(&world, peer, &[host, (OPERATOR_KEY, "wrong")]).await,
        403,
        "a wrong key is not no key"
    );
}

#[tokio::test]
async fn the_guard_stands_before_every_call_of_the_tester() {
    let world = World::new(Scenario::Happy);
    let api = world.get("/openapi.json", &[]).await.json();
    let mut calls = 0;
    for (path, methods) in api["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys().filter(|_| path.starts_with("/sandbox/")) {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let mut asked = request(method, &path.replace("{token}", "x"), &[], Body::empty());
            asked
                .extensions_mut()
                .insert(ConnectInfo("10.0.0.1:1".parse::<SocketAddr>().expect("an address")));
            assert_eq!(world.send(asked).await.refusal(), (403, 119), "{path}");
            calls += 1;
        }
    }
    assert_eq!(calls, 12);
}

#[tokio::test]
async fn an_address_that_asks_too_often_is_told_when_to_ask_again() {
    let rate_limit = std::num::NonZeroU32::new(2);
    let world = World::with(sandbox::Settings { rate_limit, ..sandbox::Settings::default() });
    let ask = async |peer: &str| {
        let mut asked = request(Method::GET, "/", &[], Body::empty());
        asked.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().expect("an address")));
        world.send(asked).await
    };
    let mut last = ask("192.168.1.9:5000").await;
    // However slow this machine is, it is faster than two a second by far.
    for _ in 0..200 {
        last = ask("192.168.1.9:5001").await;
    }
    assert_eq!((last.refusal(), last.header("retry-after")), ((429, 108), "1"));
    for _ in 0..50 {
        assert_eq!(ask("127.0.0.1:5000").await.status, 200, "this machine itself");
    }
}
