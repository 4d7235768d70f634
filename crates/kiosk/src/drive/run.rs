//! The owner of one visit: takes in what happened, steps the machine, performs what it asks for.

use super::order::{Ended, Order, Parts};
use super::redeem::{Redeemed, Salvage, Unsettled, redeem};
use super::save::{SaveOrder, Saved, save};
use super::{Leave, Needed, day_of, ended_line, issue, millis};
use crate::clock::Clock;
use crate::line::{Line, LineEvent};
use jiff::Timestamp;
use protocol::{CompletionStatus, Delivery, ExportToken};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use store::{AvatarFolder, Ending, Kept, Phase, Times, VisitId, VisitRecordStart};
use visit::machine::{Plan, Visit, step};
use visit::{Effect, Event, Moment, Notice, Outcome, RedeemResult};

pub(super) struct Run {
    order: Arc<Order>,
    parts: Parts,
    visit: Visit,
    token: Option<ExportToken>,
    delivery: Option<Delivery>,
    /// What the beginning of a lost answer names, while no good one came since.
    salvage: Option<Salvage>,
    /// What the journal still has to take in of the last redeem.
    unsettled: Option<Unsettled>,
    directory: Option<PathBuf>,
    times: Times,
    flight: Option<Flight>,
    wait: Option<Moment>,
    /// Held until the end: while it is, no `recover` touches this visit.
    _claim: store::Claim,
}

impl Run {
    pub(super) async fn begin(order: Order, parts: Parts) -> Result<Self, store::StoreError> {
        let claim = parts.data.claim(&order.id)?;
        let now = parts.clock.now();
        parts
            .journal
            .begin(&VisitRecordStart {
                id: order.id,
                profile: order.profile.clone(),
                api_url: order.api_url.clone(),
                backend_host: order.backend_host.clone(),
                ephemeral: order.ephemeral,
                out_dir: order.out.clone(),
                required_exports: order.required_exports.clone(),
                started_at: now,
                limits: Some(order.limits()),
            })
            .await?;
        let plan = Plan {
            pace: order.pace.clone(),
            give_up_at: parts.clock.moment() + order.timeout,
            patience: order.patience,
            seed: seed(order.id),
        };
        Ok(Self {
            order: Arc::new(order),
            parts,
            visit: Visit::new(plan),
            token: None,
            delivery: None,
            salvage: None,
            unsettled: None,
            directory: None,
            times: Times { started: now, ..Times::default() },
            flight: None,
            wait: None,
            _claim: claim,
        })
    }

    fn tell(&self, event: LineEvent) {
        (self.parts.teller)(Line { visit: self.order.id, at: self.parts.clock.now(), event });
    }

    pub(super) async fn run(mut self, leave: Leave) -> Ended {
        let (mut leaving, mut stopping) = (false, false);
        let mut end = self.feed(Event::Begun).await;
        while end.is_none() {
            let event = tokio::select! {
                biased;
                landed = land(&mut self.flight) => {
                    self.flight = None;
                    self.take_in(landed).await
                }
                () = leave.interrupted.cancelled(), if !stopping => {
                    stopping = true;
                    Event::Interrupted
                }
                () = leave.left.cancelled(), if !leaving => {
                    leaving = true;
                    Event::Left
                }
                () = ring(self.parts.clock, self.wait) => {
                    self.wait = None;
                    Event::Due
                }
            };
            end = self.feed(event).await;
        }
        // The loop ends with an outcome only.
        let outcome = end.unwrap_or(Outcome::Interrupted);
        self.close(outcome).await
    }

    async fn feed(&mut self, event: Event) -> Option<Outcome> {
        let (visit, effects) = step(self.visit.clone(), event, self.parts.clock.moment());
        self.visit = visit;
        let mut end = None;
        for effect in effects {
            match effect {
                Effect::Issue => self.flight = Some(Box::pin(self.issue())),
                Effect::Redeem => self.flight = self.redeem(),
                Effect::Save => self.flight = self.save(),
                Effect::Salvage => self.flight = self.salvage().await,
                Effect::Wait { until } => self.wait = Some(until),
                Effect::Tell(notice) => self.pass_on(notice),
                Effect::End(outcome) => end = Some(outcome),
            }
        }
        end
    }

