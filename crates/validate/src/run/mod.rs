//! A run: executes the acts of the plan in order, and judges each check as soon as its acts have ended.

mod access;
mod redeem;
mod relay;
mod visit;
mod wire;

use crate::act::{Act, State};
use crate::check::{Check, Judged};
use crate::checks::CHECKS;
use crate::hand::{Flag, Hand};
use crate::plan::Plan;
use crate::seen::{Needle, Role, Seen, Step};
use crate::target::{Options, Target};
use client::SetupError;
use client::probe::Prober;
use futures_util::future::BoxFuture;
use protocol::{ApiKey, PartnerKey, Password, SessionToken};
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use wire::{Wire, Worded};

/// Event of a run in progress.
#[derive(Debug)]
pub enum Event<'a> {
    /// An act starts.
    Began(Act),
    /// A request has ended, with or without a response.
    Step(&'a Step),
    /// A check was judged.
    Judged(&'a Check, &'a Judged),
    /// Number of Export Tokens generated so far.
    Made(u32),
    /// A message for people.
    Note(String),
}

/// Why a run could not judge the backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The backend refused the credentials; exit code 3.
    #[error("the backend refused the credentials: {0}")]
    Credentials(String),
    /// No request got a response; exit code 6.
    #[error("the backend could not be reached: {0}")]
    Unreachable(String),
    /// The run was stopped; exit code 130.
    #[error("{STOPPED_MESSAGE}")]
    Stopped,
}

/// Exit code of a run that was stopped before its end.
pub(crate) const EXIT_STOPPED: u8 = 130;

/// Detail of every act and check that a stopped run did not reach.
const STOPPED_MESSAGE: &str = "the run was stopped before its end";

/// How long the act in progress may continue after the run was stopped: the response that it waits for may be the one
/// that spends a token.
const FAREWELL: Duration = Duration::from_secs(10);

impl RunError {
    /// Exit code of the command.
    pub fn exit(&self) -> u8 {
        match self {
            Self::Credentials(_) => 3,
            Self::Unreachable(_) => 6,
            Self::Stopped => EXIT_STOPPED,
        }
    }
}

/// Result of a run.
pub struct Ended {
    /// Everything that the run observed.
    pub seen: Seen,
    /// The result of each check, in the order of [`CHECKS`].
    pub verdicts: Vec<(&'static Check, Judged)>,
    /// Why the run ended early, if it did.
    pub error: Option<RunError>,
    /// Number of Export Tokens that were generated.
    pub tokens: u32,
    /// Number of avatars that were consumed, which is the number of deliveries.
    pub avatars: u32,
    /// Masks every secret of the run.
    pub redactor: client::Redactor,
}

impl Ended {
    /// Every exchange as a redacted HTTP Archive.
    pub fn har(&self) -> serde_json::Value {
        client::har::document(self.seen.steps.iter().map(|step| &step.exchange))
    }
}

/// A run of the checks.
pub struct Run<'a> {
    target: &'a Target,
    options: &'a Options,
    hand: &'a Hand,
    plan: &'a Plan,
    tell: &'a (dyn Fn(Event<'_>) + Send + Sync),
    prober: Prober,
    seen: Seen,
    /// The Export Tokens that the backend generated for the run, in order.
    tokens: Vec<String>,
    made: u32,
    session: Option<SessionToken>,
    error: Option<RunError>,
    /// Download URLs of the race act, which does not use them.
    left_over: Vec<Url>,
    judged: BTreeMap<&'static str, Judged>,
    /// Set when the run has to stop. No request starts afterwards.
    stopping: Arc<Flag>,
}

/// Why an act ends early.
enum Stop {
    /// The act ends with this outcome; the run continues.
    State(State),
    /// The run cannot continue.
    Fatal(RunError),
}

/// Result of an act.
type Acted = Result<(), Stop>;

/// Ends an act as incomplete.
fn stuck(why: impl Into<String>) -> Stop {
    Stop::State(State::Stuck(why.into()))
}

impl From<SetupError> for Stop {
    fn from(error: SetupError) -> Self {
        stuck(error.to_string())
    }
}

