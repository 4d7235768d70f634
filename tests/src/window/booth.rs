//! The app at a backend that the test holds in its hands: an API like the vendor's on a port of this process, with
//! its faults, its clock and its phone.

use super::manager::Manager;
use super::program::Program;
use super::{App, Desk, Screen, Trouble};
use copresence_sandbox::{AvatarChoice, ClockMove, ForcedState, Scenario, Server, Settings, faults};
use std::fs;
use std::net::Ipv4Addr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// For what only has to be drawn.
pub const SOON: Duration = Duration::from_mins(3);

const API_KEY: &str = "booth-api-key-9c41";
const USERNAME: &str = "booth";
const PASSWORD: &str = "booth-password-77";

/// A backend on a port of this process.
pub struct Backend {
    server: Server,
}

/// A desk, a screen, a backend, and the app at it, under a driver.
pub struct Booth {
    /// The app's window.
    pub app: App,
    _manager: Option<Manager>,
    /// Where it appears.
    pub screen: Screen,
    /// Home, bus, keychain.
    pub desk: Desk,
    backend: Backend,
}

/// The same without a driver, which does not outlive the page: under a window manager, with real keys, and seen from
/// outside alone.
pub struct Bare {
    program: PathBuf,
    app: Program,
    _manager: Manager,
    /// Where it appears.
    pub screen: Screen,
    /// Home, bus, keychain.
    pub desk: Desk,
    backend: Backend,
}

/// How a booth is set up.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that a booth can lack")]
pub struct Plan<'a> {
    /// Added to the app's arguments.
    pub args: &'a [&'a str],
    /// Whether the credentials stand in its environment.
    pub credentials: bool,
    /// Whether it can reach the keychain.
    pub keychain: bool,
    /// Added to the profile, as TOML.
    pub profile: &'a str,
    /// Whether things move on the screen; people can ask their desktop that they do not.
    pub motion: bool,
    /// Whether a window manager is there. Booths mostly have none.
    pub managed: bool,
    /// The monitors from left to right, if there is not just the one: name, width, height. Only the last is seen.
    pub monitors: &'a [(&'a str, u32, u32)],
}

impl Default for Plan<'_> {
    fn default() -> Self {
        Self {
            args: &["--full-screen"],
            credentials: true,
            keychain: true,
            profile: "patience = \"3s\"",
            motion: true,
            managed: false,
            monitors: &[],
        }
    }
}

impl Plan<'_> {
    fn screen(&self, desk: &Desk) -> Result<Screen, Trouble> {
        match self.monitors {
            [] => Screen::switch_on(desk, "screen", 1280, 720),
            monitors => Screen::switch_on_beside(desk, "screen", monitors),
        }
    }
}

impl Backend {
    /// Starts it.
    pub async fn start() -> Result<Self, Trouble> {
        let settings = Settings {
            scenario: Scenario::ExistingAvatar,
            seed: 7,
            api_key: API_KEY.to_owned(),
            username: USERNAME.to_owned(),
            password: PASSWORD.to_owned(),
            ..Settings::default()
        };
        Ok(Self { server: Server::start(settings, (Ipv4Addr::LOCALHOST, 0).into()).await? })
    }

    /// The credentials that it accepts: API key, user name, password.
    pub fn credentials() -> [&'static str; 3] {
        [API_KEY, USERNAME, PASSWORD]
    }

    /// The Export Token that was made last.
    pub fn token(&self) -> Result<String, Trouble> {
        let token = self.server.sandbox().state().tokens.pop().ok_or("no token was made")?;
        Ok(token.token)
    }

    /// How many Export Tokens were made.
    pub fn tokens(&self) -> usize {
        self.server.sandbox().state().tokens.len()
    }

    /// How many requests the faults in force have struck.
    pub fn struck(&self) -> u64 {
        self.server.sandbox().faults().iter().map(|fault| fault.struck).sum()
    }

    /// Plays the phone: an avatar for the token that was made last.
    pub fn scan(&self, scenario: Scenario) -> Result<(), Trouble> {
        let choice = match scenario {
            Scenario::ExistingAvatar => {
                let avatars = self.server.sandbox().existing_avatars();
                AvatarChoice::Existing(avatars.first().ok_or("no avatar")?.id.clone())
            }
            _ => AvatarChoice::New,
        };
        Ok(self.server.sandbox().associate_avatar(&self.token()?, &choice, Some(scenario))?)
    }

