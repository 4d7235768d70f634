//! The app with a backend that the test controls: the sandbox on a port of this process, with its faults, clock and
//! phone.

use super::child_program::ChildProgram;
use super::processes::{kill_process, kill_process_tree};
use super::window_manager::WindowManager;
use super::{App, DesktopSession, HarnessError, VirtualScreen};
use copresence_sandbox::{
    AvatarChoice, BuiltInScenarioName, ClockChange, ForcedState, SandboxSettings, Server, TokenPhase, faults,
};
use std::fs;
use std::net::Ipv4Addr;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Time limit for what needs no backend, such as a screen after a key.
pub const RENDER_TIMEOUT: Duration = Duration::from_mins(3);

const API_KEY: &str = "booth-api-key-9c41";
const USERNAME: &str = "booth";
const PASSWORD: &str = "booth-password-77";

/// A backend on a port of this process.
pub struct Backend {
    server: Server,
}

/// The app under a `WebDriver`, with its desktop session, screen and backend.
pub struct DrivenKiosk {
    /// The app's window.
    pub app: App,
    _manager: Option<WindowManager>,
    /// The screen with the window.
    pub screen: VirtualScreen,
    /// Home, session bus and keychain.
    pub desktop: DesktopSession,
    backend: Backend,
}

/// The app without a driver, because no driver survives the process of the page: under a window manager, with real
/// keys, and observed by screenshots and the log.
pub struct UndrivenKiosk {
    program: PathBuf,
    app: ChildProgram,
    _manager: WindowManager,
    /// The screen with the window.
    pub screen: VirtualScreen,
    /// Home, session bus and keychain.
    pub desktop: DesktopSession,
    backend: Backend,
}

/// The setup of a kiosk under test.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent part of the setup")]
pub struct KioskSetup<'a> {
    /// Additional arguments of the app.
    pub args: &'a [&'a str],
    /// Whether the app's environment has the credentials.
    pub has_credentials: bool,
    /// Whether the app can reach the keychain.
    pub has_keychain: bool,
    /// Additional lines of the profile, as TOML; `None` for the app's own sandbox in place of the test's backend.
    pub profile: Option<&'a str>,
    /// A folder with the avatars of the test's backend, one sub-folder each; `None` for generated ones.
    pub assets: Option<&'a Path>,
    /// Whether the desktop allows animations.
    pub has_animations: bool,
    /// Whether a window manager runs. Most kiosks have none.
    pub has_window_manager: bool,
    /// The monitors from left to right: name, width and height in pixels. Empty for a single one. Only the last is
    /// visible to the app.
    pub monitors: &'a [(&'a str, u32, u32)],
}

impl Default for KioskSetup<'_> {
    fn default() -> Self {
        Self {
            args: &["--full-screen"],
            has_credentials: true,
            has_keychain: true,
            profile: Some("patience = \"3s\""),
            assets: None,
            has_animations: true,
            has_window_manager: false,
            monitors: &[],
        }
    }
}

impl KioskSetup<'_> {
    fn start_screen(&self, desktop: &DesktopSession) -> Result<VirtualScreen, HarnessError> {
        match self.monitors {
            [] => VirtualScreen::switch_on(desktop, "screen", 1280, 720),
            monitors => VirtualScreen::switch_on_monitors(desktop, "screen", monitors),
        }
    }
}

impl Backend {
    /// Starts the backend, with the avatars in a folder or with generated ones.
    pub async fn start(assets: Option<&Path>) -> Result<Self, HarnessError> {
        let settings = SandboxSettings {
            scenario: BuiltInScenarioName::ExistingAvatar.into(),
            seed: 7,
            assets: assets.map(Path::to_owned),
            api_key: API_KEY.to_owned(),
            username: USERNAME.to_owned(),
            password: PASSWORD.to_owned(),
            ..SandboxSettings::default()
        };
        Ok(Self { server: Server::start(settings, (Ipv4Addr::LOCALHOST, 0).into()).await? })
    }

    /// The accepted credentials: API key, user name, password.
    pub fn credentials() -> [&'static str; 3] {
        [API_KEY, USERNAME, PASSWORD]
    }

    /// The Export Token that was issued last.
    pub fn last_token(&self) -> Result<String, HarnessError> {
        let token = self.server.sandbox().sandbox_state().tokens.pop().ok_or("no token was issued")?;
        Ok(token.token)
    }

