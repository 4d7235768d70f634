//! The saved files of a visit, and which of them the page shows.

use copresence_engine::events::SavedFile;
use std::path::{Path, PathBuf};

/// The avatar that a visit saved.
#[derive(Debug, Clone)]
pub(super) struct SavedAvatar {
    pub(super) directory: String,
    pub(super) files: Vec<SavedFile>,
    /// The file that is shown in 3D.
    model_state: FileUseByPage,
    /// The picture that is shown if there is nothing in 3D.
    portrait_state: FileUseByPage,
}

/// What the page does with a saved file that it can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileUseByPage {
    /// The page has not asked for it since it was loaded.
    NotRequested,
    /// The page has asked for it since it was loaded: the visitor has pressed *Show me*.
    Requested,
    /// The page ended while it showed the file, which is not shown again.
    Withheld,
}

impl SavedAvatar {
    /// An avatar of which the page has not asked for any file.
    pub(super) fn new(directory: String, files: Vec<SavedFile>) -> Self {
        let unrequested = FileUseByPage::NotRequested;
        Self { directory, files, model_state: unrequested, portrait_state: unrequested }
    }

    /// Path of a saved file, if there is one of this name.
    pub(super) fn saved_file_path(&self, name: &str) -> Option<PathBuf> {
        self.files.iter().any(|file| file.path == name).then(|| Path::new(&self.directory).join(name))
    }

    /// The file that the page shows in 3D, unless it is withheld.
    pub(super) fn model_to_show(&self) -> Option<&SavedFile> {
        find_file_shown_in_3d(&self.files).filter(|_| self.model_state != FileUseByPage::Withheld)
    }

    /// The picture that the page shows if there is nothing in 3D, unless it is withheld.
    pub(super) fn portrait_to_show(&self) -> Option<&SavedFile> {
        find_portrait(&self.files).filter(|_| self.portrait_state != FileUseByPage::Withheld)
    }

    /// Records that the page asks for this saved file.
    pub(super) fn record_file_request(&mut self, name: &str) {
        let is_model = find_file_shown_in_3d(&self.files).is_some_and(|file| file.path == name);
        let is_portrait = find_portrait(&self.files).is_some_and(|file| file.path == name);
        for (state, is_requested) in [(&mut self.model_state, is_model), (&mut self.portrait_state, is_portrait)] {
            if is_requested && *state == FileUseByPage::NotRequested {
                *state = FileUseByPage::Requested;
            }
        }
    }

    /// Withholds the model, or else the portrait, if the page asked for it before its process crashed or froze: a file
    /// that ends the page once would do so again. Of both, only the model: the portrait is shown in its place. Returns
    /// what is withheld from now on.
    pub(super) fn withhold_file_requested_before_crash(&mut self) -> Option<&'static str> {
        let mut withheld = None;
        for (state, what) in [(&mut self.model_state, "3D model"), (&mut self.portrait_state, "portrait")] {
            if *state == FileUseByPage::Requested {
                *state = if withheld.is_none() { FileUseByPage::Withheld } else { FileUseByPage::NotRequested };
                withheld = withheld.or(Some(what));
            }
        }
        withheld
    }
}

/// The picture that the screen shows if there is nothing in 3D.
fn find_portrait(files: &[SavedFile]) -> Option<&SavedFile> {
    files.iter().find(|file| Path::new(&file.path).extension().is_some_and(|extension| extension == "png"))
}

/// The file that the screen shows in 3D: the first of the formats of glTF. A zip archive may contain one, unless its type
/// says that it contains another format.
fn find_file_shown_in_3d(files: &[SavedFile]) -> Option<&SavedFile> {
    [".glb", ".vrm", ".gltf", ".zip"].iter().find_map(|extension| {
        files.iter().find(|file| {
            file.path.ends_with(extension)
                && !["fbx", "obj", "blend", "usd", "texture"].iter().any(|other| file.path.contains(other))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn avatar_of(paths: &[&str]) -> SavedAvatar {
        let file = |path: &&str| SavedFile {
            path: (*path).into(),
            export_type: "x".into(),
            bytes: 1,
            sha256: "00".into(),
            notes: Vec::new(),
        };
        SavedAvatar::new("/out/a".into(), paths.iter().map(file).collect())
    }

    #[test]
    fn a_file_that_ended_the_page_is_not_shown_again() {
        let mut avatar = avatar_of(&["avatar.glb", "avatar.png"]);
        let shown = |avatar: &SavedAvatar| (avatar.model_to_show().is_some(), avatar.portrait_to_show().is_some());
        assert_eq!(avatar.withhold_file_requested_before_crash(), None, "the page ended for another reason");
        assert_eq!(shown(&avatar), (true, true));
        avatar.record_file_request("avatar.glb");
        avatar.record_file_request("avatar.png");
        assert_eq!(shown(&avatar), (true, true), "the page may ask for it in pieces");
        assert_eq!(avatar.withhold_file_requested_before_crash(), Some("3D model"));
        assert_eq!(shown(&avatar), (false, true), "the portrait stays");
        assert_eq!(avatar.withhold_file_requested_before_crash(), None, "once");
        avatar.record_file_request("avatar.png");
        assert_eq!(avatar.withhold_file_requested_before_crash(), Some("portrait"));
        assert_eq!(shown(&avatar), (false, false), "neither is shown again");
        avatar.record_file_request("avatar.png");
        assert_eq!(avatar.withhold_file_requested_before_crash(), None, "once");
    }

    #[test]
    fn the_shown_avatar_is_the_file_in_a_format_of_gltf() {
        let shown = |paths: &[&str]| avatar_of(paths).model_to_show().map(|file| file.path.clone());
        assert_eq!(shown(&["avatar_fbx.zip", "avatar.vrm", "avatar.glb"]).as_deref(), Some("avatar.glb"));
        assert_eq!(shown(&["avatar.zip", "avatar.vrm"]).as_deref(), Some("avatar.vrm"));
        assert_eq!(shown(&["avatar_fbx.zip", "avatar_gltf.gltf"]).as_deref(), Some("avatar_gltf.gltf"));
        assert_eq!(shown(&["avatar_fbx.zip", "avatar_gltf_zip.zip"]).as_deref(), Some("avatar_gltf_zip.zip"));
        assert_eq!(shown(&["avatar_fbx.zip", "avatar_obj.zip", "avatar.png"]), None);
    }
}
