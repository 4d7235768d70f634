//! The phone page over HTTP, without a browser.

use crate::support::TestSandbox;
use copresence_sandbox::{BuiltInScenarioName, PhoneTicket, PhoneTicketState, SandboxSettings};
use image::{DynamicImage, ImageFormat};
use std::collections::HashMap;
use std::io::Cursor;

fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::new_rgb8(width, height).write_to(&mut bytes, ImageFormat::Jpeg).expect("encoded");
    bytes.into_inner()
}

#[tokio::test]
async fn page_has_ids_for_tests_and_nothing_inline() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let token = test.generate().await;
    let page = test.get(&format!("/phone?exportToken={token}"), &[]).await;
    assert_eq!(page.status, 200);
    for id in ["record-new", "skip-picture", "choose-existing", "avatar-ari", "status", "use-picture"] {
        assert!(page.text().contains(&format!("id=\"{id}\" data-testid=\"{id}\"")), "{id}");
    }
    assert!(page.text().contains("not the Copresence app"));
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(!page.text().contains("<style") && !page.text().contains("style=") && !page.text().contains("onclick"));
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    for file in ["/static/phone.js", "/static/phone-crop.js", "/static/phone.css", "/static/index.css"] {
        assert_eq!(test.get(file, &[]).await.status, 200, "{file}");
    }
    let font = test.get("/static/mona-sans.woff2", &[]).await;
    assert_eq!((font.status.as_u16(), font.header("content-type")), (200, "font/woff2"));
    assert!(policy.contains("font-src 'self'"), "{policy}");
    let portrait = test.get("/phone/avatars/ari/portrait", &[]).await;
    assert_eq!((portrait.status.as_u16(), portrait.header("content-type")), (200, "image/png"));
    assert_eq!(test.get("/phone/avatars/nobody/portrait", &[]).await.status, 404);
    assert_eq!(test.get("/phone?exportToken=unknown", &[]).await.status, 404);
    assert_eq!(test.get("/phone", &[]).await.status, 404);
}

/// The program that plays the phone shows its page on its own screen, where pictures are those of that machine.
#[tokio::test]
async fn a_played_phone_offers_no_picture_of_the_machine() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let token = test.generate().await;
    let page = test.get(&format!("/phone?exportToken={token}&played=1"), &[]).await;
    assert_eq!(page.status, 200);
    for absent in ["type=\"file\"", "id=\"pick-picture\"", "id=\"skip-picture\""] {
        assert!(!page.text().contains(absent), "{absent}");
    }
    assert!(page.text().contains("id=\"record-new\"") && page.text().contains("lang=de&amp;played=1"));
}

#[tokio::test]
async fn visitor_chooses_an_avatar_and_sees_its_status() {
    let test = TestSandbox::new(BuiltInScenarioName::LongQueue);
    let token = test.generate().await;
    let status = async || test.get(&format!("/phone/status?exportToken={token}"), &[]).await.json();
    assert_eq!(status().await["state"], "no_associated_avatar");
    let chosen = test.post(&format!("/phone/associate?exportToken={token}&avatar=ari"), "").await.json();
    assert_eq!((&chosen["state"], &chosen["queue_position"]), (&"in_queue".into(), &12.into()));
    let again = test.post(&format!("/phone/associate?exportToken={token}&avatar=ari"), "").await;
    assert_eq!(again.status_and_code(), (409, 119));
    test.advance_seconds(60);
    assert!(status().await["queue_position"].as_u64().expect("a place") < 12);
    test.advance_seconds(300);
    assert_eq!(status().await["state"], "ready");
    test.redeem(&token).await;
    assert_eq!(status().await["state"], "spent");
}

/// The tickets of a console in the same program: each is on the page of its own token only.
#[tokio::test]
async fn a_ticket_is_on_the_page_of_its_token() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let (mine, other) = (test.generate().await, test.generate().await);
    let ticket =
        async |token: &str| test.get(&format!("/phone/status?exportToken={token}"), &[]).await.json()["ticket"].clone();
    assert!(ticket(&mine).await.is_null());
    let give = |state| {
        let given = PhoneTicket { colour: "blue".into(), symbol: "comet".into(), state };
        test.sandbox.replace_phone_tickets(HashMap::from([(mine.clone(), given)]));
    };
    give(PhoneTicketState::Making);
    let expected = serde_json::json!({"colour": "blue", "symbol": "comet", "state": "making"});
    assert_eq!(ticket(&mine).await, expected);
    assert!(ticket(&other).await.is_null());
    let page = test.get(&format!("/phone?exportToken={mine}"), &[]).await;
    assert!(page.text().contains("comet"), "also before the first poll");
    give(PhoneTicketState::Ready);
    assert_eq!(ticket(&mine).await["state"], "ready");
    test.sandbox.replace_phone_tickets(HashMap::new());
    assert!(ticket(&mine).await.is_null(), "it was picked up");
}