impl<'a> Run<'a> {
    /// Prepares a run. Sends no request.
    ///
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub fn new(
        target: &'a Target,
        options: &'a Options,
        hand: &'a Hand,
        plan: &'a Plan,
        tell: &'a (dyn Fn(Event<'_>) + Send + Sync),
    ) -> Result<Self, SetupError> {
        let info = target.ground();
        let prober = Prober::new(target.time_outs, info.https)?;
        let mut run = Self {
            target,
            options,
            hand,
            plan,
            tell,
            prober,
            seen: Seen { ground: info, acts: plan.left_out.clone(), ..Seen::default() },
            tokens: Vec::new(),
            made: 0,
            session: target.credentials.session_token.clone().filter(|session| !session.is_empty()),
            error: None,
            left_over: Vec::new(),
            judged: BTreeMap::new(),
            stopping: Arc::default(),
        };
        run.seen.ground.right_only = !options.wrong_requests;
        let held = &target.credentials;
        let known = [
            ("REST API key", true, held.api_key.as_ref().map(ApiKey::expose)),
            ("session token", true, held.session_token.as_ref().map(SessionToken::expose)),
            ("password", true, held.login.as_ref().map(|(_, password)| Password::expose(password))),
            ("partner key", false, held.partner_key.as_ref().map(PartnerKey::expose)),
        ];
        for (what, credential, value) in known {
            if let Some(value) = value {
                run.keep_secret(what, credential, value);
            }
        }
        if let Some((user, _)) = &held.login {
            run.prober.learn(user.expose());
        }
        Ok(run)
    }

    /// Runs all acts of the plan.
    pub async fn run(self) -> Ended {
        self.run_until(std::future::pending()).await
    }

    /// Runs the acts of the plan until `stop` resolves. Results that exist by then are kept; the rest is skipped.
    pub async fn run_until(mut self, stop: impl Future<Output = ()> + Send) -> Ended {
        let mut stop = std::pin::pin!(stop);
        self.judge_ready();
        for act in self.plan.acts.clone() {
            let state = match (&self.error, self.not_there(act)) {
                (Some(RunError::Stopped), _) => State::Skipped(STOPPED_MESSAGE.to_owned()),
                (Some(error), _) => State::Stuck(error.to_string()),
                (None, Some(why)) => State::Stuck(why),
                (None, None) => self.do_act_until(act, stop.as_mut()).await,
            };
            self.seen.acts.insert(act, state);
            self.judge_ready();
        }
        self.judge_rest();
        let verdicts =
            CHECKS.iter().filter_map(|check| Some((*check, self.judged.remove(check.id)?))).collect();
        let avatars = self.seen.steps.iter().filter(|step| step.is_delivery()).count();
        let avatars = u32::try_from(avatars).unwrap_or(u32::MAX);
        let redactor = self.prober.redactor();
        // A step may contain a secret that became known only later.
        for step in &mut self.seen.steps {
            sweep(&redactor, &mut step.exchange);
        }
        Ended { verdicts, error: self.error, tokens: self.made, avatars, redactor, seen: self.seen }
    }

    /// Why a prerequisite of the act was not completed.
    fn not_there(&self, act: Act) -> Option<String> {
        act.cost().after.iter().find_map(|earlier| match self.seen.acts.get(earlier) {
            Some(State::Done) => None,
            Some(State::Stuck(why) | State::Skipped(why) | State::NotApplicable(why)) => Some(why.clone()),
            None => Some("an act that it needs was not run".to_owned()),
        })
    }

    /// Runs one act until `stop` resolves; then the act gets [`STOP_GRACE_PERIOD`] to end.
    async fn do_act_until(
        &mut self,
        act: Act,
        stop: std::pin::Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> State {
        let stopping = self.stopping.clone();
        let outcome = {
            let mut running_act = Box::pin(self.do_act(act));
            tokio::select! {
                biased;
                () = stop => {
                    stopping.set();
                    tokio::time::timeout(FAREWELL, running_act).await.ok()
                }
                outcome = &mut running_act => return outcome,
            }
        };
        self.error = Some(RunError::Stopped);
        match outcome {
            Some(State::Done) => State::Done,
            // Incomplete observations of the act decide nothing.
            _ => State::Skipped(STOPPED_MESSAGE.to_owned()),
        }
    }

    /// Fails if the run has to stop. Called before each request.
    fn not_stopped(&self) -> Acted {
        if self.stopping.is_set() {
            Err(Stop::State(State::Skipped(STOPPED_MESSAGE.to_owned())))
        } else {
            Ok(())
        }
    }

    /// Runs one act.
    async fn do_act(&mut self, act: Act) -> State {
        (self.tell)(Event::Began(act));
        let done: BoxFuture<'_, Acted> = match act {
            Act::Login => Box::pin(self.log_in()),
            Act::Generate | Act::GenerateAgain => Box::pin(self.generate(act)),
            Act::Strangers => Box::pin(self.strangers()),
            Act::Fresh => Box::pin(self.fresh()),
            Act::Refused => Box::pin(self.refused()),
            Act::Page => Box::pin(self.page()),
            Act::Plain => Box::pin(self.plain()),
            Act::Visit => Box::pin(self.visit()),
            Act::Files => Box::pin(self.files()),
            Act::Race => Box::pin(self.race()),
            Act::UrlsEnd => Box::pin(self.urls_end()),
            Act::Failure => Box::pin(self.failure()),
            Act::Expiry => Box::pin(self.expiry()),
            Act::LostAnswer => Box::pin(self.lost_answer()),
            Act::Witness => Box::pin(self.witness()),
        };
        match done.await {
            Ok(()) => State::Done,
            Err(Stop::State(state)) => state,
            Err(Stop::Fatal(error)) => {
                let state = State::Stuck(error.to_string());
                self.error = Some(error);
                state
            }
        }
    }

    fn wire(&self) -> Wire<'a> {
        Wire { target: self.target }
    }

    /// Emits a message for people.
    fn note(&self, words: impl Into<String>) {
        (self.tell)(Event::Note(words.into()));
    }

    /// Masks a secret from now on, and remembers it for the checks that search responses for secrets.
    fn keep_secret(&mut self, what: &'static str, credential: bool, value: &str) {
        self.prober.learn(value);
        let value = SecretString::from(value.to_owned());
        self.seen.needles.push(Needle { what, credential, value });
    }

    /// Sends one request, and records the exchange. Returns the index of the step.
    async fn step(&mut self, act: Act, role: Role, about: About, request: Worded) -> Result<usize, Stop> {
        self.not_stopped()?;
        let probed = self.prober.send(request.probe).await?;
        Ok(self.keep(act, role, about, request.curl, probed))
    }

    /// Records an exchange as a step. Returns the index of the step.
    fn keep(
        &mut self,
        act: Act,
        role: Role,
        about: About,
        curl: String,
        probed: client::probe::Probed,
    ) -> usize {
        let index = self.seen.steps.len();
        self.seen.steps.push(Step {
            number: index + 1,
            act,
            role,
            token: about.token.map(|token| token + 1),
            file: about.file,
            curl,
            exchange: probed.exchange,
            reply: probed.reply.ok(),
        });
        (self.tell)(Event::Step(&self.seen.steps[index]));
        index
    }

    /// Judges every check whose acts have all ended. Checks that examine every step are judged at the end.
    fn judge_ready(&mut self) {
        for check in CHECKS.iter().filter(|check| !check.needs.is_empty()) {
            let have_ended = check.needs.iter().all(|act| self.seen.acts.contains_key(act));
            // These checks also examine steps of later acts.
            let is_late = LATE.contains(&check.id);
            if have_ended && !is_late {
                self.judge(check);
            }
        }
    }

    /// Judges every check that was not judged yet.
    fn judge_rest(&mut self) {
        for check in CHECKS.iter() {
            self.judge(check);
        }
    }

    /// Judges a check once, and emits the result.
    fn judge(&mut self, check: &'static Check) {
        if self.judged.contains_key(check.id) {
            return;
        }
        let judged = judge(check, &self.seen);
        (self.tell)(Event::Judged(check, &judged));
        self.judged.insert(check.id, judged);
    }
}

