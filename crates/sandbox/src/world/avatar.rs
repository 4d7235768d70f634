//! Which avatars there are to choose from, and what is exported of each.

use serde::{Deserialize, Serialize};

/// What the visitor chose on the phone: `"new"`, or the id of an avatar that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum AvatarChoice {
    /// Recorded now.
    New,
    /// Chosen from those that are there, by its id.
    Existing(String),
}

/// An avatar that a visitor can choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Existing {
    /// Letters, digits, `-` and `_`.
    pub id: String,
    /// For people.
    pub name: String,
    /// What is delivered of it, in this order.
    #[serde(skip)]
    pub exports: Vec<ExportName>,
}

impl Existing {
    /// The file among its exports that shows it: the first picture that a browser can.
    pub(crate) fn portrait(&self) -> Option<&str> {
        let shown = |export: &&ExportName| {
            matches!(export.export_type.as_str(), "png" | "jpg" | "jpeg" | "webp")
                && !export.file.to_ascii_lowercase().ends_with(".zip")
        };
        self.exports.iter().find(shown).map(|export| export.file.as_str())
    }
}

/// One file of an avatar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportName {
    /// Its name in the download URL.
    pub file: String,
    /// Its `export_type`.
    pub export_type: String,
}

/// Whose files a download URL stands for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Avatar {
    /// Generated for one token.
    New {
        /// The token: the visitor's picture is held under it.
        token: String,
        /// What makes it differ from others.
        seed: u64,
    },
    /// One of those that can be chosen.
    Existing {
        /// Its id.
        id: String,
    },
}

/// Where `avatar` comes from in the world: what can be chosen, and what `new` gives.
#[derive(Debug, Clone)]
pub struct Wardrobe {
    /// What can be chosen.
    pub existing: Vec<Existing>,
    /// Whether `new` also gives one of the existing (a partner's own files) instead of a generated one.
    pub new_is_existing: bool,
}

/// What is exported of a generated avatar.
pub(crate) const GENERATED: [(&str, &str); 3] =
    [("avatar.glb", "glb"), ("avatar_obj.zip", "obj"), ("portrait.png", "png")];

impl Wardrobe {
    /// The generated avatars that are there from the start.
    pub fn generated() -> Self {
        let existing = |(id, name): &(&str, &str)| Existing {
            id: (*id).to_owned(),
            name: (*name).to_owned(),
            exports: generated_exports(),
        };
        Self { existing: RESIDENTS.iter().map(existing).collect(), new_is_existing: false }
    }

    /// What is exported of an avatar.
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
