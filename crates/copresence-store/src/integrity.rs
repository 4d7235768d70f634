//! Detects truncated files by their structure, because a server may send a part of a file as a complete response, and
//! bytes behind the end of a file.

use crate::format::{FileFormat, glb_stated_length, is_truncated_format_signature};
use serde::de::IgnoredAny;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// Length of the end-of-central-directory record of a zip archive without its comment, in bytes.
const ZIP_END: usize = 22;
/// Number of last bytes that are searched for the end of a zip archive whatever its record says: the record and its
/// comment of at most 64 KiB.
const ZIP_TAIL: u64 = ZIP_END as u64 + 0xffff;
/// Number of bytes that are read at once.
const WINDOW: u64 = 64 * 1024;

/// The end of PNG and of its last chunk.
const PNG_END: &[u8] = b"IEND\xae\x42\x60\x82";
/// The signature of the last block of a Blender file.
const BLEND_END: &[u8] = b"ENDB";
const ZIP_END_SIGNATURE: &[u8] = b"PK\x05\x06";
const ZIP64_END_SIGNATURE: &[u8] = b"PK\x06\x06";
const ZIP64_LOCATOR_SIGNATURE: &[u8] = b"PK\x06\x07";
/// Why a picture is doubtful.
const DOUBT_SHORTER_THAN_STATED: &str = "it has fewer bytes than its header states";
/// The last marker of a JPEG image.
const JPEG_END_MARKER: &[u8] = b"\xff\xd9";

/// What the structure of a complete response says about the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FileStructureFindings {
    /// Why the file is not complete. `None` if there is no sign of it.
    pub(crate) defect: Option<String>,
    /// Why the file may not be complete: it lacks an end that nearly all files of its format have.
    pub(crate) doubt: Option<String>,
    /// Number of bytes behind the end of the content.
    pub(crate) trailing_bytes: u64,
}

/// Maximum size of a JSON text that is read to its end, in bytes.
const MAX_PARSED_JSON_BYTES: u64 = 64 << 20;

/// Inspects the structure of GLB, PNG, zip and Blender files, which may have a defect, and the length or the end of WebP, KTX2,
/// JPEG and JSON, which may be doubtful. Other formats have neither defect nor doubt.
///
/// # Errors
/// An I/O failure.
pub(crate) fn inspect_file_structure(
    file: &mut (impl Read + Seek),
    head: &[u8],
    bytes: u64,
) -> io::Result<FileStructureFindings> {
    let ended_at = |end: Option<u64>, missing: &str| FileStructureFindings {
        defect: end.is_none().then(|| format!("{missing}: it was cut short")),
        trailing_bytes: end.map_or(0, |end| bytes.saturating_sub(end)),
        ..FileStructureFindings::default()
    };
    if let Some(stated) = glb_stated_length(head) {
        return Ok(FileStructureFindings {
            defect: (stated > bytes)
                .then(|| format!("its header states {stated} bytes, but only {bytes} were received: it was cut short")),
            trailing_bytes: bytes.saturating_sub(stated),
            ..FileStructureFindings::default()
        });
    }
    let has_doubt = |doubt: Option<&str>| FileStructureFindings {
        doubt: doubt.map(|missing| format!("{missing}: it may have been cut short")),
        ..FileStructureFindings::default()
    };
    Ok(match FileFormat::detect_file_format(head) {
        FileFormat::Png => {
            let end = find_last_file_end_marker(file, bytes, PNG_END.len(), |at, record| {
                (record == PNG_END).then_some(at + PNG_END.len() as u64)
            })?;
            ended_at(end, "its last chunk (IEND) is missing")
        }
        FileFormat::Zip => ended_at(find_end_offset_of_zip(file, bytes)?, "the end of its directory is missing"),
        FileFormat::Blend => {
            // The length of the last block depends on the version, so bytes behind it are not counted.
            let end = find_last_file_end_marker(file, bytes, BLEND_END.len(), |_, record| {
                (record == BLEND_END).then_some(bytes)
            })?;
            ended_at(end, "its last block (ENDB) is missing")
        }
        // A wrong length in the header of a picture is no proof: programs show it all the same.
        FileFormat::Webp => {
            has_doubt((read_webp_stated_length(head) > Some(bytes)).then_some(DOUBT_SHORTER_THAN_STATED))
        }
        FileFormat::Ktx2 => {
            has_doubt((read_ktx2_stated_length(head) > Some(bytes)).then_some(DOUBT_SHORTER_THAN_STATED))
        }
        FileFormat::Glb => FileStructureFindings {
            defect: Some(format!("only {bytes} bytes of its header were received: it was cut short")),
            ..FileStructureFindings::default()
        },
        FileFormat::Unknown if is_truncated_format_signature(head) => has_doubt(Some("it ends in its first bytes")),
        FileFormat::Jpeg => {
            let scan = find_jpeg_scan(file, bytes)?;
            let end = find_last_file_end_marker(file, bytes, JPEG_END_MARKER.len(), |at, record| {
                (record == JPEG_END_MARKER).then_some(at)
            })?;
            has_doubt((end < scan || end.is_none()).then_some("its end marker (EOI) is missing"))
        }
        FileFormat::Json | FileFormat::Gltf if bytes <= MAX_PARSED_JSON_BYTES => {
            file.seek(SeekFrom::Start(0))?;
            let read = serde_json::from_reader::<_, IgnoredAny>(BufReader::new(file.take(bytes)));
            has_doubt(read.is_err_and(|error| error.is_eof()).then_some("its JSON text has no end"))
        }
        _ => FileStructureFindings::default(),
    })
}