    /// Forces a state upon the token that was made last.
    pub fn force(&self, force: ForcedState) -> Result<(), Trouble> {
        Ok(self.server.sandbox().force_state(&self.token()?, force)?)
    }

    /// Stops its time, or lets it go on.
    pub fn pause(&self, paused: bool) -> Result<(), Trouble> {
        let change = ClockMove { paused: Some(paused), ..ClockMove::default() };
        self.server.sandbox().move_clock(&change)?;
        Ok(())
    }

    /// Puts faults in force, in place of those before; as `copresence sandbox --faults` reads them.
    pub fn break_with(&self, list: &str) -> Result<(), Trouble> {
        Ok(self.server.sandbox().set_faults(faults::parse_faults(list.as_bytes())?)?)
    }

    /// Ends all faults.
    pub fn mend(&self) {
        self.server.sandbox().clear_faults();
    }

    /// The app's arguments for it, its profile written into the data folder.
    fn arguments(&self, desk: &Desk, plan: Plan<'_>) -> Result<Vec<String>, Trouble> {
        let profiles = desk.data().join("profiles.toml");
        let (url, link, more) = (self.server.local_url(), self.server.link_template(), plan.profile);
        fs::write(
            &profiles,
            format!(
                "[profiles.booth]\napi_url = \"{url}\"\nlink = \"{link}\"\n{more}\n\
                 [profiles.booth.polling]\nfastest = \"50ms\"\nslowest = \"300ms\"\n"
            ),
        )?;
        let path = profiles.to_str().ok_or("a path that is no text")?;
        let own = ["--profile", "booth", "--config", path, "-v"];
        Ok(own.iter().chain(plan.args).map(|word| (*word).to_owned()).collect())
    }

    fn environment(plan: Plan<'_>) -> Vec<(&'static str, &'static str)> {
        let mut given = Vec::new();
        if plan.credentials {
            given.push(("COPRESENCE_API_KEY", API_KEY));
            given.push(("COPRESENCE_USERNAME", USERNAME));
            given.push(("COPRESENCE_PASSWORD", PASSWORD));
        }
        if !plan.keychain {
            given.push(("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus"));
        }
        given
    }
}

impl Booth {
    /// Sets it up; `program` is the app, and what the programs print goes to `logs`.
    pub async fn open(program: &Path, logs: &Path, plan: Plan<'_>) -> Result<Self, Trouble> {
        let desk = Desk::set_up(logs)?;
        let screen = plan.screen(&desk)?;
        let manager = plan.managed.then(|| Manager::start(&desk, &screen)).transpose()?;
        if !plan.motion {
            desk.without_motion()?;
        }
        let backend = Backend::start().await?;
        let args = backend.arguments(&desk, plan)?;
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let app = App::start(&desk, &screen, program, &args, &Backend::environment(plan)).await?;
        Ok(Self { app, _manager: manager, screen, desk, backend })
    }

    /// Closes the app, and starts it anew at the same desk and backend.
    pub async fn start_again(self, program: &Path, plan: Plan<'_>) -> Result<Self, Trouble> {
        let Self { app, _manager: manager, screen, desk, backend } = self;
        app.close().await?;
        let args = backend.arguments(&desk, plan)?;
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let app = App::start(&desk, &screen, program, &args, &Backend::environment(plan)).await?;
        Ok(Self { app, _manager: manager, screen, desk, backend })
    }

    /// Waits for a screen of the visitor, by its kind.
    pub async fn see_screen(&self, kind: &str) -> Result<(), Trouble> {
        self.app.see(&format!("[data-testid=screen][data-screen={kind}]"), SOON).await.map(drop)
    }

    /// Waits for the reveal, and for the avatar on its stage; where a slow machine made the visitor wait for so long
    /// without a press that the face waits for them, they ask for it.
    pub async fn see_reveal(&self) -> Result<(), Trouble> {
        let face = "[data-testid=this-is-me], [data-testid=show-me]";
        let shown = self.app.see(face, Duration::from_mins(5)).await?;
        if shown.attr("data-testid").await?.as_deref() == Some("show-me") {
            self.app.press("[data-testid=show-me]", SOON).await?;
        }
        self.app.see("[data-testid=turntable][data-ready=true]", Duration::from_mins(5)).await.map(drop)
    }

