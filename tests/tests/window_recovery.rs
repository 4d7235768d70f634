//! The page's process is killed or freezes in the real window, in each state of a visit: the same screen returns, and
//! the visit continues. In kiosk mode under a window manager. Run by `cargo xtask test`.
//!
//! No driver survives the process of the page, so the tests press real keys and compare the text in screenshots.
#![cfg(target_os = "linux")]

mod paths;

use copresence_sandbox::{BuiltInScenarioName, ForcedState};
use paths::{kiosk_path, log_folder};
use product_tests::window::processes::{freeze_process, is_process_running, kill_process};
use product_tests::window::{
    HarnessError, KioskSetup, PixelRect, UndrivenKiosk, decode_qr_codes, take_screenshot, text_similarity,
};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const SCREEN_TIMEOUT: Duration = Duration::from_mins(5);
/// Longer than the greeting after a scan is shown.
const GREETING_DURATION: Duration = Duration::from_secs(5);
/// The area of the text on the screen. The background above and on the right is animated, and a reloaded page does not know
/// the input device, which changes the focus of the buttons below.
const TEXT_AREA: PixelRect = PixelRect { x: 60, y: 100, width: 520, height: 450 };
/// The setup of a kiosk whose backend fails for a while.
const LONG_PATIENCE: KioskSetup<'_> = KioskSetup {
    args: &["--kiosk"],
    has_credentials: true,
    has_keychain: true,
    profile: Some(
        "patience = \"2m\"
timeout = \"10m\"",
    ),
    assets: None,
    // Without animations, screenshots of the same screen are comparable.
    has_animations: false,
    has_window_manager: true,
    monitors: &[],
};

/// The page is killed on each screen up to the making of the avatar, then five times within a minute.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn a_killed_page_returns_to_its_screen_and_repeated_kills_delay_the_reload() -> Result<(), HarnessError> {
    let kiosk = UndrivenKiosk::open(&kiosk_path(), &log_folder("recovery-early"), LONG_PATIENCE).await?;
    let mut recovery = PageRecovery { kiosk, page_exits: 0 };
    recovery.kill_page_on("attract").await?;
    recovery.kiosk.set_faults(r#"[{"on":"generate","do":{"status":{"code":503}}}]"#)?;
    recovery.kiosk.press_keys("Return")?;
    recovery.await_other_screen("attract").await?;
    recovery.kill_page_on("preparing").await?;
    recovery.kiosk.clear_faults();
    let code = recovery.qr_code_text_starting_again().await?;
    recovery.kill_page_on("invite").await?;
    assert_eq!(recovery.qr_code_text().await?, code, "the same code is back");
    assert_eq!(recovery.kiosk.token_count(), 1, "no reloaded page started another visit");
    recovery.kiosk.set_paused(true)?;
    recovery.kiosk.scan_code(BuiltInScenarioName::LongQueue)?;
    recovery.await_other_screen("invite").await?;
    recovery.await_end_of_greeting().await?;
    recovery.kill_page_on("making").await?;

    recovery.kiosk.force_state(ForcedState::Fail)?;
    recovery.await_other_screen("making").await?;
    let failed = recovery.stable_screenshot("failed").await?;
    // The limit is five exits within a minute, including the earlier ones of that minute.
    while recovery.kiosk.log_count("as it does again and again")? == 0 {
        // Not while the page starts: WebKit itself gives up then.
        recovery.kiosk.await_log("the page lives", recovery.page_exits + 1).await?;
        kill_process(recovery.kiosk.page_process()?)?;
        recovery.page_exits += 1;
        recovery.kiosk.await_log("the page's process ended", recovery.page_exits).await?;
        assert!(recovery.page_exits < 12, "the page is reloaded without a delay");
    }
    recovery.await_different_screen(&failed).await?;
    recovery.kiosk.await_log("the page lives", recovery.page_exits + 1).await?;
    recovery.await_similar_screen(&failed).await?;
    assert_eq!(recovery.kiosk.terminate().await?, Some(0));
    Ok(())
}

/// The page is killed from the download to the end of a visit; then it freezes, and the app ends its process.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn a_page_that_is_killed_late_or_freezes_returns_to_its_screen() -> Result<(), HarnessError> {
    let kiosk = UndrivenKiosk::open(&kiosk_path(), &log_folder("recovery-late"), LONG_PATIENCE).await?;
    let mut recovery = PageRecovery { kiosk, page_exits: 0 };
    recovery
        .kiosk
        .set_faults(r#"[{"on":"file","file":"avatar.glb","do":{"slow_body":{"bytes_per_second":80000}}}]"#)?;
    recovery.stable_screenshot("attract").await?;
    recovery.kiosk.press_keys("Return")?;
    recovery.qr_code_text().await?;
    recovery.kiosk.scan_code(BuiltInScenarioName::ExistingAvatar)?;
    recovery.await_other_screen("invite").await?;
    recovery.kill_page_on("saving").await?;
    recovery.kiosk.clear_faults();
    recovery.await_other_screen("saving").await?;
    // The avatar is shown only on request, before and after the page is killed.
    recovery.kill_page_on("reveal").await?;
    // No avatar is shown, so leaving needs no confirmation.
    recovery.kiosk.press_keys("Escape")?;
    recovery.await_other_screen("reveal").await?;
    // The token of the next visitor expires.
    recovery.stable_screenshot("attract").await?;
    recovery.kiosk.press_keys("Return")?;
    recovery.qr_code_text().await?;
    recovery.kiosk.force_state(ForcedState::Expire)?;
    recovery.await_other_screen("invite").await?;
    let ended = recovery.stable_screenshot("ended").await?;
    let page = recovery.kiosk.page_process()?;
    freeze_process(page)?;
    recovery.kiosk.await_log("the page does not answer", 1).await?;
    recovery.kiosk.await_log("the page lives", recovery.page_exits + 2).await?;
    assert!(!is_process_running(page), "the frozen process is gone");
    recovery.await_similar_screen(&ended).await?;
    assert_eq!(recovery.kiosk.terminate().await?, Some(0));
    Ok(())
}

