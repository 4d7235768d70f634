//! `manifest.json`: the files of an avatar and their origin.

use crate::digest::Sha256Digest;
use crate::file_note::SavedFileNote;
use crate::format::FileFormat;
use crate::visit_id::VisitId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The file name of a manifest.
pub const MANIFEST_NAME: &str = "manifest.json";

/// The `schema_version` of written manifests. Later versions cannot be read.
pub const SCHEMA_VERSION: u32 = 1;

/// The manifest of a saved avatar, or of an incomplete one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The visit that the avatar comes from.
    pub visit: VisitId,
    /// The name of the profile.
    pub profile: String,
    /// Host of the backend, with the port if it is not the default one of the scheme.
    pub backend_host: String,
    /// The times of the phases.
    pub times: PhaseTimestamps,
    /// Whether all files are saved.
    pub complete: bool,
    /// The complete files.
    pub files: Vec<ManifestCompleteFile>,
    /// The files that are missing. Empty unless the avatar is incomplete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<MissingFile>,
}

/// When each phase of a visit was reached, as RFC 3339. A phase that was not observed is omitted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseTimestamps {
    /// The visit started.
    pub started: Timestamp,
    /// The Export Token was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issued: Option<Timestamp>,
    /// An avatar associated with the token was observed first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub associated: Option<Timestamp>,
    /// The status `in_queue` was observed first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued: Option<Timestamp>,
    /// The status `processing` was observed first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing: Option<Timestamp>,
    /// A ready avatar was observed first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Timestamp>,
    /// The response with the URLs was durable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeemed: Option<Timestamp>,
    /// The last file was durable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<Timestamp>,
}

/// The manifest entry of a complete file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ManifestCompleteFile {
    /// The file name in the folder.
    pub path: String,
    /// `export_type` as sent.
    pub export_type: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The digest of the content.
    pub sha256: Sha256Digest,
    /// The format of the content.
    pub format: FileFormat,
    /// What is unusual about the file. Always written; absent in manifests of earlier versions.
    #[serde(default)]
    pub notes: Vec<SavedFileNote>,
}

/// A file of the delivery that was not saved completely, with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingFile {
    /// `export_type` as sent.
    pub export_type: String,
    /// The file name, or empty if none was assigned. A received part of the file is saved as `<path>.part`, and a
    /// complete response with other content (an error page) as `<path>`.
    pub path: String,
    /// Why the file is missing, as a sentence.
    pub reason: String,
}

impl Manifest {
    /// Parses `manifest.json`.
    ///
    /// # Errors
    /// Why it cannot be parsed, as a sentence.
    pub fn from_json(json: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if manifest.schema_version > SCHEMA_VERSION {
            return Err(format!("its schema version {} is newer than {SCHEMA_VERSION}", manifest.schema_version));
        }
        Ok(manifest)
    }

    /// The content of `manifest.json`.
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
            times: PhaseTimestamps {
                started: "2026-11-22T09:00:00Z".parse().expect("a time"),
                issued: "2026-11-22T09:00:01.5Z".parse().ok(),
                ..PhaseTimestamps::default()
            },
            complete: true,
            files: vec![ManifestCompleteFile {
                path: "avatar.glb".into(),
                export_type: "GLB \"as\u{0} sent\"".into(),
                bytes: 3,
                sha256: Sha256Digest::sha256_of_bytes(b"glb"),
                format: FileFormat::Glb,
                notes: vec![SavedFileNote::note_of_trailing_bytes(4)],
            }],
            missing: Vec::new(),
        }
    }

    #[test]
    fn a_manifest_round_trips() {
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
    fn field_names_and_formats_are_stable() {
        let json: serde_json::Value = serde_json::from_slice(&manifest().to_json()).expect("JSON");
        assert_eq!(json["schema_version"], 1);
        assert_eq!(json["times"]["issued"], "2026-11-22T09:00:01.5Z");
        assert_eq!(json["files"][0]["format"], "glb");
        assert_eq!(json["files"][0]["notes"][0]["code"], "trailing_bytes");
        assert_eq!(json["files"][0]["sha256"].as_str().map(str::len), Some(64));
        assert!(json.get("missing").is_none());
        assert!(json["times"].get("ready").is_none());
    }

    #[test]
    fn a_manifest_without_notes_is_read() {
        let mut json: serde_json::Value = serde_json::from_slice(&manifest().to_json()).expect("JSON");
        json["files"][0].as_object_mut().expect("an object").remove("notes");
        let read = Manifest::from_json(json.to_string().as_bytes()).expect("a manifest of an earlier version");
        assert!(read.files[0].notes.is_empty());
    }

    #[test]
    fn newer_and_invalid_manifests_are_rejected() {
        let mut newer = manifest();
        newer.schema_version = 2;
        assert!(Manifest::from_json(&newer.to_json()).expect_err("refused").contains("newer"));
        assert!(Manifest::from_json(b"{\"schema_version\": 1").is_err());
    }
}
