//! Avatar folders through the public API: written, published by one rename, and protected against foreign entries.

mod common;

use common::{temp_data_dir, temp_folder, time_at};
use copresence_protocol::ExportType;
use copresence_store::{
    CompleteFile, DecodeContentError, FileFormat, Manifest, ManifestCompleteFile, MissingFile, PartialAvatarFolder,
    PhaseTimestamps, SCHEMA_VERSION, SavedAvatarOperations, Sha256Digest, StoreError, VisitId,
};
use jiff::civil::{Date, date};
use proptest::prelude::*;
use std::path::{Path, PathBuf};

const DAY: Date = date(2026, 11, 22);

fn manifest(visit: VisitId, files: &[(&CompleteFile, &str)]) -> Manifest {
    Manifest {
        schema_version: SCHEMA_VERSION,
        visit,
        profile: "sandbox".into(),
        backend_host: "127.0.0.1:4010".into(),
        times: PhaseTimestamps { started: time_at(0), saved: Some(time_at(60)), ..PhaseTimestamps::default() },
        complete: true,
        files: files
            .iter()
            .map(|(whole, export_type)| ManifestCompleteFile {
                path: whole.name.clone(),
                export_type: (*export_type).to_owned(),
                bytes: whole.bytes,
                sha256: whole.sha256,
                format: whole.format,
                notes: whole.notes.clone(),
            })
            .collect(),
        missing: Vec::new(),
    }
}

fn incomplete_manifest(visit: VisitId, files: &[(&CompleteFile, &str)], missing: &str) -> Manifest {
    let lost = MissingFile { export_type: "fbx".into(), path: missing.to_owned(), reason: "the URL was spent".into() };
    Manifest { complete: false, missing: vec![lost], ..manifest(visit, files) }
}

/// Saves one file in a new folder.
fn folder_with_glb(out: &Path, visit: &VisitId) -> (PartialAvatarFolder, CompleteFile) {
    let mut folder = PartialAvatarFolder::create_or_reopen_folder(out, visit, DAY).expect("a folder");
    let name = folder.assign_file_name(0, &ExportType::new("glb"));
    let mut file = folder.open_partial_file_keeping_all(&name).expect("a file");
    file.append_bytes(b"glTF\x02\0\0\0").expect("written");
    file.append_bytes(b"\x0c\0\0\0").expect("written");
    let whole = file.finish_partial_file().expect("whole");
    (folder, whole)
}

fn entry_names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a list");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_avatar_is_published_complete_by_one_rename() {
    let root = temp_folder();
    let out = root.path().join("deep/out");
    let visit = VisitId::new();
    let (folder, whole) = folder_with_glb(&out, &visit);
    assert_eq!((whole.bytes, whole.format, whole.integrity_defect.as_deref()), (12, FileFormat::Glb, None));
    assert_eq!(whole.sha256, Sha256Digest::sha256_of_bytes(b"glTF\x02\0\0\0\x0c\0\0\0"));
    assert_eq!(entry_names(&out), [format!(".{visit}.partial")], "nothing is published yet");
    assert!(SavedAvatarOperations::find_durable_avatar_with_manifest(&out, &visit).expect("looked").is_none());

    let manifest = manifest(visit, &[(&whole, "GLB")]);
    let saved = folder.publish_complete_avatar(&manifest).expect("published");
    assert_eq!(saved, out.join(format!("2026-11-22-{visit}")));
    assert_eq!(entry_names(&out), [format!("2026-11-22-{visit}")]);
    assert_eq!(entry_names(&saved), ["avatar.glb", "manifest.json"]);
    assert_eq!(
        SavedAvatarOperations::find_durable_avatar_with_manifest(&out, &visit).expect("looked"),
        Some((saved, manifest))
    );
    assert_eq!(
        PartialAvatarFolder::create_or_reopen_folder(&out, &visit, DAY).expect_err("saved already").error_code(),
        "folder_exists"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn everything_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    fn walk(path: &Path, checked: &mut usize) {
        let mode = std::fs::metadata(path).expect("the file").permissions().mode() & 0o777;
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{}", path.display());
        *checked += 1;
        if path.is_dir() {
            std::fs::read_dir(path).expect("a list").for_each(|e| walk(&e.expect("an entry").path(), checked));
        }
    }
    let root = temp_folder();
    let data =
        copresence_store::DataDir::open_data_dir_removing_leftovers(&root.path().join("data")).expect("a data folder");
    let journal = data.open_or_repair_journal().expect("a journal");
    let visit = VisitId::new();
    let _lock = data.lock_visit(&visit).expect("free");
    journal.record_visit_start(&common::visit_start(visit, false)).await.expect("begun");
    let (folder, whole) = folder_with_glb(&root.path().join("out"), &visit);
    folder.open_partial_file_keeping_all("avatar.png").expect("a part").append_bytes(b"x").expect("written");
    folder
        .move_to_incomplete_folder(&data, &incomplete_manifest(visit, &[(&whole, "glb")], "avatar.png"))
        .expect("kept");
    let (folder, whole) = folder_with_glb(&root.path().join("out"), &VisitId::new());
    drop((folder, whole));
    let mut checked = 0;
    walk(&root.path().join("data"), &mut checked);
    walk(&root.path().join("out"), &mut checked);
    assert!(checked >= 12, "journal, WAL, lock, folders, files: {checked}");
}

