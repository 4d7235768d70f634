//! Partial files: continued after a crash, limited in size, decoded, and independent of how their bytes arrive.

use super::{DAY, entry_names, folder_with_glb, manifest};
use crate::common::temp_folder;
use copresence_protocol::ExportType;
use copresence_store::{DecodeContentError, FileFormat, PartialAvatarFolder, Sha256Digest, StoreError, VisitId};
use proptest::prelude::*;

#[test]
fn a_download_resumes_after_a_crash_at_the_durable_bytes() {
    let root = temp_folder();
    let visit = VisitId::new();
    let (folder, _) = folder_with_glb(root.path(), &visit);
    let mut part = folder.open_partial_file_keeping_all_bytes("avatar_fbx.zip").expect("a file");
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
        folder.open_partial_file_keeping_all_bytes("avatar.glb").expect_err("whole already").error_code(),
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
    let mut file = folder.open_partial_file_keeping_all_bytes("avatar.glb").expect("a file").with_max_size_bytes(10);
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
    let mut file = folder.open_partial_file_keeping_all_bytes("avatar.glb").expect("a file");
    file.append_bytes(b"<!doctype html>").expect("written");
    assert_eq!(file.detected_format(), FileFormat::Html);
    file.remove_partial_file().expect("discarded");
    assert!(entry_names(folder.partial_folder_path()).is_empty());
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
        let mut part = folder.open_partial_file_keeping_all_bytes("avatar.glb").expect("a file");
        for piece in bytes[..cut].chunks(piece) {
            part.append_bytes(piece).expect("written");
        }
        drop(part);
        let mut part = folder.open_partial_file_keeping_all_bytes("avatar.glb").expect("opened again");
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

#[test]
fn decoded_content_replaces_the_encoded_bytes_only_when_it_is_complete() {
    let root = temp_folder();
    let folder = PartialAvatarFolder::create_or_reopen_folder(root.path(), &VisitId::new(), DAY).expect("a folder");
    let mut file = folder.open_partial_file_keeping_all_bytes("avatar.obj").expect("a file").with_max_size_bytes(20);
    file.append_bytes(b"encoded").expect("written");

    let mut failing = std::io::Read::chain(&b"v 0 0 0\n"[..], FailingReader);
    let error = file.replace_with_decoded_content(&mut failing, 0, |_| false).expect_err("broken");
    assert!(matches!(error, DecodeContentError::Content(_, FileFormat::Obj)), "{error:?}");
    let error = file.replace_with_decoded_content(&mut &[b'x'; 21][..], 0, |_| false).expect_err("too large");
    assert!(matches!(error, DecodeContentError::Store(StoreError::TooLarge { max: 20, .. })), "{error:?}");
    assert_eq!(entry_names(folder.partial_folder_path()), ["avatar.obj.part"]);
    file.append_bytes(b" bytes").expect("the encoded bytes are unchanged");

    let mut encoded = Vec::new();
    std::io::Read::read_to_end(&mut file.rewound_reader_of_written_bytes().expect("opened"), &mut encoded)
        .expect("read");
    assert_eq!(encoded, b"encoded bytes");
    file.replace_with_decoded_content(&mut &b"v 0 0 0\n"[..], 0, |_| false).expect("decoded");
    assert_eq!(entry_names(folder.partial_folder_path()), ["avatar.obj.decoded", "avatar.obj.part"]);
    let whole = file.finish_partial_file().expect("whole");
    assert_eq!(
        (whole.bytes, whole.sha256, whole.format),
        (8, Sha256Digest::sha256_of_bytes(b"v 0 0 0\n"), FileFormat::Obj)
    );
    assert_eq!(entry_names(folder.partial_folder_path()), ["avatar.obj"]);
}

#[test]
fn bytes_are_appended_at_the_end_wherever_the_file_was_read_before() {
    let root = temp_folder();
    let folder = PartialAvatarFolder::create_or_reopen_folder(root.path(), &VisitId::new(), DAY).expect("a folder");
    let mut file = folder.open_partial_file_keeping_all_bytes("avatar.obj").expect("a file");
    file.append_bytes(b"v 0 0 0\n").expect("written");
    let mut few = [0; 2];
    std::io::Read::read_exact(&mut file.rewound_reader_of_written_bytes().expect("opened"), &mut few).expect("read");
    file.append_bytes(b"v 0 0 1\n").expect("written");
    file.read_last_bytes(3).expect("read");
    file.append_bytes(b"v 0 1 0\n").expect("written");
    file.is_proven_complete_by_structure().expect("read");
    file.append_bytes(b"v 1 0 0\n").expect("written");
    file.is_decoded_content_complete(&mut &b"v"[..], 0, |_| false).expect("read");
    file.append_bytes(b"v 1 1 1\n").expect("written");
    let whole = file.finish_partial_file().expect("whole");
    let content = std::fs::read(folder.partial_folder_path().join("avatar.obj")).expect("read");
    assert_eq!(String::from_utf8_lossy(&content), "v 0 0 0\nv 0 0 1\nv 0 1 0\nv 1 0 0\nv 1 1 1\n");
    assert_eq!(whole.sha256, Sha256Digest::sha256_of_bytes(&content));
}

/// Whether a file of these bytes is proved to be whole by its own structure.
fn is_proven_complete(content: &[u8]) -> bool {
    let root = temp_folder();
    let folder = PartialAvatarFolder::create_or_reopen_folder(root.path(), &VisitId::new(), DAY).expect("a folder");
    let mut file = folder.open_partial_file_keeping_all_bytes("avatar.zip").expect("a file");
    file.append_bytes(content).expect("written");
    file.is_proven_complete_by_structure().expect("read")
}

/// The end record of a zip archive with a directory of this size at this offset.
fn zip_end_record(directory_size: u32, directory_offset: u32, comment: &[u8]) -> Vec<u8> {
    let mut record = b"PK\x05\x06\0\0\0\0\x01\0\x01\0".to_vec();
    record.extend(directory_size.to_le_bytes());
    record.extend(directory_offset.to_le_bytes());
    record.extend(u16::try_from(comment.len()).expect("short").to_le_bytes());
    record.extend(comment);
    record
}

/// A zip archive whose only entry has this content.
fn zip_archive(content: &[u8], comment: &[u8]) -> Vec<u8> {
    let start = [b"PK\x03\x04".as_slice(), content].concat();
    let record = zip_end_record(9, u32::try_from(start.len()).expect("small"), comment);
    [start.as_slice(), b"directory", &record].concat()
}

/// The same as a zip64 archive. Its own end record states this offset.
fn zip64_archive(content: &[u8], wrong_by: u64) -> Vec<u8> {
    let mut archive = [b"PK\x03\x04".as_slice(), content].concat();
    let offset = archive.len() as u64;
    archive.extend(b"directory");
    let record = archive.len() as u64;
    archive.extend(b"PK\x06\x06\x2c\0\0\0\0\0\0\0");
    archive.extend([0; 28]);
    archive.extend(9_u64.to_le_bytes());
    archive.extend((offset + wrong_by).to_le_bytes());
    archive.extend(b"PK\x06\x07\0\0\0\0");
    archive.extend(record.to_le_bytes());
    archive.extend([1, 0, 0, 0]);
    archive.extend(zip_end_record(u32::MAX, u32::MAX, b""));
    archive
}

#[test]
fn a_zip_archive_is_proved_whole_only_by_an_end_record_that_its_directory_leads_to() {
    for whole in [
        zip_archive(b"entry", b""),
        zip_archive(b"entry", b"a comment"),
        zip64_archive(b"entry", 0),
        zip_archive(&zip_archive(&vec![7; 100_000], b""), b""),
    ] {
        assert!(is_proven_complete(&whole), "{} bytes", whole.len());
        assert!(!is_proven_complete(&whole[..whole.len() - 1]));
        assert!(!is_proven_complete(&[whole.as_slice(), b"x"].concat()), "bytes follow");
    }
    // The received part of an archive ends with an archive that is an entry of it.
    for inner in [zip_archive(b"entry", b""), zip64_archive(b"entry", 0), zip_archive(&vec![7; 200_000], b"")] {
        assert!(!is_proven_complete(&[b"PK\x03\x04name".as_slice(), &inner].concat()), "{} bytes", inner.len());
    }
    assert!(!is_proven_complete(&zip64_archive(b"entry", 1)));
}

#[test]
fn a_blender_file_is_proved_whole_only_by_its_last_block_at_its_end() {
    for (header, block) in [(&b"BLENDER_v279"[..], 20), (b"BLENDER-v403", 24), (b"BLENDER17-01v0500", 32)] {
        let mut file = [header, b"blocks ENDB"].concat();
        assert!(!is_proven_complete(&file));
        file.extend([7; 50]);
        assert!(!is_proven_complete(&file), "within a block");
        file.extend(b"ENDB");
        for _ in b"ENDB".len()..block {
            assert!(!is_proven_complete(&file), "its last block is cut off");
            file.push(0);
        }
        assert!(is_proven_complete(&file), "{}", String::from_utf8_lossy(header));
    }
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
    let mut file = folder.open_partial_file_keeping_all_bytes("avatar.obj").expect("a file");
    file.append_bytes(b"encoded").expect("written");
    file.replace_with_decoded_content(&mut &b"v 0 0 0\n"[..], 0, |_| false).expect("decoded");
    drop(file);
    let file = folder.open_partial_file_keeping_all_bytes("avatar.obj").expect("again");
    assert_eq!((file.resume_offset(), entry_names(folder.partial_folder_path())), (7, vec!["avatar.obj.part".into()]));
    drop(file);
    // Between the rename of the decoded file and the removal of the encoded bytes.
    let path = folder.partial_folder_path().join("avatar.obj");
    std::fs::write(&path, b"v 0 0 0\n").expect("written");
    let whole = folder.sync_and_rehash_complete_file("avatar.obj").expect("read").expect("complete");
    assert_eq!((whole.bytes, entry_names(folder.partial_folder_path())), (8, vec!["avatar.obj".into()]));
}

#[test]
fn a_copy_of_doubted_bytes_is_restored_or_removed_with_the_complete_file() {
    let root = temp_folder();
    for is_restored in [true, false] {
        let visit = VisitId::new();
        let (folder, glb) = folder_with_glb(root.path(), &visit);
        let path = folder.partial_folder_path().to_owned();
        let mut part = folder.open_partial_file_keeping_all_bytes("avatar.jpg").expect("a file");
        part.append_bytes(b"doubted").expect("written");
        part.copy_doubted_bytes().expect("copied");
        part.remove_bytes_to_restart_download().expect("emptied");
        part.append_bytes(b"new").expect("written");
        assert_eq!(entry_names(&path), ["avatar.glb", "avatar.jpg.doubted", "avatar.jpg.part"]);
        if is_restored {
            drop(part);
            folder.restore_doubted_bytes("avatar.jpg").expect("restored");
            part = folder.open_partial_file_keeping_all_bytes("avatar.jpg").expect("a file");
        }
        let jpg = part.finish_partial_file().expect("whole");
        let content: &[u8] = if is_restored { b"doubted" } else { b"new" };
        assert_eq!(jpg.sha256, Sha256Digest::sha256_of_bytes(content));
        let saved = folder.publish_complete_avatar(&manifest(visit, &[(&glb, "glb"), (&jpg, "jpg")])).expect("saved");
        assert_eq!(entry_names(&saved), ["avatar.glb", "avatar.jpg", "manifest.json"]);
    }
}

/// Only the end of the encoding is missing, or bytes of the content too.
#[test]
fn decoded_content_that_states_its_end_is_whole_although_its_encoding_is_cut_off() {
    struct CutOff(&'static [u8]);
    impl std::io::Read for CutOff {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            match self.0.read(buffer) {
                Ok(0) => Err(std::io::ErrorKind::UnexpectedEof.into()),
                read => read,
            }
        }
    }
    let root = temp_folder();
    let folder = PartialAvatarFolder::create_or_reopen_folder(root.path(), &VisitId::new(), DAY).expect("a folder");
    let mut file = folder.open_partial_file_keeping_all_bytes("avatar.glb").expect("a file");
    file.append_bytes(b"encoded").expect("written");
    let whole = || CutOff(b"glTF\x02\0\0\0\x0c\0\0\0");
    let cut = || CutOff(b"glTF\x02\0\0\0\x0d\0\0\0");
    for (mut content, is_cut_off, is_complete) in [(whole(), true, true), (whole(), false, false), (cut(), true, false)]
    {
        let read = file.is_decoded_content_complete(&mut content, 0, |_| is_cut_off).expect("decoded");
        assert_eq!(read, is_complete, "{is_cut_off}");
        assert_eq!(entry_names(folder.partial_folder_path()), ["avatar.glb.part"]);
    }
    assert!(file.replace_with_decoded_content(&mut cut(), 0, |_| true).is_err());
    assert!(file.replace_with_decoded_content(&mut whole(), 0, |_| true).expect("decoded").is_some());
    assert_eq!(file.finish_partial_file().expect("whole").bytes, 12);
}

/// A truncated response named two files; the delivery names the second one first, and another one in place of the first.
#[test]
fn a_file_keeps_its_name_only_for_the_url_from_which_it_comes() {
    let root = temp_folder();
    let (out, visit) = (root.path().join("out"), VisitId::new());
    let open = || PartialAvatarFolder::create_or_reopen_folder(&out, &visit, DAY).expect("a folder");
    let glb = ExportType::new("glb");
    let source = |url: &str| (&glb, Sha256Digest::sha256_of_bytes(url.as_bytes()));
    let mut folder = open();
    let path = folder.partial_folder_path().to_owned();
    let names = folder.assign_file_names_by_source(&[source("old"), source("a")], true).expect("assigned");
    assert_eq!(names, ["avatar.glb", "avatar-2.glb"]);
    for name in &names {
        folder
            .open_partial_file_keeping_all_bytes(name)
            .expect("opens")
            .append_bytes(name.as_bytes())
            .expect("written");
    }
    drop(folder);
    let delivery = [source("b"), source("a"), source("c")];
    let expected = ["avatar.glb", "avatar-2.glb", "avatar-3.glb"];
    assert_eq!(open().assign_file_names_by_source(&delivery, false).expect("assigned"), expected);
    assert_eq!(entry_names(&path), ["avatar-2.glb.part", "sources.json"], "nobody needs the old file");
    assert_eq!(open().assign_file_names_by_source(&delivery, false).expect("assigned"), expected, "as before");
    // Nothing is recorded of a delivery without a truncated response before it.
    let other = PartialAvatarFolder::create_or_reopen_folder(&out, &VisitId::new(), DAY);
    let mut other = other.expect("a folder");
    other.assign_file_names_by_source(&delivery, false).expect("assigned");
    assert!(entry_names(other.partial_folder_path()).is_empty());
}

/// The delivery after a truncated response signed the URLs anew, and some may be refused.
#[test]
fn a_complete_file_is_kept_for_the_only_one_of_its_type_in_the_delivery() {
    let root = temp_folder();
    let (glb, png) = (ExportType::new("glb"), ExportType::new("png"));
    let source = |url: &str| Sha256Digest::sha256_of_bytes(url.as_bytes());
    let cases: [(&[_], &[_], &[&str]); 4] = [
        (&[(&glb, source("1"))], &[(&png, source("2")), (&glb, source("1, anew"))], &["avatar.glb.doubted"]),
        (&[(&glb, source("1"))], &[(&png, source("2"))], &[]),
        (&[(&glb, source("1"))], &[(&glb, source("2")), (&glb, source("1, anew"))], &[]),
        (&[(&glb, source("1")), (&glb, source("2"))], &[(&glb, source("2, anew"))], &[]),
    ];
    for (case, (before, delivery, kept)) in cases.into_iter().enumerate() {
        let visit = VisitId::new();
        let open =
            || PartialAvatarFolder::create_or_reopen_folder(&root.path().join("out"), &visit, DAY).expect("a folder");
        let mut folder = open();
        for name in folder.assign_file_names_by_source(before, true).expect("assigned") {
            let part = folder.open_partial_file_keeping_all_bytes(&name).expect("opens");
            part.finish_partial_file().expect("complete");
        }
        drop(folder);
        // The second time as after a crash.
        for _ in 0..2 {
            open().assign_file_names_by_source(delivery, false).expect("assigned");
            let mut names = entry_names(open().partial_folder_path());
            names.retain(|name| name != "sources.json");
            assert_eq!(names, kept, "{case}");
        }
        for name in kept {
            let name = name.trim_end_matches(".doubted");
            assert_eq!(open().doubted_bytes_size_and_head(name).expect("read"), Some((0, Vec::new())));
            assert_eq!(open().doubted_bytes_size_and_head("avatar.bin").expect("read"), None);
        }
        // Another delivery has several files of this type.
        let other = [(&glb, source("3")), (&glb, source("4"))];
        open().assign_file_names_by_source(&other, false).expect("assigned");
        assert_eq!(entry_names(open().partial_folder_path()), ["sources.json"], "{case}");
    }
}
