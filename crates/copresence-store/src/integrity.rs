//! Detects truncated files by their structure, because a server may send a part of a file as a complete response.

use crate::format::{FileFormat, glb_stated_length};

/// Number of last bytes of a file that [`find_integrity_defect`] uses: the last record of a zip archive (22 bytes) and
/// its comment of at most 64 KiB.
pub(crate) const TAIL_BYTES: u64 = 22 + 0xffff;

/// Bytes that must occur near the end of a complete file, and the defect if they do not.
const END_MARKERS: &[(FileFormat, &[u8], &str)] = &[
    (FileFormat::Png, b"IEND\xae\x42\x60\x82", "its last chunk (IEND) is missing"),
    (FileFormat::Blend, b"ENDB", "its last block (ENDB) is missing"),
];

/// Why the structure of a file shows that it is not complete. `None` if there is no sign of it.
pub(crate) fn find_integrity_defect(head: &[u8], tail: &[u8], bytes: u64) -> Option<String> {
    if let Some(stated) = glb_stated_length(head).filter(|stated| *stated != bytes) {
        return Some(format!("its header states {stated} bytes, but {bytes} were received"));
    }
    let format = FileFormat::detect_file_format(head);
    if format == FileFormat::Zip && !has_zip_directory(tail) {
        return Some("the end of its directory is missing: it was cut short".to_owned());
    }
    let (_, ending, missing) = END_MARKERS.iter().find(|(ends, ..)| *ends == format)?;
    let there = tail.windows(ending.len()).any(|window| window == *ending);
    (!there).then(|| format!("{missing}: it was cut short"))
}

/// Whether the end-of-central-directory record of a zip archive is complete: 22 bytes and a comment of the stated
/// length.
fn has_zip_directory(tail: &[u8]) -> bool {
    tail.windows(22).enumerate().any(|(at, record)| {
        let comment = usize::from(u16::from_le_bytes([record[20], record[21]]));
        record.starts_with(b"PK\x05\x06") && at + record.len() + comment <= tail.len()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(file: &[u8]) -> Option<String> {
        find_integrity_defect(file, file, file.len() as u64)
    }

    #[test]
    fn truncated_files_are_detected() {
        let whole: [&[u8]; 4] = [
            b"glTF\x02\0\0\0\x14\0\0\0contents",
            b"\x89PNG\r\n\x1a\nchunks\0\0\0\0IEND\xae\x42\x60\x82",
            b"PK\x03\x04files PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
            b"BLENDER-v403blocks ENDB\0\0\0\0",
        ];
        for file in whole {
            assert_eq!(of(file), None);
            let cut = &file[..file.len() - 8];
            assert!(of(cut).is_some(), "{cut:?}");
        }
        assert_eq!(of(b"solid words"), None, "unknown formats have no defect");
    }

    #[test]
    fn a_zip_archive_may_have_a_comment() {
        let mut file = b"PK\x05\x06".to_vec();
        file.extend([0; 16]);
        file.extend(u16::MAX.to_le_bytes());
        file.extend(vec![b'c'; usize::from(u16::MAX)]);
        assert_eq!(file.len() as u64, TAIL_BYTES);
        assert_eq!(find_integrity_defect(&file[..64], &file, TAIL_BYTES), None);
    }
}
