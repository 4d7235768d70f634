//! Recovery from each state in which a crash can leave the journal.

use super::backend::{Ask, Reply, glb, png};
use super::house::{GENERATE, House, REDEEM, block_on, manifest, names};
use jiff::Timestamp;
use kiosk::Outcome;
use kiosk::recover::{Fate, Recovered, Unfinished, recover};
use protocol::{DownloadUrl, ExportToken, ExportType};
use store::{
    AnswerKind, AvatarFolder, Format, Manifest, ManifestFile, PlannedFile, Times, VisitId, VisitRecordStart,
};
use tokio::sync::oneshot;

pub(crate) async fn recovered(house: &House) -> Vec<Recovered> {
    recover(&house.disk, &|_| Ok(house.parts())).await.expect("the journal reads")
}

async fn fate(house: &House) -> Fate {
    let mut all = recovered(house).await;
    assert_eq!(all.len(), 1);
    all.remove(0).fate
}

pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// A visit that began and has a token, as a crash leaves it.
pub(crate) async fn issued(house: &House, ephemeral: bool) -> VisitId {
    let id = VisitId::new();
    let start = VisitRecordStart {
        id,
        profile: "test".into(),
        api_url: house.backend.url.to_string(),
        backend_host: "backend.test".into(),
        ephemeral,
        out_dir: house.out(),
        required_exports: Vec::new(),
        started_at: now(),
        limits: None,
    };
    house.disk.journal.begin(&start).await.expect("begun");
    let token = ExportToken::new("left-over-token").expect("a token");
    house.disk.journal.token_issued(&id, &token, "https://app.test/", None, now()).await.expect("issued");
    id
}

/// The same with an answer on disk that nobody has read.
pub(crate) async fn answered(house: &House, status: u16, body: &str) -> VisitId {
    let id = issued(house, false).await;
    let no = house.disk.journal.redeem_intent(&id, now()).await.expect("intent");
    house.disk.journal.redeem_answered(&id, no, status, body.as_bytes(), now()).await.expect("answered");
    id
}

pub(crate) fn delivery(house: &House, ready: bool, exports: &[(&str, &str)]) -> String {
    let url = |name: &str| house.backend.url.join(&format!("/files/{name}")).expect("a URL").to_string();
    let list: Vec<_> = exports
        .iter()
        .map(|(kind, name)| serde_json::json!({"export_type": kind, "download_URL": url(name)}))
        .collect();
    serde_json::json!({"avatar_ready": ready, "payload_complete": list}).to_string()
}

/// The same, read, planned, and with a folder in the making.
async fn planned(house: &House, ready: bool) -> (VisitId, AvatarFolder) {
    let id = issued(house, false).await;
    let body = delivery(house, ready, &[("glb", "one")]);
    let journal = &house.disk.journal;
    let no = journal.redeem_intent(&id, now()).await.expect("intent");
    journal.redeem_answered(&id, no, 200, body.as_bytes(), now()).await.expect("answered");
    journal.redeem_read(&id, no, AnswerKind::Delivery).await.expect("read");
    let url = house.backend.url.join("/files/one").expect("a URL");
    let file = PlannedFile {
        index: 0,
        name: "avatar.glb".into(),
        export_type: ExportType::new("glb"),
        url: DownloadUrl::new(url.as_str()).expect("a URL"),
    };
    journal.files_planned(&id, &[file]).await.expect("planned");
    let day = now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut folder = AvatarFolder::create(&house.out(), &id, day).expect("a folder");
    assert_eq!(folder.file(0, &ExportType::new("glb")), "avatar.glb");
    (id, folder)
}

fn file_manifest(id: VisitId, folder: &AvatarFolder, complete: bool) -> Manifest {
    let mut files = Vec::new();
    let mut missing = Vec::new();
    if complete {
        let mut part = folder.start("avatar.glb").expect("opens");
        part.write(&glb(500)).expect("written");
        let whole = part.finish().expect("whole");
        files.push(ManifestFile {
            path: whole.name,
            export_type: "glb".into(),
            bytes: whole.bytes,
            sha256: whole.sha256,
            format: Format::Glb,
        });
    } else {
        missing.push(store::MissingFile {
            export_type: "glb".into(),
            path: "avatar.glb".into(),
            reason: "it was cut".into(),
        });
    }
    Manifest {
        schema_version: store::SCHEMA_VERSION,
        visit: id,
        profile: "test".into(),
        backend_host: "backend.test".into(),
        times: Times { started: now(), ..Times::default() },
        complete,
        files,
        missing,
    }
}