#[test]
fn a_download_resumes_after_a_crash_at_the_durable_bytes() {
    let root = temp_folder();
    let visit = VisitId::new();
    let (folder, _) = folder_with_glb(root.path(), &visit);
    let mut part = folder.open_partial_file_keeping_all("avatar_fbx.zip").expect("a file");
    part.append_bytes(b"PK\x03\x04sure").expect("written");
    assert_eq!(part.sync_and_get_durable_length().expect("durable"), 8);
    part.append_bytes(b"unsure").expect("written");
    drop((part, folder));

    let folder = PartialAvatarFolder::reopen_partial_folder(root.path(), &visit, DAY)
        .expect("looked")
        .expect("left by the crash");
    let whole = folder.sync_and_rehash_complete_file("avatar.glb").expect("read").expect("the file");
    assert_eq!(whole.sha256, Sha256Digest::sha256_of_bytes(b"glTF\x02\0\0\0\x0c\0\0\0"));
    assert!(
        folder.sync_and_rehash_complete_file("avatar_fbx.zip").expect("read").is_none(),
        "a partial file is not complete"
    );
    assert_eq!(
        folder.open_partial_file_keeping_all("avatar.glb").expect_err("whole already").error_code(),
        "folder_exists"
    );
    let mut part = folder.resume_partial_file_after_crash("avatar_fbx.zip", 8, 8, None).expect("a part");
    assert_eq!(part.resume_offset(), 8);
    part.append_bytes(b" and the rest").expect("written");
    let zip = part.finish_partial_file().expect("whole");
    assert_eq!(zip.sha256, Sha256Digest::sha256_of_bytes(b"PK\x03\x04sure and the rest"));
    assert_eq!(zip.format, FileFormat::Zip);
    folder.publish_complete_avatar(&manifest(visit, &[(&whole, "glb"), (&zip, "fbx")])).expect("published");
    assert!(PartialAvatarFolder::reopen_partial_folder(root.path(), &visit, DAY).expect("looked").is_none());
}

#[test]
fn bytes_over_the_size_limit_are_not_written() {
    let root = temp_folder();
    let folder = PartialAvatarFolder::create_or_reopen_folder(root.path(), &VisitId::new(), DAY).expect("a folder");
    let mut file = folder.open_partial_file_keeping_all("avatar.glb").expect("a file").with_max_size_bytes(10);
    file.append_bytes(b"0123456789").expect("just fits");
    let error = file.append_bytes(b"x").expect_err("over");
    assert!(matches!(error, StoreError::TooLarge { max: 10, .. }));
    assert_eq!(file.resume_offset(), 10);
    file.remove_bytes_to_restart_download().expect("emptied");
    file.append_bytes(b"again").expect("written");
    assert_eq!(file.finish_partial_file().expect("whole").sha256, Sha256Digest::sha256_of_bytes(b"again"));
}

