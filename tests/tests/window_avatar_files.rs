//! The real window shows avatar files of each kind: compressed meshes and textures, archives, VRM. Run by
//! `cargo xtask test`, which builds the files before.
#![cfg(target_os = "linux")]

mod paths;

use paths::{kiosk_path, log_folder};
use product_tests::window::{DrivenKiosk, HarnessError, KioskSetup, RENDER_TIMEOUT};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// Files of `tests/avatars`: one for each decoder of the page, and for each container.
const FILES: [&str; 9] = [
    "draco.glb",
    "meshopt.glb",
    "packed.glb",
    "ktx2.glb",
    "ktx2-uastc.glb",
    "webp.glb",
    "avif.glb",
    "gltf.zip",
    "vrm-1.vrm",
];
/// Time limit for the download and for the first frame, which the processor draws.
const REVEAL_TIMEOUT: Duration = Duration::from_mins(5);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn the_window_shows_compressed_and_packed_avatars() -> Result<(), HarnessError> {
    let corpus = std::env::var_os("AVATAR_CORPUS").map(PathBuf::from);
    let corpus = corpus.ok_or("AVATAR_CORPUS is not set: docs/avatars.md says how to build the files")?;
    let assets = tempfile::tempdir()?;
    for name in FILES {
        let folder = assets.path().join(avatar_id(name));
        fs::create_dir(&folder)?;
        let file = corpus.join(name);
        fs::copy(&file, folder.join(name)).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    let setup = KioskSetup { assets: Some(assets.path()), has_animations: false, ..KioskSetup::default() };
    let kiosk = DrivenKiosk::open(&kiosk_path(), &log_folder("avatar-files"), setup).await?;
    for name in FILES {
        kiosk.await_screen("attract").await?;
        kiosk.app.click_element("[data-testid=start]", RENDER_TIMEOUT).await?;
        kiosk.await_screen("invite").await?;
        kiosk.choose_avatar(&avatar_id(name))?;
        // Without the turntable the page has given up, and shows a portrait or text.
        let shown_or_not = "[data-testid=turntable][data-ready=true], \
                            [data-screen=reveal]:not(:has([data-testid=turntable])) .actions button";
        let found = kiosk.app.await_element(shown_or_not, REVEAL_TIMEOUT).await?;
        let is_shown = found.attr("data-testid").await?.as_deref() == Some("turntable");
        assert!(is_shown, "{name} is not shown; the log says why");
        kiosk.leave_reveal().await?;
    }
    kiosk.close().await
}

/// The id that the sandbox gives the avatar with a file.
fn avatar_id(file_name: &str) -> String {
    file_name.replace('.', "-")
}