fn files(ask: &Ask) -> Reply {
    match ask.path.as_str() {
        GENERATE => Reply::default(),
        "/files/one" => Reply::file(&glb(500)),
        "/files/two" => Reply::file(&png(600)),
        _ => Reply::status(500),
    }
}

#[tokio::test]
async fn an_open_intent_is_redeemed_once_more() {
    let house = House::new(|_, ask| match ask.path.as_str() {
        REDEEM => ask.ready(&[("glb", "one")]),
        _ => files(ask),
    })
    .await;
    let id = issued(&house, false).await;
    house.disk.journal.redeem_intent(&id, now()).await.expect("intent");
    let Fate::Finished { outcome: Outcome::Saved, directory: Some(directory) } = fate(&house).await else {
        panic!("saved");
    };
    let times = manifest(&directory).times;
    assert!(times.redeemed.is_some() && times.issued.is_some(), "{times:?}");
    assert!(recovered(&house).await.is_empty(), "nothing is left");

    let house = House::new(|_, _| Reply::not_ready("processing")).await;
    let id = issued(&house, false).await;
    house.disk.journal.redeem_intent(&id, now()).await.expect("intent");
    for _ in 0..2 {
        assert_eq!(fate(&house).await, Fate::StillActive { status: "processing".into() });
    }

    let house = House::new(|_, _| Reply::status(400)).await;
    let id = issued(&house, false).await;
    house.disk.journal.redeem_intent(&id, now()).await.expect("intent");
    assert_eq!(fate(&house).await.exit(), 10);
    assert!(recovered(&house).await.is_empty());
}

#[tokio::test]
async fn a_400_without_a_lost_answer_means_expired() {
    for (associated, state) in [(false, "inviting"), (true, "making")] {
        let house = House::new(|_, _| Reply::status(400)).await;
        let id = issued(&house, false).await;
        if associated {
            house.disk.journal.phase_reached(&id, store::Phase::Associated, now()).await.expect("noted");
        }
        assert_eq!(fate(&house).await.exit(), 4);
        assert_eq!(house.backend.count(REDEEM), 1);
        assert_eq!(house.only().await.visit.ending.expect("ended").visit_state, state);
    }
}

#[tokio::test]
async fn recovery_uses_the_profiles_limits_if_the_visit_has_none() {
    let mut house = House::new(|_, ask| files(ask)).await;
    house.profile.limits.max_file_size = 499;
    let body = delivery(&house, true, &[("glb", "one")]);
    answered(&house, 200, &body).await;
    let parts = |_: &Unfinished| Ok(house.parts().within(&house.profile));
    let all = recover(&house.disk, &parts).await.expect("the journal reads");
    assert_eq!(all[0].fate.exit(), 7, "{all:?}");
}

#[tokio::test]
async fn a_gateway_error_is_a_lost_answer_for_recovery() {
    let house = House::new(|_, _| Reply::status(400)).await;
    let id = answered(&house, 504, "").await;
    let no = house.only().await.redeems[0].no;
    house.disk.journal.redeem_read(&id, no, AnswerKind::Failed).await.expect("read");
    assert_eq!(fate(&house).await.exit(), 10);
}

#[tokio::test]
async fn a_backend_that_does_not_decide_keeps_the_token() {
    for (status, exit) in [(500, 6), (401, 3), (418, 6)] {
        let house = House::new(move |_, _| Reply::status(status)).await;
        issued(&house, false).await;
        let Fate::NotNow { exit: said, .. } = fate(&house).await else { panic!("not now") };
        assert_eq!(said, exit);
        let left = house.disk.journal.unfinished().await.expect("reads");
        assert!(left[0].token.is_some(), "kept for the next time");
    }
}

