//! The bytes that are requested again when a download is continued by range, and compared with those on the disk.
//!
//! A server may send another range than it states, and a disk may have changed the last bytes that were written. Joined
//! without a comparison, both would be saved as the file.

use bytes::{Buf as _, Bytes};
use copresence_client::is_weak_tag;
use copresence_store::{PartialFile, StoreError};

/// Bytes that are compared: one block of most file systems, which some leave as zeros after a power cut. Fewer bytes on
/// the disk are compared only if no validator connects them with the rest.
const OVERLAP_BYTES: u64 = 4096;

/// The last bytes on the disk, as far as they are still to be compared. Empty if nothing is compared.
#[derive(Default)]
pub(super) struct RangeOverlap {
    remaining: Bytes,
    /// Number of bytes at first.
    byte_count: u64,
}

impl RangeOverlap {
    /// Reads the last bytes of a partial file. If it has too few: all but the first, so that the request is still one for a
    /// range, or none if the request has a `validator` that proves that the file is the same.
    ///
    /// # Errors
    /// An I/O failure.
    pub(super) fn read_end_of_partial_file(
        partial: &mut PartialFile,
        validator: Option<&str>,
    ) -> Result<Self, StoreError> {
        let offset = partial.resume_offset();
        let is_validated = validator.is_some_and(|validator| !is_weak_tag(validator));
        if offset <= OVERLAP_BYTES && is_validated {
            return Ok(Self::default());
        }
        let remaining = Bytes::from(partial.read_last_bytes(OVERLAP_BYTES.min(offset.saturating_sub(1)))?);
        Ok(Self { byte_count: remaining.len() as u64, remaining })
    }

    /// Reads the bytes of a partial file from an offset on. Empty if it has none there.
    ///
    /// # Errors
    /// An I/O failure.
    pub(super) fn read_bytes_from(partial: &mut PartialFile, offset: u64) -> Result<Self, StoreError> {
        let count = partial.resume_offset().saturating_sub(offset);
        let remaining = Bytes::from(partial.read_last_bytes(count)?);
        Ok(Self { byte_count: remaining.len() as u64, remaining })
    }

    /// Number of bytes that are requested again, 0 or more.
    pub(super) fn byte_count(&self) -> u64 {
        self.byte_count
    }

    /// Whether a response begins with all bytes that are to be compared. False if they are too few to recognise the rest of the
    /// file.
    pub(super) fn is_beginning_of(&self, response: &[u8]) -> bool {
        self.byte_count >= OVERLAP_BYTES && response.starts_with(&self.remaining)
    }

    /// Whether all bytes were compared.
    pub(super) fn has_compared_all_bytes(&self) -> bool {
        self.remaining.is_empty()
    }

    /// Whether some bytes were compared.
    pub(super) fn has_compared_some_bytes(&self) -> bool {
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
        assert!(
            overlap.compare_and_remove_known_bytes(&mut chunk) && chunk.is_empty() && overlap.has_compared_some_bytes()
        );
        let mut chunk = Bytes::from_static(b"cdef");
        assert!(overlap.compare_and_remove_known_bytes(&mut chunk) && overlap.has_compared_all_bytes());
        assert_eq!(chunk, "ef");
        let mut chunk = Bytes::from_static(b"gh");
        assert!(overlap.compare_and_remove_known_bytes(&mut chunk), "nothing is left to compare");
        let overlap = RangeOverlap { remaining: Bytes::from(vec![7; 4096]), byte_count: OVERLAP_BYTES };
        assert!(overlap.is_beginning_of(&[7; 4097]) && !overlap.is_beginning_of(&[7; 4095]));
        let few = RangeOverlap { remaining: Bytes::from_static(b"abcd"), byte_count: 4 };
        assert!(!few.is_beginning_of(b"abcdef"), "a message may begin like it");
        assert!(!RangeOverlap::default().is_beginning_of(b"abcd"), "nothing shows that it is the rest");
        let mut other = RangeOverlap { remaining: Bytes::from_static(b"abcd"), byte_count: 4 };
        assert!(!other.compare_and_remove_known_bytes(&mut Bytes::from_static(b"abXd")));
    }
}
