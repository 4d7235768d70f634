//! `validate` in the window: requirements for the inspector, and runs of the checks at the backend in use.

use kiosk::app::{Backing, Kiosk};
use kiosk::problem::{of_setup, problem};
use kiosk::qr::LinkCode;
use kiosk::setup::Disk;
use kiosk::view::Problem;
use kiosk::view::checks::{
    CheckView, ChecksAsk, ChecksInvitation, ChecksPlan, ChecksStand, ChecksView, PlannedAct,
};
use kiosk::view::inspector::RuleView;
use kiosk::{NoRecorder, SetupError};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use validate::act::{ACTS, Cost, State};
use validate::live::{Live, Player, Stand, View};
use validate::{Backend, Exchange, Options, Plan, RunError, Target, Tester};

/// Minimum interval between two views.
const SPACING: Duration = Duration::from_millis(100);

/// Judges which requirements an exchange meets or violates.
pub(crate) fn rules(exchange: &Exchange, backend: &Backend) -> Vec<RuleView> {
    let rules = validate::rules::rules(exchange, backend).into_iter();
    let view = |rule: validate::rules::Rule| RuleView {
        level: rule.level().to_owned(),
        at: rule.at,
        requirement: rule.requirement.id.clone(),
        sentence: rule.requirement.quote.clone(),
        kept: rule.kept,
        came: rule.came,
    };
    rules.map(view).collect()
}

/// The runs of this window, one at a time. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Checks {
    live: Live,
    about: Arc<watch::Sender<About>>,
}

/// What the view of a run lacks.
#[derive(Debug, Clone, Default)]
struct About {
    /// Host of the last run.
    target: Option<String>,
    /// Folder in which the last report was saved.
    saved: Option<PathBuf>,
}

impl Checks {
    /// What a run at this backend would do within the limits of `ask`, with `visits` visits in progress.
    ///
    /// # Errors
    /// The backend cannot be used, for example because credentials are missing.
    pub(crate) async fn plan(
        &self,
        backing: &Backing,
        ask: &ChecksAsk,
        visits: usize,
    ) -> Result<ChecksPlan, Problem> {
        let (target, options, player) = prepared(backing, ask).await?;
        Ok(planned(&self.live.plan(&target, &options, player), visits))
    }

    /// Starts a run at this backend within the limits of `ask`, with `visits` visits in progress. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    /// The backend cannot be used, a visit would be disturbed, or a run is in progress.
    pub(crate) async fn start(
        &self,
        backing: &Backing,
        ask: &ChecksAsk,
        visits: usize,
    ) -> Result<(), Problem> {
        let (target, options, player) = prepared(backing, ask).await?;
        let plan = planned(&self.live.plan(&target, &options, player.clone()), visits);
        if plan.disturbs > 0 && !ask.despite_visits {
            return Err(problem("checks_disturb", None));
        }
        let run = self.live.begin(target, options, player);
        let run = run.map_err(|busy| problem("checks_running", Some(&busy.to_string())))?;
        self.about.send_replace(About { target: Some(backing.target.host()), saved: None });
        tokio::spawn(run);
        Ok(())
    }

    /// Stops the run in progress.
    pub(crate) fn stop(&self) {
        self.live.stop();
    }

    /// Skips the check that is waiting for a phone.
    pub(crate) fn skip(&self) {
        self.live.skip();
    }

    /// Saves the report of the last run, and returns its folder. Blocks on the disk.
    ///
    /// # Errors
    /// `checks_none` if no run has ended; `storage_failed` if the report cannot be written.
    pub(crate) fn save(&self, disk: &Disk) -> Result<PathBuf, Problem> {
        let documents = self.live.documents().ok_or_else(|| problem("checks_none", None))?;
        let failed = |why: &str| problem("storage_failed", Some(why));
        let files = documents.files().map_err(|why| failed(&why))?;
        let files = files.each_ref().map(|(name, text)| (*name, text.as_bytes()));
        let saved =
            disk.save_report(&documents.folder(), &files).map_err(|error| failed(&error.to_string()))?;
        self.about.send_modify(|about| about.saved = Some(saved.clone()));
        Ok(saved)
    }