    /// The number of issued Export Tokens.
    pub fn token_count(&self) -> usize {
        self.server.sandbox().sandbox_state().tokens.len()
    }

    /// The number of requests to which the current faults were applied.
    pub fn applied_fault_count(&self) -> u64 {
        self.server.sandbox().active_faults_with_counts().iter().map(|fault| fault.struck).sum()
    }

    /// Simulates the phone: associates an avatar with the token that was issued last.
    pub fn scan_code(&self, scenario: BuiltInScenarioName) -> Result<(), HarnessError> {
        let choice = match scenario {
            BuiltInScenarioName::ExistingAvatar => {
                let avatars = self.server.sandbox().existing_avatars();
                AvatarChoice::Existing(avatars.first().ok_or("no avatar")?.id.clone())
            }
            _ => AvatarChoice::New,
        };
        Ok(self.server.sandbox().associate_avatar(&self.last_token()?, &choice, Some(scenario.built_in_scenario()))?)
    }

    /// Simulates the phone: chooses an existing avatar for the token that was issued last.
    pub fn choose_avatar(&self, id: &str) -> Result<(), HarnessError> {
        let choice = AvatarChoice::Existing(id.to_owned());
        let scenario = Some(BuiltInScenarioName::ExistingAvatar.built_in_scenario());
        Ok(self.server.sandbox().associate_avatar(&self.last_token()?, &choice, scenario)?)
    }

    /// Forces the state of the token that was issued last.
    pub fn force_state(&self, force: ForcedState) -> Result<(), HarnessError> {
        Ok(self.server.sandbox().force_token_state(&self.last_token()?, force)?)
    }

    /// The state of every token of the backend.
    pub fn token_states(&self) -> Vec<TokenPhase> {
        self.server.sandbox().sandbox_state().tokens.iter().map(|token| token.state).collect()
    }

    /// Moves the clock of the backend forward: avatars become ready, and tokens expire.
    pub fn advance_clock(&self, by: Duration) -> Result<(), HarnessError> {
        let advance_ms = Some(u64::try_from(by.as_millis())?);
        self.server.sandbox().change_clock(&ClockChange { advance_ms, ..ClockChange::default() })?;
        Ok(())
    }

    /// Stops or resumes the clock of the backend.
    pub fn set_paused(&self, paused: bool) -> Result<(), HarnessError> {
        let change = ClockChange { paused: Some(paused), ..ClockChange::default() };
        self.server.sandbox().change_clock(&change)?;
        Ok(())
    }

    /// Replaces the faults. `list` is JSON as for `copresence sandbox --faults`.
    pub fn set_faults(&self, list: &str) -> Result<(), HarnessError> {
        Ok(self.server.sandbox().set_faults(faults::parse_and_check_faults(list.as_bytes())?)?)
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.server.sandbox().clear_faults();
    }

    /// Writes a profile for this backend, and returns the app's arguments.
    fn app_arguments(&self, desktop: &DesktopSession, setup: KioskSetup<'_>) -> Result<Vec<String>, HarnessError> {
        let further = setup.args.iter().map(|word| (*word).to_owned());
        let Some(more) = setup.profile else { return Ok(["-v".to_owned()].into_iter().chain(further).collect()) };
        let profiles = desktop.data().join("profiles.toml");
        let (url, link) = (self.server.local_url(), self.server.qr_link_template());
        fs::write(
            &profiles,
            format!(
                "[profiles.booth]\napi_url = \"{url}\"\nlink = \"{link}\"\n{more}\n\
                 [profiles.booth.polling]\nfastest = \"50ms\"\nslowest = \"300ms\"\n"
            ),
        )?;
        let path = profiles.to_str().ok_or("a path that is not UTF-8")?;
        let own = ["--profile", "booth", "--config", path, "-v"];
        Ok(own.map(str::to_owned).into_iter().chain(further).collect())
    }

    fn environment_variables(setup: KioskSetup<'_>) -> Vec<(&'static str, &'static str)> {
        let mut variables = Vec::new();
        if setup.has_credentials {
            variables.push(("COPRESENCE_API_KEY", API_KEY));
            variables.push(("COPRESENCE_USERNAME", USERNAME));
            variables.push(("COPRESENCE_PASSWORD", PASSWORD));
        }
        if !setup.has_keychain {
            variables.push(("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus"));
        }
        variables
    }
}

