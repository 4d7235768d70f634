//! The avatars that visitors can choose, and the files exported of each.

use serde::{Deserialize, Serialize};

/// The avatar that the visitor chose on the phone: `"new"`, or the id of an existing one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum AvatarChoice {
    /// Newly recorded.
    New,
    /// An existing avatar, by its id.
    Existing(String),
}

/// An existing avatar that visitors can choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExistingAvatar {
    /// Letters, digits, `-` and `_`.
    pub id: String,
    /// The name shown to people.
    pub name: String,
    /// The exported files, in the order of delivery.
    #[serde(skip)]
    pub exports: Vec<ExportFileNameAndType>,
}

impl ExistingAvatar {
    /// The name of its portrait file: the first exported picture that browsers can show.
    pub(crate) fn portrait_file_name(&self) -> Option<&str> {
        let shown = |export: &&ExportFileNameAndType| {
            matches!(export.export_type.as_str(), "png" | "jpg" | "jpeg" | "webp")
                && !export.file.to_ascii_lowercase().ends_with(".zip")
        };
        self.exports.iter().find(shown).map(|export| export.file.as_str())
    }
}

/// The name and export type of an exported file, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportFileNameAndType {
    /// The file name in the download URL.
    pub file: String,
    /// Its `export_type`.
    pub export_type: String,
}

/// The identity of an avatar: one that is generated for a token, or an existing one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AvatarIdentity {
    /// Generated. Two with the same seed and without pictures are the same.
    New {
        /// The seed of its appearance.
        seed: u64,
        /// The visitor's picture, which is its face.
        picture: Option<PictureId>,
    },
    /// An avatar that visitors can choose.
    Existing {
        /// Its id.
        id: String,
    },
}

/// Identifies a visitor's picture, in all worlds of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PictureId(pub(crate) u64);

/// The catalogue of the existing avatars. Also says whether a new avatar is one of them.
#[derive(Debug, Clone)]
pub struct AvatarCatalog {
    /// The avatars that visitors can choose.
    pub existing: Vec<ExistingAvatar>,
    /// Whether `new` returns one of the existing avatars (a partner's own files) instead of a generated one.
    pub new_is_existing: bool,
}

/// File name and export type of each file of a generated avatar.
pub(crate) const GENERATED_EXPORTS: [(&str, &str); 3] =
    [("avatar.glb", "glb"), ("avatar_obj.zip", "obj"), ("portrait.png", "png")];

impl AvatarCatalog {
    /// The catalog of the built-in generated avatars.
    pub fn built_in_catalog() -> Self {
        let existing = |(id, name): &(&str, &str)| ExistingAvatar {
            id: (*id).to_owned(),
            name: (*name).to_owned(),
            exports: generated_exports(),
        };
        Self { existing: BUILT_IN_AVATARS.iter().map(existing).collect(), new_is_existing: false }
    }

    /// The exported files of an avatar; none if the avatar is unknown.
    pub(crate) fn exports_of_avatar(&self, avatar: &AvatarIdentity) -> Vec<ExportFileNameAndType> {
        match avatar {
            AvatarIdentity::New { .. } => generated_exports(),
            AvatarIdentity::Existing { id } => {
                self.find_existing_avatar(id).map(|found| found.exports.clone()).unwrap_or_default()
            }
        }
    }

    /// The avatar with this id that visitors can choose.
    pub(crate) fn find_existing_avatar(&self, id: &str) -> Option<&ExistingAvatar> {
        self.existing.iter().find(|existing| existing.id == id)
    }
}

const BUILT_IN_AVATARS: [(&str, &str); 4] = [("ari", "Ari"), ("remy", "Remy"), ("robin", "Robin"), ("yuki", "Yuki")];

/// The exports of a generated avatar: the names and types of their files.
fn generated_exports() -> Vec<ExportFileNameAndType> {
    let export =
        |(file, kind): (&str, &str)| ExportFileNameAndType { file: file.to_owned(), export_type: kind.to_owned() };
    GENERATED_EXPORTS.map(export).to_vec()
}

impl From<String> for AvatarChoice {
    fn from(word: String) -> Self {
        if word == "new" { Self::New } else { Self::Existing(word) }
    }
}

impl From<AvatarChoice> for String {
    fn from(choice: AvatarChoice) -> Self {
        match choice {
            AvatarChoice::New => "new".to_owned(),
            AvatarChoice::Existing(id) => id,
        }
    }
}
