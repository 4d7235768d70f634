//! The embedded sandbox: one server for this machine, and a second one for phones while they are allowed. The first one
//! never changes, so that visits in progress are not affected.

use crate::args::Args;
use kiosk::panel::{Simulated, Simulator};
use kiosk::setup::Target;
use kiosk::view::panel::{FaultView, SandboxView, WordView};
use sandbox::faults::{self, Endpoint, FaultState, Nth};
use sandbox::scenario::{self, Scenario};
use sandbox::{ClockMove, Sandbox, Server, Settings};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The embedded sandbox, started on first use.
pub(crate) struct Embedded {
    settings: Settings,
    running: Mutex<Option<Running>>,
}

struct Running {
    /// Listens on the loopback address.
    own: Server,
    /// Listens on all addresses, for phones on this network.
    open: Option<Server>,
}

impl Embedded {
    /// Creates the sandbox without starting it.
    pub(crate) fn new(args: &Args) -> Self {
        let defaults = Settings::default();
        Self::with(Settings {
            scenario: args.scenario,
            speed: args.speed,
            seed: args.seed.unwrap_or(defaults.seed),
            ..defaults
        })
    }

    pub(crate) fn with(settings: Settings) -> Self {
        Self { settings, running: Mutex::default() }
    }

    /// Stops the sandbox. Requests in flight are completed.
    pub(crate) async fn stop(&self) {
        let running = self.running().take();
        if let Some(Running { own, open }) = running {
            if let Some(open) = open {
                open.stop().await;
            }
            own.stop().await;
        }
    }

    #[cfg(test)]
    pub(crate) fn sandbox(&self) -> Option<Sandbox> {
        self.running().as_ref().map(|running| running.own.sandbox().clone())
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_sandbox<T>(&self, act: impl FnOnce(&Sandbox) -> Result<T, String>) -> Result<T, String> {
        let running = self.running();
        let running = running.as_ref().ok_or("the sandbox was not started")?;
        act(running.own.sandbox())
    }
}

impl Simulator for Embedded {
    fn start(&self) -> Result<Simulated, String> {
        let mut running = self.running();
        if running.is_none() {
            let sandbox = Sandbox::new(self.settings.clone()).map_err(|error| error.to_string())?;
            *running = Some(Running { own: serve(&sandbox, Ipv4Addr::LOCALHOST)?, open: None });
        }
        running.as_ref().map_or_else(|| Err("it did not start".to_owned()), Running::simulated)
    }

    fn let_phones_in(&self, on: bool) -> Result<Simulated, String> {
        self.start()?;
        let mut running = self.running();
        let running = running.as_mut().ok_or("the sandbox was not started")?;
        if on && running.open.is_none() {
            let open = serve(running.own.sandbox(), Ipv4Addr::UNSPECIFIED)?;
            if is_loopback(&open) {
                return Err("this machine has no address on a network; check cable and Wi-Fi".to_owned());
            }
            running.open = Some(open);
        } else if !on && let Some(open) = running.open.take() {
            // Requests of a phone in flight are completed.
            tokio::spawn(open.stop());
        }
        running.simulated()
    }

    fn view(&self) -> Option<SandboxView> {
        let running = self.running();
        let Running { own, open } = running.as_ref()?;
        let sandbox = own.sandbox();
        Some(SandboxView {
            scenario: sandbox.state().scenario.to_string(),
            scenarios: scenario::CATALOGUE
                .iter()
                .map(|entry| word(entry.name, entry.does, Vec::new()))
                .collect(),
            speed: sandbox.clock().speed,
            faults: sandbox.faults().iter().map(fault_view).collect(),
            fault_kinds: faults::CATALOGUE
                .iter()
                .map(|entry| {
                    let everywhere = entry.on.len() == Endpoint::ALL.len();
                    let on = entry.on.iter().filter(|_| !everywhere);
                    word(entry.name, entry.does, on.map(|on| on.word().to_owned()).collect())
                })
                .collect(),
            endpoints: Endpoint::ALL.iter().map(|row| row.1.to_owned()).collect(),
            phones_at: open.as_ref().map(|open| open.phone_url().to_string()),
        })
    }

    fn set_scenario(&self, name: &str) -> Result<(), String> {
        let scenario: Scenario = name.parse().map_err(|error: sandbox::UnknownScenario| error.to_string())?;
        self.with_sandbox(|sandbox| {
            sandbox.set_scenario(scenario);
            Ok(())
        })
    }

    fn set_speed(&self, speed: f64) -> Result<(), String> {
        let change = ClockMove { speed: Some(speed), ..ClockMove::default() };
        self.with_sandbox(|sandbox| sandbox.move_clock(&change).map_err(|error| error.to_string()))?;
        Ok(())
    }

    fn add_fault(&self, on: &str, fault: &str, every: bool) -> Result<(), String> {
        let endpoint = Endpoint::ALL.iter().find(|row| row.1 == on).map(|row| row.0);
        let endpoint = endpoint.ok_or_else(|| format!("there is no endpoint `{on}`"))?;
        let nth = if every { Nth::Every } else { Nth::These(vec![1]) };
        let usual = faults::usual(fault, endpoint, nth);
        let fault = usual.ok_or_else(|| format!("there is no fault `{fault}` on `{on}`"))?;
        self.with_sandbox(|sandbox| sandbox.add_fault(fault).map_err(|error| error.to_string()))
    }

    fn end_faults(&self) {
        if let Some(running) = self.running().as_ref() {
            running.own.sandbox().end_faults();
        }
    }
}

impl Running {
    /// The sandbox as a backend: the API on the loopback address, the link at the server that phones can reach.
    fn simulated(&self) -> Result<Simulated, String> {
        let known = self.own.sandbox().credentials();
        let link = self.open.as_ref().unwrap_or(&self.own).link_template();
        let login = (known.username.clone(), known.password.clone());
        let target = Target::embedded_sandbox(self.own.url(), &link, known.api_key.clone(), login);
        Ok(Simulated {
            target: target.map_err(|error| error.to_string())?,
            phones_at: self.open.as_ref().map(|open| open.phone_url().to_string()),
        })
    }
}

fn serve(sandbox: &Sandbox, address: Ipv4Addr) -> Result<Server, String> {
    let listen = SocketAddr::new(IpAddr::V4(address), 0);
    Server::serve(sandbox.clone(), listen).map_err(|error| format!("the sandbox cannot listen: {error}"))
}

/// Whether the server is only reachable from this machine, although it listens on all addresses.
fn is_loopback(open: &Server) -> bool {
    match open.phone_url().host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    }
}

fn word(name: &str, about: &str, only_on: Vec<String>) -> WordView {
    WordView { name: name.to_owned(), about: about.to_owned(), only_on }
}

fn fault_view(state: &FaultState) -> FaultView {
    let when = match &state.fault.nth {
        Nth::Every => "every request".to_owned(),
        Nth::Rate(rate) => format!("{:.0} % of the requests", rate * 100.0),
        Nth::These(numbers) if *numbers == [1] && state.struck > 0 => {
            "the next request (has happened)".to_owned()
        }
        Nth::These(numbers) if *numbers == [1] => "the next request".to_owned(),
        Nth::These(numbers) => {
            let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
            format!("request {}", numbers.join(", "))
        }
    };
    FaultView {
        on: state.fault.on.word().to_owned(),
        kind: state.fault.effect.name().to_owned(),
        when,
        struck: u32::try_from(state.struck).unwrap_or(u32::MAX),
    }
}
