//! Every act takes effect at once, outlives a restart where it should, and refuses what makes no sense.

use super::{Booth, secret};
use kiosk::panel::Next;
use kiosk::view::Texts;
use kiosk::view::panel::{DisplaySettings, HealthStand, KioskModeView, PanelAct, PanelView};
use std::io::Cursor;

fn use_profile(name: &str) -> PanelAct {
    PanelAct::UseProfile { name: name.to_owned() }
}

fn credential(slot: &str, value: &str) -> PanelAct {
    PanelAct::SetCredential { slot: slot.to_owned(), value: secret(value) }
}

fn remove(slot: &str) -> PanelAct {
    PanelAct::RemoveCredential { slot: slot.to_owned() }
}

fn fault(on: &str, fault: &str, every: bool) -> PanelAct {
    PanelAct::AddFault { on: on.to_owned(), fault: fault.to_owned(), every }
}

fn names(view: &PanelView) -> Vec<(&str, bool)> {
    view.profiles.iter().map(|profile| (profile.name.as_str(), profile.flaw.is_none())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_without_credentials_closes_the_booth_until_they_are_set() {
    let booth = Booth::new();
    let first = booth.view().await;
    assert_eq!(names(&first), [("half", false), ("live", true), ("sandbox", true)]);
    assert!(first.backend.sandbox && first.credentials.is_empty() && first.sandbox.is_some());
    assert_eq!(booth.closed(), None);

    let closed = booth.done(use_profile("live")).await;
    assert_eq!((closed.backend.profile.as_str(), closed.backend.host.as_str()), ("live", "127.0.0.1:9"));
    assert!(closed.sandbox.is_none());
    let slots: Vec<_> = closed.credentials.iter().map(|one| (one.slot.as_str(), one.set)).collect();
    let unset = ["api-key", "session-token", "username", "password"].map(|slot| (slot, false));
    assert_eq!(slots, unset);
    assert_eq!(booth.closed().as_deref(), Some("credentials_missing"));
    booth.kiosk.start();
    assert_eq!(booth.kiosk.snapshot().screen, kiosk::view::Screen::Attract, "no visit begins");

    booth.done(credential("api-key", "planted-api-key-3f")).await;
    assert_eq!(booth.closed().as_deref(), Some("credentials_missing"), "a session is missing");
    let open = booth.done(credential("session-token", "planted-session-token-9a\n")).await;
    assert_eq!(booth.closed(), None);
    let told: Vec<_> = open.credentials.iter().take(2).map(|one| one.ends_in.as_deref()).collect();
    assert_eq!(told, [Some("3f"), Some("9a")]);
    let held = booth.kiosk.backing().target.credentials.api_key.expect("read anew");
    assert_eq!(held.expose(), "planted-api-key-3f");

    let booth = booth.restart().await;
    assert_eq!(booth.view().await.backend.profile, "live", "chosen last");
    assert_eq!(booth.closed(), None);
    booth.done(remove("api-key")).await;
    assert_eq!(booth.closed().as_deref(), Some("credentials_missing"));
    for wrong in [credential("partner-key", "x"), credential("nonsense", "x"), remove("nonsense")] {
        assert_eq!(booth.refused(wrong).await, "setting_unfit");
    }
    assert_eq!(booth.refused(credential("api-key", " \n")).await, "credential_empty");
    assert_eq!(booth.refused(use_profile("half")).await, "configuration");
    assert_eq!(booth.refused(use_profile("nobody")).await, "configuration");
    assert_eq!(booth.view().await.backend.profile, "live", "a refusal changes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_went_away_leaves_a_closed_booth_and_a_panel() {
    let booth = Booth::new();
    booth.done(use_profile("live")).await;
    std::fs::write(booth.root.path().join("profiles.toml"), "").expect("written");
    let booth = booth.restart().await;
    assert_eq!(booth.closed().as_deref(), Some("configuration"));
    assert_eq!(names(&booth.view().await), [("sandbox", true)]);
    std::fs::write(booth.root.path().join("profiles.toml"), super::LIVE).expect("written");
    booth.panel.look_again().await;
    assert_eq!(booth.closed().as_deref(), Some("credentials_missing"), "they can be set now");
    assert_eq!(booth.view().await.backend.profile, "live");
    booth.done(use_profile("sandbox")).await;
    assert_eq!(booth.closed(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keychain_that_is_mended_elsewhere_opens_the_booth() {
    let booth = Booth::new();
    booth.done(use_profile("live")).await;
    booth.panel.look_again().await;
    assert!(booth.closed().is_some());
    for (slot, value) in [("api-key", "planted-api-key"), ("session-token", "planted-session")] {
        booth.vault.set("live", slot.parse().expect("a slot"), &secret(value)).expect("memory");
    }
    booth.panel.look_again().await;
    assert_eq!(booth.closed(), None);

    booth.done(remove("session-token")).await;
    booth.vault.set("live", "session-token".parse().expect("a slot"), &secret("another")).expect("memory");
    assert!(booth.closed().is_some(), "nobody has looked yet");
    booth.done(PanelAct::UnlockKeychain).await;
    assert_eq!(booth.closed(), None, "what is unlocked is read at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandbox_is_set_while_it_runs() {
    let booth = Booth::new();
    let set = booth.done(PanelAct::SetScenario { name: "fails".into() }).await;
    assert_eq!(set.sandbox.expect("in use").scenario, "fails");
    let set = booth.done(PanelAct::SetSpeed { speed: 0.5 }).await;
    assert!((set.sandbox.expect("in use").speed - 0.5).abs() < f64::EPSILON);
    for wrong in [
        PanelAct::SetScenario { name: "nonsense".into() },
        PanelAct::SetSpeed { speed: 0.0 },
        PanelAct::SetSpeed { speed: f64::NAN },
        PanelAct::SetSpeed { speed: 1e9 },
        fault("nowhere", "reset", true),
        fault("redeem", "nonsense", true),
        fault("redeem", "ignore_range", true),
    ] {
        assert_eq!(booth.refused(wrong).await, "setting_unfit");
    }
    booth.done(fault("generate", "reset", false)).await;
    let set = booth.done(fault("file", "slow_body", true)).await;
    let faults = set.sandbox.expect("in use").faults;
    let told: Vec<_> =
        faults.iter().map(|one| (one.on.as_str(), one.kind.as_str(), one.when.as_str())).collect();
    assert_eq!(told, [("generate", "reset", "the next request"), ("file", "slow_body", "every request")]);
    booth.invited().await;
    assert_eq!(booth.view().await.sandbox.expect("in use").faults[0].struck, 1, "and the visit went on");
    let set = booth.done(PanelAct::EndFaults).await.sandbox.expect("in use");
    assert!(set.faults.is_empty());
    assert!(set.scenarios.len() > 10 && set.fault_kinds.len() > 10 && set.endpoints.len() == 4);

    booth.done(use_profile("live")).await;
    for act in [
        PanelAct::SetScenario { name: "happy".into() },
        PanelAct::SetSpeed { speed: 1.0 },
        fault("redeem", "reset", true),
        PanelAct::EndFaults,
        PanelAct::LetPhonesIn { on: true },
    ] {
        assert_eq!(booth.refused(act).await, "not_the_sandbox");
    }
    booth.kiosk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_are_let_in_and_out_under_a_visit_that_goes_on() {
    let booth = Booth::new();
    let (visit, token) = booth.invited().await;
    let own = booth.kiosk.backing().target.api_url;
    let let_in = booth.act(PanelAct::LetPhonesIn { on: true }).await;
    let Ok(_) = let_in else {
        // A machine without any network: then it is said, and nothing is open.
        assert_eq!(let_in.expect_err("refused").code, "sandbox_failed");
        assert_eq!(booth.view().await.backend.phones_at, None);
        return;
    };
    let view = booth.view().await;
    let at = view.sandbox.and_then(|sandbox| sandbox.phones_at).expect("an address");
    assert_eq!(view.backend.phones_at.as_deref(), Some(at.as_str()));
    let backing = booth.kiosk.backing();
    assert_eq!(backing.target.api_url, own, "the API stays on this machine");
    assert!(backing.target.link.as_str().starts_with(&at), "{}", backing.target.link.as_str());
    assert!(!at.contains("127.0.0.1") && !at.contains("localhost"), "{at}");
    let port = at.parse::<url::Url>().expect("a URL").port().expect("a port");
    let reached = || tokio::net::TcpStream::connect(("127.0.0.1", port));
    reached().await.expect("it listens");

    // The visit of before goes on over the first listener, files and all.
    booth.sandbox().associate(&token, &sandbox::AvatarChoice::New, None).expect("scanned");
    let there = |snapshot: &kiosk::view::Snapshot| matches!(&snapshot.screen, kiosk::view::Screen::Reveal { visit: shown, .. } if *shown == visit);
    booth.until(there).await;
    booth.kiosk.again();

    let booth = booth.restart().await;
    assert!(booth.view().await.backend.phones_at.is_some(), "as it was left");
    let out = booth.done(PanelAct::LetPhonesIn { on: false }).await;
    assert_eq!(out.backend.phones_at, None);
    assert!(booth.kiosk.backing().target.link.as_str().starts_with("http://127.0.0.1:"));
    assert_eq!(booth.restart().await.view().await.backend.phones_at, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_stay_out_when_that_they_are_let_in_cannot_be_kept() {
    let booth = Booth::new();
    std::fs::create_dir(booth.data().join("settings.toml")).expect("made");
    assert_eq!(booth.refused(PanelAct::LetPhonesIn { on: true }).await, "settings_failed");
    let view = booth.view().await;
    assert_eq!((view.backend.phones_at, view.sandbox.and_then(|sandbox| sandbox.phones_at)), (None, None));
    booth.kiosk.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_display_is_set_for_every_screen_and_kept() {
    let booth = Booth::new();
    let display = DisplaySettings {
        monitor: Some("HDMI-1".into()),
        language: Some("ja".into()),
        idle_seconds: 30,
        attract_text: Texts::from_iter([("en", "Come in"), ("ja", "どうぞ")]),
        consent: Texts::from_iter([("de", "Wir behalten deinen Avatar einen Tag.")]),
        voice: true,
        logo: true,
    };
    let act = PanelAct::SetDisplay { display: display.clone() };
    assert_eq!(booth.act(act).await, Ok(Next::Display), "the host makes the window so");
    let told = DisplaySettings { logo: false, ..display.clone() };
    assert_eq!(booth.view().await.display, told, "no logo was sent");
    let seen = booth.kiosk.snapshot().booth;
    assert_eq!((seen.language.as_deref(), seen.idle_seconds, seen.voice), (Some("ja"), 30, true));
    assert_eq!(seen.attract_text, display.attract_text);
    booth.kiosk.start();
    let consent = kiosk::view::Screen::Consent { texts: display.consent.clone() };
    assert_eq!(booth.kiosk.snapshot().screen, consent);
    booth.kiosk.cancel();
    let unfit = PanelAct::SetDisplay { display: DisplaySettings { idle_seconds: 1, ..display } };
    assert_eq!(booth.refused(unfit).await, "setting_unfit");
    let booth = booth.restart().await;
    assert_eq!(booth.view().await.display, told);
    assert_eq!(booth.kiosk.snapshot().booth.idle_seconds, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn kiosk_mode_is_told_as_it_is_in_force_whatever_turned_it_on() {
    let mode = |on, set, by_flag| KioskModeView { on, set, by_flag };
    let booth = Booth::new();
    assert_eq!(booth.mode().await, mode(false, false, false));
    let switch = |on| PanelAct::SetKioskMode { on };
    assert_eq!(booth.act(switch(true)).await, Ok(Next::Display), "the host makes the window so");
    assert_eq!(booth.mode().await, mode(true, true, false));
    let booth = booth.restart().await;
    assert_eq!(booth.mode().await, mode(true, true, false), "kept");
    booth.done(switch(false)).await;

    let booth = booth.restart().await;
    booth.panel.start_in_kiosk_mode();
    assert_eq!(booth.mode().await, mode(true, false, true), "for this run");
    let display = DisplaySettings { voice: true, ..booth.view().await.display };
    booth.done(PanelAct::SetDisplay { display }).await;
    assert_eq!(booth.mode().await, mode(true, false, true), "what is set beside leaves it");
    booth.done(switch(false)).await;
    assert_eq!(booth.mode().await, mode(false, false, true), "whoever has the PIN is right");
    booth.done(switch(true)).await;
    assert_eq!(booth.mode().await, mode(true, true, true));
    assert_eq!(booth.restart().await.mode().await, mode(true, true, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kiosk_mode_that_cannot_be_kept_is_not_changed() {
    let booth = Booth::new();
    booth.panel.start_in_kiosk_mode();
    // A folder in the place of the file cannot be replaced by renaming.
    std::fs::create_dir(booth.data().join("settings.toml")).expect("made");
    assert_eq!(booth.refused(PanelAct::SetKioskMode { on: false }).await, "settings_failed");
    assert!(booth.mode().await.on);
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
async fn a_logo_is_a_png_and_goes_when_it_is_taken_off() {
    let booth = Booth::new();
    let (png, text) = base64_png(64, 32);
    assert!(booth.done(PanelAct::SetLogo { png: text.clone() }).await.display.logo);
    let first = booth.kiosk.snapshot().booth.logo.expect("shown");
    assert!(first.starts_with("avatar://localhost/booth/logo.png?v="), "{first}");
    assert_eq!(booth.panel.logo(), Some(png));
    booth.done(PanelAct::SetLogo { png: base64_png(16, 16).1 }).await;
    assert_ne!(booth.kiosk.snapshot().booth.logo, Some(first), "another picture, another address");
    for wrong in ["", "****", "bm8gUE5H", &text[..text.len() / 2 / 4 * 4], &base64_png(5000, 1).1] {
        assert_eq!(booth.refused(PanelAct::SetLogo { png: wrong.to_owned() }).await, "logo_unfit");
    }
    let large = "A".repeat(4 << 20);
    assert_eq!(booth.refused(PanelAct::SetLogo { png: large }).await, "logo_unfit");

    let booth = booth.restart().await;
    assert!(booth.kiosk.snapshot().booth.logo.is_some(), "what was refused took nothing away");
    let display = DisplaySettings { logo: false, ..booth.view().await.display };
    assert!(!booth.done(PanelAct::SetDisplay { display }).await.display.logo);
    assert_eq!(booth.kiosk.snapshot().booth.logo, None);
    assert!(!booth.data().join("logo.png").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_the_end_and_the_pin() {
    let booth = Booth::new();
    let now = booth.clock.moment();
    booth.panel.gate().set_first_pin(secret("4711"), now).await.expect("set");
    assert_eq!(booth.act(PanelAct::Quit).await, Ok(Next::Quit));
    let change =
        |current: &str, new: &str| PanelAct::ChangePin { current: secret(current), new: secret(new) };
    assert_eq!(booth.refused(change("0000", "0815")).await, "pin_wrong");
    booth.done(change("4711", "0815")).await;
    booth.done(PanelAct::Lock).await;
    assert!(!booth.panel.gate().is_open(now));
    assert!(booth.panel.gate().enter(secret("0815"), now).await.expect("tried").open);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_told_of_each_part_and_no_secret_in_anything() {
    let booth = Booth::new();
    let told = booth.panel.health().await;
    let parts: Vec<_> = told.iter().map(|view| view.part.as_str()).collect();
    let all = ["profiles", "settings", "disk", "keychain", "credentials", "backend", "clock", "last_problem"];
    assert_eq!(parts, all);
    // The test's file has a profile that lacks its URL.
    let well = told.iter().filter(|view| view.part != "profiles" && view.part != "clock");
    assert!(well.clone().all(|view| view.stand == HealthStand::Good), "{told:?}");

    booth.done(use_profile("live")).await;
    let secrets = ["planted-api-key-3f", "planted-user-name-7", "planted-password-8"];
    for (slot, value) in ["api-key", "username", "password"].into_iter().zip(secrets) {
        booth.done(credential(slot, value)).await;
    }
    let told = booth.panel.health().await;
    let backend = told.iter().find(|view| view.part == "backend").expect("told");
    assert_eq!(backend.stand, HealthStand::Bad, "nobody listens there");
    let view = booth.view().await;
    assert!(view.credentials.iter().filter(|one| one.set).count() == 3);
    let sent = format!(
        "{}{}{}",
        serde_json::to_string(&view).expect("plain data"),
        serde_json::to_string(&told).expect("plain data"),
        serde_json::to_string(&booth.kiosk.snapshot()).expect("plain data"),
    );
    let kept = std::fs::read_to_string(booth.data().join("settings.toml")).expect("kept");
    for secret in secrets {
        assert!(!sent.contains(secret) && !kept.contains(secret), "{secret}");
    }
}
