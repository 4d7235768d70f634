//! Avatars from outside: streamed, sealed, shown by one rename, and what stands in the way.

mod common;

use common::{at, data, folder};
use jiff::civil::{Date, date};
use proptest::prelude::*;
use protocol::ExportType;
use std::path::{Path, PathBuf};
use store::{
    AvatarFolder, Avatars, Format, Manifest, ManifestFile, MissingFile, SCHEMA_VERSION, Sha256, StoreError,
    Times, VisitId, WholeFile,
};

const DAY: Date = date(2026, 11, 22);

fn manifest(visit: VisitId, files: &[(&WholeFile, &str)]) -> Manifest {
    Manifest {
        schema_version: SCHEMA_VERSION,
        visit,
        profile: "sandbox".into(),
        backend_host: "127.0.0.1:4010".into(),
        times: Times { started: at(0), saved: Some(at(60)), ..Times::default() },
        complete: true,
        files: files
            .iter()
            .map(|(whole, export_type)| ManifestFile {
                path: whole.name.clone(),
                export_type: (*export_type).to_owned(),
                bytes: whole.bytes,
                sha256: whole.sha256,
                format: whole.format,
            })
            .collect(),
        missing: Vec::new(),
    }
}

fn incomplete(visit: VisitId, files: &[(&WholeFile, &str)], missing: &str) -> Manifest {
    let lost = MissingFile {
        export_type: "fbx".into(),
        path: missing.to_owned(),
        reason: "the URL was spent".into(),
    };
    Manifest { complete: false, missing: vec![lost], ..manifest(visit, files) }
}

/// Saves one file in a new folder.
fn with_glb(out: &Path, visit: &VisitId) -> (AvatarFolder, WholeFile) {
    let mut folder = AvatarFolder::create(out, visit, DAY).expect("a folder");
    let name = folder.file(0, &ExportType::new("glb"));
    let mut file = folder.start(&name).expect("a file");
    file.write(b"glTF\x02\0\0\0").expect("written");
    file.write(b"\x0c\0\0\0").expect("written");
    let whole = file.finish().expect("whole");
    (folder, whole)
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a list");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn an_avatar_appears_whole_by_one_rename() {
    let root = folder();
    let out = root.path().join("deep/out");
    let visit = VisitId::new();
    let (folder, whole) = with_glb(&out, &visit);
    assert_eq!((whole.bytes, whole.format, whole.flaw.as_deref()), (12, Format::Glb, None));
    assert_eq!(whole.sha256, Sha256::of(b"glTF\x02\0\0\0\x0c\0\0\0"));
    assert_eq!(names(&out), [format!(".{visit}.partial")], "nothing to see yet");
    assert!(Avatars::find(&out, &visit).expect("looked").is_none());

    let manifest = manifest(visit, &[(&whole, "GLB")]);
    let saved = folder.publish(&manifest).expect("published");
    assert_eq!(saved, out.join(format!("2026-11-22-{visit}")));
    assert_eq!(names(&out), [format!("2026-11-22-{visit}")]);
    assert_eq!(names(&saved), ["avatar.glb", "manifest.json"]);
    assert_eq!(Avatars::find(&out, &visit).expect("looked"), Some((saved, manifest)));
    assert_eq!(AvatarFolder::create(&out, &visit, DAY).expect_err("saved already").code(), "folder_exists");
}

#[cfg(unix)]
#[tokio::test]
async fn everything_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    fn walk(path: &Path, seen: &mut usize) {
        let mode = std::fs::metadata(path).expect("there").permissions().mode() & 0o777;
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{}", path.display());
        *seen += 1;
        if path.is_dir() {
            std::fs::read_dir(path).expect("a list").for_each(|e| walk(&e.expect("an entry").path(), seen));
        }
    }
    let root = folder();
    let data = store::DataDir::open(&root.path().join("data")).expect("a data folder");
    let journal = data.journal().expect("a journal");
    let visit = VisitId::new();
    let _claim = data.claim(&visit).expect("free");
    journal.begin(&common::start(visit, false)).await.expect("begun");
    let (folder, whole) = with_glb(&root.path().join("out"), &visit);
    folder.start("avatar.png").expect("a part").write(b"x").expect("written");
    folder.keep_incomplete(&data, &incomplete(visit, &[(&whole, "glb")], "avatar.png")).expect("kept");
    let (folder, whole) = with_glb(&root.path().join("out"), &VisitId::new());
    drop((folder, whole));
    let mut seen = 0;
    walk(&root.path().join("data"), &mut seen);
    walk(&root.path().join("out"), &mut seen);
    assert!(seen >= 12, "journal, WAL, lock, folders, files: {seen}");
}

