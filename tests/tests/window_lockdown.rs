//! Attempts of visitors, or of a compromised page, to escape from the real window: none has an effect. Run by
//! `cargo xtask test`.
//!
//! Keys and pointer events go through the X server. All successful attempts are reported together at the end.
#![cfg(target_os = "linux")]

mod paths;

use paths::{kiosk_path, log_folder};
use product_tests::window::{
    DrivenKiosk, HarnessError, KioskSetup, PixelRect, RENDER_TIMEOUT, UndrivenKiosk, bright_share, decode_qr_codes,
    take_screenshot, text_similarity,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Positions of clicks: on text, and on a link that the test adds to the page.
const TEXT_POSITION: (u32, u32) = (240, 180);
const BAIT_POSITION: (u32, u32) = (700, 60);
/// Areas of screenshots: the steps beside the QR code, and the operator's detail, which covers the code.
const STEPS_AREA: PixelRect = PixelRect { x: 60, y: 200, width: 520, height: 360 };
const DETAIL_AREA: PixelRect = PixelRect { x: 820, y: 80, width: 430, height: 240 };
/// Title of the window with the sandbox's phone page.
const PHONE_TITLE: &str = "Phone (sandbox)";
/// Time limit of a refusal, which is late on a busy machine.
const REFUSAL_TIMEOUT: Duration = RENDER_TIMEOUT;

/// Keys by which browsers zoom, reload, print, find, open, save, inspect the page, and go back.
const BROWSER_KEYS: &[&str] = &[
    "ctrl+plus",
    "ctrl+equal",
    "ctrl+minus",
    "ctrl+KP_Add",
    "F5",
    "ctrl+r",
    "ctrl+shift+r",
    "ctrl+p",
    "ctrl+f",
    "F3",
    "ctrl+o",
    "ctrl+s",
    "ctrl+u",
    "ctrl+n",
    "ctrl+t",
    "ctrl+w",
    "F7",
    "F11",
    "F12",
    "ctrl+shift+i",
    "ctrl+shift+c",
    "ctrl+shift+j",
    "alt+Left",
    "alt+Right",
    "alt+Home",
    "BackSpace",
    "Menu",
    "XF86Back",
    "XF86Reload",
];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn attempts_to_escape_have_no_effect() -> Result<(), HarnessError> {
    let setup = KioskSetup { args: &["--kiosk"], has_window_manager: true, ..KioskSetup::default() };
    let kiosk = DrivenKiosk::open(&kiosk_path(), &log_folder("lockdown"), setup).await?;
    kiosk.await_screen("attract").await?;
    kiosk.app.click_element("[data-testid=start]", RENDER_TIMEOUT).await?;
    kiosk.await_screen("invite").await?;
    let mut attempts = EscapeAttempts::start(kiosk).await?;
    attempts.press_keys().await?;
    attempts.use_pointer().await?;
    attempts.lead_page_astray().await?;
    attempts.request_permissions().await?;
    attempts.finish().await
}

/// The window of the played phone has no title bar, no menu, and no way to the files of this machine.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn the_played_phone_is_no_way_out() -> Result<(), HarnessError> {
    let setup = KioskSetup { args: &["--kiosk"], profile: None, has_window_manager: true, ..KioskSetup::default() };
    let kiosk = DrivenKiosk::open(&kiosk_path(), &log_folder("lockdown-phone"), setup).await?;
    kiosk.await_screen("attract").await?;
    kiosk.app.click_element("[data-testid=start]", RENDER_TIMEOUT).await?;
    kiosk.await_screen("invite").await?;
    // Only the staff can open the phone page: its button is in the operator's detail.
    kiosk.screen.press_keys(&kiosk.desktop, "F9")?;
    kiosk.app.click_element("[data-testid=open-phone]", RENDER_TIMEOUT).await?;
    kiosk.app.click_element("[data-testid=operator-detail-close]", RENDER_TIMEOUT).await?;
    kiosk.screen.await_window(&kiosk.desktop, PHONE_TITLE, |phone| !phone.is_decorated).await?;
    kiosk.wait_until("the phone page shows its first screen", || is_phone_page_ready(&kiosk)).await?;
    let phone = kiosk.screen.window_state(&kiosk.desktop, PHONE_TITLE)?.area;
    let bottom = phone.y + phone.height;
    assert!(bottom <= kiosk.screen.height(), "the phone ends at {bottom}, below the screen");
    let middle = (phone.x + phone.width / 2, phone.y + phone.height / 2);
    let windows = kiosk.screen.visible_windows(&kiosk.desktop)?;
    kiosk.screen.click_at(&kiosk.desktop, middle, 3)?;
    for keys in ["Menu", "ctrl+o", "ctrl+s", "ctrl+p", "ctrl+shift+i", "ctrl+n"] {
        kiosk.screen.press_keys(&kiosk.desktop, keys)?;
    }
    // The first button. With a camera it would open a chooser of files.
    kiosk.screen.press_keys(&kiosk.desktop, "Tab")?;
    kiosk.screen.press_keys(&kiosk.desktop, "Return")?;
    kiosk.await_reveal().await?;
    let opened = kiosk.screen.visible_windows(&kiosk.desktop)?;
    assert!(opened.is_subset(&windows), "another window: {opened:?}, before: {windows:?}");
    kiosk.close().await
}