/// The file length in bytes that the header of a WebP image states.
fn read_webp_stated_length(head: &[u8]) -> Option<u64> {
    let length = u32::from_le_bytes(head.get(4..8)?.try_into().ok()?);
    Some(u64::from(length) + 8)
}

/// The file length in bytes that the header of a KTX2 texture implies: the offset behind its last level, or behind its
/// header and index of levels if these are incomplete.
fn read_ktx2_stated_length(head: &[u8]) -> Option<u64> {
    const LEVEL_COUNT_OFFSET: usize = 40;
    const LEVEL_INDEX_OFFSET: usize = 80;
    const LEVEL_ENTRY_BYTES: usize = 24;
    let Some(count) = head.get(LEVEL_COUNT_OFFSET..LEVEL_COUNT_OFFSET + 4) else {
        return Some(LEVEL_INDEX_OFFSET as u64);
    };
    let count = u32::from_le_bytes(count.try_into().ok()?).max(1);
    let index_end = LEVEL_INDEX_OFFSET as u64 + LEVEL_ENTRY_BYTES as u64 * u64::from(count);
    let levels = head.get(LEVEL_INDEX_OFFSET..).unwrap_or_default().chunks_exact(LEVEL_ENTRY_BYTES);
    let levels = levels.take(usize::try_from(count).ok()?);
    let number = |bytes: &[u8]| bytes.try_into().map(u64::from_le_bytes).unwrap_or_default();
    levels.map(|level| number(&level[..8]).saturating_add(number(&level[8..16]))).chain([index_end]).max()
}

/// The offset of the first scan of a JPEG image, behind its metadata, which may contain an image of its own. `None` if
/// there is none.
fn find_jpeg_scan(file: &mut (impl Read + Seek), bytes: u64) -> io::Result<Option<u64>> {
    let mut at = 2;
    while at + 4 <= bytes {
        let mut segment = [0; 4];
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut segment)?;
        let [0xff, marker, high, low] = segment else { return Ok(None) };
        match marker {
            0xda => return Ok(Some(at)),
            // A fill byte before a marker.
            0xff => at += 1,
            _ => at += 2 + u64::from(u16::from_be_bytes([high, low])),
        }
    }
    Ok(None)
}

/// The offset behind the end of a zip archive with its comment.
fn find_end_offset_of_zip(file: &mut (impl Read + Seek), bytes: u64) -> io::Result<Option<u64>> {
    find_last_file_end_marker(file, bytes, ZIP_END, |at, record| {
        let number =
            |from: usize| u32::from_le_bytes([record[from], record[from + 1], record[from + 2], record[from + 3]]);
        let comment = u64::from(u16::from_le_bytes([record[20], record[21]]));
        let end = at + ZIP_END as u64 + comment;
        if !record.starts_with(ZIP_END_SIGNATURE) || end > bytes {
            return None;
        }
        // Far from the end, it may be the record of an archive within this one, whose directory has another offset.
        let is_own = u64::from(number(12)) + u64::from(number(16)) == at;
        (is_own || bytes - at <= ZIP_TAIL).then_some(end)
    })
}

