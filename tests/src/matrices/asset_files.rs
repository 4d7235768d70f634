//! Files with the first and last bytes of their format, and noise between them.

/// A binary glTF with a correct header: magic, version 2, length.
pub(crate) fn glb_file(size: u32) -> Vec<u8> {
    let mut bytes = b"glTF\x02\0\0\0".to_vec();
    bytes.extend(size.to_le_bytes());
    pad_with_noise(bytes, &[], size)
}

/// A PNG signature, noise, and the last chunk.
pub(crate) fn png_file(size: u32) -> Vec<u8> {
    pad_with_noise(b"\x89PNG\r\n\x1a\n".to_vec(), b"\0\0\0\0IEND\xae\x42\x60\x82", size)
}

/// A ZIP signature, noise, and the end record, which states an empty directory just before it.
pub(crate) fn zip_file(size: u32) -> Vec<u8> {
    let offset = size.saturating_sub(22).to_le_bytes();
    let end = [b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0".as_slice(), &offset, &[0; 2]].concat();
    pad_with_noise(b"PK\x03\x04".to_vec(), &end, size)
}

fn pad_with_noise(mut begin: Vec<u8>, end: &[u8], size: u32) -> Vec<u8> {
    let length = |part: &[u8]| u32::try_from(part.len()).unwrap_or(size);
    let noise = size.saturating_sub(length(end));
    begin.extend((length(&begin)..noise).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]));
    begin.extend(end);
    begin
}

#[cfg(test)]
mod tests {
    #[test]
    fn files_have_the_requested_size() {
        for make in [super::glb_file, super::png_file, super::zip_file] {
            assert_eq!(make(3_000).len(), 3_000);
        }
    }
}
