//! Removal of avatars and partial folders: other files are kept, and links are not followed.

use super::{entry_names, folder_with_glb, incomplete_manifest, manifest};
use crate::common::{temp_data_dir, temp_folder};
use copresence_store::{ManifestCompleteFile, SavedAvatarOperations, VisitId};

#[test]
fn a_complete_error_page_is_listed_as_missing_and_removed_with_the_avatar() {
    let root = temp_folder();
    let (_data_root, data) = temp_data_dir();
    let visit = VisitId::new();
    let (folder, whole) = folder_with_glb(root.path(), &visit);
    let mut page = folder.open_partial_file_keeping_all_bytes("avatar_fbx.zip").expect("a file");
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
        let mut damaged = folder.open_partial_file_keeping_all_bytes("avatar.png").expect("a file");
        damaged.append_bytes(b"\x89PNG\r\n\x1a\n").expect("written");
        damaged.finish_partial_file().expect("whole");
        folder.set_aside_damaged_file("avatar.png").expect("set aside");
    }
    folder.open_partial_file_keeping_all_bytes("avatar_fbx.zip").expect("a file").append_bytes(b"PK").expect("written");
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

/// By the disk, or because its backend's texts filled it. A face must not stay because of that.
#[test]
fn an_avatar_whose_manifest_cannot_be_read_is_removed() {
    let root = temp_folder();
    for text in [String::new(), "{".to_owned(), format!("[{}0]", "0,".repeat(9 << 20))] {
        let visit = VisitId::new();
        let (folder, whole) = folder_with_glb(root.path(), &visit);
        let saved = folder.publish_complete_avatar(&manifest(visit, &[(&whole, "glb")])).expect("published");
        std::fs::write(saved.join(copresence_store::MANIFEST_NAME), text).expect("damaged");
        let removed = SavedAvatarOperations::remove_avatar(&saved).expect("removed");
        assert_eq!(removed.removed_files, ["avatar.glb", copresence_store::MANIFEST_NAME]);
        assert!(!saved.exists());
    }
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
    use super::DAY;
    use copresence_store::PartialAvatarFolder;
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
    assert!(folder.open_partial_file_keeping_all_bytes("avatar.png").is_err());
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
