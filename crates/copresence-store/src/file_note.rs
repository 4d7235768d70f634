//! Notes about saved files: something is unusual about the file, and it is saved all the same.

use serde::{Deserialize, Serialize};

/// A note for people about a saved file, such as a removed content encoding. A note is not a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFileNote {
    /// A stable code: `content_encoding_removed`, `content_encoding_ignored`, `trailing_bytes`, `unknown_content`,
    /// `length_unknown`, `joined_unverified`. Later versions may add codes.
    pub code: String,
    /// What is unusual, as a sentence for people.
    pub message: String,
}

impl SavedFileNote {
    /// The server sent the file with a content encoding, which was removed. `encodings` are its words, as in `gzip`.
    pub fn note_of_removed_encoding(encodings: &str) -> Self {
        Self::new("content_encoding_removed", format!("the server sent it encoded ({encodings}); it is saved decoded"))
    }

    /// The server stated a content encoding that the file does not have.
    pub fn note_of_ignored_encoding(encodings: &str, why: &str) -> Self {
        Self::new(
            "content_encoding_ignored",
            format!("the server stated the content encoding `{encodings}`, but {why}; it is saved as it was sent"),
        )
    }

    /// The file has more bytes after the end that its own structure states.
    pub(crate) fn note_of_trailing_bytes(bytes: u64) -> Self {
        Self::new("trailing_bytes", format!("{bytes} bytes follow the end of its content; they are saved too"))
    }

    /// The content is of another or an unknown format than the export type suggests.
    pub(crate) fn note_of_unexpected_format(message: String) -> Self {
        Self::new("unknown_content", message)
    }

    /// The server stated no length, and the content has no mark of its end.
    pub fn note_of_unknown_length() -> Self {
        Self::new(
            "length_unknown",
            "the server stated no length, and this format has no mark of its end: whether the file is complete could \
             not be checked"
                .to_owned(),
        )
    }

    /// The file was received in several responses that no validator (`ETag` or `Last-Modified`) connects.
    pub fn note_of_unverified_join() -> Self {
        Self::new(
            "joined_unverified",
            "an interrupted download was continued, and the server did not confirm (by `ETag` or `Last-Modified`) that \
             the file was still the same"
                .to_owned(),
        )
    }

    fn new(code: &str, message: String) -> Self {
        Self { code: code.to_owned(), message }
    }
}