/// Whether the phone page shows its first screen. Its script does that last, so keys before it would be lost, or would
/// reach the links to other languages. Between the header and these links there is no other text.
fn is_phone_page_ready(kiosk: &DrivenKiosk) -> Result<bool, HarnessError> {
    let PixelRect { x, y, width, height } = kiosk.screen.window_state(&kiosk.desktop, PHONE_TITLE)?.area;
    let content = PixelRect { x, y: y + height / 4, width, height: height / 2 };
    let picture = kiosk.desktop.log_folder().join("phone.png");
    take_screenshot(&kiosk.desktop, &kiosk.screen, &picture)?;
    // The page covers the QR code, and is dark with bright text. An empty window is all bright or all dark.
    let is_code_covered = decode_qr_codes(&kiosk.desktop, &picture)?.is_empty();
    Ok(is_code_covered && (0.001..0.5).contains(&bright_share(&picture, content)?))
}

/// Without a driver, because a driven page never shows a menu or tools. Observed by screenshots.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn no_menu_no_tools_and_no_zoom_appear() -> Result<(), HarnessError> {
    let setup = KioskSetup { args: &["--kiosk"], has_animations: false, ..KioskSetup::default() };
    let kiosk = UndrivenKiosk::open(&kiosk_path(), &log_folder("lockdown-bare"), setup).await?;
    kiosk.press_keys("Return")?;
    let code = |now: &Path| Ok(!decode_qr_codes(&kiosk.desktop, now)?.is_empty());
    let initial = stable_screenshot(&kiosk, "rest", code).await?;
    kiosk.press_keys("F9")?;
    let is_code_covered = |now: &Path| Ok(text_similarity(now, &initial, DETAIL_AREA)? < 0.7);
    let shown = stable_screenshot(&kiosk, "detail", is_code_covered).await?;
    let windows = kiosk.screen.visible_windows(&kiosk.desktop)?;
    let (x, y) = (TEXT_POSITION.0.to_string(), TEXT_POSITION.1.to_string());
    let at = ["mousemove", &x, &y];
    let attempts_by_name: &[(&str, &[&str])] = &[
        ("the other button", &["click", "3"]),
        ("the menu's key", &["key", "Menu"]),
        ("tools", &["key", "ctrl+shift+i", "key", "F12", "key", "ctrl+shift+c"]),
        ("another desktop", &["key", "ctrl+alt+Right", "key", "ctrl+alt+Down"]),
        ("zoom by keys", &["key", "ctrl+plus", "key", "ctrl+equal", "key", "ctrl+KP_Add"]),
        ("zoom by the wheel", &["keydown", "ctrl", "click", "4", "click", "4", "keyup", "ctrl"]),
        ("printing", &["key", "ctrl+p"]),
    ];
    for (name, attempt) in attempts_by_name {
        kiosk.screen.run_xdotool(&kiosk.desktop, &[&at, *attempt].concat())?;
        // Keys are processed in order: once F9 has hidden and shown the detail, all earlier keys are processed.
        for is_shown in [false, true] {
            kiosk.press_keys("F9")?;
            let is_unchanged = |now: &Path| {
                let detail = text_similarity(now, &shown, DETAIL_AREA)? > 0.7;
                Ok(detail == is_shown && text_similarity(now, &initial, STEPS_AREA)? > 0.9)
            };
            stable_screenshot(&kiosk, "now", is_unchanged).await.map_err(|error| format!("{name}: {error}"))?;
        }
        assert_eq!(kiosk.screen.visible_windows(&kiosk.desktop)?, windows, "{name}");
    }
    assert_eq!(kiosk.log_count("the page lives")?, 1, "the page was not reloaded");
    assert_eq!(kiosk.terminate().await?, Some(0));
    Ok(())
}

