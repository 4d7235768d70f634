//! Forgetting visits with their files.

use super::backend::{Response, glb};
use super::fixture::{Fixture, REDEEM_PATH, file_names};
use copresence_engine::history::{forget_visit, forget_visits_started_before};

async fn fixture() -> Fixture {
    Fixture::new(|_, ask| match ask.path.as_str() {
        REDEEM_PATH => ask.ready_response(&[("glb", "one")]),
        "/files/one" => Response::file(&glb(500)),
        _ => Response::default(),
    })
    .await
}

#[tokio::test]
async fn forgetting_removes_our_files_and_keeps_foreign_ones() {
    let fixture = fixture().await;
    let first = fixture.run_visit().await.directory.expect("saved");
    let second = fixture.run_visit().await.directory.expect("saved");
    std::fs::write(second.join("notes.txt"), "mine").expect("written");
    let forgotten = forget_visits_started_before(&fixture.data_store, None).await.expect("forgotten");
    assert_eq!(forgotten.visits.len(), 2);
    assert_eq!(forgotten.foreign_files, [(second.clone(), vec!["notes.txt".to_owned()])]);
    assert!(!first.exists());
    assert_eq!(file_names(&second), ["notes.txt"]);
    assert!(fixture.data_store.journal.load_all_visits().await.expect("reads").is_empty());
}

#[tokio::test]
async fn a_folder_that_cannot_be_removed_does_not_keep_the_others() {
    let fixture = fixture().await;
    for _ in 0..3 {
        fixture.run_visit().await;
    }
    // The newest comes first, so both others stand behind it.
    let newest = fixture.data_store.journal.load_all_visits().await.expect("reads")[0].start.id;
    let name = file_names(&fixture.out_dir()).into_iter().find(|name| name.ends_with(&newest.to_string()));
    let folder = fixture.out_dir().join(name.expect("saved"));
    std::fs::write(folder.join("manifest.json"), "{}").expect("damaged");
    let error = forget_visits_started_before(&fixture.data_store, None).await.expect_err("it is said");
    assert!(error.to_string().contains("manifest"), "{error}");
    assert_eq!(file_names(&fixture.out_dir()).len(), 1);
    let left = fixture.data_store.journal.load_all_visits().await.expect("reads");
    assert_eq!(left.iter().map(|visit| visit.start.id).collect::<Vec<_>>(), [newest], "it can be tried again");
    assert!(forget_visit(&fixture.data_store, &copresence_store::VisitId::new()).await.expect("reads").is_none());
}
