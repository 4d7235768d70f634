//! Past visits are shown, deleted and removed by retention.

use super::Booth;
use crate::avatar_protocol::{RequestedFile, RequestedFilePart, read_requested_part_if_permitted};
use copresence_booth::view::panel::PanelAction;
use tauri::Manager as _;
use tauri::test::{mock_builder, mock_context, noop_assets};

fn count_avatar_folders(booth: &Booth) -> usize {
    std::fs::read_dir(booth.data().join("avatars")).map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread")]
async fn portraits_of_past_visits_need_an_unlocked_panel() {
    let booth = Booth::new();
    let visit = booth.complete_visit().await;
    let past = booth.panel.load_visit_history().await.expect("read");
    assert_eq!(past.len(), 1);
    let one = &past[0];
    assert_eq!((one.visit.as_str(), one.ended.as_deref(), one.live), (visit.as_str(), Some("saved"), false));
    assert!(one.bytes > 1000 && one.words.contains("saved") && one.directory.is_some(), "{one:?}");
    let url = one.portrait.clone().expect("a portrait");
    let name = url.strip_prefix(&format!("avatar://localhost/past/{visit}/")).expect("its address").to_owned();

    let app = mock_builder()
        .manage(booth.kiosk.clone())
        .manage(booth.panel.clone())
        .manage(booth.clock)
        .build(mock_context(noop_assets()))
        .expect("an application");
    let asked = async |visit: &str, name: &str| {
        let asked = RequestedFile::PastPortrait { visit: visit.to_owned(), name: name.to_owned() };
        let file = read_requested_part_if_permitted(app.handle(), &asked, RequestedFilePart::WholeFile).await?;
        assert_eq!(file.file_size, file.bytes.len() as u64);
        Some((file.content_type, file.bytes.starts_with(b"\x89PNG")))
    };
    assert_eq!(asked(&visit, &name).await, None, "the door is closed");
    let now = app.state::<copresence_engine::clock::Clock>().millis_since_clock_creation();
    booth.panel.pin_lock().set_first_pin_and_unlock(super::secret("4711"), false, now).await.expect("set");
    assert_eq!(asked(&visit, &name).await, Some(("image/png", true)));
    for (visit, name) in [
        (visit.as_str(), "manifest.json"),
        (visit.as_str(), "avatar.glb"),
        (visit.as_str(), "../../../settings.toml"),
        ("00000000-0000-7000-8000-000000000000", name.as_str()),
        ("..", name.as_str()),
    ] {
        assert_eq!(asked(visit, name).await, None, "{visit}/{name}");
    }
    booth.panel.pin_lock().lock_panel();
    assert_eq!(asked(&visit, &name).await, None, "closed again");
    let shown = RequestedFile::ShownVisit { visit, name };
    let not_shown = read_requested_part_if_permitted(app.handle(), &shown, RequestedFilePart::PieceFrom(0)).await;
    assert_eq!(not_shown, None, "and no visit is on the screen");
}

#[tokio::test(flavor = "multi_thread")]
async fn visits_are_deleted_except_those_in_progress() {
    let booth = Booth::new();
    let first = booth.complete_visit().await;
    booth.complete_visit().await;
    let (live, _token) = booth.show_code().await;
    let view = booth.panel_view().await;
    assert_eq!((view.visits_kept, view.visits_live, count_avatar_folders(&booth)), (3, 1, 2));

    let forget = |visit: &str| PanelAction::ForgetVisit { visit: visit.to_owned() };
    assert_eq!(booth.act_and_view(forget(&first)).await.visits_kept, 2);
    assert_eq!(count_avatar_folders(&booth), 1);
    assert_eq!(booth.act_error_code(forget(&first)).await, "visit_unknown");
    assert_eq!(booth.act_error_code(forget("no id")).await, "visit_unknown");
    assert_eq!(booth.act_error_code(forget(&live)).await, "visit_goes_on");
    let view = booth.act_and_view(PanelAction::WipeNow).await;
    assert_eq!((view.visits_kept, view.visits_live, count_avatar_folders(&booth)), (1, 1, 0));
    booth.kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_removed_are_reported() {
    let booth = Booth::new();
    booth.complete_visit().await;
    let folder = std::fs::read_dir(booth.data().join("avatars")).expect("there").next().expect("one");
    std::fs::write(folder.expect("an entry").path().join("notes.txt"), "mine").expect("written");
    let problem = booth.act(PanelAction::WipeNow).await.expect_err("not all of it");
    assert_eq!(problem.code, "forget_incomplete");
    assert!(problem.operator.contains("notes.txt"), "{problem:?}");
    assert_eq!(booth.panel_view().await.visits_kept, 0, "the rest is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_kept_for_the_retention_time() {
    let booth = Booth::new();
    booth.complete_visit().await;
    let kept = booth.act_and_view(PanelAction::SetKeep { hours: Some(24) }).await;
    assert_eq!((kept.keep_hours, kept.visits_kept), (Some(24), 1), "it is not that old");
    let kept = booth.act_and_view(PanelAction::SetKeep { hours: Some(0) }).await;
    assert_eq!(kept.keep_hours, Some(0));
    assert_eq!(booth.kiosk.current_snapshot().booth.keep_hours, Some(0));
    let booth = booth.restart().await;
    assert_eq!(booth.panel_view().await.keep_hours, Some(0));
    // Visits of earlier runs have no visitor any more, so the first sweep removes them.
    let watch = tokio::spawn({
        let panel = booth.panel.clone();
        async move { panel.run_periodic_booth_tasks_forever().await }
    });
    let gone = async {
        while booth.panel_view().await.visits_kept > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(super::PATIENCE, gone).await.expect("swept");
    assert_eq!(count_avatar_folders(&booth), 0);
    watch.abort();
}
