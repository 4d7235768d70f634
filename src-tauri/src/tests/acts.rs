//! Every action takes effect at once, survives a restart where it should, and refuses invalid values.

use super::{Booth, secret};
use copresence_booth::panel::HostStepAfterAction;
use copresence_booth::view::LocalizedTextView;
use copresence_booth::view::panel::{
    AppearanceAndLanguageSettings, KioskModeView, PanelAction, PanelView, PartHealthState,
};
use std::io::Cursor;

fn use_profile(name: &str) -> PanelAction {
    PanelAction::UseProfile { name: name.to_owned() }
}

fn set_credential(slot: &str, value: &str) -> PanelAction {
    PanelAction::SetCredential { slot: slot.to_owned(), value: secret(value) }
}

fn remove_credential(slot: &str) -> PanelAction {
    PanelAction::RemoveCredential { slot: slot.to_owned() }
}

fn add_fault(on: &str, fault: &str, every: bool) -> PanelAction {
    PanelAction::AddFault { on: on.to_owned(), fault: fault.to_owned(), every }
}

fn profile_names(view: &PanelView) -> Vec<(&str, bool)> {
    view.profiles.iter().map(|profile| (profile.name.as_str(), profile.flaw.is_none())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_without_credentials_closes_the_booth_until_they_are_set() {
    let booth = Booth::new();
    let first = booth.panel_view().await;
    assert_eq!(profile_names(&first), [("half", false), ("live", true), ("sandbox", true)]);
    assert!(first.backend.sandbox && first.credentials.is_empty() && first.sandbox.is_some());
    assert_eq!(booth.closed_code(), None);

    let closed = booth.act_and_view(use_profile("live")).await;
    assert_eq!((closed.backend.profile.as_str(), closed.backend.host.as_str()), ("live", "127.0.0.1:9"));
    assert!(closed.sandbox.is_none());
    let slots: Vec<_> = closed.credentials.iter().map(|one| (one.slot.as_str(), one.set)).collect();
    let unset = ["api-key", "session-token", "username", "password"].map(|slot| (slot, false));
    assert_eq!(slots, unset);
    assert_eq!(booth.closed_code().as_deref(), Some("credentials_missing"));
    booth.kiosk.start_visit_or_show_consent();
    assert_eq!(booth.kiosk.current_snapshot().screen, copresence_booth::view::Screen::Attract, "no visit begins");

    booth.act_and_view(set_credential("api-key", "planted-api-key-3f")).await;
    assert_eq!(booth.closed_code().as_deref(), Some("credentials_missing"), "a session is missing");
    let open = booth.act_and_view(set_credential("session-token", "planted-session-token-9a\n")).await;
    assert_eq!(booth.closed_code(), None);
    let views: Vec<_> = open.credentials.iter().take(2).map(|one| one.ends_in.as_deref()).collect();
    assert_eq!(views, [Some("3f"), Some("9a")]);
    let held = booth.kiosk.backend_config().target.credentials.api_key.expect("reloaded");
    assert_eq!(held.expose(), "planted-api-key-3f");

    let booth = booth.restart().await;
    assert_eq!(booth.panel_view().await.backend.profile, "live", "chosen last");
    assert_eq!(booth.closed_code(), None);
    booth.act_and_view(remove_credential("api-key")).await;
    assert_eq!(booth.closed_code().as_deref(), Some("credentials_missing"));
    for wrong in [set_credential("partner-key", "x"), set_credential("nonsense", "x"), remove_credential("nonsense")] {
        assert_eq!(booth.act_error_code(wrong).await, "setting_unfit");
    }
    assert_eq!(booth.act_error_code(set_credential("api-key", " \n")).await, "credential_empty");
    assert_eq!(booth.act_error_code(use_profile("half")).await, "configuration");
    assert_eq!(booth.act_error_code(use_profile("nobody")).await, "configuration");
    assert_eq!(booth.panel_view().await.backend.profile, "live", "a refusal changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_profile_closes_the_booth_but_not_the_panel() {
    let booth = Booth::new();
    booth.act_and_view(use_profile("live")).await;
    std::fs::write(booth.root.path().join("profiles.toml"), "").expect("written");
    let booth = booth.restart().await;
    assert_eq!(booth.closed_code().as_deref(), Some("configuration"));
    assert_eq!(profile_names(&booth.panel_view().await), [("sandbox", true)]);
    std::fs::write(booth.root.path().join("profiles.toml"), super::LIVE).expect("written");
    booth.panel.reopen_closed_booth_if_backend_opens().await;
    assert_eq!(booth.closed_code().as_deref(), Some("credentials_missing"), "they can be set now");
    assert_eq!(booth.panel_view().await.backend.profile, "live");
    booth.act_and_view(use_profile("sandbox")).await;
    assert_eq!(booth.closed_code(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_set_elsewhere_reopen_the_booth() {
    let booth = Booth::new();
    booth.act_and_view(use_profile("live")).await;
    booth.panel.reopen_closed_booth_if_backend_opens().await;
    assert!(booth.closed_code().is_some());
    for (slot, value) in [("api-key", "planted-api-key"), ("session-token", "planted-session")] {
        booth.credential_store.set_credential("live", slot.parse().expect("a slot"), &secret(value)).expect("memory");
    }
    booth.panel.reopen_closed_booth_if_backend_opens().await;
    assert_eq!(booth.closed_code(), None);

    booth.act_and_view(remove_credential("session-token")).await;
    booth
        .credential_store
        .set_credential("live", "session-token".parse().expect("a slot"), &secret("another"))
        .expect("memory");
    assert!(booth.closed_code().is_some(), "not checked yet");
    booth.act_and_view(PanelAction::UnlockKeychain).await;
    assert_eq!(booth.closed_code(), None, "credentials are read again at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_can_be_changed_while_it_runs() {
    let booth = Booth::new();
    let set = booth.act_and_view(PanelAction::SetScenario { name: "fails".into() }).await;
    assert_eq!(set.sandbox.expect("in use").scenario, "fails");
    let set = booth.act_and_view(PanelAction::SetSpeed { speed: 0.5 }).await;
    assert!((set.sandbox.expect("in use").speed - 0.5).abs() < f64::EPSILON);
    for wrong in [
        PanelAction::SetScenario { name: "nonsense".into() },
        PanelAction::SetSpeed { speed: 0.0 },
        PanelAction::SetSpeed { speed: f64::NAN },
        PanelAction::SetSpeed { speed: 1e9 },
        add_fault("nowhere", "reset", true),
        add_fault("redeem", "nonsense", true),
        add_fault("redeem", "ignore_range", true),
    ] {
        assert_eq!(booth.act_error_code(wrong).await, "setting_unfit");
    }
    booth.act_and_view(add_fault("generate", "reset", false)).await;
    let set = booth.act_and_view(add_fault("file", "slow_body", true)).await;
    let faults = set.sandbox.expect("in use").faults;
    let views: Vec<_> = faults.iter().map(|one| (one.on.as_str(), one.kind.as_str(), one.when.as_str())).collect();
    assert_eq!(views, [("generate", "reset", "the next request"), ("file", "slow_body", "every request")]);
    booth.show_code().await;
    assert_eq!(booth.panel_view().await.sandbox.expect("in use").faults[0].struck, 1, "and the visit went on");
    let set = booth.act_and_view(PanelAction::EndFaults).await.sandbox.expect("in use");
    assert!(set.faults.is_empty());
    assert!(set.scenarios.len() > 10 && set.fault_kinds.len() > 10 && set.endpoints.len() == 4);

    booth.act_and_view(use_profile("live")).await;
    for act in [
        PanelAction::SetScenario { name: "happy".into() },
        PanelAction::SetSpeed { speed: 1.0 },
        add_fault("redeem", "reset", true),
        PanelAction::EndFaults,
        PanelAction::LetPhonesIn { on: true },
    ] {
        assert_eq!(booth.act_error_code(act).await, "not_the_sandbox");
    }
    booth.kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phone_access_can_change_during_a_visit() {
    let booth = Booth::new();
    let (visit, token) = booth.show_code().await;
    let own = booth.kiosk.backend_config().target.api_url;
    let let_in = booth.act(PanelAction::LetPhonesIn { on: true }).await;
    let Ok(_) = let_in else {
        // Without a network the action fails, and nothing listens.
        assert_eq!(let_in.expect_err("refused").code, "sandbox_failed");
        assert_eq!(booth.panel_view().await.backend.phones_at, None);
        return;
    };
    let view = booth.panel_view().await;
    let at = view.sandbox.and_then(|sandbox| sandbox.phones_at).expect("an address");
    assert_eq!(view.backend.phones_at.as_deref(), Some(at.as_str()));
    let backend_config = booth.kiosk.backend_config();
    assert_eq!(backend_config.target.api_url, own, "the API stays on this machine");
    assert!(
        backend_config.target.link.template_text().starts_with(&at),
        "{}",
        backend_config.target.link.template_text()
    );
    assert!(!at.contains("127.0.0.1") && !at.contains("localhost"), "{at}");
    let port = at.parse::<url::Url>().expect("a URL").port().expect("a port");
    let reached = || tokio::net::TcpStream::connect(("127.0.0.1", port));
    reached().await.expect("it listens");

    // The visit in progress continues over the first listener, including its files.
    booth.sandbox().associate_avatar(&token, &copresence_sandbox::AvatarChoice::New, None).expect("scanned");
    let there = |snapshot: &copresence_booth::view::Snapshot| matches!(&snapshot.screen, copresence_booth::view::Screen::Reveal { visit: shown, .. } if *shown == visit);
    booth.wait_for_snapshot(there).await;
    booth.kiosk.return_to_start();

    let booth = booth.restart().await;
    assert!(booth.panel_view().await.backend.phones_at.is_some(), "as it was left");
    let out = booth.act_and_view(PanelAction::LetPhonesIn { on: false }).await;
    assert_eq!(out.backend.phones_at, None);
    assert!(booth.kiosk.backend_config().target.link.template_text().starts_with("http://127.0.0.1:"));
    assert_eq!(booth.restart().await.panel_view().await.backend.phones_at, None);
}

/// Strangers on the network reach the sandbox only while it is the backend of the visits.
#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_is_closed_to_phones_while_another_backend_is_used() {
    let booth = Booth::new();
    if booth.act(PanelAction::LetPhonesIn { on: true }).await.is_err() {
        // Without a network nothing listens.
        return;
    }
    let port = |view: copresence_booth::view::panel::PanelView| {
        let at = view.backend.phones_at.expect("an address");
        at.parse::<url::Url>().expect("a URL").port().expect("a port")
    };
    let open = port(booth.panel_view().await);
    tokio::net::TcpStream::connect(("127.0.0.1", open)).await.expect("it listens");
    booth.act_and_view(use_profile("live")).await;
    let is_closed = async {
        while tokio::net::TcpStream::connect(("127.0.0.1", open)).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::PATIENCE, is_closed).await.expect("closed");

    let again = port(booth.act_and_view(use_profile("sandbox")).await);
    tokio::net::TcpStream::connect(("127.0.0.1", again)).await.expect("as it was left");
    booth.kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_are_not_let_in_if_the_setting_cannot_be_saved() {
    let booth = Booth::new();
    std::fs::create_dir(booth.data().join("settings.toml")).expect("made");
    assert_eq!(booth.act_error_code(PanelAction::LetPhonesIn { on: true }).await, "settings_failed");
    let view = booth.panel_view().await;
    assert_eq!((view.backend.phones_at, view.sandbox.and_then(|sandbox| sandbox.phones_at)), (None, None));
    booth.kiosk.stop_visits_for_shutdown().await;
}

/// The hours are those of the day after tomorrow, so the booth is closed now.
#[tokio::test(flavor = "multi_thread")]
async fn outside_of_its_opening_hours_the_booth_is_dark_and_no_visit_begins() {
    let booth = Booth::new();
    let weekday = |days: i64| {
        let day = jiff::Zoned::now().date().checked_add(jiff::Span::new().days(days)).expect("a day");
        day.strftime("%a").to_string()
    };
    let set_hours = |hours: Option<String>| {
        let display =
            AppearanceAndLanguageSettings { opening_hours: hours, ..booth.panel.current_appearance_and_language() };
        booth.act(PanelAction::SetDisplay { display })
    };
    set_hours(Some(format!("{} 09:00-18:00", weekday(2)))).await.expect("set");
    assert_eq!(booth.closed_code().as_deref(), Some("outside_hours"));
    let until = booth.kiosk.current_snapshot().booth.closed_until;
    assert!(until.is_some_and(|until| until.ends_with("T09:00:00")));
    booth.kiosk.start_visit_or_show_consent();
    assert_eq!(booth.kiosk.current_snapshot().screen, copresence_booth::view::Screen::Attract);
    assert!(!booth.panel.is_within_opening_hours());
    set_hours(None).await.expect("set");
    assert_eq!((booth.closed_code(), booth.panel.is_within_opening_hours()), (None, true));
    booth.show_code().await;
    booth.kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_display_is_set_for_every_screen_and_kept() {
    let booth = Booth::new();
    let display = AppearanceAndLanguageSettings {
        monitor: Some("HDMI-1".into()),
        language: Some("ja".into()),
        idle_seconds: 30,
        attract_text: LocalizedTextView::from_iter([("en", "Come in"), ("ja", "どうぞ")]),
        consent: LocalizedTextView::from_iter([("de", "Wir behalten deinen Avatar einen Tag.")]),
        voice: true,
        sounds: true,
        opening_hours: Some("daily 00:00-24:00".into()),
        keep_awake: false,
        logo: true,
    };
    let act = PanelAction::SetDisplay { display: display.clone() };
    assert_eq!(booth.act(act).await, Ok(HostStepAfterAction::UpdateWindow), "the host makes the window so");
    let views = AppearanceAndLanguageSettings { logo: false, ..display.clone() };
    assert_eq!(booth.panel_view().await.display, views, "no logo was sent");
    let seen = booth.kiosk.current_snapshot().booth;
    assert_eq!((seen.language.as_deref(), seen.idle_seconds, seen.voice, seen.sounds), (Some("ja"), 30, true, true));
    assert_eq!(seen.attract_text, display.attract_text);
    booth.kiosk.start_visit_or_show_consent();
    let consent = copresence_booth::view::Screen::Consent { texts: display.consent.clone() };
    assert_eq!(booth.kiosk.current_snapshot().screen, consent);
    booth.kiosk.leave_shown_visit();
    let unfit = PanelAction::SetDisplay { display: AppearanceAndLanguageSettings { idle_seconds: 1, ..display } };
    assert_eq!(booth.act_error_code(unfit).await, "setting_unfit");
    let booth = booth.restart().await;
    assert_eq!(booth.panel_view().await.display, views);
    assert!(!booth.panel.should_screen_stay_awake());
    assert_eq!(booth.kiosk.current_snapshot().booth.idle_seconds, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn kiosk_mode_combines_setting_and_flag() {
    let mode = |on, set, by_flag| KioskModeView { on, set, by_flag };
    let booth = Booth::new();
    assert_eq!(booth.check_kiosk_mode().await, mode(false, false, false));
    let switch = |on| PanelAction::SetKioskMode { on };
    assert_eq!(booth.act(switch(true)).await, Ok(HostStepAfterAction::UpdateWindow), "the host makes the window so");
    assert_eq!(booth.check_kiosk_mode().await, mode(true, true, false));
    let booth = booth.restart().await;
    assert_eq!(booth.check_kiosk_mode().await, mode(true, true, false), "kept");
    booth.act_and_view(switch(false)).await;

    let booth = booth.restart().await;
    booth.panel.force_kiosk_mode_on();
    assert_eq!(booth.check_kiosk_mode().await, mode(true, false, true), "for this run");
    let display = AppearanceAndLanguageSettings { voice: true, ..booth.panel_view().await.display };
    booth.act_and_view(PanelAction::SetDisplay { display }).await;
    assert_eq!(booth.check_kiosk_mode().await, mode(true, false, true), "other settings do not change it");
    booth.act_and_view(switch(false)).await;
    assert_eq!(booth.check_kiosk_mode().await, mode(false, false, true), "the operator overrides the flag");
    booth.act_and_view(switch(true)).await;
    assert_eq!(booth.check_kiosk_mode().await, mode(true, true, true));
    assert_eq!(booth.restart().await.check_kiosk_mode().await, mode(true, true, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn kiosk_mode_does_not_change_if_it_cannot_be_saved() {
    let booth = Booth::new();
    booth.panel.force_kiosk_mode_on();
    // A rename cannot replace a folder.
    std::fs::create_dir(booth.data().join("settings.toml")).expect("made");
    assert_eq!(booth.act_error_code(PanelAction::SetKioskMode { on: false }).await, "settings_failed");
    assert!(booth.check_kiosk_mode().await.on);
}

fn base64_png(width: u32, height: u32) -> (Vec<u8>, String) {
    use base64::Engine as _;
    let mut png = Vec::new();
    let picture = image::DynamicImage::new_luma8(width, height);
    picture.write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png).expect("a PNG");
    let text = base64::prelude::BASE64_STANDARD.encode(&png);
    (png, text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logo_is_validated_and_can_be_removed() {
    let booth = Booth::new();
    let (png, text) = base64_png(64, 32);
    assert!(booth.act_and_view(PanelAction::SetLogo { png: text.clone() }).await.display.logo);
    let first = booth.kiosk.current_snapshot().booth.logo.expect("shown");
    assert!(first.starts_with("avatar://localhost/booth/logo.png?v="), "{first}");
    assert_eq!(booth.panel.read_operator_logo(), Some(png));
    booth.act_and_view(PanelAction::SetLogo { png: base64_png(16, 16).1 }).await;
    assert_ne!(booth.kiosk.current_snapshot().booth.logo, Some(first), "another picture, another address");
    for wrong in ["", "****", "bm8gUE5H", &text[..text.len() / 2 / 4 * 4], &base64_png(5000, 1).1] {
        assert_eq!(booth.act_error_code(PanelAction::SetLogo { png: wrong.to_owned() }).await, "logo_unfit");
    }
    let large = "A".repeat(4 << 20);
    assert_eq!(booth.act_error_code(PanelAction::SetLogo { png: large }).await, "logo_unfit");

    let booth = booth.restart().await;
    assert!(booth.kiosk.current_snapshot().booth.logo.is_some(), "what was refused took nothing away");
    let display = AppearanceAndLanguageSettings { logo: false, ..booth.panel_view().await.display };
    assert!(!booth.act_and_view(PanelAction::SetDisplay { display }).await.display.logo);
    assert_eq!(booth.kiosk.current_snapshot().booth.logo, None);
    assert!(!booth.data().join("logo.png").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn lock_quit_and_change_pin() {
    let booth = Booth::new();
    let now = booth.clock.millis_since_clock_creation();
    booth.panel.pin_lock().set_first_pin_and_unlock(secret("4711"), false, now).await.expect("set");
    assert_eq!(booth.act(PanelAction::Quit).await, Ok(HostStepAfterAction::Quit));
    let change = |current: &str, new: &str| PanelAction::ChangePin { current: secret(current), new: secret(new) };
    assert_eq!(booth.act_error_code(change("0000", "0815")).await, "pin_wrong");
    booth.act_and_view(change("4711", "0815")).await;
    booth.act_and_view(PanelAction::Lock).await;
    assert!(!booth.panel.pin_lock().is_unlocked(now));
    assert!(booth.panel.pin_lock().try_unlock(secret("0815"), now).await.expect("tried").open);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_reports_every_part_and_no_secret() {
    let booth = Booth::new();
    let views = booth.panel.check_booth_health().await;
    let parts: Vec<_> = views.iter().map(|view| view.part.as_str()).collect();
    let all = ["profiles", "settings", "disk", "keychain", "credentials", "backend", "clock", "last_problem"];
    assert_eq!(parts, all);
    // One profile of the test file lacks its URL.
    let well = views.iter().filter(|view| view.part != "profiles" && view.part != "clock");
    assert!(well.clone().all(|view| view.stand == PartHealthState::Good), "{views:?}");

    booth.act_and_view(use_profile("live")).await;
    let secrets = ["planted-api-key-3f", "planted-user-name-7", "planted-password-8"];
    for (slot, value) in ["api-key", "username", "password"].into_iter().zip(secrets) {
        booth.act_and_view(set_credential(slot, value)).await;
    }
    let views = booth.panel.check_booth_health().await;
    let backend = views.iter().find(|view| view.part == "backend").expect("views");
    assert_eq!(backend.stand, PartHealthState::Bad, "nothing listens there");
    let view = booth.panel_view().await;
    assert!(view.credentials.iter().filter(|one| one.set).count() == 3);
    let sent = format!(
        "{}{}{}",
        serde_json::to_string(&view).expect("plain data"),
        serde_json::to_string(&views).expect("plain data"),
        serde_json::to_string(&booth.kiosk.current_snapshot()).expect("plain data"),
    );
    let kept = std::fs::read_to_string(booth.data().join("settings.toml")).expect("kept");
    for secret in secrets {
        assert!(!sent.contains(secret) && !kept.contains(secret), "{secret}");
    }
}
