//! `manifest.json`: what stands in an avatar's folder, and where it came from.

use crate::digest::Sha256;
use crate::format::Format;
use crate::visit_id::VisitId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The manifest's file name.
pub const MANIFEST_NAME: &str = "manifest.json";

/// The `schema_version` that this version writes; later ones are refused when read.
pub const SCHEMA_VERSION: u32 = 1;

/// The manifest of a saved avatar, or of an incomplete one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The visit that it came from.
    pub visit: VisitId,
    /// The profile's name.
    pub profile: String,
    /// Host (and port, if it is not the scheme's own) of the backend.
    pub backend_host: String,
    /// When each phase was reached.
    pub times: Times,
    /// Whether every file is here.
    pub complete: bool,
    /// The files that are whole.
    pub files: Vec<ManifestFile>,
    /// The files that are not; only in an incomplete avatar.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingFile>,
}

/// When each phase of a visit was reached, as RFC 3339; a phase that was not seen is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// The visit began.
    pub started: Timestamp,
    /// The Export Token was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued: Option<Timestamp>,
    /// An avatar was associated with the token (first noticed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub associated: Option<Timestamp>,
    /// First seen `in_queue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<Timestamp>,
    /// First seen `processing`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing: Option<Timestamp>,
    /// The avatar was ready (first noticed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Timestamp>,
    /// The answer with the URLs was on disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeemed: Option<Timestamp>,
    /// The last file was on disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<Timestamp>,
}

/// One whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestFile {
    /// Its name in the folder.
    pub path: String,
    /// `export_type` as sent.
    pub export_type: String,
    /// Its size.
    pub bytes: u64,
    /// Its digest.
    pub sha256: Sha256,
    /// What its content is.
    pub format: Format,
}

/// One file that did not come whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingFile {
    /// `export_type` as sent.
    pub export_type: String,
    /// The name that it would have had (empty if it never had one). What came of it, if anything, stands there: as
    /// `<path>.part` when it is a part, as `<path>` when it ended but was not what was due (an error page).
    pub path: String,
    /// Why it is missing, as a sentence.
    pub reason: String,
}

impl Manifest {
    /// Reads `manifest.json`.
    ///
    /// # Errors
    /// A sentence that says what is wrong with it.
    pub fn from_json(json: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if manifest.schema_version > SCHEMA_VERSION {
            return Err(format!("its form {} is newer than {SCHEMA_VERSION}", manifest.schema_version));
        }
        Ok(manifest)
    }

    /// The text of `manifest.json`.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).unwrap_or_default();
        json.push(b'\n');
        json
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            schema_version: SCHEMA_VERSION,
            visit: VisitId::new(),
            profile: "sandbox".into(),
            backend_host: "127.0.0.1:4010".into(),
            times: Times {
                started: "2026-11-22T09:00:00Z".parse().expect("a time"),
                issued: "2026-11-22T09:00:01.5Z".parse().ok(),
                ..Times::default()
            },
            complete: true,
            files: vec![ManifestFile {
                path: "avatar.glb".into(),
                export_type: "GLB \"as\u{0} sent\"".into(),
                bytes: 3,
                sha256: Sha256::of(b"glb"),
                format: Format::Glb,
            }],
            missing: Vec::new(),
        }
    }

    #[test]
    fn it_is_read_back_as_it_was_written() {
        let mut manifest = manifest();
        assert_eq!(Manifest::from_json(&manifest.to_json()), Ok(manifest.clone()));
        manifest.complete = false;
        manifest.missing.push(MissingFile {
            export_type: "fbx".into(),
            path: "avatar_fbx.zip".into(),
            reason: "the URL was spent".into(),
        });
        assert_eq!(Manifest::from_json(&manifest.to_json()), Ok(manifest));
    }

    #[test]
    fn the_words_are_those_of_the_contract() {
        let json: serde_json::Value = serde_json::from_slice(&manifest().to_json()).expect("JSON");
        assert_eq!(json["schema_version"], 1);
        assert_eq!(json["times"]["issued"], "2026-11-22T09:00:01.5Z");
        assert_eq!(json["files"][0]["format"], "glb");
        assert_eq!(json["files"][0]["sha256"].as_str().map(str::len), Some(64));
        assert!(json.get("missing").is_none());
        assert!(json["times"].get("ready").is_none());
    }

    #[test]
    fn a_newer_one_and_a_broken_one_are_refused_in_words() {
        let mut newer = manifest();
        newer.schema_version = 2;
        assert!(Manifest::from_json(&newer.to_json()).expect_err("refused").contains("newer"));
        assert!(Manifest::from_json(b"{\"schema_version\": 1").is_err());
    }
}