#[tokio::test]
async fn an_unreachable_backend_is_tried_for_one_visit_only() {
    let house = House::new(|_, ask| if ask.path == REDEEM { Reply::silence() } else { files(ask) }).await;
    issued(&house, false).await;
    issued(&house, false).await;
    let body = delivery(&house, true, &[("glb", "one")]);
    answered(&house, 200, &body).await;
    let all = recovered(&house).await;
    assert_eq!(all.iter().map(|one| one.fate.exit()).collect::<Vec<_>>(), [6, 6, 0], "{all:?}");
    assert_eq!(house.backend.count(REDEEM), 1, "each would have to wait for its time-out");
    assert_eq!(house.disk.journal.unfinished().await.expect("reads").len(), 2);
}

#[tokio::test]
async fn an_unread_delivery_is_saved_without_a_redeem() {
    let house = House::new(|_, ask| files(ask)).await;
    let body = delivery(&house, true, &[("glb", "one"), ("png", "two")]);
    answered(&house, 200, &body).await;
    // Downloads carry no credential, so none is needed: nothing of the token is left to ask with.
    let parts = |unfinished: &Unfinished| {
        assert!(unfinished.token.is_none(), "the answer spent it");
        Ok(house.parts())
    };
    let all = recover(&house.disk, &parts).await.expect("the journal reads");
    assert_eq!(all[0].fate.exit(), 0, "{all:?}");
    assert_eq!(house.backend.count(REDEEM), 0);
}

#[tokio::test]
async fn complete_files_are_not_downloaded_again() {
    let (_never, moment) = oneshot::channel();
    let moment = std::sync::Mutex::new(Some(moment));
    let mut house = House::new(move |nth, ask| match (ask.path.as_str(), nth) {
        (REDEEM, _) => ask.ready(&[("glb", "one"), ("png", "two")]),
        ("/files/two", 1) => files(ask).after(moment.lock().expect("no panic").take().expect("asked once")),
        _ => files(ask),
    })
    .await;
    house.profile.limits.parallel_downloads = 1;
    let (visit, _) = house.begin().await;
    house.backend.until_asked("/files/two", 1).await;
    visit.abort();
    assert!(visit.await.is_err_and(|error| error.is_cancelled()), "as a crash would");

    let Fate::Finished { outcome: Outcome::Saved, directory: Some(directory) } = fate(&house).await else {
        panic!("saved");
    };
    assert_eq!(names(&directory), ["avatar.glb", "avatar.png", "manifest.json"]);
    assert_eq!((house.backend.count("/files/one"), house.backend.count("/files/two")), (1, 2));
    assert_eq!(house.backend.count(REDEEM), 1);
}

#[tokio::test]
async fn a_file_with_all_its_bytes_needs_no_request() {
    let house = House::new(|_, _| Reply::status(410)).await;
    let (id, folder) = planned(&house, true).await;
    let mut part = folder.start("avatar.glb").expect("opens");
    part.write(&glb(500)).expect("written");
    let bytes = part.sync().expect("durable");
    drop((part, folder));
    let progress = store::FileProgress { bytes, total: Some(bytes), ..Default::default() };
    house.disk.journal.file_progress(&id, 0, &progress).await.expect("noted");
    assert_eq!(fate(&house).await.exit(), 0);
    assert!(house.backend.asked().is_empty());
}

#[tokio::test]
async fn bytes_that_the_journal_does_not_know_are_not_used() {
    let house = House::new(|_, ask| files(ask)).await;
    let (id, folder) = planned(&house, true).await;
    let mut part = folder.start("avatar.glb").expect("opens");
    part.write(&[0; 100]).expect("what a power cut may leave");
    drop((part, folder));
    house.disk.journal.file_failed(&id, 0, "the disk was full", false).await.expect("noted");
    let Fate::Finished { directory: Some(directory), .. } = fate(&house).await else { panic!("saved") };
    assert_eq!(std::fs::read(directory.join("avatar.glb")).expect("saved"), glb(500));
    assert_eq!(house.backend.asked()[0].header("range"), None);
}

#[tokio::test]
async fn a_truncated_glb_is_refused_after_a_crash() {
    let house = House::new(|_, ask| files(ask)).await;
    let (id, folder) = planned(&house, true).await;
    house.disk.journal.file_requested(&id, 0).await.expect("noted");
    let mut part = folder.start("avatar.glb").expect("opens");
    part.write(&glb(500)[..300]).expect("written");
    part.finish().expect("renamed");
    drop(folder);
    assert_eq!(fate(&house).await.exit(), 7);
}

