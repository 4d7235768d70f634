//! The commands as the page calls them.

use super::Booth;
use crate::window::KIOSK_WINDOW;
use copresence_booth::view::Screen;
use serde_json::{Value, json};
use tauri::ipc::{CallbackFn, InvokeBody};
use tauri::test::{INVOKE_KEY, MockRuntime, get_ipc_response, mock_builder, mock_context, noop_assets};
use tauri::webview::InvokeRequest;
use tauri::{WebviewWindow, WebviewWindowBuilder};

/// Commands that need no PIN.
const UNLOCKED_COMMANDS: [&str; 16] = [
    "subscribe",
    "start_visit",
    "agree_to_consent",
    "cancel_visit",
    "request_new_qr_code",
    "open_sandbox_phone",
    "record_avatar_with_sandbox",
    "return_to_attract",
    "forget_visit",
    "continue_visit_as_ticket",
    "show_ticket_code_entry",
    "enter_pickup_code",
    "receive_heartbeat",
    "read_panel_pin_lock",
    "try_panel_pin",
    "panel_set_first_pin",
];

/// Commands behind the PIN: all others that the page may call.
fn operator_commands() -> Vec<String> {
    let capability: Value = serde_json::from_str(include_str!("../../capabilities/kiosk.json")).expect("JSON");
    let permissions = capability["permissions"].as_array().expect("a list");
    let names = permissions.iter().filter_map(|one| Some(one.as_str()?.strip_prefix("allow-")?.replace('-', "_")));
    names.filter(|name| !UNLOCKED_COMMANDS.contains(&name.as_str())).collect()
}

pub(super) fn build_page() -> (Booth, tauri::App<MockRuntime>, WebviewWindow<MockRuntime>) {
    let booth = Booth::new();
    let app =
        crate::shell::build_app_for_any_runtime(mock_builder(), booth.kiosk.clone(), booth.panel.clone(), booth.clock)
            .build(mock_context(noop_assets()))
            .expect("an application");
    let window = WebviewWindowBuilder::new(&app, KIOSK_WINDOW, tauri::WebviewUrl::default()).build();
    (booth, app, window.expect("a window"))
}

/// Runs on a blocking thread, because it waits for the response.
pub(super) async fn call_command(
    window: &WebviewWindow<MockRuntime>,
    command: &str,
    body: Value,
) -> Result<Value, Value> {
    let request = InvokeRequest {
        cmd: command.to_owned(),
        callback: CallbackFn(0),
        error: CallbackFn(1),
        url: if cfg!(any(windows, target_os = "android")) { "http://tauri.localhost" } else { "tauri://localhost" }
            .parse()
            .expect("a URL"),
        body: InvokeBody::Json(body),
        headers: tauri::http::HeaderMap::new(),
        invoke_key: INVOKE_KEY.to_owned(),
    };
    let window = window.clone();
    let answered = tokio::task::spawn_blocking(move || get_ipc_response(&window, request)).await;
    answered.expect("no panic").map(|body| body.deserialize().expect("JSON"))
}