/// Whether the structure of a file proves that its last byte is the last one of its content. The end of a file within the file,
/// such as that of an archive in an archive, is no proof. False for formats without such an end.
///
/// # Errors
/// An I/O failure.
pub(crate) fn is_end_proven_by_structure(file: &mut (impl Read + Seek), head: &[u8], bytes: u64) -> io::Result<bool> {
    let format = FileFormat::detect_file_format(head);
    match format {
        FileFormat::Zip => {
            let end = find_last_file_end_marker(file, bytes, ZIP_END, |at, record| {
                let comment = u64::from(u16::from_le_bytes([record[20], record[21]]));
                (record.starts_with(ZIP_END_SIGNATURE) && at + ZIP_END as u64 + comment == bytes).then_some(at)
            })?;
            match end {
                Some(at) => does_zip_directory_lead_to_end_record(file, at),
                None => Ok(false),
            }
        }
        FileFormat::Blend => {
            let Some(at) = bytes.checked_sub(length_of_last_blend_block(head)) else { return Ok(false) };
            let mut code = [0; BLEND_END.len()];
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut code)?;
            Ok(code == BLEND_END)
        }
        _ if !format.is_truncation_detectable() => Ok(false),
        _ => {
            let found = inspect_file_structure(file, head, bytes)?;
            Ok(found.defect.is_none() && found.doubt.is_none() && found.trailing_bytes == 0)
        }
    }
}

/// Whether the directory of a zip archive ends exactly at its end record, or at its zip64 end record and that leads to the end
/// record. Its offsets count from the start of the archive, so that those of an archive within the archive lead elsewhere.
fn does_zip_directory_lead_to_end_record(file: &mut (impl Read + Seek), at: u64) -> io::Result<bool> {
    const LOCATOR_BYTES: u64 = 20;
    const ZIP64_END_BYTES: u64 = 56;
    let mut record = [0; ZIP_END];
    file.seek(SeekFrom::Start(at))?;
    file.read_exact(&mut record)?;
    let [size, offset] = [12, 16].map(|from| read_le_number(&record[from..from + 4]));
    if size + offset == at {
        return Ok(true);
    }
    let Some(locator_at) = at.checked_sub(LOCATOR_BYTES) else { return Ok(false) };
    let mut locator = [0; 20];
    file.seek(SeekFrom::Start(locator_at))?;
    file.read_exact(&mut locator)?;
    let zip64_at = read_le_number(&locator[8..16]);
    if !locator.starts_with(ZIP64_LOCATOR_SIGNATURE) || zip64_at.saturating_add(ZIP64_END_BYTES) > locator_at {
        return Ok(false);
    }
    let mut zip64 = [0; 56];
    file.seek(SeekFrom::Start(zip64_at))?;
    file.read_exact(&mut zip64)?;
    // Its size is that of what follows the number.
    let zip64_end = zip64_at.saturating_add(12).saturating_add(read_le_number(&zip64[4..12]));
    let [size, offset] = [40, 48].map(|from| read_le_number(&zip64[from..from + 8]));
    Ok(zip64.starts_with(ZIP64_END_SIGNATURE) && zip64_end == locator_at && size.saturating_add(offset) == zip64_at)
}

/// A number of at most 8 bytes, the least significant one first.
fn read_le_number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Length in bytes of the last block of a Blender file, which is only the header of a block. It depends on the size of pointers
/// (`_` is 4 bytes, `-` is 8), and is another one in files that begin with the length of their own header.
fn length_of_last_blend_block(head: &[u8]) -> u64 {
    match head.get(b"BLENDER".len()) {
        Some(b'_') => 20,
        Some(b'-') => 24,
        _ => 32,
    }
}

