//! Whether a file is all there, by what it says of itself: a server may send the beginning of one and call it whole.

use crate::format::{Format, glb_length};

/// How many of a file's last bytes [`flaw`] looks at: a zip's last record may be followed by a comment of 64 KiB.
pub(crate) const TAIL: u64 = 22 + 0xffff;

/// What must stand near the end of a whole file.
const ENDINGS: &[(Format, &[u8], &str)] = &[
    (Format::Png, b"IEND\xae\x42\x60\x82", "its last chunk (IEND) is missing"),
    (Format::Blend, b"ENDB", "its last block (ENDB) is missing"),
];

/// What a file's own structure says against its being whole; `None` when it says nothing.
pub(crate) fn flaw(head: &[u8], tail: &[u8], bytes: u64) -> Option<String> {
    if let Some(stated) = glb_length(head).filter(|stated| *stated != bytes) {
        return Some(format!("its own header says {stated} bytes, and {bytes} came"));
    }
    let format = Format::detect(head);
    if format == Format::Zip && !has_directory(tail) {
        return Some("the end of its directory is missing: it was cut short".to_owned());
    }
    let (_, ending, missing) = ENDINGS.iter().find(|(ends, ..)| *ends == format)?;
    let there = tail.windows(ending.len()).any(|window| window == *ending);
    (!there).then(|| format!("{missing}: it was cut short"))
}

/// Whether a zip's last record stands there whole: 22 bytes and the comment whose length it says.
fn has_directory(tail: &[u8]) -> bool {
    tail.windows(22).enumerate().any(|(at, record)| {
        let comment = usize::from(u16::from_le_bytes([record[20], record[21]]));
        record.starts_with(b"PK\x05\x06") && at + record.len() + comment <= tail.len()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(file: &[u8]) -> Option<String> {
        flaw(file, file, file.len() as u64)
    }

    #[test]
    fn a_file_without_its_end_is_told_by_its_kind() {
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
        assert_eq!(of(b"solid words"), None, "nothing is known of it");
    }

    #[test]
    fn a_zips_comment_may_follow_its_end() {
        let mut file = b"PK\x05\x06".to_vec();
        file.extend([0; 16]);
        file.extend(u16::MAX.to_le_bytes());
        file.extend(vec![b'c'; usize::from(u16::MAX)]);
        assert_eq!(file.len() as u64, TAIL);
        assert_eq!(flaw(&file[..64], &file, TAIL), None);
    }
}
