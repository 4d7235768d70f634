//! The files of avatars: generated on demand and cached, or read from a partner's folder.

use crate::world::avatar::{AvatarCatalog, AvatarIdentity, ExistingAvatar, ExportFileNameAndType, PictureId};
use bytes::Bytes;
use copresence_avatar::AvatarFiles;
use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, Shared};
use image::RgbImage;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Maximum number of visitors' pictures in memory (each at most 512 × 512 pixels). Beyond it, the oldest is dropped and
/// its avatar gets a generated face.
const MAX_PICTURES: usize = 128;

/// Maximum number of cached avatars. Beyond it, the oldest is dropped, and generated again on demand.
const MAX_CACHED_AVATARS: usize = 48;

/// Time after which a cached new avatar is dropped that nobody requested, and generated again on demand.
const UNUSED_AVATAR_LIFETIME: Duration = Duration::from_mins(2);

/// Maximum number of avatars in an assets folder.
const MAX_ASSET_AVATARS: usize = 500;

/// Why an assets folder cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum AssetsFolderError {
    /// A folder cannot be read.
    #[error("the assets folder {path} cannot be read: {source}")]
    Unreadable {
        /// The folder.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// No sub-folder contains files.
    #[error(
        "the assets folder {path} has no sub-folder with files in it; it needs one sub-folder per avatar \
         (as in assets/anna/avatar.glb)"
    )]
    Empty {
        /// The folder.
        path: PathBuf,
    },
}

/// The content of a file, or its path.
#[derive(Debug, Clone)]
pub(crate) enum FileContentOrPath {
    Memory { bytes: Bytes, etag: String },
    Disk(PathBuf),
}

/// The store of the files of avatars: generates, caches and finds them. All worlds share it.
pub(crate) struct AvatarStore {
    assets: Option<HashMap<String, PathBuf>>,
    cache: Mutex<PictureAndAvatarCache>,
    next_picture_id: AtomicU64,
    /// Limits concurrent generation to two avatars, because each occupies a CPU core.
    generation_permits: Arc<Semaphore>,
    /// Number of generations that were started.
    #[cfg(test)]
    generation_count: AtomicU64,
}

/// Visitors' pictures, and generated files by avatar; both oldest first.
#[derive(Default)]
struct PictureAndAvatarCache {
    pictures: Vec<VisitorPicture>,
    avatars: Vec<CachedAvatar>,
}

/// A visitor's picture, and the token that it is for.
struct VisitorPicture {
    id: PictureId,
    owner: TokenInWorld,
    image: Arc<RgbImage>,
}

/// The token that a picture is for, with its world: the same Export Token may exist in several worlds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenInWorld {
    /// The world's id; `None` for the main world.
    pub(crate) world: Option<String>,
    /// The Export Token.
    pub(crate) token: String,
}

/// A generated avatar, whose files may still be generated.
struct CachedAvatar {
    avatar: AvatarIdentity,
    files: PendingFiles,
    last_used: Instant,
}

/// Resolves to the files of an avatar once they are generated, or to `None` if that failed. Dropping it does not stop the
/// generation.
type PendingFiles = Shared<BoxFuture<'static, Option<Arc<GeneratedFiles>>>>;

/// The files of a generated avatar with their `ETag` values.
struct GeneratedFiles {
    files: AvatarFiles,
    etags: [String; 3],
}

impl AvatarStore {
    /// Creates the store and the catalog of avatars: from the assets folder if one is given, else with built-in
    /// generated avatars.
    /// # Errors
    /// The assets folder cannot be read, or contains no files.
    pub(crate) fn open_avatar_store_and_catalog(
        assets: Option<&Path>,
    ) -> Result<(Self, AvatarCatalog), AssetsFolderError> {
        let (assets, catalog) = match assets {
            None => (None, AvatarCatalog::built_in_catalog()),
            Some(folder) => {
                let (folders, existing) = read_assets_folder(folder)?;
                (Some(folders), AvatarCatalog { existing, new_is_existing: true })
            }
        };
        let store = Self {
            assets,
            cache: Mutex::default(),
            next_picture_id: AtomicU64::new(0),
            generation_permits: Arc::new(Semaphore::new(2)),
            #[cfg(test)]
            generation_count: AtomicU64::new(0),
        };
        Ok((store, catalog))
    }

