//! Access to `/sandbox/…`.

use crate::raw::RawServer;
use crate::support::{API_KEY, TestSandbox, request};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Method;
use copresence_sandbox::{BuiltInScenarioName, OPERATOR_KEY_HEADER, SandboxSettings, WorldSettings};
use std::net::SocketAddr;

async fn clock_status(test: &TestSandbox, peer: &str, headers: &[(&str, &str)]) -> u16 {
    let mut asked = request(Method::POST, "/sandbox/clock", headers, Body::from(r#"{"paused":true}"#));
    asked.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().expect("an address")));
    test.send(asked).await.status.as_u16()
}

#[tokio::test]
async fn other_machines_need_the_operator_key() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let key = test.sandbox.accepted_credentials().operator_key.expose().to_owned();
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
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
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

/// A header that proxies add.
const FORWARDED: [(&str, &str); 7] = [
    ("Forwarded", "for=203.0.113.9"),
    ("X-Forwarded-For", "203.0.113.9"),
    ("X-Forwarded-For", "127.0.0.1"),
    ("X-Forwarded-Host", "localhost"),
    ("X-Forwarded-Proto", "https"),
    ("X-Real-IP", "203.0.113.9"),
    ("Via", "1.1 proxy"),
];

#[tokio::test]
async fn clients_of_a_proxy_on_this_machine_need_the_operator_key() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let key = test.sandbox.accepted_credentials().operator_key.expose().to_owned();
    let (peer, host) = ("127.0.0.1:5000", ("Host", "127.0.0.1:8787"));
    for header in FORWARDED {
        assert_eq!(clock_status(&test, peer, &[host, header]).await, 403, "{header:?}");
        assert_eq!(clock_status(&test, peer, &[host, header, (OPERATOR_KEY_HEADER, &key)]).await, 200, "{header:?}");
    }
    for (public_url, status) in
        [("https://booth.test/", 403), ("http://192.168.1.5/", 403), ("http://localhost:8080/sandbox", 200)]
    {
        let public_url = Some(public_url.parse().expect("a URL"));
        let test = TestSandbox::with_settings(SandboxSettings { public_url, ..SandboxSettings::default() });
        assert_eq!(clock_status(&test, peer, &[host]).await, status);
        let key = test.sandbox.accepted_credentials().operator_key.expose().to_owned();
        assert_eq!(clock_status(&test, peer, &[host, (OPERATOR_KEY_HEADER, &key)]).await, 200);
    }
}

#[tokio::test]
async fn request_that_does_not_name_one_host_is_refused() {
    let raw = RawServer::start(BuiltInScenarioName::Happy, "[]").await;
    let address = raw.server.listen_address();
    let get = async |target: &str, hosts: &[&str]| {
        let mut request = format!("GET {target} HTTP/1.1\r\nConnection: close\r\n");
        for host in hosts {
            request.extend(["Host: ", host, "\r\n"]);
        }
        raw.send_bytes(&(request + "\r\n")).await.status()
    };
    let local = address.to_string();
    for hosts in [&["127.0.0.1", "evil.test"][..], &["evil.test", "127.0.0.1"], &[&local, &local], &[""]] {
        assert_eq!(get("/sandbox/state", hosts).await, 400, "{hosts:?}");
    }
    for host in [
        "evil.test@127.0.0.1",
        "127.0.0.1/evil.test",
        "127.0.0.1#.evil.test",
        "127.0.0.1?evil.test",
        "127.0.0.1\\evil.test",
    ] {
        assert_eq!(get("/sandbox/state", &[host]).await, 400, "{host}");
    }
    assert_eq!(get("http://evil.test/sandbox/state", &[&local]).await, 400);
    assert_eq!(get("http://evil.test/sandbox/state", &["evil.test"]).await, 403);
    assert_eq!(get(&format!("http://x@{local}/sandbox/state"), &[&local]).await, 400);
    assert_eq!(get(&format!("http://{local}/sandbox/state"), &[&local]).await, 200, "a proxy's form of the target");
    assert_eq!(get("/sandbox/state", &[&local]).await, 200);
    let world = raw.sandbox().create_world(WorldSettings::default()).expect("room");
    let state = format!("/worlds/{}/sandbox/state", world.world_id().expect("not the main world"));
    assert_eq!(get(&format!("http://evil.test{state}"), &[&local]).await, 400);
    assert_eq!(get(&format!("http://evil.test{state}"), &["evil.test"]).await, 403);
    assert_eq!(get(&format!("http://x@{local}{state}"), &[&local]).await, 400);
    assert_eq!(get(&format!("http://{local}{state}"), &[&local]).await, 200);
    assert_eq!(get("/static/icon.svg", &["booth.test:80"]).await, 200, "phones use any name");
}

