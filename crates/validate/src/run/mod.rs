//! A run: the acts of its plan, one after the other, and a verdict as soon as what it needs was seen.

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

/// What a run tells while it goes on.
#[derive(Debug)]
pub enum Event<'a> {
    /// An act begins.
    Began(Act),
    /// A request was answered, or was not.
    Step(&'a Step),
    /// A check has its verdict.
    Judged(&'a Check, &'a Judged),
    /// So many Export Tokens were made by now.
    Made(u32),
    /// Something that people should know.
    Note(String),
}

/// Why a run could not tell anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// Exit 3.
    #[error("the backend refused the credentials: {0}")]
    Credentials(String),
    /// Exit 6.
    #[error("the backend could not be reached: {0}")]
    Unreachable(String),
    /// Exit 130.
    #[error("{STOPPED}")]
    Stopped,
}

/// Exit code of a run that was stopped before its end.
pub(crate) const EXIT_STOPPED: u8 = 130;

/// Detail of every act and check that a stopped run did not reach.
const STOPPED: &str = "the run was stopped before its end";

/// As long an act that is under way gets to end when a run is stopped: an answer that is coming may be the one that
/// spends a token.
const FAREWELL: Duration = Duration::from_secs(10);

impl RunError {
    /// The exit code that it means.
    pub fn exit(&self) -> u8 {
        match self {
            Self::Credentials(_) => 3,
            Self::Unreachable(_) => 6,
            Self::Stopped => EXIT_STOPPED,
        }
    }
}

/// What a run brought.
pub struct Ended {
    /// Everything that was seen.
    pub seen: Seen,
    /// The verdict of each check, in the order of [`CHECKS`].
    pub verdicts: Vec<(&'static Check, Judged)>,
    /// Why nothing more could be told.
    pub error: Option<RunError>,
    /// Export Tokens made.
    pub tokens: u32,
    /// Avatars consumed: deliveries that came.
    pub avatars: u32,
    /// Knows every secret of the run.
    pub redactor: client::Redactor,
}

impl Ended {
    /// Every exchange as an HTTP Archive, redacted.
    pub fn har(&self) -> serde_json::Value {
        client::har::document(self.seen.steps.iter().map(|step| &step.exchange))
    }
}

/// A run.
pub struct Run<'a> {
    target: &'a Target,
    options: &'a Options,
    hand: &'a Hand,
    plan: &'a Plan,
    tell: &'a (dyn Fn(Event<'_>) + Send + Sync),
    prober: Prober,
    seen: Seen,
    /// The Export Tokens that came, in order.
    tokens: Vec<String>,
    made: u32,
    session: Option<SessionToken>,
    error: Option<RunError>,
    /// URLs that the race left unused.
    left_over: Vec<Url>,
    judged: BTreeMap<&'static str, Judged>,
    /// Set when the run is to stop: no request begins after it.
    stopping: Arc<Flag>,
}

/// How an act ends early.
enum Stop {
    /// With this state.
    State(State),
    /// And nothing after it makes sense.
    Fatal(RunError),
}

type Acted = Result<(), Stop>;

fn stuck(why: impl Into<String>) -> Stop {
    Stop::State(State::Stuck(why.into()))
}

impl From<SetupError> for Stop {
    fn from(error: SetupError) -> Self {
        stuck(error.to_string())
    }
}

