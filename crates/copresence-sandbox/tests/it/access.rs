//! Access to `/sandbox/…`.

use crate::support::{TestSandbox, request};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Method;
use copresence_sandbox::{OPERATOR_KEY_HEADER, Scenario};
use std::net::SocketAddr;

async fn clock_status(test: &TestSandbox, peer: &str, headers: &[(&str, &str)]) -> u16 {
    let mut asked = request(Method::POST, "/sandbox/clock", headers, Body::from(r#"{"paused":true}"#));
    asked.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().expect("an address")));
    test.send(asked).await.status.as_u16()
}

#[tokio::test]
async fn other_machines_need_the_operator_key() {
    let test = TestSandbox::new(Scenario::Happy);
    let key = test.sandbox.credentials().operator_key.expose().to_owned();
    let stranger = "192.168.1.9:5000";
    assert_eq!(clock_status(&test, stranger, &[]).await, 403);
    assert_eq!(clock_status(&test, stranger, &[("Host", "127.0.0.1:8787")]).await, 403);
    assert_eq!(clock_status(&test, stranger, &[("X-Forwarded-For", "127.0.0.1")]).await, 403);
    assert_eq!(clock_status(&test, stranger, &[(OPERATOR_KEY_HEADER, "wrong")]).await, 403);
    assert_eq!(clock_status(&test, stranger, &[(OPERATOR_KEY_HEADER, &key)]).await, 200);
    assert_eq!(clock_status(&test, stranger, &[(OPERATOR_KEY_HEADER, &key), ("Host", "booth.test")]).await, 200);
}

#[tokio::test]
async fn programs_on_this_machine_need_no_key() {
    let test = TestSandbox::new(Scenario::Happy);
    for (peer, host) in [
        ("127.0.0.1:5000", "127.0.0.1:8787"),
        ("127.0.0.1:5000", "localhost:8787"),
        ("[::1]:5000", "[::1]:8787"),
        ("[::ffff:127.0.0.1]:5000", "localhost"),
    ] {
        assert_eq!(clock_status(&test, peer, &[("Host", host)]).await, 200, "{peer} {host}");
        let origin = format!("http://{host}");
        assert_eq!(clock_status(&test, peer, &[("Host", host), ("Origin", &origin)]).await, 200, "its own page");
    }
    assert_eq!(test.get("/sandbox/state", &[]).await.status, 200, "within the process");
}

#[tokio::test]
async fn pages_of_other_sites_are_refused() {
    let test = TestSandbox::new(Scenario::Happy);
    let (peer, host) = ("127.0.0.1:5000", ("Host", "127.0.0.1:8787"));
    assert_eq!(clock_status(&test, peer, &[("Host", "rebound.test:8787")]).await, 403, "DNS rebinding");
    assert_eq!(clock_status(&test, peer, &[("Host", "127.0.0.1.rebound.test")]).await, 403, "DNS rebinding");
    for origin in ["https://evil.test", "null", "http://127.0.0.1:9999", "https://127.0.0.1:8787"] {
        assert_eq!(clock_status(&test, peer, &[host, ("Origin", origin)]).await, 403, "{origin}");
    }
    assert_eq!(clock_status(&test, peer, &[host, ("Sec-Fetch-Site", "cross-site")]).await, 403);
    assert_eq!(clock_status(&test, peer, &[host, ("Sec-Fetch-Site", "same-site")]).await, 403);
    assert_eq!(
        clock_status(&test, peer, &[host, (OPERATOR_KEY_HEADER, "wrong")]).await,
        403,
        "a wrong key is not no key"
    );
}

#[tokio::test]
async fn every_tester_endpoint_is_guarded() {
    let test = TestSandbox::new(Scenario::Happy);
    let api = test.get("/openapi.json", &[]).await.json();
    let mut calls = 0;
    for (path, methods) in api["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys().filter(|_| path.starts_with("/sandbox/")) {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let mut asked = request(method, &path.replace("{token}", "x"), &[], Body::empty());
            asked.extensions_mut().insert(ConnectInfo("10.0.0.1:1".parse::<SocketAddr>().expect("an address")));
            assert_eq!(test.send(asked).await.status_and_code(), (403, 119), "{path}");
            calls += 1;
        }
    }
    assert_eq!(calls, 12);
}

#[tokio::test]
async fn rate_limited_address_gets_429_with_retry_after() {
    let rate_limit = std::num::NonZeroU32::new(2);
    let test = TestSandbox::with_settings(copresence_sandbox::Settings {
        rate_limit,
        ..copresence_sandbox::Settings::default()
    });
    let ask = async |peer: &str| {
        let mut asked = request(Method::GET, "/", &[], Body::empty());
        asked.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().expect("an address")));
        test.send(asked).await
    };
    let mut last = ask("192.168.1.9:5000").await;
    // Even a slow machine sends far more than two requests per second.
    for _ in 0..200 {
        last = ask("192.168.1.9:5001").await;
    }
    assert_eq!((last.status_and_code(), last.header("retry-after")), ((429, 108), "1"));
    for _ in 0..50 {
        assert_eq!(ask("127.0.0.1:5000").await.status, 200, "this machine itself");
    }
}
