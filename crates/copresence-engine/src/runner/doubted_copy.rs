//! Keeps the bytes of a whole response in doubt while another response is received, and restores them if that one breaks off.

use super::block_in_place;
use super::content_doubts::DoubtedCopy;
use super::error_page_detector::decode_start_of_content;
use super::file_download::{FileDownload, open_and_truncate_partial_file};
use copresence_client::StatedDigest;
use copresence_store::{DurableFileProgress, PartialFile, SavedFileNote, StoreError, is_text};

impl FileDownload<'_> {
    /// Discards the received bytes for a whole response that begins to arrive. Those of a whole response in doubt are kept as a
    /// copy, if there is space. `before` is what was known of them.
    pub(super) async fn replace_received_bytes(
        &mut self,
        partial: &mut PartialFile,
        (before, stated_digest): (&DurableFileProgress, Option<StatedDigest>),
    ) -> Result<(), StoreError> {
        let size = partial.resume_offset();
        if self.doubts.is_whole_response_in_doubt(size) {
            let space = self.file.room.ensure_space_for_next_bytes(size);
            match space.and_then(|()| block_in_place(|| partial.copy_doubted_bytes())) {
                Ok(()) => {
                    let head = decode_start_of_content(partial.written_head(), before.content_encoding.as_deref());
                    let (progress, is_text) = (before.clone(), is_text(&head));
                    self.doubts.copy =
                        Some(DoubtedCopy { size, progress, stated_digest, is_text, is_of_earlier_run: false });
                }
                Err(error) => {
                    tracing::warn!(%error, file = self.file.name, "doubted bytes are discarded for another response");
                    self.doubts.copy = None;
                }
            }
        }
        self.discard_received_bytes(partial).await
    }

    /// Looks for doubted bytes that an earlier run, or a truncated response before this delivery, left on the disk.
    pub(super) fn find_doubted_copy_on_disk(&mut self) {
        let (size, head) = match block_in_place(|| self.folder.doubted_bytes_size_and_head(self.file.name)) {
            Ok(Some(found)) => found,
            Ok(None) => return,
            Err(error) => {
                tracing::warn!(%error, file = self.file.name, "doubted bytes of an earlier run cannot be read");
                return;
            }
        };
        let content_encoding = self.known.content_encoding.clone();
        let is_text = is_text(&decode_start_of_content(&head, content_encoding.as_deref()));
        let notes = vec![SavedFileNote::note_of_earlier_response()];
        let progress = DurableFileProgress { content_encoding, notes, ..DurableFileProgress::default() };
        self.doubts.copy = Some(DoubtedCopy { size, progress, stated_digest: None, is_text, is_of_earlier_run: true });
    }

    /// Puts the copy of doubted bytes in the place of the partial file, unless the bytes that were received after them are
    /// better: more of them (which does not count against a whole file of an earlier run), or no text where the copy is one. `None` if there is no such copy. To be called when no other bytes
    /// will come.
    pub(super) async fn restore_doubted_copy(
        &mut self,
        received: &mut Option<PartialFile>,
    ) -> Result<Option<PartialFile>, StoreError> {
        let encoding = self.known.content_encoding.as_deref();
        let is_better = |partial: &PartialFile, copy: &DoubtedCopy| {
            let is_text = is_text(&decode_start_of_content(partial.written_head(), encoding));
            let is_longer = partial.resume_offset() > copy.size && !copy.is_of_earlier_run;
            if is_text == copy.is_text { is_longer } else { copy.is_text }
        };
        let is_best = |copy: &mut DoubtedCopy| !received.as_ref().is_some_and(|partial| is_better(partial, copy));
        let Some(copy) = self.doubts.copy.take_if(is_best) else { return Ok(None) };
        // Windows does not replace an open file.
        drop(received.take());
        (self.known, self.stated_digest) = (copy.progress, copy.stated_digest);
        // The journal must not describe the bytes that are replaced: a crash may come before those of the copy are hashed.
        (self.known.bytes, self.known.sha256) = (copy.size, None);
        self.file.journal.record_file_progress(self.file.index, &self.known).await;
        block_in_place(|| self.folder.restore_doubted_bytes(self.file.name))?;
        let mut partial = open_and_truncate_partial_file(self.folder, self.file, u64::MAX, &self.known)?;
        self.flush_and_journal(&mut partial).await?;
        Ok(Some(partial))
    }
}
