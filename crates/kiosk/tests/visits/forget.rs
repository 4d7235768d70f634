//! Forgetting visits with their files.

use super::backend::{Reply, glb};
use super::house::{House, REDEEM, names};
use kiosk::history::{forget, forget_before};

async fn house() -> House {
    House::new(|_, ask| match ask.path.as_str() {
        REDEEM => ask.ready(&[("glb", "one")]),
        "/files/one" => Reply::file(&glb(500)),
        _ => Reply::default(),
    })
    .await
}

#[tokio::test]
async fn forgetting_removes_our_files_and_keeps_foreign_ones() {
    let house = house().await;
    let first = house.visit().await.directory.expect("saved");
    let second = house.visit().await.directory.expect("saved");
    std::fs::write(second.join("notes.txt"), "mine").expect("written");
    let forgotten = forget_before(&house.disk, None).await.expect("forgotten");
    assert_eq!(forgotten.visits.len(), 2);
    assert_eq!(forgotten.left, [(second.clone(), vec!["notes.txt".to_owned()])]);
    assert!(!first.exists());
    assert_eq!(names(&second), ["notes.txt"]);
    assert!(house.disk.journal.history().await.expect("reads").is_empty());
}

#[tokio::test]
async fn a_folder_that_cannot_be_removed_does_not_keep_the_others() {
    let house = house().await;
    for _ in 0..3 {
        house.visit().await;
    }
    // The newest comes first, so both others stand behind it.
    let newest = house.disk.journal.history().await.expect("reads")[0].start.id;
    let name = names(&house.out()).into_iter().find(|name| name.ends_with(&newest.to_string()));
    let folder = house.out().join(name.expect("saved"));
    std::fs::write(folder.join("manifest.json"), "{}").expect("damaged");
    let error = forget_before(&house.disk, None).await.expect_err("it is said");
    assert!(error.to_string().contains("manifest"), "{error}");
    assert_eq!(names(&house.out()).len(), 1);
    let left = house.disk.journal.history().await.expect("reads");
    assert_eq!(
        left.iter().map(|visit| visit.start.id).collect::<Vec<_>>(),
        [newest],
        "it can be tried again"
    );
    assert!(forget(&house.disk, &store::VisitId::new()).await.expect("reads").is_none());
}
