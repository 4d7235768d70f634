//! Reads the write-ahead log of a journal whose file is damaged.
//!
//! `SQLite` applies the frames of a log up to the first one whose checksum is wrong, and drops all later ones without a
//! message. A checksum continues that of the frame before it, and each frame stores it, so every later frame can be
//! checked on its own. The format is described in <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use super::wal_checksum::{Checksum, add_to_checksum};
use super::wal_index::WalIndex;
use std::collections::BTreeSet;

const HEADER_SIZE: usize = 32;
const FRAME_HEADER_SIZE: usize = 24;
const MAGIC_LITTLE_ENDIAN: u32 = 0x377f_0682;
const MAGIC_BIG_ENDIAN: u32 = 0x377f_0683;

/// The frames of a write-ahead log.
pub(super) struct WalFrames<'a> {
    /// Salts of the frames that belong to this log. The others are of an earlier log, whose file this one uses again.
    salts: &'a [u8],
    has_valid_header: bool,
    page_size: usize,
    frames: Vec<WalFrame<'a>>,
    /// Number of frames that `SQLite` applies.
    applied: usize,
}

/// One page in the WAL.
struct WalFrame<'a> {
    page_number: u32,
    /// Pages of the database after the transaction that this frame ends; 0 for every other frame.
    commit_size: u32,
    page: &'a [u8],
    belongs_to_log: bool,
    is_valid: bool,
}

impl<'a> WalFrames<'a> {
    /// Parses the bytes of a WAL. If its header is damaged, the page size is `database_page_size`, and the salts are those of
    /// `index` if a frame has them, or else those of the first frame that continues the checksum of the frame before it.
    /// `None` if the log has no frame.
    pub(super) fn parse_wal_frames(
        log: &'a [u8],
        database_page_size: usize,
        index: Option<&'a WalIndex>,
    ) -> Option<Self> {
        let header = log.get(..HEADER_SIZE)?;
        let magic = read_u32_big_endian(header, 0);
        let is_known_magic = [MAGIC_LITTLE_ENDIAN, MAGIC_BIG_ENDIAN].contains(&magic);
        // Without its header, the log is taken for one of this machine.
        let is_big_endian = if is_known_magic { magic == MAGIC_BIG_ENDIAN } else { cfg!(target_endian = "big") };
        let stored = read_stored_checksum(header, 24);
        let has_valid_header = is_known_magic && add_to_checksum((0, 0), &header[..24], is_big_endian) == stored;
        let page_size = if has_valid_header { read_u32_big_endian(header, 8) as usize } else { database_page_size };
        if !(512..=65_536).contains(&page_size) {
            return None;
        }
        let blocks: Vec<&[u8]> = log[HEADER_SIZE..].chunks_exact(FRAME_HEADER_SIZE + page_size).collect();
        let mut before = stored;
        let has_right_checksum = |block: &[u8]| {
            let (head, page) = block.split_at(FRAME_HEADER_SIZE);
            let sum = add_to_checksum(add_to_checksum(before, &head[..8], is_big_endian), page, is_big_endian);
            before = read_stored_checksum(head, 16);
            // Zeros continue the checksum of zeros.
            read_u32_big_endian(head, 0) > 0 && sum == before
        };
        let are_right: Vec<bool> = blocks.iter().copied().map(has_right_checksum).collect();
        let index_salts = index.map(|index| &index.salts[..]);
        let salts = if has_valid_header {
            &header[16..24]
        } else if let Some(salts) = index_salts.filter(|salts| blocks.iter().any(|block| &block[8..16] == *salts)) {
            salts
        } else {
            are_right.iter().position(|is_right| *is_right).map_or(&[][..], |first| &blocks[first][8..16])
        };
        let frame_of_block = |(block, is_right): (&&'a [u8], bool)| {
            let (head, page) = block.split_at(FRAME_HEADER_SIZE);
            let belongs_to_log = &head[8..16] == salts;
            WalFrame {
                page_number: read_u32_big_endian(head, 0),
                commit_size: read_u32_big_endian(head, 4),
                page,
                belongs_to_log,
                is_valid: belongs_to_log && is_right,
            }
        };
        let frames: Vec<WalFrame<'a>> = blocks.iter().zip(are_right).map(frame_of_block).collect();
        let valid = if has_valid_header { frames.iter().take_while(|frame| frame.is_valid).count() } else { 0 };
        let applied = frames[..valid].iter().rposition(|frame| frame.commit_size > 0).map_or(0, |last| last + 1);
        (!frames.is_empty()).then_some(Self { salts, has_valid_header, page_size, frames, applied })
    }

