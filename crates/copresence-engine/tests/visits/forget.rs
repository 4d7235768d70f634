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
    std::fs::remove_file(folder.join("manifest.json")).expect("removed");
    let error = forget_visits_started_before(&fixture.data_store, None).await.expect_err("it is said");
    assert!(error.to_string().contains("manifest"), "{error}");
    assert_eq!(file_names(&fixture.out_dir()).len(), 1);
    let left = fixture.data_store.journal.load_all_visits().await.expect("reads");
    assert_eq!(left.iter().map(|visit| visit.start.id).collect::<Vec<_>>(), [newest], "it can be tried again");
    assert!(forget_visit(&fixture.data_store, &copresence_store::VisitId::new()).await.expect("reads").is_none());
}

/// The memory of the system takes the place of a disk that can be unmounted.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_visit_is_kept_while_the_disk_with_its_avatar_is_not_mounted() {
    use copresence_engine::history::{MissingDiskPolicy, forget_matching_visits_with_policy, load_visit_receipt};
    let (fixture, Ok(memory)) = (fixture().await, tempfile::tempdir_in("/dev/shm")) else { return };
    let disk_of = |path: &std::path::Path| std::os::unix::fs::MetadataExt::dev(&path.metadata().expect("a folder"));
    if disk_of(memory.path()) == disk_of(fixture.root.path()) {
        return;
    }
    let (out, disk) = (fixture.out_dir(), memory.path().join("disk"));
    std::fs::create_dir(&disk).expect("made");
    let mount = || std::os::unix::fs::symlink(&disk, &out).expect("linked");
    mount();
    let saved = fixture.run_visit().await.directory.expect("saved");
    let id = fixture.only_visit().await.visit.start.id;
    let data_store = &fixture.data_store;

    std::fs::remove_file(&out).expect("unmounted");
    for has_mount_point in [false, true] {
        if has_mount_point {
            std::fs::create_dir(&out).expect("an empty mount point");
        }
        let error = forget_visit(data_store, &id).await.expect_err("nothing is deleted");
        assert_eq!(error.error_code(), "output_disk_missing");
        assert!(error.to_string().contains(&out.display().to_string()), "{error}");
        forget_visits_started_before(data_store, None).await.expect_err("the same");
        assert_eq!(data_store.journal.load_all_visits().await.expect("reads").len(), 1, "it can be tried again");
    }

    std::fs::remove_dir(&out).expect("removed");
    mount();
    assert!(saved.join("avatar.glb").exists());
    assert_eq!(forget_visit(data_store, &id).await.expect("mounted").expect("known").visits, [id]);
    assert!(!saved.exists());

    // A folder that a person has removed is no reason to keep the visit.
    let removed = fixture.run_visit().await.directory.expect("saved");
    std::fs::remove_dir_all(&removed).expect("removed");
    assert_eq!(forget_visits_started_before(data_store, None).await.expect("forgotten").visits.len(), 1);

    let stays = fixture.run_visit().await.directory.expect("saved");
    let id = fixture.only_visit().await.visit.start.id;
    std::fs::remove_file(&out).expect("unmounted");
    let policy = MissingDiskPolicy::ForgetWithoutFiles;
    let forgotten = forget_matching_visits_with_policy(data_store, policy, |_| true).await.expect("forgotten");
    assert_eq!(forgotten.visits, [id]);
    let receipt = load_visit_receipt(data_store, &id).await.expect("reads").expect("a receipt");
    let item = receipt.items.iter().find(|item| item.place == stays.display().to_string()).expect("the folder");
    assert!(
        item.deleted_at.is_none() && item.note.as_ref().is_some_and(|note| note.contains("not mounted")),
        "{item:?}"
    );
}