#[tokio::test]
async fn pages_of_other_sites_are_refused() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
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
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let api = test.get("/openapi.json", &[]).await.json();
    let world = test.sandbox.create_world(WorldSettings::default()).expect("room");
    let prefixes = [String::new(), format!("/worlds/{}", world.world_id().expect("an id"))];
    let key = [(API_KEY, world.accepted_credentials().api_key.expose())];
    let mut calls = 0;
    for (path, methods) in api["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys().filter(|_| path.starts_with("/sandbox/")) {
            let method: Method = method.to_uppercase().parse().expect("a method");
            // Under the URL of a world too, and with its API key.
            for prefix in &prefixes {
                let path = format!("{prefix}{}", path.replace("{token}", "x"));
                let mut asked = request(method.clone(), &path, &key, Body::empty());
                asked.extensions_mut().insert(ConnectInfo("10.0.0.1:1".parse::<SocketAddr>().expect("an address")));
                assert_eq!(test.send(asked).await.status_and_code(), (403, 119), "{path}");
                calls += 1;
            }
        }
    }
    assert_eq!(calls, 32);
}

#[tokio::test]
async fn rate_limited_address_gets_429_with_retry_after() {
    let rate_limit = std::num::NonZeroU32::new(2);
    let test = TestSandbox::with_settings(SandboxSettings { rate_limit, ..SandboxSettings::default() });
    let ask_for = async |path: &str, peer: &str, headers: &[(&str, &str)]| {
        let mut asked = request(Method::GET, path, headers, Body::empty());
        asked.extensions_mut().insert(ConnectInfo(peer.parse::<SocketAddr>().expect("an address")));
        test.send(asked).await
    };
    let ask_with = async |peer: &str, headers: &[(&str, &str)]| ask_for("/", peer, headers).await;
    let ask = async |peer: &str| ask_with(peer, &[]).await;
    for path in ["/worlds/nowhere/x", "/worlds/nowhere"] {
        let mut last = ask_for(path, "192.168.1.8:5000", &[]).await;
        for _ in 0..200 {
            last = ask_for(path, "192.168.1.8:5000", &[]).await;
        }
        assert_eq!(last.status_and_code(), (429, 108), "{path}: no world");
    }
    let mut last = ask("192.168.1.9:5000").await;
    // Even a slow machine sends far more than two requests per second.
    for _ in 0..200 {
        last = ask("192.168.1.9:5001").await;
    }
    assert_eq!((last.status_and_code(), last.header("retry-after")), ((429, 108), "1"));
    for _ in 0..50 {
        assert_eq!(ask("127.0.0.1:5000").await.status, 200, "this machine itself");
    }
    let forwarded = [("X-Forwarded-For", "203.0.113.9")];
    let mut last = ask_with("127.0.0.1:5000", &forwarded).await;
    for _ in 0..200 {
        last = ask_with("127.0.0.1:5000", &forwarded).await;
    }
    assert_eq!(last.status_and_code(), (429, 108), "another machine through a proxy");
    assert_eq!(ask("127.0.0.1:5000").await.status, 200, "this machine itself");
}