#[test]
fn a_partial_file_can_be_discarded() {
    let root = temp_folder();
    let folder = PartialAvatarFolder::create_or_reopen_folder(root.path(), &VisitId::new(), DAY).expect("a folder");
    let mut file = folder.open_partial_file_keeping_all("avatar.glb").expect("a file");
    file.append_bytes(b"<!doctype html>").expect("written");
    assert_eq!(file.detected_format(), FileFormat::Html);
    file.remove_partial_file().expect("discarded");
    assert!(entry_names(folder.partial_folder_path()).is_empty());
}

#[test]
fn a_folder_that_does_not_match_its_manifest_is_not_published() {
    let root = temp_folder();
    let visit = VisitId::new();
    let (folder, whole) = folder_with_glb(root.path(), &visit);
    let reopen =
        || PartialAvatarFolder::reopen_partial_folder(root.path(), &visit, DAY).expect("looked").expect("still there");
    let good = manifest(visit, &[(&whole, "glb")]);
    let code = |folder: PartialAvatarFolder, manifest: &Manifest| {
        folder.publish_complete_avatar(manifest).expect_err("refused").error_code()
    };

    assert_eq!(code(folder, &incomplete_manifest(visit, &[(&whole, "glb")], "avatar_fbx.zip")), "manifest_disagrees");
    assert_eq!(code(reopen(), &manifest(VisitId::new(), &[(&whole, "glb")])), "manifest_disagrees");
    assert_eq!(code(reopen(), &manifest(visit, &[])), "manifest_disagrees", "a file that is not listed");
    let mut short = good.clone();
    short.files[0].bytes = 11;
    assert_eq!(code(reopen(), &short), "manifest_disagrees");
    let mut absent = good.clone();
    absent.files[0].path = "avatar-2.glb".into();
    assert_eq!(code(reopen(), &absent), "disk_io");
    let mut outside = good.clone();
    outside.files[0].path = "../../etc/passwd".into();
    assert_eq!(code(reopen(), &outside), "not_ours");
    drop(reopen().open_partial_file_keeping_all("avatar.png").expect("a part"));
    assert_eq!(code(reopen(), &good), "manifest_disagrees", "a partial file is left");
    reopen().open_partial_file_keeping_all("avatar.png").expect("a part").remove_partial_file().expect("discarded");

    assert_eq!(entry_names(root.path()), [format!(".{visit}.partial")], "nothing was published");
    reopen().publish_complete_avatar(&good).expect("published");
}

#[test]
fn existing_files_and_folders_are_not_overwritten() {
    let root = temp_folder();
    let (_data_root, data) = temp_data_dir();
    let visit = VisitId::new();
    let (folder, whole) = folder_with_glb(root.path(), &visit);
    let target = root.path().join(format!("2026-11-22-{visit}"));
    std::fs::write(&target, "somebody's").expect("in the way");
    let error = folder.publish_complete_avatar(&manifest(visit, &[(&whole, "glb")])).expect_err("refused");
    assert!(matches!(&error, StoreError::AlreadyExists { path } if *path == target), "{error}");
    assert_eq!(std::fs::read(&target).expect("still there"), b"somebody's");

    let kept = data.incomplete_avatars_path().join(format!("2026-11-22-{visit}"));
    std::fs::create_dir(&kept).expect("in the way");
    let folder =
        PartialAvatarFolder::reopen_partial_folder(root.path(), &visit, DAY).expect("looked").expect("still there");
    let listed = incomplete_manifest(visit, &[(&whole, "glb")], "avatar_fbx.zip");
    assert_eq!(folder.move_to_incomplete_folder(&data, &listed).expect_err("refused").error_code(), "folder_exists");
    assert!(entry_names(&kept).is_empty());
}

