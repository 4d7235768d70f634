//! Completes a file whose bytes were all received: removes its content encoding, and checks its content.

use super::block_in_place;
use super::error_page_detector::is_start_of_known_unencoded_format;
use super::file_request::FileToDownload;
use copresence_client::{DecodingReader, open_decoding_reader, split_content_encodings};
use copresence_store::{
    CompleteFile, DecodeContentError, DurableFileProgress, FileFormat, PartialFile, SavedFileNote, Sha256Digest,
    StoreError, check_and_annotate_content,
};

/// Why received bytes did not become a complete file. They stay in the partial file.
pub(super) enum FinishError {
    /// The disk failed, or the decoded content is too large.
    Disk(StoreError),
    /// The content is not the whole file.
    Content {
        /// A sentence.
        why: String,
        /// What it means for the received bytes.
        defect: ContentDefect,
    },
}

/// What is wrong with the content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ContentDefect {
    /// It ends too early: the rest may be requested by range.
    Truncated,
    /// It is another content, such as an error page.
    OtherContent,
    /// It may not be the file: it begins with its content encoding and cannot be decoded to its end, lacks an end that
    /// nearly all files of its format have, or is a short text. Contains the digest of the received bytes.
    Doubtful(Sha256Digest),
}

impl From<StoreError> for FinishError {
    fn from(error: StoreError) -> Self {
        Self::Disk(error)
    }
}

/// Gives a received file its name. Content that is unusual is kept with a note; doubtful content only if
/// `keeps_doubtful`.
///
/// # Errors
/// The disk failed, or the content is not the whole file: it is an error page, truncated, or too large when it is
/// decoded.
pub(super) async fn finish_received_file(
    file: &FileToDownload<'_>,
    progress: &mut DurableFileProgress,
    mut partial: PartialFile,
    keeps_doubtful: bool,
) -> Result<CompleteFile, FinishError> {
    let mut notes = progress.notes.clone();
    // A crash may have come after these notes were journalled.
    notes.retain(|note| !note.code.starts_with("content_encoding") && note.code != "doubtful_content");
    if let Some(stated) = &progress.content_encoding {
        notes.extend(block_in_place(|| remove_or_note_content_encoding(file, stated, &mut partial, keeps_doubtful))?);
    }
    let described = block_in_place(|| partial.inspect_written_content())?;
    let mut complete = check_received_file_content(file, &notes, described)?;
    if let Some(doubt) = complete.doubt.take() {
        if !keeps_doubtful {
            let defect = ContentDefect::Doubtful(complete.sha256);
            return Err(FinishError::Content { why: format!("{}: {doubt}", file.url.url_origin()), defect });
        }
        notes.push(SavedFileNote::create_doubtful_content_note(&doubt));
        complete.notes.push(SavedFileNote::create_doubtful_content_note(&doubt));
    }
    if notes != progress.notes {
        progress.notes = notes;
        // A crash may come between the rename of the file and its entry in the journal.
        file.journal.record_file_progress(file.index, progress).await;
    }
    // Without an await: a visit that is dropped must not rename a file after it released its lock.
    block_in_place(|| partial.finish_partial_file())?;
    Ok(complete)
}

/// Checks the content of a complete file. `notes` are those about how it was received.
///
/// # Errors
/// The content is not the whole file: it is an error page or truncated.
pub(super) fn check_received_file_content(
    file: &FileToDownload<'_>,
    notes: &[SavedFileNote],
    mut complete: CompleteFile,
) -> Result<CompleteFile, FinishError> {
    complete.notes.splice(0..0, notes.iter().cloned());
    let defect =
        if complete.integrity_defect.is_some() { ContentDefect::Truncated } else { ContentDefect::OtherContent };
    check_and_annotate_content(file.export_type, complete)
        .map_err(|why| FinishError::Content { why: format!("{}: {why}", file.url.url_origin()), defect })
}

/// Whether the received bytes are a whole file by its own structure, also if the end of its content encoding is missing.
///
/// # Errors
/// An I/O failure.
pub(super) fn is_proven_complete_by_structure(
    file: &FileToDownload<'_>,
    content_encoding: Option<&str>,
    partial: &mut PartialFile,
) -> Result<bool, StoreError> {
    let Some(stated) = content_encoding else { return partial.is_proven_complete_by_structure() };
    let words = split_content_encodings(stated);
    let (written, limit) = (partial.rewound_reader_of_written_bytes()?, partial.max_file_size());
    let opened = open_decoding_reader(&words, written, limit, &is_start_of_known_unencoded_format);
    match opened {
        Ok(mut content) if !content.removed.is_empty() => {
            let is_cut_off = DecodingReader::has_encoded_source_ended;
            partial.is_decoded_content_complete(&mut content, file.limits.min_free_space, is_cut_off)
        }
        _ => partial.is_proven_complete_by_structure(),
    }
}

/// Removes the content encoding. Bytes that do not have the stated encoding stay as they were sent.
fn remove_or_note_content_encoding(
    file: &FileToDownload<'_>,
    stated: &str,
    partial: &mut PartialFile,
    keeps_doubtful: bool,
) -> Result<Vec<SavedFileNote>, FinishError> {
    let words = split_content_encodings(stated);
    let (written, limit) = (partial.rewound_reader_of_written_bytes()?, partial.max_file_size());
    let mut content = match open_decoding_reader(&words, written, limit, &is_start_of_known_unencoded_format) {
        Ok(content) => content,
        Err(error) => {
            return Ok(vec![SavedFileNote::note_of_ignored_encoding(
                stated,
                &format!("it cannot be decoded ({error})"),
            )]);
        }
    };
    let ignored = (!content.ignored.is_empty())
        .then(|| SavedFileNote::note_of_ignored_encoding(&content.ignored.join(", "), "the file does not have it"));
    if content.removed.is_empty() {
        return Ok(ignored.into_iter().collect());
    }
    let min_free_space = file.limits.min_free_space;
    match partial.replace_with_decoded_content(&mut content, min_free_space, DecodingReader::has_encoded_source_ended) {
        Ok(missing_end) => {
            let encodings = content.removed.join(", ");
            let removed = match missing_end {
                Some(_) => SavedFileNote::note_of_removed_encoding_without_end(&encodings),
                None => SavedFileNote::note_of_removed_encoding(&encodings),
            };
            Ok(std::iter::once(removed).chain(ignored).collect())
        }
        Err(DecodeContentError::Store(error)) => Err(error.into()),
        Err(DecodeContentError::Content(error, format)) => {
            let encoding = content.removed.join(", ");
            let is_known = !matches!(format, FileFormat::Unknown | FileFormat::Empty);
            if content.has_encoded_source_ended() && (content.is_proven || is_known) {
                let why = format!("its content ({encoding}) was cut short: {error}");
                return Err(FinishError::Content { why, defect: ContentDefect::Truncated });
            }
            if is_known && !keeps_doubtful {
                let why = format!("its content ({encoding}) cannot be decoded: {error}");
                let defect = ContentDefect::Doubtful(partial.inspect_written_content()?.sha256);
                return Err(FinishError::Content { why, defect });
            }
            Ok(vec![SavedFileNote::note_of_ignored_encoding(stated, &format!("it cannot be decoded ({error})"))])
        }
    }
}