/// Takes a screenshot once the screen is stable and `is_wanted` returns true.
async fn stable_screenshot(
    kiosk: &UndrivenKiosk,
    name: &str,
    is_wanted: impl Fn(&Path) -> Result<bool, HarnessError>,
) -> Result<PathBuf, HarnessError> {
    let file = |name: &str| kiosk.desktop.log_folder().join(format!("{name}.png"));
    let (file, before) = (file(name), file("before"));
    let deadline = Instant::now() + RENDER_TIMEOUT;
    take_screenshot(&kiosk.desktop, &kiosk.screen, &before)?;
    loop {
        take_screenshot(&kiosk.desktop, &kiosk.screen, &file)?;
        if text_similarity(&file, &before, PixelRect::WHOLE)? > 0.99 && is_wanted(&file)? {
            return Ok(file);
        }
        std::fs::copy(&file, &before)?;
        if Instant::now() > deadline {
            return Err(format!("{} does not reach the wanted state", file.display()).into());
        }
        tokio::task::yield_now().await;
    }
}

struct EscapeAttempts {
    kiosk: DrivenKiosk,
    /// State of the page, and the visible windows, before the current attempt.
    before: (Value, BTreeSet<String>),
    forbidden_server: ForbiddenServer,
    escapes: Vec<String>,
}

impl EscapeAttempts {
    async fn start(kiosk: DrivenKiosk) -> Result<Self, HarnessError> {
        // A history entry to go back from, and a mark that only this page has.
        let script = "history.pushState({}, '', '#here'); window.__mark = crypto.randomUUID();";
        kiosk.app.page().execute(script, vec![]).await?;
        kiosk.app.await_animations().await?;
        let mut attempts = Self {
            kiosk,
            before: (Value::Null, BTreeSet::new()),
            forbidden_server: ForbiddenServer::open()?,
            escapes: Vec::new(),
        };
        attempts.before = attempts.current_state().await?;
        Ok(attempts)
    }

    async fn press_keys(&mut self) -> Result<(), HarnessError> {
        for keys in BROWSER_KEYS {
            self.kiosk.screen.press_keys(&self.kiosk.desktop, keys)?;
            self.await_input(keys).await?;
            self.record_changes(keys).await?;
        }
        Ok(())
    }

    async fn use_pointer(&mut self) -> Result<(), HarnessError> {
        let (x, y) = (TEXT_POSITION.0.to_string(), TEXT_POSITION.1.to_string());
        let at = ["mousemove", &x, &y];
        let attempts_by_name: &[(&str, &[&str])] = &[
            ("the other button", &["click", "3"]),
            ("dragging over words", &["mousedown", "1", "mousemove_relative", "200", "60", "mouseup", "1"]),
            ("pressing words three times", &["click", "--repeat", "3", "--delay", "60", "1"]),
            ("Ctrl and the wheel", &["keydown", "ctrl", "click", "4", "click", "4", "keyup", "ctrl"]),
            ("the button for back", &["click", "8"]),
            ("the button for forward", &["click", "9"]),
            ("the wheel sideways", &["click", "6", "click", "6", "click", "6"]),
        ];
        for (name, attempt) in attempts_by_name {
            self.kiosk.screen.run_xdotool(&self.kiosk.desktop, &[&at, *attempt].concat())?;
            self.await_input(name).await?;
            self.record_changes(name).await?;
        }
        Ok(())
    }