#[test]
fn a_crash_is_taken_up_where_the_disk_is_sure() {
    let root = folder();
    let visit = VisitId::new();
    let (folder, _) = with_glb(root.path(), &visit);
    let mut part = folder.start("avatar_fbx.zip").expect("a file");
    part.write(b"PK\x03\x04sure").expect("written");
    assert_eq!(part.sync().expect("durable"), 8);
    part.write(b"unsure").expect("written");
    drop((part, folder));

    let folder = AvatarFolder::reopen(root.path(), &visit, DAY).expect("looked").expect("left by the crash");
    let whole = folder.whole("avatar.glb").expect("read").expect("there");
    assert_eq!(whole.sha256, Sha256::of(b"glTF\x02\0\0\0\x0c\0\0\0"));
    assert!(folder.whole("avatar_fbx.zip").expect("read").is_none(), "a part is not whole");
    assert_eq!(folder.start("avatar.glb").expect_err("whole already").code(), "folder_exists");
    let mut part = folder.resume("avatar_fbx.zip", 8).expect("a part");
    assert_eq!(part.offset(), 8);
    part.write(b" and the rest").expect("written");
    let zip = part.finish().expect("whole");
    assert_eq!(zip.sha256, Sha256::of(b"PK\x03\x04sure and the rest"));
    assert_eq!(zip.format, Format::Zip);
    folder.publish(&manifest(visit, &[(&whole, "glb"), (&zip, "fbx")])).expect("published");
    assert!(AvatarFolder::reopen(root.path(), &visit, DAY).expect("looked").is_none());
}

#[test]
fn a_file_over_the_limit_is_refused_before_it_is_written() {
    let root = folder();
    let folder = AvatarFolder::create(root.path(), &VisitId::new(), DAY).expect("a folder");
    let mut file = folder.start("avatar.glb").expect("a file").limited(10);
    file.write(b"0123456789").expect("just fits");
    let error = file.write(b"x").expect_err("over");
    assert!(matches!(error, StoreError::TooLarge { max: 10, .. }));
    assert_eq!(file.offset(), 10);
    file.restart().expect("emptied");
    file.write(b"again").expect("written");
    assert_eq!(file.finish().expect("whole").sha256, Sha256::of(b"again"));
}

#[test]
fn an_error_page_can_be_thrown_away() {
    let root = folder();
    let folder = AvatarFolder::create(root.path(), &VisitId::new(), DAY).expect("a folder");
    let mut file = folder.start("avatar.glb").expect("a file");
    file.write(b"<!doctype html>").expect("written");
    assert!(store::contradicts(&ExportType::new("glb"), file.format()));
    file.discard().expect("gone");
    assert!(names(folder.path()).is_empty());
}

#[test]
fn publishing_is_all_or_nothing() {
    let root = folder();
    let visit = VisitId::new();
    let (folder, whole) = with_glb(root.path(), &visit);
    let reopen = || AvatarFolder::reopen(root.path(), &visit, DAY).expect("looked").expect("still there");
    let good = manifest(visit, &[(&whole, "glb")]);
    let code =
        |folder: AvatarFolder, manifest: &Manifest| folder.publish(manifest).expect_err("refused").code();

    assert_eq!(code(folder, &incomplete(visit, &[(&whole, "glb")], "avatar_fbx.zip")), "manifest_disagrees");
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
    drop(reopen().start("avatar.png").expect("a part"));
    assert_eq!(code(reopen(), &good), "manifest_disagrees", "a part is left");
    reopen().start("avatar.png").expect("a part").discard().expect("gone");

    assert_eq!(names(root.path()), [format!(".{visit}.partial")], "nothing was shown");
    reopen().publish(&good).expect("published at last");
}

