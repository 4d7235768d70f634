//! The embedded sandbox: one server for this machine, and a second one for phones while they are allowed. The first one
//! never changes, so that visits in progress are not affected.

use crate::args::Args;
use copresence_booth::app::SandboxTicketWithLink;
use copresence_booth::panel::{EmbeddedSandboxBackend, EmbeddedSandboxControl};
use copresence_booth::view::TicketState;
use copresence_booth::view::panel::{ActiveFaultView, OfferedScenarioOrFaultView, SandboxControlsView};
use copresence_engine::setup::ProfileOrSandboxBackend;
use copresence_sandbox::faults::{self, Endpoint, FaultWithCounts, NthRequests};
use copresence_sandbox::{AvatarChoice, ClockChange, PhoneTicket, PhoneTicketState, Sandbox, SandboxSettings, Server};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The embedded sandbox, started on first use.
pub(crate) struct EmbeddedSandbox {
    settings: SandboxSettings,
    running: Mutex<Option<RunningSandboxServers>>,
}

/// The running sandbox: one server for this machine, and one for phones on this network.
struct RunningSandboxServers {
    /// Listens on the loopback address.
    local_server: Server,
    /// Listens on all addresses, for phones on this network.
    phone_server: Option<Server>,
}

impl EmbeddedSandbox {
    /// Creates the sandbox without starting it.
    pub(crate) fn new(args: &Args) -> Self {
        let defaults = SandboxSettings::default();
        Self::lazy_sandbox_with_settings(SandboxSettings {
            scenario: args.scenario_file.clone().unwrap_or_else(|| args.scenario.into()),
            speed: args.speed,
            seed: args.seed.unwrap_or(defaults.seed),
            ..defaults
        })
    }

    /// A sandbox with these settings, which starts on first use.
    pub(crate) fn lazy_sandbox_with_settings(settings: SandboxSettings) -> Self {
        Self { settings, running: Mutex::default() }
    }

    /// Stops the sandbox. Requests in flight are completed.
    pub(crate) async fn stop_sandbox(&self) {
        let running = self.lock_running().take();
        if let Some(RunningSandboxServers { local_server: own, phone_server: open }) = running {
            if let Some(open) = open {
                open.shut_down_server().await;
            }
            own.shut_down_server().await;
        }
    }

    /// Shows the live tickets of the kiosk on the phone pages of their tokens, until the kiosk is dropped.
    pub(crate) async fn show_tickets_on_phones(&self, mut tickets: watch::Receiver<Vec<SandboxTicketWithLink>>) {
        loop {
            let by_token = tickets.borrow_and_update().iter().filter_map(pair_token_with_phone_ticket).collect();
            if let Some(running) = self.lock_running().as_ref() {
                running.local_server.sandbox().replace_phone_tickets(by_token);
            }
            if tickets.changed().await.is_err() {
                return;
            }
        }
    }

    #[cfg(test)]
    pub(crate) fn sandbox(&self) -> Option<Sandbox> {
        self.lock_running().as_ref().map(|running| running.local_server.sandbox().clone())
    }

    fn lock_running(&self) -> MutexGuard<'_, Option<RunningSandboxServers>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_sandbox<T>(&self, act: impl FnOnce(&Sandbox) -> Result<T, String>) -> Result<T, String> {
        let running = self.lock_running();
        let running = running.as_ref().ok_or("the sandbox was not started")?;
        act(running.local_server.sandbox())
    }
}

impl EmbeddedSandboxControl for EmbeddedSandbox {
    fn start_sandbox_if_needed(&self) -> Result<EmbeddedSandboxBackend, String> {
        let mut running = self.lock_running();
        if running.is_none() {
            let sandbox = Sandbox::new(self.settings.clone()).map_err(|error| error.to_string())?;
            *running = Some(RunningSandboxServers {
                local_server: start_server(&sandbox, Ipv4Addr::LOCALHOST)?,
                phone_server: None,
            });
        }
        running.as_ref().map_or_else(|| Err("it did not start".to_owned()), RunningSandboxServers::to_backend)
    }

    fn set_sandbox_phone_access(&self, on: bool) -> Result<EmbeddedSandboxBackend, String> {
        self.start_sandbox_if_needed()?;
        let mut running = self.lock_running();
        let running = running.as_mut().ok_or("the sandbox was not started")?;
        if on && running.phone_server.is_none() {
            let open = start_server(running.local_server.sandbox(), Ipv4Addr::UNSPECIFIED)?;
            if is_loopback_only(&open) {
                return Err("this machine has no address on a network; check cable and Wi-Fi".to_owned());
            }
            running.phone_server = Some(open);
        } else if !on && let Some(open) = running.phone_server.take() {
            // Requests of a phone in flight are completed.
            tokio::spawn(open.shut_down_server());
        }
        running.to_backend()
    }

    /// Gives the Export Token in `link` a new avatar of the embedded sandbox.
    fn record_avatar_for_link_token(&self, link: &str) -> Result<(), String> {
        let link: url::Url = link.parse().map_err(|_| "the link is no URL")?;
        let token = link.query_pairs().find(|(name, _)| name == "exportToken").ok_or("the link has no Export Token")?.1;
        self.with_sandbox(|sandbox| {
            sandbox.associate_avatar(&token, &AvatarChoice::New, None).map_err(|error| error.to_string())
        })
    }

