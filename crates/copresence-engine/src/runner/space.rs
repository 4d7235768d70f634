//! The free space and the access to its folder that an avatar needs. They are checked before a token is requested or redeemed,
//! because what cannot be saved then is lost.

use super::{VisitContext, failure};
use copresence_visit::VisitStepFailure;
use std::path::Path;

/// How much space must be free, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequiredDiskSpace<'a> {
    /// Where the avatar is to be saved.
    pub(crate) out_dir: &'a Path,
    /// Bytes.
    pub(crate) min_free: u64,
}

/// Bytes that the journal needs: one response of the largest size, and what is noted beside it.
const JOURNAL_BYTES: u64 = 2 << 20;

/// Files that an avatar needs: its folder, its manifest, and more exports than any known backend delivers.
const AVATAR_FILES: u64 = 16;

impl RequiredDiskSpace<'_> {
    /// Checks that the space is free beside what downloads of this process still need, and that files can be made in the folder.
    ///
    /// # Errors
    /// The failure of the visit if too little is free, or if the folder cannot be used.
    pub(crate) fn check_free_writable_space(self, context: &VisitContext) -> Result<(), VisitStepFailure> {
        let (data, download_space_reservations) = (context.data.path(), context.data.download_space_reservations());
        download_space_reservations
            .ensure_unreserved_space(self.out_dir, self.min_free)
            .and_then(|()| download_space_reservations.ensure_unreserved_space(data, JOURNAL_BYTES.min(self.min_free)))
            .and_then(|()| copresence_store::ensure_files_can_be_made(self.out_dir, AVATAR_FILES))
            .map_err(|error| failure::failure_of_store_error(&error))
    }
}
