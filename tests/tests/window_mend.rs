//! The page dies or freezes in the real window, in each state of a visit: the same screen is back, and the visit goes
//! on. Kiosk mode under a window manager. Run by `cargo xtask test`.
//!
//! No driver outlives a page that dies, so the keys are real ones and the screen is looked at: the same words are in
//! the same places again.
#![cfg(target_os = "linux")]

mod places;

use copresence_sandbox::{ForcedState, Scenario};
use places::{kiosk, logs};
use product_tests::window::processes::{freeze, kill, runs};
use product_tests::window::{Bare, Part, Plan, Trouble, decode_qr, likeness, photograph};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(5);
/// Longer than a visitor who was found is greeted.
const GREETING: Duration = Duration::from_secs(5);
/// Where the words are on a screen of this size; above and right of them the light moves.
const WORDS: Part = Part { x: 60, y: 100, width: 520, height: 560 };
/// Times of a booth in which the backend fails for a while.
const PATIENT: Plan<'_> = Plan {
    args: &["--kiosk"],
    credentials: true,
    keychain: true,
    profile: "patience = \"2m\"
timeout = \"10m\"",
    // Pictures of the same screen are alike then.
    motion: false,
    managed: true,
    monitors: &[],
};

/// From the first screen to one on which a phone is awaited, and on: the fifth death within a minute is one too many.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn a_page_that_dies_comes_back_where_it_was_and_one_that_dies_too_often_rests() -> Result<(), Trouble> {
    let booth = Bare::open(&kiosk(), &logs("mend-early"), PATIENT).await?;
    let mut life = Life { booth, deaths: 0 };
    life.dies_on("attract").await?;
    life.booth.break_with(r#"[{"on":"generate","do":{"status":{"code":503}}}]"#)?;
    life.booth.press("Return")?;
    life.leaves("attract").await?;
    life.dies_on("preparing").await?;
    life.booth.mend();
    let code = life.code().await?;
    life.dies_on("invite").await?;
    assert_eq!(life.code().await?, code, "the same code is back");
    assert_eq!(life.booth.tokens(), 1, "no page that came back began another visit");
    life.booth.pause(true)?;
    life.booth.scan(Scenario::LongQueue)?;
    life.leaves("invite").await?;
    life.greeted().await?;
    life.dies_on("making").await?;

    life.booth.force(ForcedState::Fail)?;
    life.leaves("making").await?;
    let failed = life.at_rest("failed").await?;
    // Five within a minute; those before count as long as they are that young.
    while life.booth.said("as it does again and again")? == 0 {
        // Not while it is being born: the library itself gives up then.
        life.booth.hear("the page lives", life.deaths + 1).await?;
        kill(life.booth.page()?)?;
        life.deaths += 1;
        life.booth.hear("the page's process ended", life.deaths).await?;
        assert!(life.deaths < 12, "it is loaded anew without a rest");
    }
    life.looks_other_than(&failed).await?;
    life.booth.hear("the page lives", life.deaths + 1).await?;
    life.looks_like(&failed).await?;
    assert_eq!(life.booth.stop().await?, Some(0));
    Ok(())
}

/// From a download to the end; then the page stands still, and is ended for it.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn a_page_that_dies_late_or_freezes_comes_back_where_it_was() -> Result<(), Trouble> {
    let booth = Bare::open(&kiosk(), &logs("mend-late"), PATIENT).await?;
    let mut life = Life { booth, deaths: 0 };
    life.booth
        .break_with(r#"[{"on":"file","file":"avatar.glb","do":{"slow_body":{"bytes_per_second":80000}}}]"#)?;
    life.at_rest("attract").await?;
    life.booth.press("Return")?;
    life.code().await?;
    life.booth.scan(Scenario::ExistingAvatar)?;
    life.leaves("invite").await?;
    life.dies_on("saving").await?;
    life.booth.mend();
    life.leaves("saving").await?;
    // The face waits for somebody who asks for it, before the page dies and after.
    life.dies_on("reveal").await?;
    // Nothing of anybody is shown, so leaving it is not asked.
    life.booth.press("Escape")?;
    life.leaves("reveal").await?;
    // Another visitor, whose code ran out.
    life.at_rest("attract").await?;
    life.booth.press("Return")?;
    life.code().await?;
    life.booth.force(ForcedState::Expire)?;
    life.leaves("invite").await?;
    let ended = life.at_rest("ended").await?;
    let page = life.booth.page()?;
    freeze(page)?;
    life.booth.hear("the page does not answer", 1).await?;
    life.booth.hear("the page lives", life.deaths + 2).await?;
    assert!(!runs(page), "the frozen process is gone");
    life.looks_like(&ended).await?;
    assert_eq!(life.booth.stop().await?, Some(0));
    Ok(())
}

