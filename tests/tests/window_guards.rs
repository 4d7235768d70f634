//! What strangers' fingers, and a page that were not ours, could try on the real window: each is without effect. Run by
//! `cargo xtask test`.
//!
//! Keys and pointer are the machine's own. What was tried in vain is told whole at the end, so that one hole hides no
//! other.
#![cfg(target_os = "linux")]

mod places;

use places::{kiosk, logs};
use product_tests::window::{Bare, Booth, Part, Plan, SOON, Trouble, decode_qr, likeness, photograph};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Where a stranger would press: on the words, and on what is put into the page to tempt it.
const WORDS: (u32, u32) = (240, 180);
const BAIT: (u32, u32) = (700, 60);
/// What is photographed: the steps beside the code, and the operator's detail below them.
const STEPS: Part = Part { x: 60, y: 200, width: 520, height: 360 };
const DETAIL: Part = Part { x: 60, y: 635, width: 520, height: 60 };
/// How long a refusal may take: as long as anything else in a window, for a busy page answers late.
const REFUSAL: Duration = SOON;

/// Keys by which browsers zoom, reload, print, find, open, save, look behind the page, and go back.
const KEYS: &[&str] = &[
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
async fn what_strangers_try_is_without_effect() -> Result<(), Trouble> {
    let plan = Plan { args: &["--kiosk"], managed: true, ..Plan::default() };
    let booth = Booth::open(&kiosk(), &logs("guards"), plan).await?;
    booth.see_screen("attract").await?;
    booth.app.press("[data-testid=start]", SOON).await?;
    booth.see_screen("invite").await?;
    let mut stranger = Stranger::comes(booth).await?;
    stranger.presses_keys().await?;
    stranger.uses_the_pointer().await?;
    stranger.tempts_the_page().await?;
    stranger.asks_for_permissions().await?;
    stranger.leaves().await
}

/// Where nobody drives the page: a driven one shows no menu and no tools in any case. Seen from outside alone.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "opens the built app in a window: `cargo xtask test` builds it and runs this"]
async fn neither_menu_nor_tools_nor_zoom_appear() -> Result<(), Trouble> {
    let plan = Plan { args: &["--kiosk"], motion: false, ..Plan::default() };
    let booth = Bare::open(&kiosk(), &logs("guards-bare"), plan).await?;
    booth.press("Return")?;
    let code = |now: &Path| Ok(!decode_qr(&booth.desk, now)?.is_empty());
    let at_rest = still(&booth, "rest", code).await?;
    booth.press("F9")?;
    // A picture is like itself where it shows anything bright.
    let shown = still(&booth, "detail", |now| Ok(likeness(now, now, DETAIL)? > 0.0)).await?;
    let windows = booth.screen.windows(&booth.desk)?;
    let (x, y) = (WORDS.0.to_string(), WORDS.1.to_string());
    let at = ["mousemove", &x, &y];
    let ways: &[(&str, &[&str])] = &[
        ("the other button", &["click", "3"]),
        ("the menu's key", &["key", "Menu"]),
        ("tools", &["key", "ctrl+shift+i", "key", "F12", "key", "ctrl+shift+c"]),
        ("zoom by keys", &["key", "ctrl+plus", "key", "ctrl+equal", "key", "ctrl+KP_Add"]),
        ("zoom by the wheel", &["keydown", "ctrl", "click", "4", "click", "4", "keyup", "ctrl"]),
        ("printing", &["key", "ctrl+p"]),
    ];
    for (name, way) in ways {
        booth.screen.hand(&booth.desk, &[&at, *way].concat())?;
        // Keys keep their order: when this one hides something and shows it, all before has been dealt with.
        for there in [false, true] {
            booth.press("F9")?;
            let as_wanted = |now: &Path| {
                let detail = likeness(now, &shown, DETAIL)? > 0.7;
                Ok(detail == there && likeness(now, &at_rest, STEPS)? > 0.9)
            };
            still(&booth, "now", as_wanted).await.map_err(|error| format!("{name}: {error}"))?;
        }
        assert_eq!(booth.screen.windows(&booth.desk)?, windows, "{name}");
    }
    assert_eq!(booth.said("the page lives")?, 1, "no page was loaded anew");
    assert_eq!(booth.stop().await?, Some(0));
    Ok(())
}

/// A photograph of the screen, once that stands still and is as wanted.
async fn still(
    booth: &Bare,
    name: &str,
    wanted: impl Fn(&Path) -> Result<bool, Trouble>,
) -> Result<PathBuf, Trouble> {
    let file = |name: &str| booth.desk.logs().join(format!("{name}.png"));
    let (file, before) = (file(name), file("before"));
    let deadline = Instant::now() + SOON;
    photograph(&booth.desk, &booth.screen, &before)?;
    loop {
        photograph(&booth.desk, &booth.screen, &file)?;
        if likeness(&file, &before, Part::WHOLE)? > 0.99 && wanted(&file)? {
            return Ok(file);
        }
        std::fs::copy(&file, &before)?;
        if Instant::now() > deadline {
            return Err(format!("{} is not as it should be", file.display()).into());
        }
        tokio::task::yield_now().await;
    }
}

struct Stranger {
    booth: Booth,
    /// How page and screen were before.
    before: (Value, BTreeSet<String>),
    elsewhere: Elsewhere,
    holes: Vec<String>,
}

impl Stranger {
    async fn comes(booth: Booth) -> Result<Self, Trouble> {
        // A page to go back from, and a mark that no other page has.
        let script = "history.pushState({}, '', '#here'); window.__mark = crypto.randomUUID();";
        booth.app.page().execute(script, vec![]).await?;
        booth.app.come_to_rest().await?;
        let mut stranger = Self {
            booth,
            before: (Value::Null, BTreeSet::new()),
            elsewhere: Elsewhere::open()?,
            holes: Vec::new(),
        };
        stranger.before = stranger.now().await?;
        Ok(stranger)
    }

    async fn presses_keys(&mut self) -> Result<(), Trouble> {
        for keys in KEYS {
            self.booth.screen.press(&self.booth.desk, keys)?;
            self.settled(keys).await?;
            self.look(keys).await?;
        }
        Ok(())
    }

    async fn uses_the_pointer(&mut self) -> Result<(), Trouble> {
        let (x, y) = (WORDS.0.to_string(), WORDS.1.to_string());
        let at = ["mousemove", &x, &y];
        let ways: &[(&str, &[&str])] = &[
            ("the other button", &["click", "3"]),
            ("dragging over words", &["mousedown", "1", "mousemove_relative", "200", "60", "mouseup", "1"]),
            ("pressing words three times", &["click", "--repeat", "3", "--delay", "60", "1"]),
            ("Ctrl and the wheel", &["keydown", "ctrl", "click", "4", "click", "4", "keyup", "ctrl"]),
            ("the button for back", &["click", "8"]),
            ("the button for forward", &["click", "9"]),
            ("the wheel sideways", &["click", "6", "click", "6", "click", "6"]),
        ];
        for (name, way) in ways {
            self.booth.screen.hand(&self.booth.desk, &[&at, *way].concat())?;
            self.settled(name).await?;
            self.look(name).await?;
        }
        Ok(())
    }

    /// Puts something into the page that leads out of it, and presses it: a page that were not ours any more.
    async fn tempts_the_page(&mut self) -> Result<(), Trouble> {
        let url = self.elsewhere.url.clone();
        let ways = [
            ("a link", true, format!("bait.href = '{url}'")),
            ("a link for a new window", true, format!("bait.href = '{url}'; bait.target = '_blank'")),
            (
                "a window by script",
                true,
                format!("bait.onclick = () => window.open('{url}', '', 'width=300')"),
            ),
            ("going away by script", true, format!("bait.onclick = () => location.assign('{url}')")),
            (
                "a page made up",
                true,
                "bait.onclick = () => { location.href = 'data:text/html,hello' }".to_owned(),
            ),
            (
                "a download",
                true,
                "bait.href = URL.createObjectURL(new Blob(['x'])); bait.download = 'stolen.txt'".to_owned(),
            ),
            (
                "a download from elsewhere",
                true,
                format!("bait.href = '{url}file'; bait.download = 'stolen.txt'"),
            ),
            // The engine itself does not ask for these.
            ("an empty window by script", false, "bait.onclick = () => window.open()".to_owned()),
            (
                "a file of this machine",
                false,
                "bait.onclick = () => { location.href = 'file:///etc/hostname' }".to_owned(),
            ),
        ];
        for (name, asks, way) in ways {
            let lay = format!(
                "document.getElementById('bait')?.remove();
                const bait = document.body.appendChild(document.createElement('a'));
                bait.id = 'bait'; bait.textContent = 'bait';
                bait.style.cssText = 'position:fixed;left:600px;top:20px;width:200px;height:80px;z-index:99999';
                {way};"
            );
            let before = self.booth.said("refused: the page wanted")?;
            self.booth.app.page().execute(lay, vec![]).await?;
            self.booth.app.come_to_rest().await?;
            self.booth.screen.click(&self.booth.desk, BAIT, 1)?;
            let deadline = Instant::now() + REFUSAL;
            while asks && self.booth.said("refused: the page wanted")? == before {
                if Instant::now() > deadline {
                    self.holes.push(format!("{name}: nothing was refused"));
                    break;
                }
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
            self.settled(name).await?;
            self.look(name).await?;
        }
        // What is dragged out of the page is dragged nowhere.
        let watch = "window.__dragged = 0;
            const bait = document.getElementById('bait'); bait.draggable = true; bait.href = 'https://a.test/';
            addEventListener('dragend', () => { window.__dragged += 1; }, true);";
        self.booth.app.page().execute(watch, vec![]).await?;
        let (x, y) = (BAIT.0.to_string(), BAIT.1.to_string());
        let drag = ["mousemove", &x, &y, "mousedown", "1", "mousemove_relative", "--sync", "60", "120"];
        let drop = ["mousemove_relative", "--sync", "60", "120", "mouseup", "1"];
        self.booth.screen.hand(&self.booth.desk, &[&drag[..], &drop[..]].concat())?;
        self.settled("dragging").await?;
        let dragged: u32 =
            self.booth.app.page().execute("return window.__dragged", vec![]).await?.convert()?;
        if dragged > 0 {
            self.holes.push("a link was dragged out of the page".to_owned());
        }
        self.booth.app.page().execute("document.getElementById('bait')?.remove()", vec![]).await?;
        self.look("dragging").await
    }

    async fn asks_for_permissions(&mut self) -> Result<(), Trouble> {
        let script = "const done = arguments[arguments.length - 1];
            const media = wants => navigator.mediaDevices?.getUserMedia
                ? navigator.mediaDevices.getUserMedia(wants).then(() => 'granted', error => error.name) : 'absent';
            const asked = {
                position: new Promise(told => navigator.geolocation ? navigator.geolocation.getCurrentPosition(
                    () => told('granted'), ({ code }) => told(code === 1 ? 'refused' : `error ${code}`)) : told('absent')),
                camera: media({ video: true }),
                microphone: media({ audio: true }),
                notifications: 'Notification' in window ? Notification.requestPermission() : 'absent',
                clipboard: navigator.clipboard?.readText?.().then(() => 'granted', error => error.name) ?? 'absent',
            };
            Promise.all(Object.entries(asked).map(async ([name, answer]) => [name, await answer]))
                .then(told => done(Object.fromEntries(told)));";
        let told: Value = self.booth.app.page().execute_async(script, vec![]).await?.convert()?;
        for (what, answer) in told.as_object().ok_or("no answers")? {
            let refused = ["refused", "denied", "NotAllowedError", "absent"];
            if !refused.contains(&answer.as_str().unwrap_or_default()) {
                self.holes.push(format!("{what}: {answer}"));
            }
        }
        self.look("permissions").await
    }

    /// Nothing appeared late, nothing was saved, nobody was asked; and eyes that see nothing would not see this either:
    /// a page that is loaded anew has another mark.
    async fn leaves(mut self) -> Result<(), Trouble> {
        self.look("at the end").await?;
        self.holes.extend(stolen(self.booth.desk.home())?);
        let asked = self.elsewhere.asked.load(Ordering::Relaxed);
        if asked > 0 {
            self.holes.push(format!("{asked} requests were made elsewhere"));
        }
        assert_eq!(self.holes, Vec::<String>::new(), "holes");
        self.booth.app.page().refresh().await?;
        self.booth.see_screen("invite").await?;
        assert_ne!(self.now().await?.0, self.before.0);
        self.booth.close().await
    }

    /// Waits until everything pressed before has been dealt with: keys keep their order, and this one shows something
    /// and hides it.
    async fn settled(&mut self, tried: &str) -> Result<(), Trouble> {
        for there in [true, false] {
            self.booth.screen.press(&self.booth.desk, "F9")?;
            let deadline = Instant::now() + REFUSAL;
            let script = "return document.querySelector('[data-testid=operator-detail]') !== null";
            while self.booth.app.page().execute(script, vec![]).await?.convert::<bool>()? != there {
                if Instant::now() > deadline {
                    self.holes.push(format!("{tried}: the keyboard is lost"));
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        }
        Ok(())
    }

    /// Notes what is other than before.
    async fn look(&mut self, tried: &str) -> Result<(), Trouble> {
        let now = self.now().await?;
        let (page, screen) = (&now.0, &now.1);
        if *page != self.before.0 {
            self.holes.push(format!("{tried}: the page was {}, and is {page}", self.before.0));
        }
        if *screen != self.before.1 {
            self.holes.push(format!("{tried}: another window: {screen:?}"));
        }
        if now != self.before {
            self.booth.screen.press(&self.booth.desk, "Escape")?;
        }
        self.before = now;
        Ok(())
    }

    /// The page's mark, address, size and selection; the windows on the screen.
    async fn now(&self) -> Result<(Value, BTreeSet<String>), Trouble> {
        let script = "return {
            mark: window.__mark ?? null, at: location.href, ratio: devicePixelRatio,
            size: [innerWidth, innerHeight, visualViewport.width, visualViewport.scale],
            selected: getSelection().toString() };";
        let page = self.booth.app.page().execute(script, vec![]).await?.convert()?;
        Ok((page, self.booth.screen.windows(&self.booth.desk)?))
    }
}

/// Files that a download would have left.
fn stolen(folder: &Path) -> Result<Vec<String>, Trouble> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.contains("stolen") {
            found.push(format!("{} was saved", entry.path().display()));
        }
        if entry.file_type()?.is_dir() {
            found.extend(stolen(&entry.path())?);
        }
    }
    Ok(found)
}

/// A place that the page must not reach: it counts who comes.
struct Elsewhere {
    url: String,
    asked: Arc<AtomicUsize>,
}

impl Elsewhere {
    fn open() -> Result<Self, Trouble> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let (url, asked) = (format!("http://{}/", listener.local_addr()?), Arc::new(AtomicUsize::new(0)));
        let counted = asked.clone();
        // Ends with the test's process.
        std::thread::spawn(move || {
            for mut visitor in listener.incoming().flatten() {
                // A connection alone asks for nothing: engines make one as soon as a link is pressed.
                let mut heard = [0; 4096];
                if visitor.read(&mut heard).is_ok_and(|bytes| bytes > 0) {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                let body = "<!doctype html><title>Elsewhere</title><h1>Elsewhere</h1>";
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                drop(visitor.write_all(answer.as_bytes()));
            }
        });
        Ok(Self { url, asked })
    }
}
