//! Pads a GLB to a large file. The padding is computed as it is sent, and takes no memory.
//!
//! The padding is a chunk of its own type after the two of glTF: "client implementations MUST ignore chunks with
//! unknown types". It is pseudo-random, so that compression on the way does not shrink it.

use bytes::{BufMut, Bytes, BytesMut};

/// The type of the padding chunk.
const PADDING_CHUNK_TYPE: &[u8; 4] = b"FILL";

/// Whether a file can be padded: a GLB of a length that is a multiple of 4.
pub(super) fn can_pad_glb(file: &Bytes) -> bool {
    file.starts_with(b"glTF") && file.len().is_multiple_of(4)
}

/// The GLB up to the first byte of the padding, with updated lengths. `padding` is its length in bytes.
pub(super) fn glb_with_padding_chunk_header(glb: &Bytes, padding: u64) -> Bytes {
    let word = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let mut head = BytesMut::with_capacity(glb.len() + 8);
    head.put_slice(&glb[..8]);
    head.put_u32_le(word(glb.len() as u64 + 8 + padding));
    head.put_slice(&glb[12..]);
    head.put_u32_le(word(padding));
    head.put_slice(PADDING_CHUNK_TYPE);
    head.freeze()
}

/// Bytes of the padding: `length` of them from the offset `from`. Deterministic.
pub(super) fn generate_padding_bytes(from: u64, length: usize) -> Bytes {
    let lead = usize::from((from % 8).to_le_bytes()[0]);
    let words = (from / 8..).map(|index| split_mix64_hash(index).to_le_bytes());
    words.flatten().skip(lead).take(length).collect()
}

/// The `SplitMix64` hash of an index: the finaliser of the generator.
fn split_mix64_hash(index: u64) -> u64 {
    let mut z = index.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn padding_is_the_same_for_every_chunk_size(from in 0_u64..1_000_000, cut in 0_usize..300, length in 0_usize..300) {
            let whole = generate_padding_bytes(from, cut + length);
            prop_assert_eq!(whole.len(), cut + length);
            prop_assert_eq!(&whole[..cut], &generate_padding_bytes(from, cut)[..]);
            prop_assert_eq!(&whole[cut..], &generate_padding_bytes(from + cut as u64, length)[..]);
        }
    }

    #[test]
    fn header_lengths_include_the_padding() {
        let glb = Bytes::from([&b"glTF\x02\0\0\0\x14\0\0\0"[..], b"\0\0\0\0JSON"].concat());
        assert!(can_pad_glb(&glb));
        let head = glb_with_padding_chunk_header(&glb, 400);
        assert_eq!(head[8..12], (20_u32 + 8 + 400).to_le_bytes());
        assert_eq!(head[20..24], 400_u32.to_le_bytes());
        assert_eq!(&head[24..], PADDING_CHUNK_TYPE);
    }
}
