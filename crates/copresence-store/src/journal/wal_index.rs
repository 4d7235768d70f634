//! Reads the shared-memory file (`-shm`) of a journal: how far its WAL reached when a program last wrote to it.
//!
//! After the end of a program without a close, this is the only record of a WAL whose end is missing: `SQLite` ignores
//! the file then, and builds it again from the WAL that it finds. The format is described in
//! <https://www.sqlite.org/walformat.html#the_wal_index_file_format>. Its numbers have the byte order of the machine.

use super::wal_checksum::add_to_checksum;

const HEADER_SIZE: usize = 48;
const VERSION: u32 = 3_007_000;

/// What the shared-memory file says about a WAL.
pub(super) struct WalIndex {
    /// The salts in the header of the WAL that it describes.
    pub(super) salts: [u8; 8],
    /// Number of frames up to the end of the last transaction.
    pub(super) frames: usize,
    /// Whether all of them are in the database.
    pub(super) are_frames_in_database: bool,
}

impl WalIndex {
    /// Parses the content of the shared-memory file. `None` if it is damaged, or of a machine with another byte order.
    pub(super) fn parse_wal_index(file: &[u8]) -> Option<Self> {
        let header = file.get(..HEADER_SIZE)?;
        // Written twice, so that a reader notices an unfinished write.
        let is_consistent = file.get(HEADER_SIZE..2 * HEADER_SIZE)? == header;
        let sum = add_to_checksum((0, 0), &header[..40], cfg!(target_endian = "big"));
        let is_valid = is_consistent
            && read_native_u32(header, 0)? == VERSION
            && sum == (read_native_u32(header, 40)?, read_native_u32(header, 44)?);
        let frames = read_native_u32(header, 16)?;
        is_valid.then_some(Self {
            salts: header[32..40].try_into().ok()?,
            frames: frames as usize,
            are_frames_in_database: read_native_u32(file, 2 * HEADER_SIZE)? >= frames,
        })
    }
}

/// The number at an offset, in the byte order of this machine.
fn read_native_u32(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(offset..offset + 4)?.try_into().ok()?))
}
