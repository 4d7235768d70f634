//! Files of which the journal does not know.
//!
//! A journal whose last changes were lost with its write-ahead log may not have a visit, or its files, although they are in
//! the output folder.

use crate::runner::block_in_place;
use crate::setup::DataStore;
use copresence_store::{FoundPartialFolder, StoreError, find_partial_folders_with_files};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Finds folders of unpublished avatars whose visit is not in the journal, or ended there without files, in these output folders, in the default one, and in
/// those of all visits of the journal. They are left as they are: they may also be those of a program with another data
/// folder.
///
/// # Errors
/// When the journal cannot be read. An output folder that cannot be read is logged.
pub async fn find_unknown_partial_folders(
    data_store: &DataStore,
    out_dirs: impl IntoIterator<Item = PathBuf>,
) -> Result<Vec<FoundPartialFolder>, StoreError> {
    let visits = data_store.journal.load_all_visits().await?;
    let mut all: BTreeSet<PathBuf> = out_dirs.into_iter().collect();
    all.insert(data_store.default_avatars_dir());
    all.extend(visits.into_iter().map(|visit| visit.start.out_dir));
    let mut unknown = Vec::new();
    for out in all {
        let folders = match block_in_place(|| find_partial_folders_with_files(&out)) {
            Ok(folders) => folders,
            Err(error) => {
                tracing::warn!(%error, "files of visits that the journal lost may be there");
                continue;
            }
        };
        for found in folders {
            // A visit is locked before it is in the journal.
            let is_running = data_store.data.lock_visit(&found.visit).is_err();
            let journal = &data_store.journal;
            let record = journal.load_detailed_visit_record(&found.visit).await?;
            if !is_running
                && record.is_none_or(|record| !record.visit.is_unfinished && record.files.is_empty())
                // Deleted without its files, whose disk was not mounted.
                && journal.load_visit_deletion(&found.visit).await?.is_none()
            {
                unknown.push(found);
            }
        }
    }
    Ok(unknown)
}
