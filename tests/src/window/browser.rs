//! The hands: `WebDriver` on the app, and on a phone's browser.

use super::program::Program;
use super::{Desk, Part, Screen, Trouble};
use std::net::TcpStream;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use test_port::ReservedPort;
use thirtyfour::error::WebDriverErrorInner;
use thirtyfour::prelude::*;
use thirtyfour::{Capabilities, WebElement};

/// How often a page is asked again for what it does not show yet.
const ASK: Duration = Duration::from_millis(100);

/// A page under `WebDriver`.
#[derive(Debug)]
pub struct Browser {
    page: WebDriver,
}

/// The app in its window.
#[derive(Debug)]
pub struct App {
    browser: Browser,
    driver: Program,
}

/// A phone: a small screen of its own, with a browser of the same family as an iPhone's.
#[derive(Debug)]
pub struct Phone {
    browser: Browser,
    driver: Program,
    screen: Screen,
}

impl App {
    /// Starts the app `program` on `screen`, with these arguments and variables.
    pub async fn start(
        desk: &Desk,
        screen: &Screen,
        program: &Path,
        args: &[&str],
        env: &[(&str, &str)],
    ) -> Result<Self, Trouble> {
        if !program.is_file() {
            let what = format!("{} is not there: cargo build --package copresence-kiosk", program.display());
            return Err(what.into());
        }
        let (port, native) = (free_port()?, free_port()?);
        let name = std::env::var_os("TAURI_DRIVER").unwrap_or_else(|| "tauri-driver".into());
        let mut command = desk.command(name);
        command.args(["--port", &port.number().to_string(), "--native-port", &native.number().to_string()]);
        // The app is started by the driver's driver, and takes all of this from there.
        command.env("DISPLAY", screen.display()).envs(env.iter().copied());
        // The driver's driver listens before the driver does that it starts, and then refuses the first request.
        let driver = listening("app", &mut command, desk, &[&port, &native])?;
        let mut wanted = Capabilities::new();
        wanted.set("browserName", "wry")?;
        wanted.set("tauri:options", serde_json::json!({ "application": program, "args": args }))?;
        Ok(Self { browser: Browser::open(&port, wanted).await?, driver })
    }

    /// Where an element is in a photograph of the screen; the page must fill that, as a kiosk's does.
    pub async fn place_of(&self, element: &WebElement, screen: &Screen) -> Result<Part, Trouble> {
        let script = "return [window.innerWidth, window.innerHeight, window.devicePixelRatio]";
        let (width, height, ratio): (f64, f64, f64) = self.page().execute(script, vec![]).await?.convert()?;
        let fills =
            (width * ratio, height * ratio) == (f64::from(screen.width()), f64::from(screen.height()));
        if !fills {
            let (whole, high) = (screen.width(), screen.height());
            let what = format!("the page has {width} × {height} at {ratio}, the screen {whole} × {high}");
            return Err(what.into());
        }
        let rect = element.rect().await?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
        let pixels = |length: f64| (length * ratio).clamp(0.0, 65_535.0).round() as u32;
        let (x, y) = (pixels(rect.x), pixels(rect.y));
        Ok(Part { x, y, width: pixels(rect.width), height: pixels(rect.height) })
    }

    /// Closes the window and waits until the app's processes are gone.
    pub async fn close(self) -> Result<(), Trouble> {
        let closed = self.browser.page.quit().await;
        drop(self.driver);
        Ok(closed?)
    }
}

impl Phone {
    /// Switches it on, with an empty page.
    pub async fn switch_on(desk: &Desk) -> Result<Self, Trouble> {
        let screen = Screen::switch_on(desk, "phone-screen", 480, 960)?;
        let port = free_port()?;
        let mut command = desk.command("WebKitWebDriver");
        command.arg(format!("--port={}", port.number())).env("DISPLAY", screen.display());
        // With it, this browser never answers when asked for a picture of a page.
        command.env_remove("WEBKIT_DISABLE_DMABUF_RENDERER");
        let driver = listening("phone", &mut command, desk, &[&port])?;
        let mut wanted = Capabilities::new();
        wanted.set("browserName", "MiniBrowser")?;
        wanted.set(
            "webkitgtk:browserOptions",
            serde_json::json!({ "binary": mini_browser()?, "args": ["--automation"] }),
        )?;
        Ok(Self { browser: Browser::open(&port, wanted).await?, driver, screen })
    }

    /// Makes the browser as large as the phone, for a photograph: nobody arranges windows on this screen. (The
    /// driver's own pictures of a page stay blank after it.)
    pub async fn fill_screen(&self) -> Result<(), Trouble> {
        self.browser.page.set_window_rect(0, 0, self.screen.width(), self.screen.height()).await?;
        Ok(())
    }

    /// Its screen, for a photograph.
    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// Switches it off.
    pub async fn switch_off(self) -> Result<(), Trouble> {
        let closed = self.browser.page.quit().await;
        drop(self.driver);
        Ok(closed?)
    }
}