#[test]
fn nothing_is_ever_overwritten() {
    let root = folder();
    let (_data_root, data) = data();
    let visit = VisitId::new();
    let (folder, whole) = with_glb(root.path(), &visit);
    let target = root.path().join(format!("2026-11-22-{visit}"));
    std::fs::write(&target, "somebody's").expect("in the way");
    let error = folder.publish(&manifest(visit, &[(&whole, "glb")])).expect_err("refused");
    assert!(matches!(&error, StoreError::Exists { path } if *path == target), "{error}");
    assert_eq!(std::fs::read(&target).expect("still there"), b"somebody's");

    let kept = data.incomplete().join(format!("2026-11-22-{visit}"));
    std::fs::create_dir(&kept).expect("in the way");
    let folder = AvatarFolder::reopen(root.path(), &visit, DAY).expect("looked").expect("still there");
    let listed = incomplete(visit, &[(&whole, "glb")], "avatar_fbx.zip");
    assert_eq!(folder.keep_incomplete(&data, &listed).expect_err("refused").code(), "folder_exists");
    assert!(names(&kept).is_empty());
}

#[test]
fn an_incomplete_avatar_is_kept_apart_with_what_came() {
    let root = folder();
    let (_data_root, data) = data();
    let visit = VisitId::new();
    let (folder, whole) = with_glb(root.path(), &visit);
    folder.start("avatar_fbx.zip").expect("a part").write(b"PK").expect("written");
    let listed = incomplete(visit, &[(&whole, "glb")], "avatar_fbx.zip");
    let kept = folder.keep_incomplete(&data, &listed).expect("kept");
    assert_eq!(kept, data.path().join(format!("incomplete/2026-11-22-{visit}")));
    assert_eq!(names(&kept), ["avatar.glb", "avatar_fbx.zip.part", "manifest.json"]);
    assert!(names(root.path()).is_empty());
    assert_eq!(Avatars::find(&data.incomplete(), &visit).expect("looked"), Some((kept.clone(), listed)));

    let removed = Avatars::remove(&kept).expect("removed");
    assert_eq!((removed.files, removed.left.len()), (3, 0));
    assert!(!kept.exists());
    assert_eq!(Avatars::remove(&kept).expect("no error"), store::Removed::default());
}

#[test]
fn an_error_page_that_came_whole_is_kept_as_missing_and_removed_with_the_rest() {
    let root = folder();
    let (_data_root, data) = data();
    let visit = VisitId::new();
    let (folder, whole) = with_glb(root.path(), &visit);
    let mut page = folder.start("avatar_fbx.zip").expect("a file");
    page.write(b"<!doctype html>").expect("written");
    page.finish().expect("whole, and no zip");
    let listed = incomplete(visit, &[(&whole, "glb")], "avatar_fbx.zip");
    let kept = folder.keep_incomplete(&data, &listed).expect("kept");
    assert_eq!(names(&kept), ["avatar.glb", "avatar_fbx.zip", "manifest.json"]);
    assert_eq!(Avatars::remove(&kept).expect("removed").files, 3);
    assert!(!kept.exists());
}

#[test]
fn removing_leaves_what_is_not_ours() {
    let root = folder();
    let visit = VisitId::new();
    let (folder, whole) = with_glb(root.path(), &visit);
    let saved = folder.publish(&manifest(visit, &[(&whole, "glb")])).expect("published");
    std::fs::write(saved.join("notes.txt"), "mine").expect("a stranger's file");
    let removed = Avatars::remove(&saved).expect("removed");
    assert_eq!(removed.left, ["notes.txt"]);
    assert_eq!(names(&saved), ["notes.txt"]);
    let again = Avatars::remove(&saved).expect("nothing of ours is left");
    assert_eq!((again.files, again.left), (0, vec!["notes.txt".to_owned()]));
    assert_eq!(names(&saved), ["notes.txt"]);
    std::fs::write(saved.join("avatar.glb"), "whose?").expect("a file with a name of ours");
    assert_eq!(Avatars::remove(&saved).expect_err("no manifest").code(), "not_ours");
    assert_eq!(names(&saved), ["avatar.glb", "notes.txt"]);
}

