//! Embeds configuration, capabilities and the built UI into the program.

fn main() {
    // A listed command is denied to every window without a capability for it. The sandbox's phone page in the second
    // window has none.
    let commands = tauri_build::AppManifest::new().commands(&[
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
        "read_panel",
        "run_panel_action",
        "panel_health",
        "panel_history",
        "subscribe_to_inspector",
        "save_har",
        "follow_backend_checks",
        "plan_backend_checks",
        "start_backend_checks",
        "stop_backend_checks",
        "skip_check_waiting_for_phone",
        "save_report",
    ]);
    let attributes = tauri_build::Attributes::new().app_manifest(commands);
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo::error={error:#}");
    }
}