    /// Waits for a screen, has its page loaded anew, and waits until it is back with the same words at `css`.
    pub async fn reload(&self, kind: &str, css: &str) -> Result<(), Trouble> {
        let css = format!("[data-testid=screen][data-screen={kind}] {css}");
        let before = self.app.read(&css, SOON).await?;
        self.app.page().refresh().await?;
        let after = self.app.read(&css, SOON).await?;
        if kind == "saving" || before == after {
            return Ok(());
        }
        Err(format!("{kind} said “{before}” before it was loaded anew, and “{after}” after").into())
    }

    /// How often the app has said something on its log.
    pub fn said(&self, words: &str) -> Result<usize, Trouble> {
        said(&self.desk, words)
    }

    /// Waits until something is so, which `what` names.
    pub async fn until(&self, what: &str, so: impl Fn() -> Result<bool, Trouble>) -> Result<(), Trouble> {
        let deadline = Instant::now() + SOON;
        while !so()? {
            if Instant::now() > deadline {
                return Err(format!("{what}: in vain").into());
            }
            tokio::time::sleep(super::program::LOOK).await;
        }
        Ok(())
    }

    /// Closes the app and the backend, and sees to it that nothing was left running.
    pub async fn close(self) -> Result<(), Trouble> {
        self.app.close().await?;
        drop(self.screen);
        self.backend.server.stop().await;
        nothing_left(&self.desk)
    }

    /// As [`close`](Self::close), where the app has ended by itself.
    pub async fn has_quit(self) -> Result<(), Trouble> {
        // The driver has nobody to talk to any more.
        drop(self.app.close().await);
        drop(self.screen);
        self.backend.server.stop().await;
        nothing_left(&self.desk)
    }
}

impl Bare {
    /// Sets it up; `program` is the app, and what the programs print goes to `logs`.
    pub async fn open(program: &Path, logs: &Path, plan: Plan<'_>) -> Result<Self, Trouble> {
        let desk = Desk::set_up(logs)?;
        let screen = plan.screen(&desk)?;
        let backend = Backend::start().await?;
        let manager = Manager::start(&desk, &screen)?;
        if !plan.motion {
            desk.without_motion()?;
        }
        let mut app = desk.command(program);
        app.args(backend.arguments(&desk, plan)?).envs(Backend::environment(plan));
        app.env("DISPLAY", screen.display());
        let app = Program::start("app", &mut app, desk.logs())?;
        let bare = Self { program: program.to_owned(), app, _manager: manager, screen, desk, backend };
        bare.hear("the page lives", 1).await?;
        Ok(bare)
    }

    /// Waits until the app has said something so many times on its log.
    pub async fn hear(&self, words: &str, times: usize) -> Result<(), Trouble> {
        let deadline = Instant::now() + Duration::from_mins(5);
        while self.said(words)? < times {
            if Instant::now() > deadline {
                return Err(format!("“{words}” was not said {times} times: see app.log").into());
            }
            tokio::time::sleep(super::program::LOOK).await;
        }
        Ok(())
    }

    /// How often the app has said something on its log.
    pub fn said(&self, words: &str) -> Result<usize, Trouble> {
        said(&self.desk, words)
    }

    /// Presses keys on the machine's keyboard, as in `Return` or `alt+F4`.
    pub fn press(&self, keys: &str) -> Result<(), Trouble> {
        self.screen.press(&self.desk, keys)
    }

    /// Whether the app still runs.
    pub fn runs(&mut self) -> bool {
        self.app.runs()
    }

    /// The process that draws the page.
    pub fn page(&self) -> Result<i32, Trouble> {
        self.desk.page_process(&self.program)
    }

    /// Asks the app to end, as a service manager does, and waits for it: its exit code.
    pub async fn stop(mut self) -> Result<Option<i32>, Trouble> {
        let ended = self.app.end().await?;
        drop(self.screen);
        self.backend.server.stop().await;
        nothing_left(&self.desk)?;
        Ok(ended)
    }
}

impl Deref for Booth {
    type Target = Backend;

    fn deref(&self) -> &Backend {
        &self.backend
    }
}

impl Deref for Bare {
    type Target = Backend;

    fn deref(&self) -> &Backend {
        &self.backend
    }
}

fn said(desk: &Desk, words: &str) -> Result<usize, Trouble> {
    Ok(fs::read_to_string(desk.logs().join("app.log"))?.matches(words).count())
}

fn nothing_left(desk: &Desk) -> Result<(), Trouble> {
    let left = desk.leftovers();
    if left.is_empty() { Ok(()) } else { Err(format!("left running: {left:?}").into()) }
}
