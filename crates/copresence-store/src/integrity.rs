//! Detects truncated files by their structure, because a server may send a part of a file as a complete response, and
//! bytes behind the end of a file.

use crate::format::{FileFormat, glb_stated_length};
use std::io::{self, Read, Seek, SeekFrom};

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

/// What the structure of a complete response says about the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FileStructureFindings {
    /// Why the file is not complete. `None` if there is no sign of it.
    pub(crate) defect: Option<String>,
    /// Number of bytes behind the end of the content.
    pub(crate) trailing_bytes: u64,
}

/// Inspects the structure of GLB, PNG, zip and Blender files. Other formats have no defect.
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
    };
    if let Some(stated) = glb_stated_length(head) {
        return Ok(FileStructureFindings {
            defect: (stated > bytes)
                .then(|| format!("its header states {stated} bytes, but only {bytes} were received: it was cut short")),
            trailing_bytes: bytes.saturating_sub(stated),
        });
    }
    Ok(match FileFormat::detect_file_format(head) {
        FileFormat::Png => {
            let end = find_last_accepted_record(file, bytes, PNG_END.len(), |at, record| {
                (record == PNG_END).then_some(at + PNG_END.len() as u64)
            })?;
            ended_at(end, "its last chunk (IEND) is missing")
        }
        FileFormat::Zip => ended_at(find_offset_after_zip(file, bytes)?, "the end of its directory is missing"),
        FileFormat::Blend => {
            // The length of the last block depends on the version, so bytes behind it are not counted.
            let end = find_last_accepted_record(file, bytes, BLEND_END.len(), |_, record| {
                (record == BLEND_END).then_some(bytes)
            })?;
            ended_at(end, "its last block (ENDB) is missing")
        }
        _ => FileStructureFindings::default(),
    })
}

/// The offset behind the end of a zip archive with its comment.
fn find_offset_after_zip(file: &mut (impl Read + Seek), bytes: u64) -> io::Result<Option<u64>> {
    find_last_accepted_record(file, bytes, ZIP_END, |at, record| {
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

/// Finds the last record of `length` bytes that `check` accepts. Searches the file backwards. `check` gets the
/// offset and the bytes.
fn find_last_accepted_record(
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

    const WHOLE: [&[u8]; 4] = [
        b"glTF\x02\0\0\0\x14\0\0\0contents",
        b"\x89PNG\r\n\x1a\nchunks\0\0\0\0IEND\xae\x42\x60\x82",
        b"PK\x03\x04files PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"BLENDER-v403blocks ENDB\0\0\0\0",
    ];

    #[test]
    fn truncated_files_are_detected() {
        for file in WHOLE {
            assert_eq!(inspect(file), FileStructureFindings::default());
            let cut = &file[..file.len() - 8];
            assert!(inspect(cut).defect.is_some(), "{cut:?}");
        }
        assert_eq!(inspect(b"solid words"), FileStructureFindings::default(), "unknown formats have no defect");
    }

    /// Case: GLB with bytes after its stated end.
    #[test]
    fn bytes_after_the_end_of_glb_png_and_zip_are_counted_however_many() {
        for file in &WHOLE[..3] {
            for count in [1, 100] {
                let longer = [file, vec![b'x'; count].as_slice()].concat();
                assert_eq!(inspect(&longer), FileStructureFindings { defect: None, trailing_bytes: count as u64 });
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
            FileStructureFindings { defect: None, trailing_bytes: archive.len() as u64 - end }
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