impl<'a> Run<'a> {
    /// Sends nothing yet.
    ///
    /// # Errors
    /// When HTTP cannot be used here.
    pub fn new(
        target: &'a Target,
        options: &'a Options,
        hand: &'a Hand,
        plan: &'a Plan,
        tell: &'a (dyn Fn(Event<'_>) + Send + Sync),
    ) -> Result<Self, SetupError> {
        let ground = target.ground();
        let prober = Prober::new(target.time_outs, ground.https)?;
        let mut run = Self {
            target,
            options,
            hand,
            plan,
            tell,
            prober,
            seen: Seen { ground, acts: plan.left_out.clone(), ..Seen::default() },
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

    /// Does it all.
    pub async fn run(self) -> Ended {
        self.run_until(std::future::pending()).await
    }

    /// Does it all, or as much as is done when `stop` comes: what was judged by then stays, and the rest is left out.
    pub async fn run_until(mut self, stop: impl Future<Output = ()> + Send) -> Ended {
        let mut stop = std::pin::pin!(stop);
        self.judge_ready();
        for act in self.plan.acts.clone() {
            let state = match (&self.error, self.not_there(act)) {
                (Some(RunError::Stopped), _) => State::Skipped(STOPPED.to_owned()),
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
        // A secret may have been met before it was known to be one.
        for step in &mut self.seen.steps {
            sweep(&redactor, &mut step.exchange);
        }
        Ended { verdicts, error: self.error, tokens: self.made, avatars, redactor, seen: self.seen }
    }

    /// Which act before it did not bring what it needs.
    fn not_there(&self, act: Act) -> Option<String> {
        act.cost().after.iter().find_map(|earlier| match self.seen.acts.get(earlier) {
            Some(State::Done) => None,
            Some(State::Stuck(why) | State::Skipped(why) | State::NotApplicable(why)) => Some(why.clone()),
            None => Some("what it stands on was not done".to_owned()),
        })
    }

    async fn do_act_until(
        &mut self,
        act: Act,
        stop: std::pin::Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> State {
        let stopping = self.stopping.clone();
        let done = {
            let mut acting = Box::pin(self.do_act(act));
            tokio::select! {
                biased;
                () = stop => {
                    stopping.set();
                    tokio::time::timeout(FAREWELL, acting).await.ok()
                }
                state = &mut acting => return state,
            }
        };
        self.error = Some(RunError::Stopped);
        match done {
            Some(State::Done) => State::Done,
            // What it showed by then is a part, by which nothing can be judged.
            _ => State::Skipped(STOPPED.to_owned()),
        }
    }

    /// An act asks before it sends a request.
    fn not_stopped(&self) -> Acted {
        if self.stopping.is_set() { Err(Stop::State(State::Skipped(STOPPED.to_owned()))) } else { Ok(()) }
    }

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

    fn note(&self, words: impl Into<String>) {
        (self.tell)(Event::Note(words.into()));
    }

    /// From now on it is masked, and no error may repeat it.
    fn keep_secret(&mut self, what: &'static str, credential: bool, value: &str) {
        self.prober.learn(value);
        let value = SecretString::from(value.to_owned());
        self.seen.needles.push(Needle { what, credential, value });
    }

    /// Sends one request and keeps what came; gives the step's index.
    async fn step(&mut self, act: Act, role: Role, about: About, request: Worded) -> Result<usize, Stop> {
        self.not_stopped()?;
        let probed = self.prober.send(request.probe).await?;
        Ok(self.keep(act, role, about, request.curl, probed))
    }

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

    /// Judges every check whose acts are all over, once. Those that look at every step wait for the end.
    fn judge_ready(&mut self) {
        for check in CHECKS.iter().filter(|check| !check.needs.is_empty()) {
            let over = check.needs.iter().all(|act| self.seen.acts.contains_key(act));
            // Answers of later acts count too where they tell of the same token.
            let waits = LATE.contains(&check.id);
            if over && !waits {
                self.judge(check);
            }
        }
    }

    fn judge_rest(&mut self) {
        for check in CHECKS.iter() {
            self.judge(check);
        }
    }

    fn judge(&mut self, check: &'static Check) {
        if self.judged.contains_key(check.id) {
            return;
        }
        let judged = judge(check, &self.seen);
        (self.tell)(Event::Judged(check, &judged));
        self.judged.insert(check.id, judged);
    }
}

/// Checks that look at answers of later acts, too.
const LATE: [&str; 5] =
    ["redeem.active-200", "redeem.flag", "redeem.either-or", "redeem.json", "relay.no-cache"];

fn sweep(redactor: &client::Redactor, exchange: &mut client::Exchange) {
    let client::Exchange { url, request_headers, request_body, response_headers, body, error, .. } = exchange;
    let clean = |text: &mut String| *text = redactor.text(text);
    clean(url);
    [request_body, body, error].into_iter().flatten().for_each(clean);
    request_headers.iter_mut().chain(response_headers).for_each(|(_, value)| clean(value));
}

/// What a step is about.
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

/// Judges one check over what was seen.
fn judge(check: &Check, observations: &Seen) -> Judged {
    let relayed = observations.ground.relays_tokens || observations.ground.relays_redeems;
    if check.id.starts_with("relay.") && !relayed {
        return Judged::NotApplicable("there is no relay".to_owned());
    }
    // An act that was left out explains itself; one that got stuck may have shown enough.
    for act in check.needs {
        match observations.acts.get(act) {
            Some(State::NotApplicable(why)) => return Judged::NotApplicable(why.clone()),
            Some(State::Skipped(why)) => return Judged::Skipped(why.clone()),
            _ => {}
        }
    }
    let judged = (check.judge)(observations);
    let stuck = check.needs.iter().find_map(|act| match observations.acts.get(act) {
        Some(State::Stuck(why)) => Some(why.clone()),
        _ => None,
    });
    match (judged, stuck) {
        (Judged::Inconclusive(_) | Judged::NotApplicable(_), Some(why)) => Judged::Inconclusive(why),
        (judged, _) => judged,
    }
}