#[test]
fn an_incomplete_avatar_is_moved_to_the_data_folder() {
    let root = temp_folder();
    let (_data_root, data) = temp_data_dir();
    let visit = VisitId::new();
    let (folder, whole) = folder_with_glb(root.path(), &visit);
    folder.open_partial_file_keeping_all("avatar_fbx.zip").expect("a part").append_bytes(b"PK").expect("written");
    let listed = incomplete_manifest(visit, &[(&whole, "glb")], "avatar_fbx.zip");
    let kept = folder.move_to_incomplete_folder(&data, &listed).expect("kept");
    assert_eq!(kept, data.path().join(format!("incomplete/2026-11-22-{visit}")));
    assert_eq!(entry_names(&kept), ["avatar.glb", "avatar_fbx.zip.part", "manifest.json"]);
    assert!(entry_names(root.path()).is_empty());
    assert_eq!(
        SavedAvatarOperations::find_durable_avatar_with_manifest(&data.incomplete_avatars_path(), &visit)
            .expect("looked"),
        Some((kept.clone(), listed))
    );

    let removed = SavedAvatarOperations::remove_avatar(&kept).expect("removed");
    assert_eq!((removed.removed_files.len(), removed.foreign_entries.len()), (3, 0));
    assert!(!kept.exists());
    assert_eq!(
        SavedAvatarOperations::remove_avatar(&kept).expect("no error"),
        copresence_store::AvatarRemovalResult::default()
    );
}

#[test]
fn a_complete_error_page_is_listed_as_missing_and_removed_with_the_avatar() {
    let root = temp_folder();
    let (_data_root, data) = temp_data_dir();
    let visit = VisitId::new();
    let (folder, whole) = folder_with_glb(root.path(), &visit);
    let mut page = folder.open_partial_file_keeping_all("avatar_fbx.zip").expect("a file");
    page.append_bytes(b"<!doctype html>").expect("written");
    page.finish_partial_file().expect("whole, and no zip");
    let listed = incomplete_manifest(visit, &[(&whole, "glb")], "avatar_fbx.zip");
    let kept = folder.move_to_incomplete_folder(&data, &listed).expect("kept");
    assert_eq!(entry_names(&kept), ["avatar.glb", "avatar_fbx.zip", "manifest.json"]);
    assert_eq!(SavedAvatarOperations::remove_avatar(&kept).expect("removed").removed_files.len(), 3);
    assert!(!kept.exists());
}

/// A face that the disk has changed is the visitor's face.
#[test]
fn damaged_and_partial_files_of_an_incomplete_avatar_are_removed_with_it() {
    let root = temp_folder();
    let (_data_root, data) = temp_data_dir();
    let visit = VisitId::new();
    let (folder, whole) = folder_with_glb(root.path(), &visit);
    for _ in 0..2 {
        let mut damaged = folder.open_partial_file_keeping_all("avatar.png").expect("a file");
        damaged.append_bytes(b"\x89PNG\r\n\x1a\n").expect("written");
        damaged.finish_partial_file().expect("whole");
        folder.set_aside_damaged_file("avatar.png").expect("set aside");
    }
    folder.open_partial_file_keeping_all("avatar_fbx.zip").expect("a file").append_bytes(b"PK").expect("written");
    let listed = incomplete_manifest(visit, &[(&whole, "glb")], "avatar_fbx.zip");
    let kept = folder.move_to_incomplete_folder(&data, &listed).expect("kept");
    let damaged: Vec<_> = entry_names(&kept).into_iter().filter(|name| name.contains(".damaged")).collect();
    assert_eq!(damaged.len(), 2, "{:?}", entry_names(&kept));
    let removed = SavedAvatarOperations::remove_avatar(&kept).expect("removed");
    assert!(removed.foreign_entries.is_empty(), "{removed:?}");
    assert!(damaged.iter().all(|name| removed.removed_files.contains(name)), "a receipt names them: {removed:?}");
    assert!(!kept.exists());
}

#[test]
fn removing_keeps_other_files() {
    let root = temp_folder();
    let visit = VisitId::new();
    let (folder, whole) = folder_with_glb(root.path(), &visit);
    let saved = folder.publish_complete_avatar(&manifest(visit, &[(&whole, "glb")])).expect("published");
    std::fs::write(saved.join("notes.txt"), "mine").expect("a file of another program");
    let removed = SavedAvatarOperations::remove_avatar(&saved).expect("removed");
    assert_eq!(removed.foreign_entries, ["notes.txt"]);
    assert_eq!(entry_names(&saved), ["notes.txt"]);
    let again = SavedAvatarOperations::remove_avatar(&saved).expect("no file of this program is left");
    assert_eq!((again.removed_files.len(), again.foreign_entries), (0, vec!["notes.txt".to_owned()]));
    assert_eq!(entry_names(&saved), ["notes.txt"]);
    std::fs::write(saved.join("avatar.glb"), "unknown").expect("a file with a name of this program");
    assert_eq!(SavedAvatarOperations::remove_avatar(&saved).expect_err("no manifest").error_code(), "not_ours");
    assert_eq!(entry_names(&saved), ["avatar.glb", "notes.txt"]);
}