    /// A new id for a picture.
    pub(crate) fn allocate_picture_id(&self) -> PictureId {
        PictureId(self.next_picture_id.fetch_add(1, Ordering::Relaxed))
    }

    /// Stores a visitor's picture for the avatar of a token, in memory only. Drops an earlier one of that token.
    pub(crate) fn store_visitor_picture(&self, owner: TokenInWorld, picture: Option<(PictureId, RgbImage)>) {
        let mut cache = self.lock_cache();
        cache.pictures.retain(|held| held.owner != owner);
        let Some((id, image)) = picture else { return };
        if cache.pictures.len() >= MAX_PICTURES {
            cache.pictures.remove(0);
        }
        cache.pictures.push(VisitorPicture { id, owner, image: Arc::new(image) });
    }

    /// Drops the pictures whose token is not `needed`, the avatars with these faces, and new avatars that nobody
    /// requested for a while. `needed` may lock a world.
    pub(crate) fn drop_unneeded_pictures_and_avatars(&self, mut needed: impl FnMut(&TokenInWorld) -> bool) {
        let owners: Vec<_> = self.lock_cache().pictures.iter().map(|held| (held.id, held.owner.clone())).collect();
        let unneeded: Vec<_> = owners.into_iter().filter(|(_, owner)| !needed(owner)).map(|(id, _)| id).collect();
        let mut cache = self.lock_cache();
        let PictureAndAvatarCache { pictures, avatars } = &mut *cache;
        pictures.retain(|held| !unneeded.contains(&held.id));
        avatars.retain(|cached| match &cached.avatar {
            AvatarIdentity::New { picture: Some(id), .. } => pictures.iter().any(|held| held.id == *id),
            AvatarIdentity::New { picture: None, .. } => cached.last_used.elapsed() < UNUSED_AVATAR_LIFETIME,
            AvatarIdentity::Existing { .. } => true,
        });
    }

    /// Number of pictures in memory.
    #[cfg(test)]
    pub(crate) fn picture_count(&self) -> usize {
        self.lock_cache().pictures.len()
    }

    /// The content of an exported file; `None` if there is no such file.
    pub(crate) async fn export_content(&self, avatar: &AvatarIdentity, file: &str) -> Option<FileContentOrPath> {
        if let (Some(folders), AvatarIdentity::Existing { id }) = (&self.assets, avatar) {
            return folders.get(id).map(|folder| FileContentOrPath::Disk(folder.join(file)));
        }
        let index = crate::world::avatar::GENERATED_EXPORTS.iter().position(|(name, _)| *name == file)?;
        let generated = self.get_or_generate_files(avatar).await?;
        let bytes = match index {
            0 => &generated.files.glb,
            1 => &generated.files.obj_zip,
            _ => &generated.files.png,
        };
        Some(FileContentOrPath::Memory { bytes: bytes.clone(), etag: generated.etags[index].clone() })
    }

    /// The generated files of an avatar, from the cache if possible; `None` if they cannot be generated.
    async fn get_or_generate_files(&self, avatar: &AvatarIdentity) -> Option<Arc<GeneratedFiles>> {
        let pending = {
            let mut cache = self.lock_cache();
            if let Some(cached) = cache.avatars.iter_mut().find(|cached| cached.avatar == *avatar) {
                cached.last_used = Instant::now();
                cached.files.clone()
            } else {
                if cache.avatars.len() >= MAX_CACHED_AVATARS {
                    cache.avatars.remove(0);
                }
                let files = self.spawn_generation(avatar, &cache.pictures);
                let last_used = Instant::now();
                cache.avatars.push(CachedAvatar { avatar: avatar.clone(), files: files.clone(), last_used });
                files
            }
        };
        let files = pending.clone().await;
        if files.is_none() {
            // The next request tries again.
            self.lock_cache().avatars.retain(|cached| !cached.files.ptr_eq(&pending));
        }
        files
    }

