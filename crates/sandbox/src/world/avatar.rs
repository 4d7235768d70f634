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
pub struct Existing {
    /// Letters, digits, `-` and `_`.
    pub id: String,
    /// The name shown to people.
    pub name: String,
    /// The exported files, in the order of delivery.
    #[serde(skip)]
    pub exports: Vec<ExportName>,
}

impl Existing {
    /// Its portrait: the first exported picture that browsers can show.
    pub(crate) fn portrait(&self) -> Option<&str> {
        let shown = |export: &&ExportName| {
            matches!(export.export_type.as_str(), "png" | "jpg" | "jpeg" | "webp")
                && !export.file.to_ascii_lowercase().ends_with(".zip")
        };
        self.exports.iter().find(shown).map(|export| export.file.as_str())
    }
}

/// An exported file of an avatar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportName {
    /// The file name in the download URL.
    pub file: String,
    /// Its `export_type`.
    pub export_type: String,
}

/// The avatar behind a download URL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Avatar {
    /// Generated for one token.
    New {
        /// The token; the visitor's picture is stored under it.
        token: String,
        /// The seed of its appearance.
        seed: u64,
    },
    /// An avatar that visitors can choose.
    Existing {
        /// Its id.
        id: String,
    },
}

/// The existing avatars, and what a new avatar is made from.
#[derive(Debug, Clone)]
pub struct Wardrobe {
    /// The avatars that visitors can choose.
    pub existing: Vec<Existing>,
    /// Whether `new` returns one of the existing avatars (a partner's own files) instead of a generated one.
    pub new_is_existing: bool,
}

/// File name and export type of each file of a generated avatar.
pub(crate) const GENERATED: [(&str, &str); 3] =
    [("avatar.glb", "glb"), ("avatar_obj.zip", "obj"), ("portrait.png", "png")];

impl Wardrobe {
    /// The catalog of the built-in generated avatars.
    pub fn generated() -> Self {
        let existing = |(id, name): &(&str, &str)| Existing {
            id: (*id).to_owned(),
            name: (*name).to_owned(),
            exports: generated_exports(),
        };
        Self { existing: RESIDENTS.iter().map(existing).collect(), new_is_existing: false }
    }

    /// The exported files of an avatar; none if the avatar is unknown.
    pub(crate) fn exports(&self, avatar: &Avatar) -> Vec<ExportName> {
        match avatar {
            Avatar::New { .. } => generated_exports(),
            Avatar::Existing { id } => self.find(id).map(|found| found.exports.clone()).unwrap_or_default(),
        }
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Existing> {
        self.existing.iter().find(|existing| existing.id == id)
    }
}

const RESIDENTS: [(&str, &str); 4] = [("ari", "Ari"), ("remy", "Remy"), ("robin", "Robin"), ("yuki", "Yuki")];

fn generated_exports() -> Vec<ExportName> {
    let export =
        |(file, kind): (&str, &str)| ExportName { file: file.to_owned(), export_type: kind.to_owned() };
    GENERATED.map(export).to_vec()
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