#[test]
fn a_removal_that_was_cut_short_after_the_manifest_is_finished() {
    let root = folder();
    let visit = VisitId::new();
    let (folder, whole) = with_glb(root.path(), &visit);
    let saved = folder.publish(&manifest(visit, &[(&whole, "glb")])).expect("published");
    for name in ["avatar.glb", store::MANIFEST_NAME] {
        std::fs::remove_file(saved.join(name)).expect("removed");
    }
    assert_eq!(Avatars::remove(&saved).expect("finished"), store::Removed::default());
    assert!(!saved.exists());
}

#[test]
fn a_manifest_that_somebody_edited_removes_nothing_else() {
    let root = folder();
    let visit = VisitId::new();
    let (folder, whole) = with_glb(root.path(), &visit);
    let mut edited = manifest(visit, &[(&whole, "glb")]);
    let saved = folder.publish(&edited).expect("published");
    for (path, content) in [("notes.txt", "mine"), ("../precious", "precious"), ("avatar.png", "later")] {
        std::fs::write(saved.join(path), content).expect("written");
        edited.files.push(ManifestFile { path: path.into(), ..edited.files[0].clone() });
    }
    std::fs::write(saved.join(store::MANIFEST_NAME), edited.to_json()).expect("edited");
    let removed = Avatars::remove(&saved).expect("removed");
    assert_eq!((removed.files, removed.left), (3, vec!["notes.txt".to_owned()]));
    assert!(root.path().join("precious").exists());
}

#[test]
fn discarding_leaves_what_is_not_ours() {
    let root = folder();
    let (gone, stays) = (VisitId::new(), VisitId::new());
    with_glb(root.path(), &gone).0.discard().expect("discarded");
    let (folder, _) = with_glb(root.path(), &stays);
    let path = folder.path().to_owned();
    std::fs::write(path.join("notes.txt"), "mine").expect("a stranger's file");
    folder.discard().expect("discarded");
    assert_eq!(names(root.path()), [format!(".{stays}.partial")]);
    assert_eq!(names(&path), ["notes.txt"]);
}

#[cfg(unix)]
#[test]
fn planted_links_lead_nowhere() {
    use std::os::unix::fs::symlink;
    let root = folder();
    let (out, elsewhere) = (root.path().join("out"), root.path().join("elsewhere"));
    for path in [&out, &elsewhere] {
        std::fs::create_dir(path).expect("made");
    }
    let precious = elsewhere.join("precious");
    std::fs::write(&precious, "precious").expect("written");

    let visit = VisitId::new();
    symlink(&elsewhere, out.join(format!(".{visit}.partial"))).expect("planted");
    assert_eq!(AvatarFolder::create(&out, &visit, DAY).expect_err("refused").code(), "not_ours");

    let visit = VisitId::new();
    let (folder, whole) = with_glb(&out, &visit);
    symlink(&precious, folder.path().join("avatar.png.part")).expect("planted");
    assert!(folder.start("avatar.png").is_err());
    symlink(&precious, folder.path().join("manifest.json.part")).expect("planted");
    symlink(&elsewhere, out.join(format!("2026-11-22-{visit}"))).expect("planted");
    std::fs::remove_file(folder.path().join("avatar.png.part")).expect("removed");
    let listed = manifest(visit, &[(&whole, "glb")]);
    assert_eq!(folder.publish(&listed).expect_err("refused").code(), "folder_exists");
    std::fs::remove_file(out.join(format!("2026-11-22-{visit}"))).expect("removed");
    let folder = AvatarFolder::reopen(&out, &visit, DAY).expect("looked").expect("there");
    let saved = folder.publish(&listed).expect("published");

    let alias = out.join(format!("2026-11-23-{visit}"));
    symlink(&saved, &alias).expect("planted");
    assert_eq!(Avatars::remove(&alias).expect_err("refused").code(), "not_ours");
    std::fs::remove_file(saved.join("avatar.glb")).expect("removed");
    symlink(&precious, saved.join("avatar.glb")).expect("planted");
    Avatars::remove(&saved).expect("removed");
    assert_eq!(std::fs::read(&precious).expect("still there"), b"precious");
    assert_eq!(names(&elsewhere), ["precious"]);
}