    /// Adds links that lead out of the page and clicks them, as a compromised page could.
    async fn lead_page_astray(&mut self) -> Result<(), HarnessError> {
        let url = self.forbidden_server.url.clone();
        let attempts_by_name = [
            ("a link", true, format!("bait.href = '{url}'")),
            ("a link for a new window", true, format!("bait.href = '{url}'; bait.target = '_blank'")),
            ("a window by script", true, format!("bait.onclick = () => window.open('{url}', '', 'width=300')")),
            ("going away by script", true, format!("bait.onclick = () => location.assign('{url}')")),
            ("a page made up", true, "bait.onclick = () => { location.href = 'data:text/html,hello' }".to_owned()),
            (
                "a download",
                true,
                "bait.href = URL.createObjectURL(new Blob(['x'])); bait.download = 'stolen.txt'".to_owned(),
            ),
            ("a download from elsewhere", true, format!("bait.href = '{url}file'; bait.download = 'stolen.txt'")),
            (
                "a chooser of files",
                false,
                "const files = document.createElement('input'); files.type = 'file'; bait.onclick = () => files.click()"
                    .to_owned(),
            ),
            // The engine blocks these without asking the app.
            ("an empty window by script", false, "bait.onclick = () => window.open()".to_owned()),
            (
                "a file of this machine",
                false,
                "bait.onclick = () => { location.href = 'file:///etc/hostname' }".to_owned(),
            ),
        ];
        for (name, is_refused, attempt) in attempts_by_name {
            let script = format!(
                "document.getElementById('bait')?.remove();
                const bait = document.body.appendChild(document.createElement('a'));
                bait.id = 'bait'; bait.textContent = 'bait';
                bait.style.cssText = 'position:fixed;left:600px;top:20px;width:200px;height:80px;z-index:99999';
                {attempt};"
            );
            let before = self.kiosk.log_count("refused: the page wanted")?;
            self.kiosk.app.page().execute(script, vec![]).await?;
            self.kiosk.app.await_animations().await?;
            self.kiosk.screen.click_at(&self.kiosk.desktop, BAIT_POSITION, 1)?;
            let deadline = Instant::now() + REFUSAL_TIMEOUT;
            while is_refused && self.kiosk.log_count("refused: the page wanted")? == before {
                if Instant::now() > deadline {
                    self.escapes.push(format!("{name}: no refusal was logged"));
                    break;
                }
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
            self.await_input(name).await?;
            self.record_changes(name).await?;
        }
        // Dragging out of the page is disabled.
        let script = "window.__dragged = 0;
            const bait = document.getElementById('bait'); bait.draggable = true; bait.href = 'https://a.test/';
            addEventListener('dragend', () => { window.__dragged += 1; }, true);";
        self.kiosk.app.page().execute(script, vec![]).await?;
        let (x, y) = (BAIT_POSITION.0.to_string(), BAIT_POSITION.1.to_string());
        let drag = ["mousemove", &x, &y, "mousedown", "1", "mousemove_relative", "--sync", "60", "120"];
        let drop = ["mousemove_relative", "--sync", "60", "120", "mouseup", "1"];
        self.kiosk.screen.run_xdotool(&self.kiosk.desktop, &[&drag[..], &drop[..]].concat())?;
        self.await_input("dragging").await?;
        let dragged: u32 = self.kiosk.app.page().execute("return window.__dragged", vec![]).await?.convert()?;
        if dragged > 0 {
            self.escapes.push("a link was dragged out of the page".to_owned());
        }
        self.kiosk.app.page().execute("document.getElementById('bait')?.remove()", vec![]).await?;
        self.record_changes("dragging").await
    }

    async fn request_permissions(&mut self) -> Result<(), HarnessError> {
        let script = "const done = arguments[arguments.length - 1];
            const media = wants => navigator.mediaDevices?.getUserMedia
                ? navigator.mediaDevices.getUserMedia(wants).then(() => 'granted', error => error.name) : 'absent';
            const asked = {
                position: new Promise(resolve => navigator.geolocation ? navigator.geolocation.getCurrentPosition(
                    () => resolve('granted'), ({ code }) => resolve(code === 1 ? 'refused' : `error ${code}`)) : resolve('absent')),
                camera: media({ video: true }),
                microphone: media({ audio: true }),
                notifications: 'Notification' in window ? Notification.requestPermission() : 'absent',
                clipboard: navigator.clipboard?.readText?.().then(() => 'granted', error => error.name) ?? 'absent',
            };
            Promise.all(Object.entries(asked).map(async ([name, result]) => [name, await result]))
                .then(results => done(Object.fromEntries(results)));";
        let results: Value = self.kiosk.app.page().execute_async(script, vec![]).await?.convert()?;
        for (permission, result) in results.as_object().ok_or("no results")? {
            let refused = ["refused", "denied", "NotAllowedError", "absent"];
            if !refused.contains(&result.as_str().unwrap_or_default()) {
                self.escapes.push(format!("{permission}: {result}"));
            }
        }
        self.record_changes("permissions").await
    }

    /// Checks that nothing appeared late, no file was saved, and no request was sent. Finally reloads the page to
    /// verify that the test would notice another page.
    async fn finish(mut self) -> Result<(), HarnessError> {
        self.record_changes("at the end").await?;
        self.escapes.extend(downloaded_files(self.kiosk.desktop.home())?);
        let request_count = self.forbidden_server.request_count.load(Ordering::Relaxed);
        if request_count > 0 {
            self.escapes.push(format!("{request_count} requests reached the forbidden server"));
        }
        assert_eq!(self.escapes, Vec::<String>::new(), "successful attempts");
        self.kiosk.app.page().refresh().await?;
        self.kiosk.await_screen("invite").await?;
        assert_ne!(self.current_state().await?.0, self.before.0);
        self.kiosk.close().await
    }

    /// Waits until all earlier input is processed: keys are processed in order, and F9 shows and hides the operator's
    /// detail.
    async fn await_input(&mut self, attempt: &str) -> Result<(), HarnessError> {
        for is_shown in [true, false] {
            self.kiosk.screen.press_keys(&self.kiosk.desktop, "F9")?;
            let deadline = Instant::now() + REFUSAL_TIMEOUT;
            let script = "return document.querySelector('[data-testid=operator-detail]') !== null";
            while self.kiosk.app.page().execute(script, vec![]).await?.convert::<bool>()? != is_shown {
                if Instant::now() > deadline {
                    self.escapes.push(format!("{attempt}: the keyboard has no effect any more"));
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        }
        Ok(())
    }

    /// Records the differences from the state before the attempt.
    async fn record_changes(&mut self, attempt: &str) -> Result<(), HarnessError> {
        let now = self.current_state().await?;
        let (page, screen) = (&now.0, &now.1);
        if *page != self.before.0 {
            self.escapes.push(format!("{attempt}: the page changed from {} to {page}", self.before.0));
        }
        if *screen != self.before.1 {
            self.escapes.push(format!("{attempt}: another window: {screen:?}"));
        }
        if now != self.before {
            self.kiosk.screen.press_keys(&self.kiosk.desktop, "Escape")?;
        }
        self.before = now;
        Ok(())
    }

    /// The page's mark, address, size and selection, and the visible windows.
    async fn current_state(&self) -> Result<(Value, BTreeSet<String>), HarnessError> {
        let script = "return {
            mark: window.__mark ?? null, at: location.href, ratio: devicePixelRatio,
            size: [innerWidth, innerHeight, visualViewport.width, visualViewport.scale],
            selected: getSelection().toString() };";
        let page = self.kiosk.app.page().execute(script, vec![]).await?.convert()?;
        Ok((page, self.kiosk.screen.visible_windows(&self.kiosk.desktop)?))
    }
}

/// The files that a download would have saved.
fn downloaded_files(folder: &Path) -> Result<Vec<String>, HarnessError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.contains("stolen") {
            found.push(format!("{} was saved", entry.path().display()));
        }
        if entry.file_type()?.is_dir() {
            found.extend(downloaded_files(&entry.path())?);
        }
    }
    Ok(found)
}

/// A server that the page must not reach. It counts requests.
struct ForbiddenServer {
    url: String,
    request_count: Arc<AtomicUsize>,
}

impl ForbiddenServer {
    fn open() -> Result<Self, HarnessError> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let (url, request_count) = (format!("http://{}/", listener.local_addr()?), Arc::new(AtomicUsize::new(0)));
        let counted = request_count.clone();
        // The thread ends with the process of the test.
        std::thread::spawn(move || {
            for mut connection in listener.incoming().flatten() {
                // A connection without a request is allowed: engines connect as soon as the mouse button is pressed.
                let mut received = [0; 4096];
                if connection.read(&mut received).is_ok_and(|bytes| bytes > 0) {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                let body = "<!doctype html><title>Elsewhere</title><h1>Elsewhere</h1>";
                let response = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                drop(connection.write_all(response.as_bytes()));
            }
        });
        Ok(Self { url, request_count })
    }
}