    /// Starts to generate the files of an avatar. The generation does not end with the request for them: a client that
    /// requests an avatar again and again, and leaves each time, causes one generation.
    fn spawn_generation(&self, avatar: &AvatarIdentity, pictures: &[VisitorPicture]) -> PendingFiles {
        #[cfg(test)]
        self.generation_count.fetch_add(1, Ordering::Relaxed);
        let (seed, face) = match avatar {
            AvatarIdentity::New { seed, picture } => {
                let face = pictures.iter().find(|held| Some(held.id) == *picture).map(|held| held.image.clone());
                (*seed, face)
            }
            AvatarIdentity::Existing { id } => (seed_from_id(id), None),
        };
        let permits = self.generation_permits.clone();
        let generation = tokio::spawn(async move {
            // The semaphore is never closed. If it were, generating without a permit does no harm.
            let permit = permits.acquire_owned().await;
            let generated = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                let files = copresence_avatar::build_avatar(seed, face.as_deref());
                let etags = [&files.glb, &files.obj_zip, &files.png].map(sha256_etag);
                Arc::new(GeneratedFiles { files, etags })
            });
            generated.await.inspect_err(|error| tracing::error!(%error, "an avatar cannot be generated")).ok()
        });
        generation.map(|generated| generated.ok().flatten()).boxed().shared()
    }

    fn lock_cache(&self) -> std::sync::MutexGuard<'_, PictureAndAvatarCache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sha256_etag(bytes: &Bytes) -> String {
    let digest = Sha256::digest(bytes);
    let number = digest.iter().take(16).fold(0_u128, |number, byte| (number << 8) | u128::from(*byte));
    format!("\"{number:032x}\"")
}

/// Derives the seed of a built-in avatar from its id, so that it has the same face in every run.
fn seed_from_id(id: &str) -> u64 {
    let digest = Sha256::digest(id.as_bytes());
    digest.iter().take(8).fold(0, |seed, byte| (seed << 8) | u64::from(*byte))
}