/// Arguments that fit every command.
fn arguments_for_any_command() -> Value {
    json!({
        "act": {"kind": "wipe_now"},
        "visit": "00000000-0000-7000-8000-000000000000",
        "channel": "__CHANNEL__:7",
        "ask": {"most_tokens": 0, "wrong_requests": false, "with_phone": false, "despite_visits": false},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_panel_refuses_every_operator_command() {
    let (booth, _app, window) = build_page();
    let desk = operator_commands();
    for command in ["read_panel", "run_panel_action", "panel_health", "panel_history"] {
        assert!(desk.contains(&command.to_owned()), "{command}: {desk:?}");
    }
    for command in &desk {
        let refused = call_command(&window, command, arguments_for_any_command()).await.expect_err(command);
        assert_eq!(refused["code"], "panel_locked", "{command}: {refused}");
    }
    let first = call_command(&window, "panel_set_first_pin", json!({"pin": "4711"})).await.expect("set");
    assert_eq!(first["open"], true);
    let panel = call_command(&window, "read_panel", json!({})).await.expect("open");
    assert_eq!(panel["backend"]["sandbox"], true);
    call_command(&window, "run_panel_action", json!({"act": {"kind": "lock"}})).await.expect("locked");
    for command in &desk {
        assert_eq!(
            call_command(&window, command, arguments_for_any_command()).await.expect_err(command)["code"],
            "panel_locked"
        );
    }
    booth.simulator.stop_sandbox().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reloaded_page_is_locked() {
    let (_booth, _app, window) = build_page();
    call_command(&window, "panel_set_first_pin", json!({"pin": "4711"})).await.expect("set");
    call_command(&window, "panel_history", json!({})).await.expect("open");
    call_command(&window, "subscribe", json!({"channel": "__CHANNEL__:7"})).await.expect("subscribed");
    assert_eq!(call_command(&window, "panel_history", json!({})).await.expect_err("closed")["code"], "panel_locked");
    let gate = call_command(&window, "read_panel_pin_lock", json!({})).await.expect("a response");
    assert_eq!((&gate["pin_set"], &gate["open"]), (&json!(true), &json!(false)));
    let wrong = call_command(&window, "try_panel_pin", json!({"pin": "0000"})).await.expect("an answer");
    assert_eq!((&wrong["wrong"], &wrong["open"]), (&json!(true), &json!(false)));
    let right = call_command(&window, "try_panel_pin", json!({"pin": "4711"})).await.expect("an answer");
    assert_eq!(right["open"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_returns_the_panel_or_a_problem() {
    let (booth, _app, window) = build_page();
    call_command(&window, "panel_set_first_pin", json!({"pin": "4711"})).await.expect("set");
    let set = json!({"act": {"kind": "set_keep", "hours": 12}});
    assert_eq!(call_command(&window, "run_panel_action", set).await.expect("done")["keep_hours"], 12);
    let unfit = json!({"act": {"kind": "set_speed", "speed": 0}});
    let refused = call_command(&window, "run_panel_action", unfit).await.expect_err("refused");
    assert_eq!((&refused["code"], &refused["retry_helps"]), (&json!("setting_unfit"), &json!(false)));
    let display = booth.panel_view().await.display;
    let display = json!({"act": {"kind": "set_display", "display": display}});
    call_command(&window, "run_panel_action", display).await.expect("the window follows");
    let parts = call_command(&window, "panel_health", json!({})).await.expect("a response");
    let parts: Vec<_> = parts.as_array().expect("a list").iter().map(|view| view["part"].clone()).collect();
    assert!(parts.contains(&json!("display")) && parts.contains(&json!("web_view")), "{parts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitors_command_names_the_screen_that_it_acts_on() {
    let (booth, _app, window) = build_page();
    let attract = booth.kiosk.current_snapshot().revision;
    call_command(&window, "start_visit", json!({"revision": attract + 1})).await.expect("ignored");
    assert_eq!(booth.kiosk.current_snapshot().screen, Screen::Attract);
    call_command(&window, "start_visit", json!({"revision": attract})).await.expect("begun");
    let invite = booth.wait_for_snapshot(|snapshot| matches!(snapshot.screen, Screen::Invite { .. })).await;
    let visit = invite.screen.visit_id().expect("of somebody").to_owned();
    for command in [
        "cancel_visit",
        "request_new_qr_code",
        "return_to_attract",
        "forget_visit",
        "open_sandbox_phone",
        "record_avatar_with_sandbox",
    ] {
        for target in [json!({"visit": "00000000-0000-7000-8000-000000000000"}), json!({"revision": attract})] {
            call_command(&window, command, target).await.expect("ignored");
        }
    }
    assert_eq!(booth.kiosk.current_snapshot().screen.visit_id(), Some(visit.as_str()));
    call_command(&window, "cancel_visit", json!({"visit": visit, "revision": invite.revision})).await.expect("left");
    assert_eq!(booth.kiosk.current_snapshot().screen, Screen::Attract);
    call_command(&window, "start_visit", json!({})).await.expect("as before");
    assert!(booth.kiosk.current_snapshot().screen.visit_id().is_some());
    booth.kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_records_an_avatar_for_the_code_on_the_screen() {
    let (booth, _app, window) = build_page();
    let refused = call_command(&window, "record_avatar_with_sandbox", json!({})).await.expect_err("no code");
    assert!(refused.as_str().is_some_and(|words| words.contains("no code")), "{refused}");
    booth.show_code().await;
    call_command(&window, "record_avatar_with_sandbox", json!({})).await.expect("recorded");
    let again = call_command(&window, "record_avatar_with_sandbox", json!({})).await;
    booth.wait_for_snapshot(|snapshot| matches!(snapshot.screen, Screen::Reveal { .. })).await;
    assert!(again.is_err(), "a second avatar for the same code");
    booth.kiosk.stop_visits_for_shutdown().await;
}