#[test]
fn names_of_an_avatar_depend_on_order_alone() {
    let root = folder();
    let types = ["glb", "fbx", "glb", "../x"].map(ExportType::new);
    let named = |folder: &mut AvatarFolder| -> Vec<String> {
        types.iter().enumerate().map(|(index, export_type)| folder.file(index, export_type)).collect()
    };
    let mut first = AvatarFolder::create(root.path(), &VisitId::new(), DAY).expect("a folder");
    let mut second = AvatarFolder::create(root.path(), &VisitId::new(), DAY).expect("a folder");
    let given = named(&mut first);
    assert_eq!(given, ["avatar.glb", "avatar_fbx.zip", "avatar-2.glb", "avatar_x.bin"]);
    assert_eq!(named(&mut first), given, "asked again, the same");
    assert_eq!(named(&mut second), given);
    for bad in ["manifest.json", "../avatar.glb", "/etc/passwd", "avatar.glb.part", ""] {
        assert_eq!(first.start(bad).expect_err(bad).code(), "not_ours");
    }
}

#[test]
fn a_half_copied_folder_is_cleaned_when_nobody_holds_it() {
    let (_root, data) = data();
    let (dead, alive) = (VisitId::new(), VisitId::new());
    let _claim = data.claim(&alive).expect("free");
    for visit in [dead, alive] {
        let copy = data.incomplete().join(format!(".{visit}.partial"));
        std::fs::create_dir(&copy).expect("made");
        std::fs::write(copy.join("avatar.glb"), "half").expect("written");
    }
    store::DataDir::open(data.path()).expect("opened again");
    assert_eq!(names(&data.incomplete()), [format!(".{alive}.partial")]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// However the bytes are cut, and wherever the writing is taken up again, the file and its digest are the same.
    #[test]
    fn the_digest_is_that_of_the_bytes(
        bytes in prop::collection::vec(any::<u8>(), 0..6000),
        piece in 1..2000_usize,
        cut in any::<prop::sample::Index>(),
    ) {
        let root = folder();
        let folder = AvatarFolder::create(root.path(), &VisitId::new(), DAY).expect("a folder");
        let cut = cut.index(bytes.len() + 1);
        let mut part = folder.start("avatar.glb").expect("a file");
        for piece in bytes[..cut].chunks(piece) {
            part.write(piece).expect("written");
        }
        drop(part);
        let mut part = folder.start("avatar.glb").expect("taken up");
        prop_assert_eq!(part.offset(), cut as u64);
        for piece in bytes[cut..].chunks(piece) {
            part.write(piece).expect("written");
        }
        let whole = part.finish().expect("whole");
        prop_assert_eq!(whole.sha256, Sha256::of(&bytes));
        prop_assert_eq!(whole.format, Format::detect(&bytes));
        let read_again = folder.whole("avatar.glb").expect("read");
        prop_assert_eq!(Some(whole), read_again);
        prop_assert_eq!(std::fs::read(folder.path().join("avatar.glb")).expect("read"), bytes);
    }
}

/// Runs one ignored test of this file where `small` is a disk of 256 KiB, `other` another one of 8 MiB and `fixed` a
/// read-only one; `None` where this system lets nobody mount in a namespace of one's own.
#[cfg(target_os = "linux")]
fn on_odd_disks(test: &str) -> Option<String> {
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
    let said = String::from_utf8_lossy(&run.stdout).into_owned() + &String::from_utf8_lossy(&run.stderr);
    if run.status.code() == Some(77) || said.contains("unshare: ") {
        eprintln!("skipped, for nothing can be mounted here: {said}");
        return None;
    }
    assert!(run.status.success(), "{said}");
    Some(said)
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_another_disk_and_a_read_only_one() {
    if let Some(said) = on_odd_disks("on_the_odd_disks") {
        assert!(said.contains("all three disks were tried"), "{said}");
    }
}

#[tokio::test]
#[ignore = "run by the test above, in a namespace of its own"]
async fn on_the_odd_disks() {
    let Some(disks) = std::env::var_os("STORE_TEST_DISKS").map(PathBuf::from) else { return };
    let data = store::DataDir::open(&disks.join("other/data")).expect("a data folder");

    // Full in the middle of a file: told as such, what came is not lost, and it goes on when there is room.
    let (small, visit) = (disks.join("small/out"), VisitId::new());
    let (folder, whole) = with_glb(&small, &visit);
    std::fs::write(disks.join("small/ballast"), vec![1; 100 * 1024]).expect("ballast");
    let mut part = folder.start("avatar.png").expect("a file");
    let error = std::iter::repeat_with(|| part.write(&[7; 10_000])).take(64).find_map(Result::err);
    assert_eq!(error.expect("it is full").code(), "disk_full");
    let came = part.offset();
    assert!(came > 0);
    let there = std::fs::metadata(folder.path().join("avatar.png.part")).expect("there").len();
    assert_eq!(there, came, "no bytes of the write that failed");
    assert!(store::free_space(&small).is_some_and(|free| free < 10_000));

    // What is kept goes to another disk by copy; nothing stays behind.
    drop(part);
    let mut rest = std::fs::File::create(disks.join("small/rest")).expect("the last room");
    while std::io::Write::write(&mut rest, &[1; 512]).is_ok_and(|count| count > 0) {}
    let listed = incomplete(visit, &[(&whole, "glb")], "avatar.png");
    let sealed = folder.keep_incomplete(&data, &listed);
    assert_eq!(sealed.expect_err("no room for the manifest").code(), "disk_full");
    std::fs::remove_file(disks.join("small/ballast")).expect("room again");
    std::fs::remove_file(disks.join("small/rest")).expect("room again");
    let folder = AvatarFolder::reopen(&small, &visit, DAY).expect("looked").expect("still there");
    let mut part = folder.resume("avatar.png", came).expect("taken up");
    assert_eq!(part.offset(), came);
    part.write(b"more").expect("there is room");
    drop(part);
    let kept = folder.keep_incomplete(&data, &listed).expect("copied");
    assert_eq!(names(&kept), ["avatar.glb", "avatar.png.part", "manifest.json"]);
    assert_eq!(std::fs::metadata(kept.join("avatar.png.part")).expect("there").len(), came + 4);
    assert!(names(&small).is_empty());
    assert_eq!(names(&data.incomplete()).len(), 1);

    // A full disk under the journal is told as such, and the journal is whole afterwards.
    let cramped = store::DataDir::open(&disks.join("small/data")).expect("a data folder");
    let journal = cramped.journal().expect("a journal");
    let id = VisitId::new();
    journal.begin(&common::start(id, false)).await.expect("begun");
    journal
        .token_issued(&id, &common::token("a-token-of-the-test"), "link", None, at(1))
        .await
        .expect("issued");
    let no = journal.redeem_intent(&id, at(2)).await.expect("an intent");
    let error =
        journal.redeem_answered(&id, no, 200, &vec![b' '; 512 * 1024], at(3)).await.expect_err("full");
    assert_eq!(error.code(), "disk_full", "{error}");
    journal
        .redeem_unanswered(&id, no, "the disk was full", b"", at(4))
        .await
        .expect("a small note still fits");
    assert_eq!(journal.unfinished().await.expect("readable").len(), 1);

    // Read-only.
    for error in [
        AvatarFolder::create(&disks.join("fixed/out"), &VisitId::new(), DAY).expect_err("refused"),
        store::DataDir::open(&disks.join("fixed")).expect_err("refused"),
    ] {
        assert_eq!(error.code(), "disk_permission", "{error}");
    }
    println!("all three disks were tried");
}
