//! Avatars that are published by one rename, or moved to the incomplete ones: private, and never over other files.

use super::{DAY, entry_names, folder_with_glb, incomplete_manifest, manifest};
use crate::common::{temp_data_dir, temp_folder};
use copresence_protocol::ExportType;
use copresence_store::{
    FileFormat, Manifest, PartialAvatarFolder, SavedAvatarOperations, Sha256Digest, StoreError, VisitId,
};

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
    use std::path::Path;
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
    journal.record_visit_start(&crate::common::visit_start(visit, false)).await.expect("begun");
    let (folder, whole) = folder_with_glb(&root.path().join("out"), &visit);
    folder.open_partial_file_keeping_all_bytes("avatar.png").expect("a part").append_bytes(b"x").expect("written");
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
    drop(reopen().open_partial_file_keeping_all_bytes("avatar.png").expect("a part"));
    assert_eq!(code(reopen(), &good), "manifest_disagrees", "a partial file is left");
    reopen()
        .open_partial_file_keeping_all_bytes("avatar.png")
        .expect("a part")
        .remove_partial_file()
        .expect("discarded");

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
    folder.open_partial_file_keeping_all_bytes("avatar_fbx.zip").expect("a part").append_bytes(b"PK").expect("written");
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
        assert_eq!(first.open_partial_file_keeping_all_bytes(bad).expect_err(bad).error_code(), "not_ours");
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