struct PageRecovery {
    kiosk: UndrivenKiosk,
    page_exits: usize,
}

impl PageRecovery {
    /// Kills the page on this screen, and waits until the same screen returns.
    async fn kill_page_on(&mut self, name: &str) -> Result<(), HarnessError> {
        let before = self.stable_screenshot(name).await?;
        let page = self.kiosk.page_process()?;
        kill_process(page)?;
        self.page_exits += 1;
        self.kiosk.await_log("the page lives", self.page_exits + 1).await?;
        assert!(
            !is_process_running(page) && self.kiosk.page_process()? != page,
            "{name}: another process renders the page"
        );
        self.await_similar_screen(&before).await
    }

    /// Takes a screenshot once its text is stable.
    async fn stable_screenshot(&self, name: &str) -> Result<PathBuf, HarnessError> {
        let (file, again) = (self.screenshot_path(name), self.screenshot_path("again"));
        take_screenshot(&self.kiosk.desktop, &self.kiosk.screen, &file)?;
        let mut stable_count = 0;
        self.wait_until(|| {
            take_screenshot(&self.kiosk.desktop, &self.kiosk.screen, &again)?;
            stable_count = if text_similarity(&file, &again, TEXT_AREA)? > 0.9 { stable_count + 1 } else { 0 };
            std::fs::copy(&again, &file)?;
            Ok(stable_count == 2)
        })
        .await?
        .then_some(file)
        .ok_or_else(|| format!("{name} is not stable").into())
    }

    /// Waits until the greeting after a scan has disappeared. A reloaded page does not show it again.
    async fn await_end_of_greeting(&self) -> Result<(), HarnessError> {
        let (file, again) = (self.screenshot_path("found"), self.screenshot_path("again"));
        take_screenshot(&self.kiosk.desktop, &self.kiosk.screen, &file)?;
        let mut since = Instant::now();
        let has_ended = self.wait_until(|| {
            take_screenshot(&self.kiosk.desktop, &self.kiosk.screen, &again)?;
            if text_similarity(&file, &again, TEXT_AREA)? < 0.9 {
                since = Instant::now();
                std::fs::copy(&again, &file)?;
            }
            Ok(since.elapsed() > GREETING_DURATION)
        });
        if has_ended.await? { Ok(()) } else { Err("the greeting stays".into()) }
    }

    async fn await_similar_screen(&self, before: &Path) -> Result<(), HarnessError> {
        let now = self.screenshot_path("now");
        let is_similar = self.wait_until(|| {
            take_screenshot(&self.kiosk.desktop, &self.kiosk.screen, &now)?;
            Ok(text_similarity(before, &now, TEXT_AREA)? > 0.8)
        });
        if is_similar.await? { Ok(()) } else { Err(format!("{} does not return", before.display()).into()) }
    }

    async fn await_different_screen(&self, before: &Path) -> Result<(), HarnessError> {
        let now = self.screenshot_path("other");
        let is_different = self.wait_until(|| {
            take_screenshot(&self.kiosk.desktop, &self.kiosk.screen, &now)?;
            Ok(text_similarity(before, &now, TEXT_AREA)? < 0.3)
        });
        if is_different.await? { Ok(()) } else { Err(format!("{} stays", before.display()).into()) }
    }

    /// Waits until the screen differs from its earlier screenshot.
    async fn await_other_screen(&self, name: &str) -> Result<(), HarnessError> {
        self.await_different_screen(&self.screenshot_path(name)).await
    }

    /// Waits for a QR code on the screen and returns its text.
    async fn qr_code_text(&self) -> Result<String, HarnessError> {
        let picture = self.screenshot_path("invite");
        let mut code = None;
        self.wait_until(|| {
            take_screenshot(&self.kiosk.desktop, &self.kiosk.screen, &picture)?;
            code = decode_qr_codes(&self.kiosk.desktop, &picture)?.pop();
            Ok(code.is_some())
        })
        .await?;
        code.ok_or_else(|| "no QR code appeared".into())
    }

    /// Like [`qr_code_text`](Self::qr_code_text), and presses Return every ten seconds. A slow machine may have used up
    /// the time for a token; then the screen offers to start again.
    async fn qr_code_text_starting_again(&self) -> Result<String, HarnessError> {
        let picture = self.screenshot_path("invite");
        let (mut code, mut since) = (None, Instant::now());
        self.wait_until(|| {
            take_screenshot(&self.kiosk.desktop, &self.kiosk.screen, &picture)?;
            code = decode_qr_codes(&self.kiosk.desktop, &picture)?.pop();
            if code.is_none() && since.elapsed() > Duration::from_secs(10) {
                self.kiosk.press_keys("Return")?;
                since = Instant::now();
            }
            Ok(code.is_some())
        })
        .await?;
        code.ok_or_else(|| "no QR code appeared".into())
    }

    /// Waits until a condition is true, at most [`SCREEN_TIMEOUT`]. Returns whether it became true.
    async fn wait_until(&self, mut is_done: impl FnMut() -> Result<bool, HarnessError>) -> Result<bool, HarnessError> {
        let deadline = Instant::now() + SCREEN_TIMEOUT;
        while !is_done()? {
            if Instant::now() > deadline {
                return Ok(false);
            }
            tokio::task::yield_now().await;
        }
        Ok(true)
    }

    fn screenshot_path(&self, name: &str) -> PathBuf {
        self.kiosk.desktop.log_folder().join(format!("{name}.png"))
    }
}