#[test]
fn a_removal_that_was_interrupted_after_the_manifest_is_completed() {
    let root = temp_folder();
    let visit = VisitId::new();
    let (folder, whole) = folder_with_glb(root.path(), &visit);
    let saved = folder.publish_complete_avatar(&manifest(visit, &[(&whole, "glb")])).expect("published");
    for name in ["avatar.glb", copresence_store::MANIFEST_NAME] {
        std::fs::remove_file(saved.join(name)).expect("removed");
    }
    assert_eq!(
        SavedAvatarOperations::remove_avatar(&saved).expect("finished"),
        copresence_store::AvatarRemovalResult::default()
    );
    assert!(!saved.exists());
}

#[test]
fn an_edited_manifest_does_not_remove_other_files() {
    let root = temp_folder();
    let visit = VisitId::new();
    let (folder, whole) = folder_with_glb(root.path(), &visit);
    let mut edited = manifest(visit, &[(&whole, "glb")]);
    let saved = folder.publish_complete_avatar(&edited).expect("published");
    for (path, content) in [("notes.txt", "mine"), ("../precious", "precious"), ("avatar.png", "later")] {
        std::fs::write(saved.join(path), content).expect("written");
        edited.files.push(ManifestCompleteFile { path: path.into(), ..edited.files[0].clone() });
    }
    std::fs::write(saved.join(copresence_store::MANIFEST_NAME), edited.to_json()).expect("edited");
    let removed = SavedAvatarOperations::remove_avatar(&saved).expect("removed");
    assert_eq!((removed.removed_files.len(), removed.foreign_entries), (3, vec!["notes.txt".to_owned()]));
    assert!(root.path().join("precious").exists());
}

#[test]
fn discarding_keeps_other_files() {
    let root = temp_folder();
    let (gone, stays) = (VisitId::new(), VisitId::new());
    folder_with_glb(root.path(), &gone).0.remove_folder_and_own_files().expect("discarded");
    let (folder, _) = folder_with_glb(root.path(), &stays);
    let path = folder.partial_folder_path().to_owned();
    std::fs::write(path.join("notes.txt"), "mine").expect("a file of another program");
    folder.remove_folder_and_own_files().expect("discarded");
    assert_eq!(entry_names(root.path()), [format!(".{stays}.partial")]);
    assert_eq!(entry_names(&path), ["notes.txt"]);
}

#[cfg(unix)]
#[test]
fn symlinks_are_not_followed() {
    use std::os::unix::fs::symlink;
    let root = temp_folder();
    let (out, elsewhere) = (root.path().join("out"), root.path().join("elsewhere"));
    for path in [&out, &elsewhere] {
        std::fs::create_dir(path).expect("made");
    }
    let precious = elsewhere.join("precious");
    std::fs::write(&precious, "precious").expect("written");

    let visit = VisitId::new();
    symlink(&elsewhere, out.join(format!(".{visit}.partial"))).expect("planted");
    assert_eq!(
        PartialAvatarFolder::create_or_reopen_folder(&out, &visit, DAY).expect_err("refused").error_code(),
        "not_ours"
    );

    let visit = VisitId::new();
    let (folder, whole) = folder_with_glb(&out, &visit);
    symlink(&precious, folder.partial_folder_path().join("avatar.png.part")).expect("planted");
    assert!(folder.open_partial_file_keeping_all("avatar.png").is_err());
    symlink(&precious, folder.partial_folder_path().join("manifest.json.part")).expect("planted");
    symlink(&elsewhere, out.join(format!("2026-11-22-{visit}"))).expect("planted");
    std::fs::remove_file(folder.partial_folder_path().join("avatar.png.part")).expect("removed");
    let listed = manifest(visit, &[(&whole, "glb")]);
    assert_eq!(folder.publish_complete_avatar(&listed).expect_err("refused").error_code(), "folder_exists");
    std::fs::remove_file(out.join(format!("2026-11-22-{visit}"))).expect("removed");
    let folder = PartialAvatarFolder::reopen_partial_folder(&out, &visit, DAY).expect("looked").expect("the file");
    let saved = folder.publish_complete_avatar(&listed).expect("published");

    let alias = out.join(format!("2026-11-23-{visit}"));
    symlink(&saved, &alias).expect("planted");
    assert_eq!(SavedAvatarOperations::remove_avatar(&alias).expect_err("refused").error_code(), "not_ours");
    std::fs::remove_file(saved.join("avatar.glb")).expect("removed");
    symlink(&precious, saved.join("avatar.glb")).expect("planted");
    SavedAvatarOperations::remove_avatar(&saved).expect("removed");
    assert_eq!(std::fs::read(&precious).expect("still there"), b"precious");
    assert_eq!(entry_names(&elsewhere), ["precious"]);
}

