//! Disks that are full, read-only or other than that of the data folder, mounted in a private namespace.

use super::{DAY, entry_names, folder_with_glb, incomplete_manifest};
use crate::common::{export_token, time_at, visit_start};
use copresence_store::{PartialAvatarFolder, VisitId};
use std::path::PathBuf;

/// Runs an ignored test of this file with three disks: `small` (256 KiB), `other` (8 MiB) and `fixed` (read-only).
/// Returns `None` if this system does not allow mounts in a private namespace.
#[cfg(target_os = "linux")]
fn run_on_special_disks(test: &str) -> Option<String> {
    let root = tempfile::tempdir().expect("a folder");
    let script = "cd \"$STORE_TEST_DISKS\" && mkdir small other fixed && mount -t tmpfs -o size=256k none small \
        && mount -t tmpfs -o size=8m none other && mount -t tmpfs -o size=64k,ro none fixed || exit 77; \
        exec \"$0\" --exact \"$1\" --ignored --nocapture";
    let run = std::process::Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .arg(std::env::current_exe().expect("this test"))
        .arg(test)
        .env("STORE_TEST_DISKS", root.path())
        .output();
    let run = run.ok()?;
    let output = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    if run.status.code() == Some(77) || output.contains("unshare: ") {
        eprintln!("skipped, because mounts are not allowed here: {output}");
        return None;
    }
    assert!(run.status.success(), "{output}");
    Some(output)
}

#[cfg(target_os = "linux")]
#[test]
fn full_other_and_read_only_disks_are_handled() {
    if let Some(output) = run_on_special_disks("special_disks::special_disks") {
        assert!(output.contains("all three disks were tried"), "{output}");
    }
}

#[tokio::test]
#[ignore = "run by the test above in a private namespace"]
async fn special_disks() {
    let Some(disks) = std::env::var_os("STORE_TEST_DISKS").map(PathBuf::from) else { return };
    let data =
        copresence_store::DataDir::open_data_dir_removing_leftovers(&disks.join("other/data")).expect("a data folder");

    // A full disk is reported, received bytes are kept, and the download resumes when there is space.
    let (small, visit) = (disks.join("small/out"), VisitId::new());
    let (folder, whole) = folder_with_glb(&small, &visit);
    std::fs::write(disks.join("small/ballast"), vec![1; 100 * 1024]).expect("ballast");
    let mut part = folder.open_partial_file_keeping_all_bytes("avatar.png").expect("a file");
    let error = std::iter::repeat_with(|| part.append_bytes(&[7; 10_000])).take(64).find_map(Result::err);
    assert_eq!(error.expect("it is full").error_code(), "disk_full");
    let received = part.resume_offset();
    assert!(received > 0);
    let length = std::fs::metadata(folder.partial_folder_path().join("avatar.png.part")).expect("the file").len();
    assert_eq!(length, received, "no bytes of the failed write");
    assert!(copresence_store::free_disk_bytes(&small).is_some_and(|free| free < 10_000));

    // An incomplete avatar is copied to another disk and removed from the first one.
    drop(part);
    let mut rest = std::fs::File::create(disks.join("small/rest")).expect("the last space");
    while std::io::Write::write(&mut rest, &[1; 512]).is_ok_and(|count| count > 0) {}
    let listed = incomplete_manifest(visit, &[(&whole, "glb")], "avatar.png");
    let sealed = folder.move_to_incomplete_folder(&data, &listed);
    assert_eq!(sealed.expect_err("no space for the manifest").error_code(), "disk_full");
    std::fs::remove_file(disks.join("small/ballast")).expect("removed");
    std::fs::remove_file(disks.join("small/rest")).expect("removed");
    let folder = PartialAvatarFolder::reopen_partial_folder(&small, &visit, DAY).expect("looked").expect("still there");
    let mut part = folder.resume_partial_file_after_crash("avatar.png", received, received, None).expect("resumed");
    assert_eq!(part.resume_offset(), received);
    part.append_bytes(b"more").expect("there is space");
    drop(part);
    let kept = folder.move_to_incomplete_folder(&data, &listed).expect("copied");
    assert_eq!(entry_names(&kept), ["avatar.glb", "avatar.png.part", "manifest.json"]);
    assert_eq!(std::fs::metadata(kept.join("avatar.png.part")).expect("the file").len(), received + 4);
    assert!(entry_names(&small).is_empty());
    assert_eq!(entry_names(&data.incomplete_avatars_path()).len(), 1);

    // A full disk of the journal is reported, and the journal is consistent afterwards.
    let cramped =
        copresence_store::DataDir::open_data_dir_removing_leftovers(&disks.join("small/data")).expect("a data folder");
    let journal = cramped.open_or_repair_journal().expect("a journal");
    let id = VisitId::new();
    journal.record_visit_start(&visit_start(id, false)).await.expect("begun");
    journal
        .record_issued_token(&id, &export_token("a-token-of-the-test"), "link", None, time_at(1))
        .await
        .expect("issued");
    let no = journal.record_redeem_intent(&id, time_at(2)).await.expect("an intent");
    let error = journal.record_raw_answer(&id, no, 200, &vec![b' '; 512 * 1024], time_at(3)).await.expect_err("full");
    assert_eq!(error.error_code(), "disk_full", "{error}");
    journal.record_lost_answer(&id, no, "the disk was full", b"", time_at(4)).await.expect("a small note still fits");
    assert_eq!(journal.load_recoverable_visits().await.expect("readable").len(), 1);

    // Read-only.
    for error in [
        PartialAvatarFolder::create_or_reopen_folder(&disks.join("fixed/out"), &VisitId::new(), DAY)
            .expect_err("refused"),
        copresence_store::DataDir::open_data_dir_removing_leftovers(&disks.join("fixed")).expect_err("refused"),
    ] {
        assert_eq!(error.error_code(), "disk_permission", "{error}");
    }
    println!("all three disks were tried");
}