impl DrivenKiosk {
    /// Starts everything. `program` is the app; the output of all programs goes to `logs`.
    pub async fn open(program: &Path, logs: &Path, setup: KioskSetup<'_>) -> Result<Self, HarnessError> {
        let desktop = DesktopSession::set_up(logs)?;
        let screen = setup.start_screen(&desktop)?;
        let manager = setup.has_window_manager.then(|| WindowManager::start(&desktop, &screen)).transpose()?;
        if !setup.has_animations {
            desktop.disable_motion()?;
        }
        let backend = Backend::start(setup.assets).await?;
        let args = backend.app_arguments(&desktop, setup)?;
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let app = App::start(&desktop, &screen, program, &args, &Backend::environment_variables(setup)).await?;
        Ok(Self { app, _manager: manager, screen, desktop, backend })
    }

    /// Closes the app and starts it again in the same session with the same backend.
    pub async fn restart_app(self, program: &Path, setup: KioskSetup<'_>) -> Result<Self, HarnessError> {
        let Self { app, _manager: manager, screen, desktop, backend } = self;
        app.close().await?;
        let args = backend.app_arguments(&desktop, setup)?;
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let app = App::start(&desktop, &screen, program, &args, &Backend::environment_variables(setup)).await?;
        Ok(Self { app, _manager: manager, screen, desktop, backend })
    }

    /// Kills the app with SIGKILL, and starts it again in the same session with the same backend.
    pub async fn kill_and_restart_app(self, program: &Path, setup: KioskSetup<'_>) -> Result<Self, HarnessError> {
        kill_process(self.desktop.app_process(program)?)?;
        self.start_app_again(program, setup).await
    }

    /// Kills the app and the processes of its page at once, and starts it again in the same session with the same
    /// backend.
    pub async fn kill_all_and_restart_app(self, program: &Path, setup: KioskSetup<'_>) -> Result<Self, HarnessError> {
        kill_process_tree(self.desktop.app_process(program)?)?;
        self.start_app_again(program, setup).await
    }

    /// Starts the app again after it was killed.
    async fn start_app_again(self, program: &Path, setup: KioskSetup<'_>) -> Result<Self, HarnessError> {
        let Self { app, _manager: manager, screen, desktop, backend } = self;
        // The driver has lost the app, so an error is expected.
        drop(app.close().await);
        let args = backend.app_arguments(&desktop, setup)?;
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let app = App::start(&desktop, &screen, program, &args, &Backend::environment_variables(setup)).await?;
        Ok(Self { app, _manager: manager, screen, desktop, backend })
    }

    /// Waits for a visitor's screen of this kind.
    pub async fn await_screen(&self, kind: &str) -> Result<(), HarnessError> {
        self.app.await_element(&format!("[data-testid=screen][data-screen={kind}]"), RENDER_TIMEOUT).await.map(drop)
    }

    /// Waits until the avatar is rendered on the reveal screen. Requests the avatar if the screen asks for it first,
    /// which it does after a long wait without input, as on slow machines.
    pub async fn await_reveal(&self) -> Result<(), HarnessError> {
        let shown_or_request = "[data-testid=this-is-me], [data-testid=show-me]";
        let shown = self.app.await_element(shown_or_request, Duration::from_mins(5)).await?;
        if shown.attr("data-testid").await?.as_deref() == Some("show-me") {
            self.app.click_element("[data-testid=show-me]", RENDER_TIMEOUT).await?;
        }
        self.app.await_element("[data-testid=turntable][data-ready=true]", Duration::from_mins(5)).await.map(drop)
    }

    /// Accepts the avatar on the reveal screen, and finishes the visit.
    pub async fn leave_reveal(&self) -> Result<(), HarnessError> {
        self.app.click_element("[data-testid=this-is-me]", RENDER_TIMEOUT).await?;
        self.app.click_element("[data-testid=again]", RENDER_TIMEOUT).await
    }

    /// Waits for a screen, reloads the page, and checks that the same screen shows the same text at `css`.
    pub async fn reload_and_compare(&self, kind: &str, css: &str) -> Result<(), HarnessError> {
        let css = format!("[data-testid=screen][data-screen={kind}] {css}");
        let before = self.app.read_text(&css, RENDER_TIMEOUT).await?;
        self.app.page().refresh().await?;
        let after = self.app.read_text(&css, RENDER_TIMEOUT).await?;
        if kind == "saving" || before == after {
            return Ok(());
        }
        Err(format!("{kind} showed “{before}” before the reload and “{after}” after it").into())
    }