#[test]
fn file_names_depend_only_on_types_and_order() {
    let root = temp_folder();
    let types = ["glb", "fbx", "glb", "../x"].map(ExportType::new);
    let named = |folder: &mut PartialAvatarFolder| -> Vec<String> {
        types.iter().enumerate().map(|(index, export_type)| folder.assign_file_name(index, export_type)).collect()
    };
    let mut first = PartialAvatarFolder::create_or_reopen_folder(root.path(), &VisitId::new(), DAY).expect("a folder");
    let mut second = PartialAvatarFolder::create_or_reopen_folder(root.path(), &VisitId::new(), DAY).expect("a folder");
    let given = named(&mut first);
    assert_eq!(given, ["avatar.glb", "avatar_fbx.zip", "avatar-2.glb", "avatar_x.bin"]);
    assert_eq!(named(&mut first), given, "repeated calls return the same names");
    assert_eq!(named(&mut second), given);
    for bad in ["manifest.json", "../avatar.glb", "/etc/passwd", "avatar.glb.part", ""] {
        assert_eq!(first.open_partial_file_keeping_all(bad).expect_err(bad).error_code(), "not_ours");
    }
}

#[test]
fn a_partial_copy_is_removed_unless_its_visit_is_locked() {
    let (_root, data) = temp_data_dir();
    let (dead, alive) = (VisitId::new(), VisitId::new());
    let _lock = data.lock_visit(&alive).expect("free");
    for visit in [dead, alive] {
        let copy = data.incomplete_avatars_path().join(format!(".{visit}.partial"));
        std::fs::create_dir(&copy).expect("made");
        std::fs::write(copy.join("avatar.glb"), "half").expect("written");
    }
    copresence_store::DataDir::open_data_dir_removing_leftovers(data.path()).expect("opened again");
    assert_eq!(entry_names(&data.incomplete_avatars_path()), [format!(".{alive}.partial")]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// The file and its digest are the same for any chunk size and any point of resumption.
    #[test]
    fn digest_and_content_are_independent_of_chunks_and_resumption(
        bytes in prop::collection::vec(any::<u8>(), 0..6000),
        piece in 1..2000_usize,
        cut in any::<prop::sample::Index>(),
    ) {
        let root = temp_folder();
        let folder = PartialAvatarFolder::create_or_reopen_folder(root.path(), &VisitId::new(), DAY).expect("a folder");
        let cut = cut.index(bytes.len() + 1);
        let mut part = folder.open_partial_file_keeping_all("avatar.glb").expect("a file");
        for piece in bytes[..cut].chunks(piece) {
            part.append_bytes(piece).expect("written");
        }
        drop(part);
        let mut part = folder.open_partial_file_keeping_all("avatar.glb").expect("opened again");
        prop_assert_eq!(part.resume_offset(), cut as u64);
        for piece in bytes[cut..].chunks(piece) {
            part.append_bytes(piece).expect("written");
        }
        let whole = part.finish_partial_file().expect("whole");
        prop_assert_eq!(whole.sha256, Sha256Digest::sha256_of_bytes(&bytes));
        prop_assert_eq!(whole.format, FileFormat::detect_file_format(&bytes));
        let read_again = folder.sync_and_rehash_complete_file("avatar.glb").expect("read");
        prop_assert_eq!(Some(whole), read_again);
        prop_assert_eq!(std::fs::read(folder.partial_folder_path().join("avatar.glb")).expect("read"), bytes);
    }
}

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
    if let Some(output) = run_on_special_disks("special_disks") {
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
    let mut part = folder.open_partial_file_keeping_all("avatar.png").expect("a file");
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
    journal.record_visit_start(&common::visit_start(id, false)).await.expect("begun");
    journal
        .record_issued_token(&id, &common::export_token("a-token-of-the-test"), "link", None, time_at(1))
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

#[test]
fn decoded_content_replaces_the_encoded_bytes_only_when_it_is_complete() {
    let root = temp_folder();
    let folder = PartialAvatarFolder::create_or_reopen_folder(root.path(), &VisitId::new(), DAY).expect("a folder");
    let mut file = folder.open_partial_file_keeping_all("avatar.obj").expect("a file").with_max_size_bytes(20);
    file.append_bytes(b"encoded").expect("written");

    let mut failing = std::io::Read::chain(&b"v 0 0 0\n"[..], FailingReader);
    let error = file.replace_with_decoded_content(&mut failing, 0).expect_err("broken");
    assert!(matches!(error, DecodeContentError::Content(_, FileFormat::Obj)), "{error:?}");
    let error = file.replace_with_decoded_content(&mut &[b'x'; 21][..], 0).expect_err("too large");
    assert!(matches!(error, DecodeContentError::Store(StoreError::TooLarge { max: 20, .. })), "{error:?}");
    assert_eq!(entry_names(folder.partial_folder_path()), ["avatar.obj.part"]);
    file.append_bytes(b" bytes").expect("the encoded bytes are unchanged");

    let mut encoded = Vec::new();
    std::io::Read::read_to_end(&mut file.rewound_reader_of_written_bytes().expect("opened"), &mut encoded)
        .expect("read");
    assert_eq!(encoded, b"encoded bytes");
    file.replace_with_decoded_content(&mut &b"v 0 0 0\n"[..], 0).expect("decoded");
    assert_eq!(entry_names(folder.partial_folder_path()), ["avatar.obj.decoded", "avatar.obj.part"]);
    let whole = file.finish_partial_file().expect("whole");
    assert_eq!(
        (whole.bytes, whole.sha256, whole.format),
        (8, Sha256Digest::sha256_of_bytes(b"v 0 0 0\n"), FileFormat::Obj)
    );
    assert_eq!(entry_names(folder.partial_folder_path()), ["avatar.obj"]);
}

struct FailingReader;

impl std::io::Read for FailingReader {
    fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
        Err(std::io::Error::other("does not conform"))
    }
}

#[test]
fn a_crash_while_a_file_is_decoded_leaves_the_encoded_bytes() {
    let root = temp_folder();
    let visit = VisitId::new();
    let folder = PartialAvatarFolder::create_or_reopen_folder(root.path(), &visit, DAY).expect("a folder");
    let mut file = folder.open_partial_file_keeping_all("avatar.obj").expect("a file");
    file.append_bytes(b"encoded").expect("written");
    file.replace_with_decoded_content(&mut &b"v 0 0 0\n"[..], 0).expect("decoded");
    drop(file);
    let file = folder.open_partial_file_keeping_all("avatar.obj").expect("again");
    assert_eq!((file.resume_offset(), entry_names(folder.partial_folder_path())), (7, vec!["avatar.obj.part".into()]));
    drop(file);
    // Between the rename of the decoded file and the removal of the encoded bytes.
    let path = folder.partial_folder_path().join("avatar.obj");
    std::fs::write(&path, b"v 0 0 0\n").expect("written");
    let whole = folder.sync_and_rehash_complete_file("avatar.obj").expect("read").expect("complete");
    assert_eq!((whole.bytes, entry_names(folder.partial_folder_path())), (8, vec!["avatar.obj".into()]));
}
