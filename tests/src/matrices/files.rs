//! Files that begin and end as those of their kind do, with noise between.

/// A binary glTF whose header says the truth: magic, version 2, length.
pub(crate) fn glb(size: u32) -> Vec<u8> {
    let mut bytes = b"glTF\x02\0\0\0".to_vec();
    bytes.extend(size.to_le_bytes());
    fill(bytes, &[], size)
}

/// A PNG up to its last chunk.
pub(crate) fn png(size: u32) -> Vec<u8> {
    fill(b"\x89PNG\r\n\x1a\n".to_vec(), b"\0\0\0\0IEND\xae\x42\x60\x82", size)
}

/// A zip with its last record.
pub(crate) fn zip(size: u32) -> Vec<u8> {
    fill(b"PK\x03\x04".to_vec(), b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", size)
}

fn fill(mut begin: Vec<u8>, end: &[u8], size: u32) -> Vec<u8> {
    let length = |part: &[u8]| u32::try_from(part.len()).unwrap_or(size);
    let noise = size.saturating_sub(length(end));
    begin.extend((length(&begin)..noise).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]));
    begin.extend(end);
    begin
}

#[cfg(test)]
mod tests {
    #[test]
    fn files_have_the_size_asked_for() {
        for make in [super::glb, super::png, super::zip] {
            assert_eq!(make(3_000).len(), 3_000);
        }
    }
}