/// Checks that also examine steps of acts that they do not need.
const LATE: [&str; 5] =
    ["redeem.active-200", "redeem.flag", "redeem.either-or", "redeem.json", "relay.no-cache"];

/// Masks every secret in a recorded exchange.
fn sweep(redactor: &client::Redactor, exchange: &mut client::Exchange) {
    let client::Exchange { url, request_headers, request_body, response_headers, body, error, .. } = exchange;
    let mask = |text: &mut String| *text = redactor.text(text);
    mask(url);
    [request_body, body, error].into_iter().flatten().for_each(mask);
    request_headers.iter_mut().chain(response_headers).for_each(|(_, value)| mask(value));
}

/// The token and the file that a step is about, by index.
#[derive(Debug, Clone, Copy, Default)]
struct About {
    token: Option<usize>,
    file: Option<usize>,
}

impl About {
    fn token(index: usize) -> Self {
        Self { token: Some(index), file: None }
    }
}

/// Judges one check, after its acts have ended.
fn judge(check: &Check, observations: &Seen) -> Judged {
    let is_relay = observations.ground.relays_tokens || observations.ground.relays_redeems;
    if check.id.starts_with("relay.") && !is_relay {
        return Judged::NotApplicable("there is no relay".to_owned());
    }
    // The reason of an omitted act is the result. An incomplete act may have shown enough for a verdict.
    for act in check.needs {
        match observations.acts.get(act) {
            Some(State::NotApplicable(why)) => return Judged::NotApplicable(why.clone()),
            Some(State::Skipped(why)) => return Judged::Skipped(why.clone()),
            _ => {}
        }
    }
    let judged = (check.judge)(observations);
    let incomplete = check.needs.iter().find_map(|act| match observations.acts.get(act) {
        Some(State::Stuck(why)) => Some(why.clone()),
        _ => None,
    });
    match (judged, incomplete) {
        (Judged::Inconclusive(_) | Judged::NotApplicable(_), Some(why)) => Judged::Inconclusive(why),
        (judged, _) => judged,
    }
}