    /// Number of frames up to the last valid one that ends a transaction.
    fn committed_frame_count(&self) -> usize {
        let is_commit = |frame: &WalFrame<'_>| frame.is_valid && frame.commit_size > 0;
        self.frames.iter().rposition(is_commit).map_or(0, |last| last + 1)
    }

    /// Whether `SQLite` would not apply transactions that `index` knows: the end of the log is damaged or was cut off, or
    /// its header is damaged.
    pub(super) fn is_end_of_log_missing(&self, index: &WalIndex) -> bool {
        // Without a header, nothing says that the index is of another log.
        (!self.has_valid_header || self.salts == index.salts) && self.applied < index.frames
    }

    /// Whether transactions follow a damaged frame, so that `SQLite` would drop them.
    pub(super) fn has_transactions_behind_damage(&self) -> bool {
        self.committed_frame_count() > self.applied
    }

    /// Whether the first frame that `SQLite` does not apply was never written by this log: its place has zeros, or a frame
    /// of the log that was there before. A power cut leaves that where it loses a write that was not flushed. All frames
    /// behind it were not flushed either, because a flush includes all frames before it.
    pub(super) fn is_first_dropped_write_lost(&self) -> bool {
        let first = self.frames.iter().find(|frame| !frame.is_valid);
        self.has_valid_header && first.is_some_and(|frame| !frame.belongs_to_log)
    }

    /// Whether every damaged frame is replaced by a later one, so that [`apply_valid_frames_to`](Self::apply_valid_frames_to)
    /// loses nothing.
    pub(super) fn is_every_damaged_frame_replaced(&self) -> bool {
        let mut later = BTreeSet::new();
        self.frames[..self.committed_frame_count()].iter().rev().all(|frame| {
            if frame.is_valid {
                later.insert(frame.page_number);
            }
            frame.is_valid || (frame.belongs_to_log && later.contains(&frame.page_number))
        })
    }

    /// Applies all valid frames up to the last transaction to the pages of a database.
    pub(super) fn apply_valid_frames_to(&self, database: &mut Vec<u8>) {
        self.apply_valid_frames_among_first(self.committed_frame_count(), database);
    }

    /// Applies the frames up to the first damage, as `SQLite` itself does.
    pub(super) fn apply_frames_before_damage_to(&self, database: &mut Vec<u8>) {
        self.apply_valid_frames_among_first(self.applied, database);
    }

    /// Applies the valid ones of the first `count` frames.
    fn apply_valid_frames_among_first(&self, count: usize, database: &mut Vec<u8>) {
        let frames = &self.frames[..count];
        for frame in frames.iter().filter(|frame| frame.is_valid) {
            let start = (frame.page_number as usize - 1) * self.page_size;
            if database.len() < start + self.page_size {
                database.resize(start + self.page_size, 0);
            }
            database[start..start + self.page_size].copy_from_slice(frame.page);
        }
        if let Some(last) = frames.last() {
            database.resize(last.commit_size as usize * self.page_size, 0);
        }
    }
}

/// The page size in the header of a database; 4096 bytes, the default, if that is damaged.
pub(super) fn page_size_of_database(database: &[u8]) -> usize {
    match database.get(16..18) {
        Some([0, 1]) => 65_536,
        Some([high, low]) if u16::from_be_bytes([*high, *low]).is_power_of_two() => {
            usize::from(u16::from_be_bytes([*high, *low]))
        }
        _ => 4096,
    }
}

/// Reads the checksum that is stored at an offset of a header.
fn read_stored_checksum(header: &[u8], offset: usize) -> Checksum {
    (read_u32_big_endian(header, offset), read_u32_big_endian(header, offset + 4))
}

/// Reads the big-endian 32-bit number at an offset; 0 behind the end.
fn read_u32_big_endian(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..offset + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_be_bytes)
}