    /// Sends the state of the checks to `send`, now and after each change. Returns when `until` completes, or when
    /// `send` returns false.
    pub(crate) async fn tell(
        &self,
        kiosk: &Kiosk,
        until: impl Future<Output = ()> + Send,
        send: impl Fn(ChecksView) -> bool + Send,
    ) {
        let (mut views, mut about) = (self.live.views(), self.about.subscribe());
        let updates = async {
            loop {
                let view = views.borrow_and_update().clone();
                let known = about.borrow_and_update().clone();
                if !send(shown(view, known, kiosk)) {
                    return;
                }
                tokio::time::sleep(SPACING).await;
                let changed = tokio::select! {
                    changed = views.changed() => changed,
                    changed = about.changed() => changed,
                };
                if changed.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            () = until => {}
            () = updates => {}
        }
    }
}

/// Prepares a run. Reports missing credentials before anything is sent. Only a backend on this machine is asked whether
/// it is a sandbox.
async fn prepared(backing: &Backing, ask: &ChecksAsk) -> Result<(Target, Options, Player), Problem> {
    let (target, profile) = (&backing.target, &backing.profile);
    let unusable = |error: SetupError| of_setup(&error);
    target.api(profile, Arc::new(NoRecorder)).map_err(unusable)?;
    let tester = Tester::of_backend(&target.api_url, None).await.map_err(unusable)?;
    let options = Options {
        max_tokens: Some(ask.most_tokens),
        // A sandbox has nothing that anyone could lose.
        destructive: tester.is_some(),
        wrong_requests: ask.wrong_requests,
        avatars: ask.with_phone,
        ..Options::default()
    };
    let checked = Target {
        name: profile.name.clone(),
        backend: target.backend(profile),
        credentials: target.credentials.clone(),
        link: target.link.clone(),
        time_outs: profile.network,
    };
    Ok((checked, options, tester.map_or(Player::Watcher, Player::Sandbox)))
}

fn planned(plan: &Plan, visits: usize) -> ChecksPlan {
    let act = |cost: &Cost| PlannedAct {
        does: cost.does.to_owned(),
        requests: cost.requests,
        left_out: plan.left_out.get(&cost.act).map(|state| match state {
            State::NotApplicable(why) | State::Skipped(why) | State::Stuck(why) => why.clone(),
            State::Done => String::new(),
        }),
    };
    let visits = u32::try_from(visits).unwrap_or(u32::MAX);
    ChecksPlan {
        acts: ACTS.iter().map(act).collect(),
        requests: plan.requests(),
        tokens: plan.tokens,
        tokens_at_risk: plan.tokens_at_risk,
        avatars: plan.avatars,
        free: plan.free,
        asks_people: plan.asks_people(),
        moves_clock: plan.moves_clock(),
        disturbs: if plan.moves_clock() { visits } else { 0 },
    }
}

fn shown(view: View, about: About, kiosk: &Kiosk) -> ChecksView {
    ChecksView {
        target: about.target.unwrap_or_else(|| kiosk.backing().target.host()),
        stand: match view.stand {
            Stand::Idle => ChecksStand::Idle,
            Stand::Running => ChecksStand::Running,
            Stand::Ended { passed } => ChecksStand::Ended { passed },
            Stand::Broken(error) => ChecksStand::Broken { problem: broken(&error) },
            Stand::Unable(why) => ChecksStand::Broken { problem: problem("configuration", Some(&why)) },
        },
        checks: view.checks.into_iter().map(check).collect(),
        doing: view.doing.map(|act| act.cost().does.to_owned()),
        invitation: view.invitation.map(|(asked, status)| ChecksInvitation {
            qr_svg: LinkCode::new(&asked.link).map(|code| code.svg()).unwrap_or_default(),
            link: asked.link,
            purpose: asked.purpose.to_owned(),
            status,
        }),
        requests: view.requests,
        tokens: view.tokens,
        summary: view.summary,
        notes: view.notes,
        saved: about.saved.map(|path| kiosk::for_people(&path)),
    }
}

fn broken(error: &RunError) -> Problem {
    match error {
        RunError::Credentials(why) => problem("credentials_refused", Some(why)),
        RunError::Unreachable(why) => problem("backend_unreachable", Some(why)),
        RunError::Stopped => problem("checks_stopped", None),
    }
}

fn check(view: validate::live::CheckView) -> CheckView {
    CheckView {
        id: view.check.to_owned(),
        title: view.title.to_owned(),
        level: view.level.word().to_owned(),
        verdict: view.verdict.map(|verdict| verdict.as_str().to_owned()),
        findings: view.findings,
        remedy: view.remedy.to_owned(),
        requirements: view.requirements.into_iter().map(str::to_owned).collect(),
    }
}