#[tokio::test]
async fn picture_becomes_the_face_and_invalid_ones_are_refused() {
    let test = TestSandbox::new(BuiltInScenarioName::ExistingAvatar);
    let token = test.generate().await;
    let url = format!("/phone/associate?exportToken={token}&avatar=new");
    assert_eq!(test.post(&url, "no picture at all").await.status, 415);
    assert_eq!(test.post(&url, vec![0_u8; 2 * 1024 * 1024 + 1]).await.status, 413);
    assert_eq!(test.post("/phone/associate?exportToken=unknown&avatar=new", jpeg(64, 64)).await.status, 404);
    assert_eq!(test.post(&url, jpeg(900, 1200)).await.json()["state"], "ready");
    let body = test.redeem(&token).await.json();
    let path = |url: &str| url::Url::parse(url).expect("a URL").path().to_owned();
    let glb = path(body["payload_complete"][0]["download_URL"].as_str().expect("a URL"));
    let with_face = test.get(&glb, &[]).await.body;
    let bare = TestSandbox::new(BuiltInScenarioName::ExistingAvatar);
    let same_seed = bare.redeem_new_avatar().await;
    assert_ne!(with_face, bare.get(&same_seed[0].1, &[]).await.body, "the face is in the file");
}

#[tokio::test]
async fn failed_avatar_can_be_recorded_again_until_the_token_expires() {
    let test = TestSandbox::new(BuiltInScenarioName::Fails);
    let token = test.generate().await;
    let record = async || test.post(&format!("/phone/associate?exportToken={token}&avatar=new"), "").await;
    record().await;
    test.advance_seconds(60);
    let failed = test.get(&format!("/phone/status?exportToken={token}"), &[]).await.json();
    assert_eq!(failed["state"], "failed");
    assert_eq!(record().await.json()["state"], "in_queue");
    test.advance_seconds(15 * 60);
    assert_eq!(test.get(&format!("/phone?exportToken={token}"), &[]).await.status, 410);
    assert_eq!(record().await.status_and_code(), (409, 119));
}

#[tokio::test]
async fn page_uses_the_browsers_language_or_the_selected_one() {
    let test = TestSandbox::new(BuiltInScenarioName::Happy);
    let token = test.generate().await;
    let german = [("accept-language", "de-AT,de;q=0.9,en;q=0.5")];
    let page = test.get(&format!("/phone?exportToken={token}"), &german).await;
    assert!(page.text().contains("<html lang=\"de\">"), "{}", page.text());
    assert_eq!((page.header("content-language"), page.header("vary")), ("de", "Accept-Language"));
    let page = test.get(&format!("/phone?exportToken={token}&lang=zh-Hans"), &german).await;
    assert!(page.text().contains("<html lang=\"zh-Hans\">"));
    // Each language link keeps the token, with its characters escaped.
    let page = test.get("/phone?exportToken=%22%3E%3Cb%3E%26x%3D1&lang=fr", &[]).await;
    assert_eq!(page.status, 404);
    assert!(!page.text().contains("<b>") && page.text().contains("exportToken=%22%3E%3Cb%3E%26x%3D1&amp;lang=ja"));
}

#[tokio::test]
async fn avatar_without_portrait_is_shown_by_its_initial() {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(dir.path().join("Özil")).expect("a sub-folder");
    std::fs::write(dir.path().join("Özil/avatar.glb"), b"glTF").expect("a file");
    let test = TestSandbox::with_settings(SandboxSettings {
        assets: Some(dir.path().to_owned()),
        ..SandboxSettings::default()
    });
    let token = test.generate().await;
    let page = test.get(&format!("/phone?exportToken={token}"), &[]).await;
    assert!(page.text().contains(">Ö</span>") && !page.text().contains("/portrait"), "{}", page.text());
    assert_eq!(test.get("/phone/avatars/zil/portrait", &[]).await.status, 404);
}