fn read_assets_folder(folder: &Path) -> Result<(HashMap<String, PathBuf>, Vec<ExistingAvatar>), AssetsFolderError> {
    let mut folders = HashMap::new();
    let mut existing = Vec::new();
    for path in sorted_entries(folder)?.into_iter().filter(|path| path.is_dir()).take(MAX_ASSET_AVATARS) {
        let mut exports: Vec<ExportFileNameAndType> = sorted_entries(&path)?
            .into_iter()
            .filter(|file| file.is_file())
            .filter_map(|file| export_file_from_path(&file))
            .collect();
        exports.sort_by(|a, b| a.file.cmp(&b.file));
        if exports.is_empty() {
            continue;
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let id = unique_avatar_id(&name, &folders);
        folders.insert(id.clone(), path);
        existing.push(ExistingAvatar { id, name, exports });
    }
    if existing.is_empty() {
        return Err(AssetsFolderError::Empty { path: folder.to_owned() });
    }
    Ok((folders, existing))
}

fn sorted_entries(folder: &Path) -> Result<Vec<PathBuf>, AssetsFolderError> {
    let unreadable = |source| AssetsFolderError::Unreadable { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    let mut paths = entries.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    paths.sort();
    Ok(paths)
}

/// File name and `export_type` from the extension: `body.fbx.zip` and `body_fbx.zip` are `fbx`.
fn export_file_from_path(path: &Path) -> Option<ExportFileNameAndType> {
    let file = path.file_name()?.to_str()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if file.starts_with('.') || !file.chars().all(plain) {
        tracing::warn!(?path, "file not served: its name may contain only ASCII letters, digits, `.`, `-` and `_`");
        return None;
    }
    let (stem, extension) = file.rsplit_once('.')?;
    let packed = stem.rsplit_once(['.', '_']).map(|(_, inner)| inner);
    let export_type = match packed {
        Some(inner) if extension.eq_ignore_ascii_case("zip") => inner,
        _ => extension,
    };
    Some(ExportFileNameAndType { file: file.to_owned(), export_type: export_type.to_ascii_lowercase() })
}

/// Derives an id from the name of a folder: other characters than letters and digits become `-`, duplicates get a
/// number.
fn unique_avatar_id(name: &str, taken: &HashMap<String, PathBuf>) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let slug: String = name.chars().map(plain).collect();
    let slug = match slug.trim_matches('-') {
        // `new` means recording one.
        "" | "new" => "avatar".to_owned(),
        slug => slug.to_owned(),
    };
    let numbered = (2..).map(|n| format!("{slug}-{n}"));
    std::iter::once(slug.clone()).chain(numbered).find(|id| !taken.contains_key(id)).unwrap_or(slug)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_that_are_given_up_generate_an_avatar_once() {
        let (store, _) = AvatarStore::open_avatar_store_and_catalog(None).expect("without a folder");
        let avatar = AvatarIdentity::Existing { id: "ari".to_owned() };
        let (file, _) = crate::world::avatar::GENERATED_EXPORTS[2];
        for _ in 0..20 {
            // Dropped as soon as it waits, as when a client disconnects.
            drop(store.export_content(&avatar, file).now_or_never());
            tokio::task::yield_now().await;
        }
        assert!(store.export_content(&avatar, file).await.is_some());
        assert_eq!(store.generation_count.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn each_sub_folder_is_an_avatar() {
        let dir = tempfile::tempdir().expect("a folder");
        for (folder, file) in
            [("Anna Ä", "avatar.GLB"), ("Anna Ä", "body_fbx.zip"), ("new", "a.blend.zip"), ("empty", ".hidden")]
        {
            std::fs::create_dir_all(dir.path().join(folder)).expect("a sub-folder");
            std::fs::write(dir.path().join(folder).join(file), b"x").expect("a file");
        }
        let (folders, existing) = read_assets_folder(dir.path()).expect("readable");
        let ids: Vec<_> = existing.iter().map(|avatar| avatar.id.as_str()).collect();
        assert_eq!(ids, ["anna", "avatar"]);
        let types: Vec<_> = existing[0].exports.iter().map(|export| export.export_type.as_str()).collect();
        assert_eq!(types, ["glb", "fbx"]);
        assert_eq!(existing[1].exports[0].export_type, "blend");
        assert!(folders["anna"].ends_with("Anna Ä"));
    }

    #[cfg(unix)]
    #[test]
    fn symlinks_are_followed_and_broken_ones_ignored() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().expect("a folder");
        let elsewhere = tempfile::tempdir().expect("another");
        std::fs::write(elsewhere.path().join("avatar.glb"), b"x").expect("a file");
        let kim = dir.path().join("kim");
        std::fs::create_dir(&kim).expect("a sub-folder");
        symlink(elsewhere.path().join("avatar.glb"), kim.join("a.glb")).expect("a link");
        symlink(elsewhere.path().join("gone.glb"), kim.join("b.glb")).expect("a broken link");
        std::fs::create_dir(kim.join("deeper.glb")).expect("a folder within");
        symlink(elsewhere.path(), dir.path().join("lee")).expect("a linked folder");
        symlink(dir.path().join("nowhere"), dir.path().join("moe")).expect("a broken link");
        std::fs::write(dir.path().join("readme.txt"), b"x").expect("a file beside the folders");
        let (_, existing) = read_assets_folder(dir.path()).expect("readable");
        let files = |i: usize| existing[i].exports.iter().map(|e| e.file.as_str()).collect::<Vec<_>>();
        assert_eq!(existing.iter().map(|e| e.id.as_str()).collect::<Vec<_>>(), ["kim", "lee"]);
        assert_eq!((files(0), files(1)), (vec!["a.glb"], vec!["avatar.glb"]));
    }

    #[test]
    fn portrait_is_the_first_picture_that_browsers_show() {
        let dir = tempfile::tempdir().expect("a folder");
        let anna = dir.path().join("anna");
        std::fs::create_dir(&anna).expect("a sub-folder");
        for file in ["avatar.glb", "png.png.zip"] {
            std::fs::write(anna.join(file), b"x").expect("a file");
        }
        assert_eq!(read_assets_folder(dir.path()).expect("readable").1[0].portrait_file_name(), None);
        std::fs::write(anna.join("me.JPG"), b"x").expect("a file");
        assert_eq!(read_assets_folder(dir.path()).expect("readable").1[0].portrait_file_name(), Some("me.JPG"));
    }

    #[test]
    fn folder_that_cannot_be_served_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let error = read_assets_folder(dir.path()).expect_err("nothing there").to_string();
        assert!(error.contains("no sub-folder") && error.contains(&dir.path().display().to_string()), "{error}");
        assert!(matches!(read_assets_folder(&dir.path().join("gone")), Err(AssetsFolderError::Unreadable { .. })));
    }
}