    fn issue(&self) -> impl Future<Output = Landed> + Send + 'static {
        let (parts, order) = (self.parts.clone(), self.order.clone());
        async move { Landed::Issued(issue::issue(&parts, &order).await) }
    }

    fn redeem(&mut self) -> Option<Flight> {
        let (parts, id, token) = (self.parts.clone(), self.order.id, self.token.clone()?);
        let (before, order) = (self.unsettled.take(), self.order.clone());
        Some(Box::pin(async move {
            let needed = Needed { out: &order.out, least: order.min_free_space };
            Landed::Redeemed(Box::new(redeem(&parts, id, &token, before, needed).await))
        }))
    }

    /// Takes what the beginning of a lost answer names for the delivery.
    async fn salvage(&mut self) -> Option<Flight> {
        let Salvage { no, delivery } = self.salvage.take()?;
        let settled = match self.unsettled.take() {
            Some(mut end) => end.settle(&self.parts.journal, self.order.id).await,
            None => Ok(()),
        };
        let written = match settled {
            Ok(()) => self.parts.journal.redeem_salvaged(&self.order.id, no).await,
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            // The URLs are in memory, and there will be no others: going on beats stopping here.
            tracing::error!(%error, "what is salvaged could not be journalled");
        }
        self.deliver(delivery).await;
        self.pass_on(Notice::Delivered);
        let saving = self.save()?;
        Some(Box::pin(async move {
            match saving.await {
                Landed::Saved(saved) => Landed::Salvaged(saved),
                other => other,
            }
        }))
    }

    /// The token is spent on this.
    async fn deliver(&mut self, delivery: Delivery) {
        let now = self.parts.clock.now();
        (self.times.ready, self.times.redeemed) = (Some(now), Some(now));
        if let Err(error) = self.parts.journal.phase_reached(&self.order.id, Phase::Ready, now).await {
            tracing::warn!(%error, "a phase could not be written");
        }
        self.delivery = Some(delivery);
        self.token = None;
    }

    fn save(&mut self) -> Option<Flight> {
        let order = SaveOrder {
            id: self.order.id,
            profile: self.order.profile.clone(),
            backend_host: self.order.backend_host.clone(),
            out: self.order.out.clone(),
            required_exports: self.order.required_exports.clone(),
            limits: self.order.limits(),
            pause: self.order.download_pause,
            times: self.times.clone(),
            earlier: Vec::new(),
        };
        let (parts, delivery) = (self.parts.clone(), self.delivery.take()?);
        Some(Box::pin(async move { Landed::Saved(save(&parts, order, delivery).await) }))
    }

    /// Keeps what a landed flight brought, and turns it into the machine's event.
    async fn take_in(&mut self, landed: Landed) -> Event {
        match landed {
            Landed::Issued(Ok((token, link))) => {
                let now = self.parts.clock.now();
                self.times.issued = Some(now);
                self.token = Some(token);
                let expires_at = self.order.export_token_life.and_then(|life| now.checked_add(life).ok());
                self.tell(LineEvent::Invited { link, expires_at });
                Event::Issued
            }
            Landed::Issued(Err(fault)) => Event::IssueFailed(fault),
            Landed::Redeemed(redeemed) => {
                let Redeemed { result, delivery, salvage, unsettled } = *redeemed;
                self.unsettled = unsettled;
                if let RedeemResult::NotReady(progress) = &result {
                    self.note_phase(&progress.status).await;
                    self.salvage = None;
                }
                if salvage.is_some() {
                    self.salvage = salvage;
                }
                if let Some(delivery) = delivery {
                    self.deliver(delivery).await;
                }
                Event::Redeemed(result)
            }
            Landed::Salvaged(Saved { directory, files, missing, disk_full: false, .. })
                if files.is_empty() =>
            {
                self.directory = directory;
                Event::NothingSalvaged(missing.join("; "))
            }
            Landed::Saved(Saved { directory, files, missing, contradiction, disk_full })
            | Landed::Salvaged(Saved { directory, files, missing, contradiction, disk_full }) => {
                self.directory = directory;
                if disk_full {
                    Event::DiskFull(missing.join("; "))
                } else if missing.is_empty() {
                    let directory = self.directory.as_deref().unwrap_or(&self.order.out);
                    self.tell(LineEvent::Saved { directory: directory.display().to_string(), files });
                    Event::Saved { contradiction }
                } else {
                    Event::SavedInPart(missing.join("; "))
                }
            }
        }
    }

    /// Notes the first time that a status was seen, for the manifest and the history.
    async fn note_phase(&mut self, status: &CompletionStatus) {
        let now = self.parts.clock.now();
        let mut reached = Vec::new();
        let mut note = |phase, time: &mut Option<Timestamp>| {
            if time.is_none() {
                *time = Some(now);
                reached.push(phase);
            }
        };
        if *status != CompletionStatus::NoAssociatedAvatar {
            note(Phase::Associated, &mut self.times.associated);
        }
        match status {
            CompletionStatus::InQueue => note(Phase::Queued, &mut self.times.queued),
            CompletionStatus::Processing => note(Phase::Processing, &mut self.times.processing),
            _ => {}
        }
        for phase in reached {
            if let Err(error) = self.parts.journal.phase_reached(&self.order.id, phase, now).await {
                tracing::warn!(%error, "a phase could not be written");
            }
        }
    }

    fn pass_on(&self, notice: Notice) {
        match notice {
            Notice::Status { progress, next_poll } => self.tell(LineEvent::Status {
                completion_status: progress.status.as_str().to_owned(),
                completion_progress: progress.completion_on_wire(),
                queue_position: progress.queue_on_wire(),
                next_poll_ms: millis(next_poll),
            }),
            Notice::Retrying { fault, attempt, next_poll } => self.tell(LineEvent::Retrying {
                code: fault.kind.code().to_owned(),
                message: fault.detail,
                attempt,
                next_poll_ms: millis(next_poll),
            }),
            Notice::Delivered => {
                let exports = self.delivery.iter().flat_map(|delivery| &delivery.exports);
                let exports = exports.map(|export| export.export_type.as_str().to_owned()).collect();
                self.tell(LineEvent::Redeemed { exports });
            }
        }
    }

    /// Nobody will go on with this visit: what came of its files is not left lying among the avatars.
    fn clear_up(&self) {
        let day = day_of(self.times.started);
        let cleared = AvatarFolder::reopen(&self.order.out, &self.order.id, day)
            .and_then(|folder| folder.map_or(Ok(()), AvatarFolder::discard));
        if let Err(error) = cleared {
            tracing::warn!(%error, "what came of the avatar could not be removed");
        }
    }

    async fn close(mut self, outcome: Outcome) -> Ended {
        // What is in flight is dropped here; a redeem among it notes itself as unanswered.
        self.flight = None;
        if let Some(mut unsettled) = self.unsettled.take()
            && let Err(error) = unsettled.settle(&self.parts.journal, self.order.id).await
        {
            tracing::error!(%error, "how the last redeem ended stays unwritten");
        }
        let state = self.visit.ended_in().unwrap_or(visit::outcome::EndedIn::Issuing).as_str();
        let line = ended_line(&outcome, state, self.directory.as_deref());
        let message = match &line {
            LineEvent::Ended { message, .. } => message.clone(),
            _ => String::new(),
        };
        let written = self
            .parts
            .journal
            .ended(
                &self.order.id,
                &Ending {
                    code: outcome.code().to_owned(),
                    exit: outcome.exit(),
                    message,
                    visit_state: state.to_owned(),
                    directory: self.directory.clone(),
                    at: self.parts.clock.now(),
                },
            )
            .await;
        match written {
            Ok(Kept::Nothing) if self.directory.is_none() => self.clear_up(),
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "the journal could not take in the visit's end"),
        }
        self.tell(line);
        Ended { outcome, directory: self.directory }
    }
}

type Flight = Pin<Box<dyn Future<Output = Landed> + Send>>;

/// What a thing in flight brought.
enum Landed {
    Issued(Result<(ExportToken, String), visit::Fault>),
    Redeemed(Box<Redeemed>),
    Saved(Saved),
    /// As `Saved`, of a lost answer's beginning.
    Salvaged(Saved),
}

async fn land(flight: &mut Option<Flight>) -> Landed {
    match flight {
        Some(flight) => flight.await,
        None => std::future::pending().await,
    }
}

async fn ring(clock: Clock, wait: Option<Moment>) {
    match wait {
        Some(moment) => clock.until(moment).await,
        None => std::future::pending().await,
    }
}

/// The random half of the visit's id: no clock, no other source of chance.
fn seed(id: VisitId) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    std::hash::Hash::hash(&id, &mut hasher);
    std::hash::Hasher::finish(&hasher)
}
