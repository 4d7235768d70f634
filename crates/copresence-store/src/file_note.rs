//! Notes about saved files: something is unusual about the file, and it is saved all the same.

use serde::{Deserialize, Serialize};

/// A note for people about a saved file, such as a removed content encoding. A note is not a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFileNote {
    /// A stable code: `content_encoding_removed`, `content_encoding_ignored`, `trailing_bytes`, `unknown_content`,
    /// `length_unknown`, `joined_unverified`, `doubtful_content`, `received_again`, `digest_mismatch`, `earlier_response`. Later versions may add codes.
    pub code: String,
    /// What is unusual, as a sentence for people.
    pub message: String,
}

/// Code of [`SavedFileNote::note_of_different_bytes_on_resume`].
const RECEIVED_AGAIN: &str = "received_again";

impl SavedFileNote {
    /// Notes that the server sent the file with a content encoding, which was removed. `encodings` are its words, as in
    /// `gzip`.
    pub fn note_of_removed_encoding(encodings: &str) -> Self {
        Self::new("content_encoding_removed", format!("the server sent it encoded ({encodings}); it is saved decoded"))
    }

    /// Notes that the server sent the file with a content encoding, of which the end is missing, and the whole content.
    pub fn note_of_removed_encoding_without_end(encodings: &str) -> Self {
        Self::new(
            "content_encoding_removed",
            format!(
                "the server sent it encoded ({encodings}), without the end of the encoding; its content is complete by its own \
                 structure, and it is saved decoded"
            ),
        )
    }

    /// Notes that the server stated a content encoding that the file does not have.
    pub fn note_of_ignored_encoding(encodings: &str, why: &str) -> Self {
        Self::new(
            "content_encoding_ignored",
            format!("the server stated the content encoding `{encodings}`, but {why}; it is saved as it was sent"),
        )
    }

    /// Notes that the file has more bytes after the end that its own structure states.
    pub(crate) fn note_of_trailing_bytes(bytes: u64) -> Self {
        Self::new("trailing_bytes", format!("{bytes} bytes follow the end of its content; they are saved too"))
    }

    /// Notes that the content has another format than the export type suggests, or an unknown one.
    pub(crate) fn note_of_unexpected_format(message: String) -> Self {
        Self::new("unknown_content", message)
    }

    /// Notes that the server stated no length, and the content has no mark of its end.
    pub fn note_of_unknown_length() -> Self {
        Self::new(
            "length_unknown",
            "the server stated no length, and this format has no mark of its end: whether the file is complete could \
             not be checked"
                .to_owned(),
        )
    }

    /// Notes that the file was received in several responses that no validator (`ETag` or `Last-Modified`) connects.
    pub fn note_of_unverified_join() -> Self {
        Self::new(
            "joined_unverified",
            "an interrupted download was continued, and the server did not confirm (by `ETag` or `Last-Modified`) that \
             the file was still the same"
                .to_owned(),
        )
    }

    /// Notes that an interrupted download could not be continued at its end, because the server sent other bytes for
    /// that place.
    pub fn note_of_different_bytes_on_resume() -> Self {
        Self::new(
            RECEIVED_AGAIN,
            "the bytes on the disk differed from those that the server sent for the same place when an interrupted \
             download was continued; they were received again"
                .to_owned(),
        )
    }

    /// Notes that the server states another digest than that of the bytes that it sends, twice or with nothing else to
    /// send. `header` is the name of the header.
    pub fn note_of_digest_mismatch(header: &str) -> Self {
        Self::new(
            "digest_mismatch",
            format!(
                "the digest that the server states in `{header}` is not that of the file, and a further request brought no \
                 other file"
            ),
        )
    }

    /// Notes that the file is the one that an earlier response sent, because the later one brought none.
    pub fn note_of_earlier_response() -> Self {
        Self::new(
            "earlier_response",
            "an earlier response sent this file; it was requested again, from the same URL or a newer one, and nothing else \
             could be received"
                .to_owned(),
        )
    }

    /// Whether the note stays true of the file when all its bytes are received again.
    pub fn remains_true_after_redownload(&self) -> bool {
        self.code == RECEIVED_AGAIN
    }

    /// Notes that the content may not be the whole file, and the server sent the same again or nothing else. `doubt`
    /// says why.
    pub fn create_doubtful_content_note(doubt: &str) -> Self {
        Self::new("doubtful_content", format!("{doubt}; the server sent the same again, or nothing else"))
    }

    fn new(code: &str, message: String) -> Self {
        Self { code: code.to_owned(), message }
    }
}