    /// How often the app's log has this text.
    pub fn log_count(&self, text: &str) -> Result<usize, HarnessError> {
        log_count(&self.desktop, text)
    }

    /// Waits until a condition is true. `description` is for the error message.
    pub async fn wait_until(
        &self,
        description: &str,
        is_done: impl Fn() -> Result<bool, HarnessError>,
    ) -> Result<(), HarnessError> {
        let deadline = Instant::now() + RENDER_TIMEOUT;
        while !is_done()? {
            if Instant::now() > deadline {
                return Err(format!("timed out: {description}").into());
            }
            tokio::time::sleep(super::child_program::POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// Closes the app and the backend, and checks that no process is left.
    pub async fn close(self) -> Result<(), HarnessError> {
        self.app.close().await?;
        drop(self.screen);
        self.backend.server.shut_down_server().await;
        check_no_leftovers(&self.desktop)
    }

    /// Like [`close`](Self::close), for an app that has already ended.
    pub async fn close_after_quit(self) -> Result<(), HarnessError> {
        // The driver has lost the app, so an error is expected.
        drop(self.app.close().await);
        drop(self.screen);
        self.backend.server.shut_down_server().await;
        check_no_leftovers(&self.desktop)
    }
}

impl UndrivenKiosk {
    /// Starts everything. `program` is the app; the output of all programs goes to `logs`.
    pub async fn open(program: &Path, logs: &Path, setup: KioskSetup<'_>) -> Result<Self, HarnessError> {
        let desktop = DesktopSession::set_up(logs)?;
        let screen = setup.start_screen(&desktop)?;
        let backend = Backend::start(setup.assets).await?;
        let manager = WindowManager::start(&desktop, &screen)?;
        if !setup.has_animations {
            desktop.disable_motion()?;
        }
        let mut app = desktop.command(program);
        app.args(backend.app_arguments(&desktop, setup)?).envs(Backend::environment_variables(setup));
        app.env("DISPLAY", screen.display());
        let app = ChildProgram::start("app", &mut app, desktop.log_folder())?;
        let kiosk = Self { program: program.to_owned(), app, _manager: manager, screen, desktop, backend };
        kiosk.await_log("the page lives", 1).await?;
        Ok(kiosk)
    }

    /// Waits until the app's log has this text `times` times.
    pub async fn await_log(&self, text: &str, times: usize) -> Result<(), HarnessError> {
        let deadline = Instant::now() + Duration::from_mins(5);
        while self.log_count(text)? < times {
            if Instant::now() > deadline {
                return Err(format!("“{text}” was not logged {times} times: see app.log").into());
            }
            tokio::time::sleep(super::child_program::POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// How often the app's log has this text.
    pub fn log_count(&self, text: &str) -> Result<usize, HarnessError> {
        log_count(&self.desktop, text)
    }

    /// Presses keys of the X keyboard, such as `Return` or `alt+F4`.
    pub fn press_keys(&self, keys: &str) -> Result<(), HarnessError> {
        self.screen.press_keys(&self.desktop, keys)
    }

    /// Whether the app is still running.
    pub fn is_running(&mut self) -> bool {
        self.app.is_running()
    }

    /// The process that renders the page.
    pub fn page_process(&self) -> Result<i32, HarnessError> {
        self.desktop.page_process(&self.program)
    }

    /// Terminates the app with SIGTERM, and returns its exit code.
    pub async fn terminate(mut self) -> Result<Option<i32>, HarnessError> {
        let ended = self.app.terminate().await?;
        drop(self.screen);
        self.backend.server.shut_down_server().await;
        check_no_leftovers(&self.desktop)?;
        Ok(ended)
    }
}

impl Deref for DrivenKiosk {
    type Target = Backend;

    fn deref(&self) -> &Backend {
        &self.backend
    }
}

impl Deref for UndrivenKiosk {
    type Target = Backend;

    fn deref(&self) -> &Backend {
        &self.backend
    }
}

fn log_count(desktop: &DesktopSession, text: &str) -> Result<usize, HarnessError> {
    Ok(fs::read_to_string(desktop.log_folder().join("app.log"))?.matches(text).count())
}

fn check_no_leftovers(desktop: &DesktopSession) -> Result<(), HarnessError> {
    let left = desktop.leftovers();
    if left.is_empty() { Ok(()) } else { Err(format!("left running: {left:?}").into()) }
}