impl Browser {
    async fn open(port: &ReservedPort, wanted: Capabilities) -> Result<Self, Trouble> {
        // Building an HTTP client asks for it, though drivers speak plain HTTP. A second call is no harm.
        drop(rustls::crypto::ring::default_provider().install_default());
        let page = WebDriver::new(format!("http://{port}"), wanted).await?;
        // Drivers allow half a minute, which a busy machine exceeds.
        page.set_script_timeout(Duration::from_secs(100)).await?;
        Ok(Self { page })
    }

    /// The driver's own commands.
    pub fn page(&self) -> &WebDriver {
        &self.page
    }

    /// Opens an address.
    pub async fn open_address(&self, address: &str) -> Result<(), Trouble> {
        Ok(self.page.goto(address).await?)
    }

    /// The first visible element for a CSS selector, awaited for at most `patience`.
    pub async fn see(&self, css: &str, patience: Duration) -> Result<WebElement, Trouble> {
        let query = self.page.query(By::Css(css)).wait(patience, ASK).and_displayed();
        Ok(query.first().await.map_err(|error| format!("“{css}” was not seen: {error}"))?)
    }

    /// What is to be read there, once it is; a page that is just being drawn anew is read again.
    pub async fn read(&self, css: &str, patience: Duration) -> Result<String, Trouble> {
        let deadline = Instant::now() + patience;
        loop {
            match self.see(css, patience).await?.text().await {
                Ok(text) => return Ok(text),
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(error) => match error.as_inner() {
                    WebDriverErrorInner::StaleElementReference(_) => {}
                    _ => return Err(error.into()),
                },
            }
        }
    }

    /// Presses what is there for a CSS selector, once it is.
    pub async fn press(&self, css: &str, patience: Duration) -> Result<(), Trouble> {
        let element = self.see(css, patience).await?;
        element.wait_until().wait(patience, ASK).clickable().await?;
        Ok(element.click().await?)
    }

    /// Waits until every movement that ends has ended, every picture is there, and the page is drawn so.
    pub async fn come_to_rest(&self) -> Result<(), Trouble> {
        let script = "const done = arguments[arguments.length - 1];
            const ends = animation => animation.effect.getComputedTiming().endTime !== Infinity;
            const moving = document.getAnimations().filter(ends).map(animation => animation.finished);
            const pictures = [...document.images].map(image => image.decode());
            Promise.allSettled([...moving, ...pictures])
                .then(() => requestAnimationFrame(() => requestAnimationFrame(() => done(true))));";
        self.page.execute_async(script, vec![]).await?;
        Ok(())
    }

    /// From now on keeps each value that an attribute takes, also between two looks at the page.
    pub async fn record_changes(&self, css: &str, attribute: &str) -> Result<(), Trouble> {
        let script = "const [css, name] = arguments; const seen = []; window.__seen = seen;
            const look = () => { const now = document.querySelector(css)?.getAttribute(name);
                if (now && now !== seen.at(-1)) seen.push(now); };
            look();
            new MutationObserver(look).observe(document.documentElement,
                { subtree: true, childList: true, attributes: true, attributeFilter: [name] });";
        self.page.execute(script, vec![css.into(), attribute.into()]).await?;
        Ok(())
    }

    /// What [`record_changes`](Self::record_changes) kept, oldest first.
    pub async fn recorded(&self) -> Result<Vec<String>, Trouble> {
        Ok(self.page.execute("return window.__seen", vec![]).await?.convert()?)
    }
}

impl Deref for App {
    type Target = Browser;

    fn deref(&self) -> &Browser {
        &self.browser
    }
}

impl Deref for Phone {
    type Target = Browser;

    fn deref(&self) -> &Browser {
        &self.browser
    }
}

fn listening(
    name: &str,
    command: &mut Command,
    desk: &Desk,
    ports: &[&ReservedPort],
) -> Result<Program, Trouble> {
    let mut driver = Program::start(name, command, desk.logs())?;
    driver.await_ready(|| ports.iter().all(|port| TcpStream::connect(port.to_string()).is_ok()))?;
    Ok(driver)
}

/// A port for a driver; once that listens, it keeps the port by itself.
fn free_port() -> Result<ReservedPort, Trouble> {
    Ok(ReservedPort::reserve()?.for_child_process())
}

/// The browser that comes with the library, in the folder of this architecture.
fn mini_browser() -> Result<PathBuf, Trouble> {
    let lib = Path::new("/usr/lib");
    let found = std::fs::read_dir(lib)?
        .flatten()
        .map(|entry| entry.path().join("webkit2gtk-4.1/MiniBrowser"))
        .chain([lib.join("webkit2gtk-4.1/MiniBrowser"), "/usr/libexec/webkit2gtk-4.1/MiniBrowser".into()])
        .find(|file| file.is_file());
    found.ok_or_else(|| "WebKitGTK's MiniBrowser is not there (Debian: libwebkit2gtk-4.1-0)".into())
}
