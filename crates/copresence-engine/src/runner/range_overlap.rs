//! The bytes that are requested again when a download is continued by range, and compared with those on the disk.
//!
//! A server may send another range than it states, and a disk may have changed the last bytes that were written. Joined
//! without a comparison, both would be saved as the file.

use bytes::{Buf as _, Bytes};
use copresence_store::{PartialFile, StoreError};

/// Bytes that are compared: one block of most file systems, which some leave as zeros after a power cut. Fewer bytes on
/// the disk are not compared.
const OVERLAP_BYTES: u64 = 4096;

/// The last bytes on the disk, as far as they are still to be compared. Empty if nothing is compared.
#[derive(Default)]
pub(super) struct RangeOverlap {
    remaining: Bytes,
    /// Number of bytes at first.
    byte_count: u64,
}

impl RangeOverlap {
    /// Reads the last bytes of a partial file. Empty if it has too few.
    ///
    /// # Errors
    /// An I/O failure.
    pub(super) fn read_end_of_partial_file(partial: &mut PartialFile) -> Result<Self, StoreError> {
        if partial.resume_offset() <= OVERLAP_BYTES {
            return Ok(Self::default());
        }
        let remaining = Bytes::from(partial.read_last_bytes(OVERLAP_BYTES)?);
        Ok(Self { byte_count: remaining.len() as u64, remaining })
    }

    /// Number of bytes that are requested again, 0 or more.
    pub(super) fn byte_count(&self) -> u64 {
        self.byte_count
    }

    /// Whether a response begins with all bytes that are to be compared. False if there are none.
    pub(super) fn is_beginning_of(&self, response: &[u8]) -> bool {
        !self.remaining.is_empty() && response.starts_with(&self.remaining)
    }

    /// Whether all bytes were compared.
    pub(super) fn is_compared(&self) -> bool {
        self.remaining.is_empty()
    }

    /// Whether some bytes were compared.
    pub(super) fn has_compared_bytes(&self) -> bool {
        (self.remaining.len() as u64) < self.byte_count
    }

    /// Compares the next bytes of the response, and removes those from `chunk` that are on the disk already. Returns whether
    /// they are the same.
    pub(super) fn compare_and_remove_known_bytes(&mut self, chunk: &mut Bytes) -> bool {
        let count = chunk.len().min(self.remaining.len());
        let is_same = chunk[..count] == self.remaining[..count];
        chunk.advance(count);
        self.remaining.advance(count);
        is_same
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_compared_until_the_end_of_the_overlap() {
        let mut overlap = RangeOverlap { remaining: Bytes::from_static(b"abcd"), byte_count: 4 };
        let mut chunk = Bytes::from_static(b"ab");
        assert!(overlap.compare_and_remove_known_bytes(&mut chunk) && chunk.is_empty() && overlap.has_compared_bytes());
        let mut chunk = Bytes::from_static(b"cdef");
        assert!(overlap.compare_and_remove_known_bytes(&mut chunk) && overlap.is_compared());
        assert_eq!(chunk, "ef");
        let mut chunk = Bytes::from_static(b"gh");
        assert!(overlap.compare_and_remove_known_bytes(&mut chunk), "nothing is left to compare");
        let overlap = RangeOverlap { remaining: Bytes::from_static(b"abcd"), byte_count: 4 };
        assert!(overlap.is_beginning_of(b"abcdef") && !overlap.is_beginning_of(b"abc"));
        assert!(!RangeOverlap::default().is_beginning_of(b"abcd"), "nothing shows that it is the rest");
        let mut other = RangeOverlap { remaining: Bytes::from_static(b"abcd"), byte_count: 4 };
        assert!(!other.compare_and_remove_known_bytes(&mut Bytes::from_static(b"abXd")));
    }
}