struct Life {
    booth: Bare,
    deaths: usize,
}

impl Life {
    /// The page dies on this screen, and the same screen is back.
    async fn dies_on(&mut self, name: &str) -> Result<(), Trouble> {
        let before = self.at_rest(name).await?;
        let page = self.booth.page()?;
        kill(page)?;
        self.deaths += 1;
        self.booth.hear("the page lives", self.deaths + 1).await?;
        assert!(!runs(page) && self.booth.page()? != page, "{name}: another process draws it");
        self.looks_like(&before).await
    }

    /// A photograph of the screen, once its words stand still.
    async fn at_rest(&self, name: &str) -> Result<PathBuf, Trouble> {
        let (file, again) = (self.file(name), self.file("again"));
        photograph(&self.booth.desk, &self.booth.screen, &file)?;
        let mut still = 0;
        self.until(|| {
            photograph(&self.booth.desk, &self.booth.screen, &again)?;
            still = if likeness(&file, &again, WORDS)? > 0.9 { still + 1 } else { 0 };
            std::fs::copy(&again, &file)?;
            Ok(still == 2)
        })
        .await?
        .then_some(file)
        .ok_or_else(|| format!("{name} does not come to rest").into())
    }

    /// Waits until whoever was found has been greeted: those words go by themselves, and no page says them twice.
    async fn greeted(&self) -> Result<(), Trouble> {
        let (file, again) = (self.file("found"), self.file("again"));
        photograph(&self.booth.desk, &self.booth.screen, &file)?;
        let mut since = Instant::now();
        let past = self.until(|| {
            photograph(&self.booth.desk, &self.booth.screen, &again)?;
            if likeness(&file, &again, WORDS)? < 0.9 {
                since = Instant::now();
                std::fs::copy(&again, &file)?;
            }
            Ok(since.elapsed() > GREETING)
        });
        if past.await? { Ok(()) } else { Err("the greeting stays".into()) }
    }

    async fn looks_like(&self, before: &Path) -> Result<(), Trouble> {
        let now = self.file("now");
        let like = self.until(|| {
            photograph(&self.booth.desk, &self.booth.screen, &now)?;
            Ok(likeness(before, &now, WORDS)? > 0.8)
        });
        if like.await? { Ok(()) } else { Err(format!("{} does not come back", before.display()).into()) }
    }

    async fn looks_other_than(&self, before: &Path) -> Result<(), Trouble> {
        let now = self.file("other");
        let other = self.until(|| {
            photograph(&self.booth.desk, &self.booth.screen, &now)?;
            Ok(likeness(before, &now, WORDS)? < 0.3)
        });
        if other.await? { Ok(()) } else { Err(format!("{} stays", before.display()).into()) }
    }

    /// Waits until a screen that was photographed before is left.
    async fn leaves(&self, name: &str) -> Result<(), Trouble> {
        self.looks_other_than(&self.file(name)).await
    }

    /// What the code on the screen says, once there is one.
    async fn code(&self) -> Result<String, Trouble> {
        let picture = self.file("invite");
        let mut code = None;
        self.until(|| {
            photograph(&self.booth.desk, &self.booth.screen, &picture)?;
            code = decode_qr(&self.booth.desk, &picture)?.pop();
            Ok(code.is_some())
        })
        .await?;
        code.ok_or_else(|| "no code was seen".into())
    }

    /// Looks again until something is so, or patience ends: whether it was.
    async fn until(&self, mut so: impl FnMut() -> Result<bool, Trouble>) -> Result<bool, Trouble> {
        let deadline = Instant::now() + PATIENCE;
        while !so()? {
            if Instant::now() > deadline {
                return Ok(false);
            }
            tokio::task::yield_now().await;
        }
        Ok(true)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.booth.desk.logs().join(format!("{name}.png"))
    }
}
