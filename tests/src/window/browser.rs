//! Control of the app and of a phone's browser by `WebDriver`.

use super::child_program::ChildProgram;
use super::{DesktopSession, HarnessError, PixelRect, VirtualScreen};
use std::net::TcpStream;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};
use test_port::ReservedPort;
use thirtyfour::error::WebDriverErrorInner;
use thirtyfour::prelude::*;
use thirtyfour::{Capabilities, WebElement};

/// Interval at which a page is queried for an element.
const QUERY_INTERVAL: Duration = Duration::from_millis(100);

/// A page under `WebDriver`.
#[derive(Debug)]
pub struct Browser {
    page: WebDriver,
}

/// The app in its window, under a driver.
#[derive(Debug)]
pub struct App {
    browser: Browser,
    driver: ChildProgram,
}

/// A phone: a small screen with a `WebKit` browser, as on an iPhone.
#[derive(Debug)]
pub struct Phone {
    browser: Browser,
    driver: ChildProgram,
    screen: VirtualScreen,
}

impl App {
    /// Starts the app `program` on `screen` with these arguments and environment variables.
    pub async fn start(
        desktop: &DesktopSession,
        screen: &VirtualScreen,
        program: &Path,
        args: &[&str],
        env: &[(&str, &str)],
    ) -> Result<Self, HarnessError> {
        if !program.is_file() {
            let what =
                format!("{} does not exist. Build it with `cargo build --package copresence-kiosk`", program.display());
            return Err(what.into());
        }
        let (port, native) = (free_port()?, free_port()?);
        let name = std::env::var_os("TAURI_DRIVER").unwrap_or_else(|| "tauri-driver".into());
        let mut command = desktop.command(name);
        command.args([
            "--port",
            &port.reserved_port_number().to_string(),
            "--native-port",
            &native.reserved_port_number().to_string(),
        ]);
        // tauri-driver starts the native driver, which starts the app; both inherit this environment.
        command.env("DISPLAY", screen.display()).envs(env.iter().copied());
        // tauri-driver listens before the native driver does, and would refuse the first request.
        let driver = start_driver("app", &mut command, desktop, &[&port, &native])?;
        let mut wanted = Capabilities::new();
        wanted.set("browserName", "wry")?;
        wanted.set("tauri:options", serde_json::json!({ "application": program, "args": args }))?;
        Ok(Self { browser: Browser::open(&port, wanted).await?, driver })
    }

    /// The rectangle of an element in a screenshot. The page must fill the screen, as in kiosk mode.
    pub async fn element_rect(&self, element: &WebElement, screen: &VirtualScreen) -> Result<PixelRect, HarnessError> {
        let script = "return [window.innerWidth, window.innerHeight, window.devicePixelRatio]";
        let (width, height, ratio): (f64, f64, f64) = self.page().execute(script, vec![]).await?.convert()?;
        let fills = (width * ratio, height * ratio) == (f64::from(screen.width()), f64::from(screen.height()));
        if !fills {
            let (whole, high) = (screen.width(), screen.height());
            let what =
                format!("the page has {width} × {height} pixels at ratio {ratio}, the screen has {whole} × {high}");
            return Err(what.into());
        }
        let rect = element.rect().await?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what fits")]
        let pixels = |length: f64| (length * ratio).clamp(0.0, 65_535.0).round() as u32;
        let (x, y) = (pixels(rect.x), pixels(rect.y));
        Ok(PixelRect { x, y, width: pixels(rect.width), height: pixels(rect.height) })
    }

    /// Closes the window and waits until the app has ended.
    pub async fn close(self) -> Result<(), HarnessError> {
        let closed = self.browser.page.quit().await;
        drop(self.driver);
        Ok(closed?)
    }
}

impl Phone {
    /// Starts the phone with an empty page.
    pub async fn switch_on(desktop: &DesktopSession) -> Result<Self, HarnessError> {
        let screen = VirtualScreen::switch_on(desktop, "phone-screen", 480, 960)?;
        let port = free_port()?;
        let mut command = desktop.command("WebKitWebDriver");
        command.arg(format!("--port={}", port.reserved_port_number())).env("DISPLAY", screen.display());
        // With this variable, the browser never returns a screenshot of a page.
        command.env_remove("WEBKIT_DISABLE_DMABUF_RENDERER");
        let driver = start_driver("phone", &mut command, desktop, &[&port])?;
        let mut wanted = Capabilities::new();
        wanted.set("browserName", "MiniBrowser")?;
        wanted.set(
            "webkitgtk:browserOptions",
            serde_json::json!({ "binary": mini_browser()?, "args": ["--automation"] }),
        )?;
        Ok(Self { browser: Browser::open(&port, wanted).await?, driver, screen })
    }

    /// Resizes the browser to the size of the phone, because no window manager does. Screenshots of a page by the
    /// driver are blank afterwards.
    pub async fn fill_screen(&self) -> Result<(), HarnessError> {
        self.browser.page.set_window_rect(0, 0, self.screen.width(), self.screen.height()).await?;
        Ok(())
    }

    /// The phone's screen, for screenshots.
    pub fn screen(&self) -> &VirtualScreen {
        &self.screen
    }