#[tokio::test]
async fn an_existing_avatar_is_not_saved_twice() {
    for (ready, exit) in [(true, 0), (false, 9)] {
        let house = House::new(|_, _| Reply::status(410)).await;
        let (id, folder) = planned(&house, ready).await;
        let manifest = file_manifest(id, &folder, true);
        let published = folder.publish(&manifest).expect("published");
        let Fate::Finished { outcome, directory } = fate(&house).await else { panic!("finished") };
        assert_eq!((outcome.exit(), directory), (exit, Some(published)));
        assert!(house.backend.asked().is_empty());
        assert!(recovered(&house).await.is_empty());
    }
    let house = House::new(|_, _| Reply::status(410)).await;
    let (id, folder) = planned(&house, true).await;
    let manifest = file_manifest(id, &folder, false);
    let kept = folder.keep_incomplete(&house.disk.data, &manifest).expect("kept");
    let Fate::Finished { outcome, directory } = fate(&house).await else { panic!("finished") };
    assert_eq!((outcome.exit(), directory), (7, Some(kept)));
    assert!(recovered(&house).await.is_empty());
}

#[tokio::test]
async fn a_token_that_unreadable_responses_ended_is_redeemed_once_more() {
    for (refused, exit) in [(false, 0), (true, 9)] {
        let house = House::new(move |nth, ask| match (ask.path.as_str(), nth) {
            (REDEEM, 1..=3) => Reply::json(&serde_json::json!({"maintenance": true})),
            (REDEEM, _) if refused => Reply::status(400),
            (REDEEM, _) => ask.ready(&[("glb", "one")]),
            ("/files/one", _) => Reply::file(&glb(500)),
            _ => Reply::default(),
        })
        .await;
        assert_eq!(house.visit().await.outcome.exit(), 9);
        assert_eq!(fate(&house).await.exit(), exit);
        assert!(recovered(&house).await.is_empty());
        assert_eq!(names(&house.out()).len(), usize::from(!refused));
    }
}

#[tokio::test]
async fn an_ended_sandbox_is_not_contacted_and_needs_no_credentials() {
    let house = House::new(|_, _| Reply::status(400)).await;
    issued(&house, true).await;
    let parts = |unfinished: &Unfinished| {
        assert!(unfinished.token.is_none(), "no token, so no credentials");
        Ok(house.parts())
    };
    let all = recover(&house.disk, &parts).await.expect("the journal reads");
    assert!(matches!(all[0].fate, Fate::Closed { .. }), "{all:?}");
    assert!(house.backend.asked().is_empty());
}

#[tokio::test]
async fn a_visit_that_another_program_finished_is_skipped() {
    let house = House::new(|_, _| Reply::not_ready("processing")).await;
    issued(&house, false).await;
    let other = issued(&house, false).await;
    let journal = house.disk.journal.clone();
    let parts = |unfinished: &Unfinished| {
        // While the first is recovered here, another program ends the second.
        if unfinished.visit.start.id != other {
            let ending = store::Ending {
                code: "saved".into(),
                exit: 0,
                message: String::new(),
                visit_state: "saved".into(),
                directory: None,
                at: now(),
            };
            block_on(journal.ended(&other, &ending)).expect("ended");
        }
        Ok(house.parts())
    };
    let all = recover(&house.disk, &parts).await.expect("the journal reads");
    assert_eq!(all.len(), 1, "{all:?}");
}

#[tokio::test]
async fn a_running_visit_is_skipped() {
    let (_never, moment) = oneshot::channel();
    let moment = std::sync::Mutex::new(Some(moment));
    let house = House::new(move |_, ask| match ask.path.as_str() {
        REDEEM => Reply::status(400).after(moment.lock().expect("no panic").take().expect("asked once")),
        _ => Reply::default(),
    })
    .await;
    let (visit, _) = house.begin().await;
    house.backend.until_asked(REDEEM, 1).await;
    assert!(recovered(&house).await.is_empty());
    assert_eq!(house.backend.count(REDEEM), 1);
    visit.abort();
}