    fn sandbox_controls_view(&self) -> Option<SandboxControlsView> {
        let running = self.lock_running();
        let RunningSandboxServers { local_server: own, phone_server: open } = running.as_ref()?;
        let sandbox = own.sandbox();
        Some(SandboxControlsView {
            scenario: sandbox.scenario_of_new_tokens().name().to_owned(),
            scenarios: sandbox
                .scenarios()
                .iter()
                .map(|scenario| option_view(scenario.name(), scenario.summary_sentence(), Vec::new()))
                .collect(),
            speed: sandbox.clock_state().speed,
            faults: sandbox.active_faults_with_counts().iter().map(fault_view).collect(),
            fault_kinds: faults::CATALOGUE
                .iter()
                .map(|entry| {
                    let everywhere = entry.endpoints.len() == Endpoint::ALL.len();
                    let on = entry.endpoints.iter().filter(|_| !everywhere);
                    option_view(entry.name, entry.does, on.map(|on| on.endpoint_name().to_owned()).collect())
                })
                .collect(),
            endpoints: Endpoint::ALL.iter().map(|row| row.1.to_owned()).collect(),
            phones_at: open.as_ref().map(|open| open.phone_url().to_string()),
        })
    }

    fn set_scenario(&self, name: &str) -> Result<(), String> {
        self.with_sandbox(|sandbox| {
            let scenario = sandbox.find_scenario(name).map_err(|error| error.to_string())?.clone();
            sandbox.set_scenario_of_new_tokens(scenario);
            Ok(())
        })
    }

    fn set_clock_speed(&self, speed: f64) -> Result<(), String> {
        let change = ClockChange { speed: Some(speed), ..ClockChange::default() };
        self.with_sandbox(|sandbox| sandbox.change_clock(&change).map_err(|error| error.to_string()))?;
        Ok(())
    }

    fn add_fault(&self, on: &str, fault: &str, every: bool) -> Result<(), String> {
        let endpoint = Endpoint::ALL.iter().find(|row| row.1 == on).map(|row| row.0);
        let endpoint = endpoint.ok_or_else(|| format!("there is no endpoint `{on}`"))?;
        let nth = if every { NthRequests::Every } else { NthRequests::Numbers(vec![1]) };
        let usual = faults::catalogue_fault_for_endpoint(fault, endpoint, nth);
        let fault = usual.ok_or_else(|| format!("there is no fault `{fault}` on `{on}`"))?;
        self.with_sandbox(|sandbox| sandbox.add_fault(fault).map_err(|error| error.to_string()))
    }

    fn clear_faults(&self) {
        if let Some(running) = self.lock_running().as_ref() {
            running.local_server.sandbox().clear_faults();
        }
    }
}

impl RunningSandboxServers {
    /// The sandbox as a backend: the API on the loopback address, the link at the server that phones can reach.
    fn to_backend(&self) -> Result<EmbeddedSandboxBackend, String> {
        let known = self.local_server.sandbox().accepted_credentials();
        let link = self.phone_server.as_ref().unwrap_or(&self.local_server).qr_link_template();
        let login = (known.username.clone(), known.password.clone());
        let target = ProfileOrSandboxBackend::target_of_embedded_sandbox(
            self.local_server.local_url(),
            &link,
            known.api_key.clone(),
            login,
        );
        Ok(EmbeddedSandboxBackend {
            target: target.map_err(|error| error.to_string())?,
            phone_url: self.phone_server.as_ref().map(|open| open.phone_url().to_string()),
        })
    }
}

/// The Export Token of a ticket's visit, and the ticket for the phone page. `None` if the link has no token.
fn pair_token_with_phone_ticket(
    SandboxTicketWithLink { link, ticket }: &SandboxTicketWithLink,
) -> Option<(String, PhoneTicket)> {
    let link: url::Url = link.parse().ok()?;
    let (_, token) = link.query_pairs().find(|(name, _)| name == "exportToken")?;
    let state = match ticket.state {
        TicketState::Recording => PhoneTicketState::Recording,
        TicketState::Making => PhoneTicketState::Making,
        TicketState::Ready => PhoneTicketState::Ready,
        TicketState::Failed | TicketState::Closed => PhoneTicketState::Failed,
    };
    let (colour, symbol) =
        (ticket.name.colour.as_stable_word().to_owned(), ticket.name.symbol.as_stable_word().to_owned());
    Some((token.into_owned(), PhoneTicket { colour, symbol, state }))
}

fn start_server(sandbox: &Sandbox, address: Ipv4Addr) -> Result<Server, String> {
    let listen = SocketAddr::new(IpAddr::V4(address), 0);
    Server::start_server_for_existing_sandbox(sandbox.clone(), listen)
        .map_err(|error| format!("the sandbox cannot listen: {error}"))
}

/// Whether the server is only reachable from this machine, although it listens on all addresses.
fn is_loopback_only(open: &Server) -> bool {
    match open.phone_url().host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    }
}

fn option_view(name: &str, about: &str, only_on: Vec<String>) -> OfferedScenarioOrFaultView {
    OfferedScenarioOrFaultView { name: name.to_owned(), about: about.to_owned(), only_on }
}

fn fault_view(state: &FaultWithCounts) -> ActiveFaultView {
    let when = match &state.fault.nth {
        NthRequests::Every => "every request".to_owned(),
        NthRequests::RequestProbability(rate) => format!("{:.0} % of the requests", rate * 100.0),
        NthRequests::Numbers(numbers) if *numbers == [1] && state.struck > 0 => {
            "the next request (has happened)".to_owned()
        }
        NthRequests::Numbers(numbers) if *numbers == [1] => "the next request".to_owned(),
        NthRequests::Numbers(numbers) => {
            let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
            format!("request {}", numbers.join(", "))
        }
    };
    ActiveFaultView {
        on: state.fault.on.endpoint_name().to_owned(),
        kind: state.fault.effect.effect_name().to_owned(),
        when,
        struck: u32::try_from(state.struck).unwrap_or(u32::MAX),
    }
}
