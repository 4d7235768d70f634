//! The room that an avatar needs, before it is paid for: a token, or an answer with URLs, that cannot be kept is lost.

use super::{Parts, fault};
use std::path::Path;
use visit::Fault;

/// What has to be free, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Needed<'a> {
    /// Where the avatar is to go.
    pub(crate) out: &'a Path,
    /// Bytes.
    pub(crate) least: u64,
}

/// The journal's own share, in bytes: one answer of the largest size, and what is noted beside it.
const JOURNAL: u64 = 2 << 20;

impl Needed<'_> {
    /// Checks that it is there; nothing is to be asked for where it is not.
    pub(crate) fn is_free(self, parts: &Parts) -> Result<(), Fault> {
        let data = parts.data.path();
        store::enough(self.out, self.least)
            .and_then(|()| store::enough(data, JOURNAL.min(self.least)))
            .map_err(|error| fault::of_disk(&error))
    }
}