/// Finds the marker that ends a file of a known format, such as the end record of a zip archive: the last `length` bytes that
/// `check` accepts. Searches the file backwards. `check` gets the
/// offset and the bytes.
fn find_last_file_end_marker(
    file: &mut (impl Read + Seek),
    bytes: u64,
    length: usize,
    check: impl Fn(u64, &[u8]) -> Option<u64>,
) -> io::Result<Option<u64>> {
    let mut end = bytes;
    let mut window = Vec::new();
    loop {
        let start = end.saturating_sub(WINDOW);
        file.seek(SeekFrom::Start(start))?;
        window.clear();
        file.take(end - start).read_to_end(&mut window)?;
        let records = window.windows(length).enumerate().rev();
        let mut found = records.filter_map(|(at, record)| check(start + at as u64, record));
        if let Some(found) = found.next() {
            return Ok(Some(found));
        }
        if start == 0 {
            return Ok(None);
        }
        // A record may lie across the border of two windows.
        end = start + length as u64 - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn inspect(file: &[u8]) -> FileStructureFindings {
        inspect_file_structure(&mut Cursor::new(file), file, file.len() as u64).expect("in memory")
    }

    const WHOLE: [&[u8]; 6] = [
        b"glTF\x02\0\0\0\x14\0\0\0contents",
        b"\x89PNG\r\n\x1a\nchunks\0\0\0\0IEND\xae\x42\x60\x82",
        b"PK\x03\x04files PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"BLENDER-v403blocks ENDB\0\0\0\0",
        b"RIFF\x18\0\0\0WEBPVP8 \x0c\0\0\0image of 12b",
        b"\xabKTX 20\xbb\r\n\x1a\n\0\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\
          index of 32 bytes: dfd, kvd, sgd\x68\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0the data",
    ];

    /// Metadata with an image of its own, and a scan.
    const JPEG: &[u8] = b"\xff\xd8\xff\xe1\0\x08\xff\xd8..\xff\xd9\xff\xda\0\x04..pixels\xff\xd9";

    #[test]
    fn jpeg_and_json_without_their_end_are_doubtful() {
        for whole in [JPEG, b"{\"asset\": {\"version\": \"2.0\"}}", b"[1, 2]", b"{\"weights\": [0.5]}\n"] {
            assert_eq!(inspect(whole), FileStructureFindings::default());
            let cut = inspect(&whole[..whole.len() - 3]);
            assert!(cut.doubt.is_some() && cut.defect.is_none(), "{}", String::from_utf8_lossy(whole));
        }
        // Some phones append data behind the end.
        assert_eq!(inspect(&[JPEG, b"more data".as_slice()].concat()), FileStructureFindings::default());
        assert_eq!(inspect(b"{\"a\": nonsense"), FileStructureFindings::default(), "not cut off");
    }

    #[test]
    fn truncated_files_are_detected() {
        for file in WHOLE {
            assert_eq!(inspect(file), FileStructureFindings::default());
            for length in 1..=file.len() - 8 {
                let found = inspect(&file[..length]);
                assert!(found.defect.is_some() || found.doubt.is_some(), "{length} bytes of {file:?}");
            }
        }
        assert_eq!(inspect(b"solid words"), FileStructureFindings::default(), "unknown formats have no defect");
    }

    /// Case: GLB with bytes after its stated end.
    #[test]
    fn bytes_after_the_end_of_glb_png_and_zip_are_counted_however_many() {
        for file in &WHOLE[..3] {
            for count in [1, 100] {
                let longer = [file, vec![b'x'; count].as_slice()].concat();
                let expected = FileStructureFindings { trailing_bytes: count as u64, ..Default::default() };
                assert_eq!(inspect(&longer), expected);
            }
        }
        // More than the longest comment of a zip archive.
        let mut archive = b"PK\x03\x04files PK\x01\x02 PK\x05\x06".to_vec();
        archive.extend([0; 8]);
        archive.extend(5_u32.to_le_bytes());
        archive.extend(10_u32.to_le_bytes());
        archive.extend([0; 2]);
        let end = archive.len() as u64;
        archive.extend(vec![0; 300_000]);
        assert_eq!(
            inspect(&archive),
            FileStructureFindings { trailing_bytes: archive.len() as u64 - end, ..Default::default() }
        );
        // The end record of an archive within the archive does not count.
        let mut outer = b"PK\x03\x04".to_vec();
        outer.extend(&archive);
        assert!(inspect(&outer).defect.is_some());
    }

    #[test]
    fn a_zip_archive_may_have_a_comment() {
        let mut file = b"PK\x05\x06".to_vec();
        file.extend([0; 16]);
        file.extend(u16::MAX.to_le_bytes());
        file.extend(vec![b'c'; usize::from(u16::MAX)]);
        assert_eq!(file.len() as u64, ZIP_TAIL);
        assert_eq!(inspect(&file), FileStructureFindings::default());
    }

    #[test]
    fn a_record_across_two_windows_is_found() {
        for offset in 0..12_u64 {
            let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
            file.extend(PNG_END);
            let trailing = WINDOW - offset;
            file.resize(file.len() + usize::try_from(trailing).expect("small"), 0);
            assert_eq!(inspect(&file).trailing_bytes, trailing);
        }
    }
}
