//! Completes a file whose bytes were all received: removes its content encoding, and checks its content.

use super::file_request::{DownloadRequest, FileFailure};
use super::{VisitContext, block_in_place};
use copresence_client::{open_decoding_reader, split_content_encodings};
use copresence_store::{
    CompleteFile, DecodeContentError, FileFormat, FileNote, FileProgress, PartialFile, check_and_annotate_content,
};

/// Gives a received file its name. Content that is unusual is kept with a note.
///
/// # Errors
/// The disk failed, or the file is certainly lost: it is an error page, truncated, or too large when it is decoded.
pub(super) async fn finish_received_file(
    context: &VisitContext,
    file: &DownloadRequest<'_>,
    progress: &mut FileProgress,
    mut partial: PartialFile,
) -> Result<CompleteFile, FileFailure> {
    if let Some(stated) = &progress.content_encoding {
        progress.notes = block_in_place(|| remove_or_note_content_encoding(stated, &mut partial))?;
        // A crash may come between the rename of the file and its entry in the journal.
        if let Err(error) = context.journal.record_file_progress(&file.id, file.index, progress).await {
            tracing::error!(%error, file = file.name, "cannot journal the notes about the file");
        }
    }
    // Without an await: a visit that is dropped must not rename a file after it released its lock.
    let complete = block_in_place(|| partial.finish_partial_file())?;
    add_encoding_notes_and_check(file, &progress.notes, complete)
}

/// Checks the content of a complete file. `notes` are those about its content encoding.
///
/// # Errors
/// The file is certainly lost: it is an error page or truncated.
pub(super) fn add_encoding_notes_and_check(
    file: &DownloadRequest<'_>,
    notes: &[FileNote],
    mut complete: CompleteFile,
) -> Result<CompleteFile, FileFailure> {
    complete.notes.splice(0..0, notes.iter().cloned());
    let host = file.url.url_origin();
    check_and_annotate_content(file.export_type, complete)
        .map_err(|why| FileFailure::lost_file(format!("{host}: {why}")))
}

/// Removes the content encoding. Bytes that do not have the stated encoding stay as they were sent.
fn remove_or_note_content_encoding(stated: &str, partial: &mut PartialFile) -> Result<Vec<FileNote>, FileFailure> {
    let is_known_content =
        |head: &[u8]| !matches!(FileFormat::detect_file_format(head), FileFormat::Unknown | FileFormat::Empty);
    let words = split_content_encodings(stated);
    let mut content = match open_decoding_reader(&words, partial.rewind_to_read_written_bytes()?, &is_known_content) {
        Ok(content) => content,
        Err(error) => {
            return Ok(vec![FileNote::content_encoding_ignored(stated, &format!("it cannot be decoded ({error})"))]);
        }
    };
    let ignored = (!content.ignored.is_empty())
        .then(|| FileNote::content_encoding_ignored(&content.ignored.join(", "), "the file does not have it"));
    if content.removed.is_empty() {
        return Ok(ignored.into_iter().collect());
    }
    match partial.replace_with_decoded_content(&mut content) {
        Ok(()) => {
            let removed = FileNote::content_encoding_removed(&content.removed.join(", "));
            Ok(std::iter::once(removed).chain(ignored).collect())
        }
        Err(DecodeContentError::Store(error)) => Err(error.into()),
        Err(DecodeContentError::Content(error, format)) => {
            let is_encoded = content.is_proven || !matches!(format, FileFormat::Unknown | FileFormat::Empty);
            if content.has_encoded_source_ended() && is_encoded {
                let encoding = content.removed.join(", ");
                return Err(FileFailure::lost_file(format!("its content ({encoding}) was cut short: {error}")));
            }
            Ok(vec![FileNote::content_encoding_ignored(stated, &format!("it cannot be decoded ({error})"))])
        }
    }
}
