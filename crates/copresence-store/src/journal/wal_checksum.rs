//! The checksum of `SQLite`'s WAL and of its index: <https://www.sqlite.org/walformat.html#checksum_algorithm>.

/// A running checksum.
pub(super) type Checksum = (u32, u32);

/// Continues a checksum over bytes, whose number is a multiple of eight.
pub(super) fn add_to_checksum((mut first, mut second): Checksum, bytes: &[u8], is_big_endian: bool) -> Checksum {
    let read = |bytes: [u8; 4]| if is_big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
    let (pairs, _) = bytes.as_chunks::<8>();
    for &[a, b, c, d, e, f, g, h] in pairs {
        first = first.wrapping_add(read([a, b, c, d])).wrapping_add(second);
        second = second.wrapping_add(read([e, f, g, h])).wrapping_add(first);
    }
    (first, second)
}