    /// Closes the browser and its driver.
    pub async fn switch_off(self) -> Result<(), HarnessError> {
        let closed = self.browser.page.quit().await;
        drop(self.driver);
        Ok(closed?)
    }
}

impl Browser {
    async fn open(port: &ReservedPort, wanted: Capabilities) -> Result<Self, HarnessError> {
        // The HTTP client needs a provider, even for plain HTTP. Fails if one is installed.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let page = WebDriver::new(format!("http://{port}"), wanted).await?;
        // The default of 30 s is too short for a busy machine.
        page.set_script_timeout(Duration::from_secs(100)).await?;
        Ok(Self { page })
    }

    /// The `WebDriver` client.
    pub fn page(&self) -> &WebDriver {
        &self.page
    }

    /// Opens a URL.
    pub async fn open_address(&self, address: &str) -> Result<(), HarnessError> {
        Ok(self.page.goto(address).await?)
    }

    /// Waits at most `timeout` for the first visible element of a CSS selector.
    pub async fn await_element(&self, css: &str, timeout: Duration) -> Result<WebElement, HarnessError> {
        let query = self.page.query(By::Css(css)).wait(timeout, QUERY_INTERVAL).and_displayed();
        Ok(query.first().await.map_err(|error| format!("“{css}” did not appear: {error}"))?)
    }

    /// Waits for an element and returns its text. Retries if the element is replaced meanwhile.
    pub async fn read_text(&self, css: &str, timeout: Duration) -> Result<String, HarnessError> {
        let deadline = Instant::now() + timeout;
        loop {
            match self.await_element(css, timeout).await?.text().await {
                Ok(text) => return Ok(text),
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(error) => match error.as_inner() {
                    WebDriverErrorInner::StaleElementReference(_) => {}
                    _ => return Err(error.into()),
                },
            }
        }
    }

    /// Waits for an element and clicks it.
    pub async fn click_element(&self, css: &str, timeout: Duration) -> Result<(), HarnessError> {
        Ok(self.await_clickable(css, timeout).await?.click().await?)
    }

    /// Waits for an element that can be clicked.
    pub(super) async fn await_clickable(&self, css: &str, timeout: Duration) -> Result<WebElement, HarnessError> {
        let element = self.await_element(css, timeout).await?;
        element.wait_until().wait(timeout, QUERY_INTERVAL).clickable().await?;
        Ok(element)
    }

    /// Waits until all finite animations have ended, all images are loaded, and the page is rendered.
    pub async fn await_animations(&self) -> Result<(), HarnessError> {
        let script = "const done = arguments[arguments.length - 1];
            const ends = animation => animation.effect.getComputedTiming().endTime !== Infinity;
            const moving = document.getAnimations().filter(ends).map(animation => animation.finished);
            const pictures = [...document.images].map(image => image.decode());
            Promise.allSettled([...moving, ...pictures])
                .then(() => requestAnimationFrame(() => requestAnimationFrame(() => done(true))));";
        self.page.execute_async(script, vec![]).await?;
        Ok(())
    }

    /// Starts recording each value of an attribute, including values that change back quickly.
    pub async fn record_changes(&self, css: &str, attribute: &str) -> Result<(), HarnessError> {
        let script = "const [css, name] = arguments; const seen = []; window.__seen = seen;
            const look = () => { const now = document.querySelector(css)?.getAttribute(name);
                if (now && now !== seen.at(-1)) seen.push(now); };
            look();
            new MutationObserver(look).observe(document.documentElement,
                { subtree: true, childList: true, attributes: true, attributeFilter: [name] });";
        self.page.execute(script, vec![css.into(), attribute.into()]).await?;
        Ok(())
    }

    /// The values that [`record_changes`](Self::record_changes) recorded, oldest first.
    pub async fn recorded_values(&self) -> Result<Vec<String>, HarnessError> {
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

fn start_driver(
    name: &str,
    command: &mut Command,
    desktop: &DesktopSession,
    ports: &[&ReservedPort],
) -> Result<ChildProgram, HarnessError> {
    let mut driver = ChildProgram::start(name, command, desktop.log_folder())?;
    driver.await_ready(|| ports.iter().all(|port| TcpStream::connect(port.to_string()).is_ok()))?;
    Ok(driver)
}

/// Reserves a port until the driver listens on it.
fn free_port() -> Result<ReservedPort, HarnessError> {
    Ok(ReservedPort::reserve_port()?.hand_over_to_child_process())
}

/// The path of `WebKitGTK`'s browser, in the folder of this architecture.
fn mini_browser() -> Result<PathBuf, HarnessError> {
    let lib = Path::new("/usr/lib");
    let found = std::fs::read_dir(lib)?
        .flatten()
        .map(|entry| entry.path().join("webkit2gtk-4.1/MiniBrowser"))
        .chain([lib.join("webkit2gtk-4.1/MiniBrowser"), "/usr/libexec/webkit2gtk-4.1/MiniBrowser".into()])
        .find(|file| file.is_file());
    found.ok_or_else(|| "WebKitGTK's MiniBrowser is not installed (Debian: libwebkit2gtk-4.1-0)".into())
}
