//! A simulated host of one visit: performs the effects as the turns decide, and checks the invariants of the machine.

use super::turns::{Saving, Turn};
use copresence_protocol::{
    CompletionStatus, DeliveredExports, DownloadUrl, DownloadableExport, ExportToken, ExportType, LinkTemplate,
    MAX_REDEEM_DELAY, Percent, Progress, QueuePosition,
};
use copresence_visit::{
    MachineEffect, MachineEvent, MillisSinceOrigin, Outcome, PollingConfig, RedeemOnceOrUntilReady, RedeemResult,
    TokenIssueParameters, TruncatedResponseFiles, Visit, VisitNotice, VisitPollingPlan, VisitState, VisitStepFailure,
    VisitStepFailureKind, advance_visit_machine,
};
use std::time::Duration;

pub(crate) const TIMEOUT: Duration = Duration::from_mins(15);
pub(crate) const PATIENCE: Duration = Duration::from_mins(3);

pub(crate) fn plan() -> VisitPollingPlan {
    VisitPollingPlan {
        polling: PollingConfig::default(),
        give_up_at: MillisSinceOrigin::default() + TIMEOUT,
        patience: PATIENCE,
        seed: 7,
        mode: RedeemOnceOrUntilReady::UntilReady,
    }
}

pub(crate) fn request() -> TokenIssueParameters {
    let link: LinkTemplate = "https://app.test/?exportToken={token}".parse().expect("a template");
    TokenIssueParameters { link, token_lifetime: None }
}

pub(crate) fn token() -> ExportToken {
    ExportToken::new("token").expect("a token")
}

pub(crate) fn delivery() -> DeliveredExports {
    let download_url = DownloadUrl::new("https://files.test/one").expect("a URL");
    let export = DownloadableExport { download_url, export_type: ExportType::new("glb") };
    DeliveredExports { exports: vec![export], unusable_entries: Vec::new(), contradiction: None }
}

pub(crate) fn partial() -> TruncatedResponseFiles {
    TruncatedResponseFiles { redeem: 1, delivery: delivery() }
}

pub(crate) fn progress(status: CompletionStatus, percent: Option<u8>, place: Option<u32>) -> Progress {
    Progress { status, completion: percent.and_then(Percent::new), queue_position: place.map(QueuePosition::new) }
}

pub(crate) fn failure(kind: VisitStepFailureKind) -> VisitStepFailure {
    VisitStepFailure::new(kind, "what happened")
}

/// The effect in flight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum InFlight {
    Nothing,
    Issue,
    Redeem,
    Save,
    SavePartial,
}

/// The host with its visit and the observed effects.
pub(crate) struct Host {
    pub(crate) visit: Visit,
    pub(crate) now: MillisSinceOrigin,
    pub(crate) in_flight: InFlight,
    pub(crate) wait: Option<MillisSinceOrigin>,
    pub(crate) delivered: bool,
    /// A truncated response names files, and no later response proves that it spent nothing.
    pub(crate) partial: bool,
    /// When that is proof.
    partial_settled_at: MillisSinceOrigin,
    redeem_sent_at: MillisSinceOrigin,
    pub(crate) partial_used: bool,
    /// 400s since the last usable response.
    refusals: u32,
    pub(crate) redeems: u32,
    /// Downloads of the files of truncated responses, beside the redeems.
    pub(crate) fetches: u32,
    pub(crate) notices: Vec<VisitNotice>,
    pub(crate) end: Option<Outcome>,
}

impl Host {
    pub(crate) fn new() -> Self {
        let mut host = Self::with_visit(Visit::new(plan(), request()));
        host.feed(MachineEvent::Started);
        host
    }

    /// As [`Self::new`], for a visit without a time limit.
    pub(crate) fn without_time_limit() -> Self {
        let plan = VisitPollingPlan { give_up_at: MillisSinceOrigin::MAX, ..plan() };
        let mut host = Self::with_visit(Visit::new(plan, request()));
        host.feed(MachineEvent::Started);
        host
    }

    /// A restored visit, with its first effects performed.
    pub(crate) fn from_restored((visit, effects): (Visit, Vec<MachineEffect>), has_partial: bool) -> Self {
        let mut host = Self::with_visit(visit);
        host.partial = has_partial;
        host.partial_settled_at = MillisSinceOrigin::MAX;
        host.delivered = effects.iter().any(|effect| matches!(effect, MachineEffect::Save { .. }));
        host.perform(effects);
        host
    }

    fn with_visit(visit: Visit) -> Self {
        Self {
            visit,
            now: MillisSinceOrigin::default(),
            in_flight: InFlight::Nothing,
            wait: None,
            delivered: false,
            partial: false,
            partial_settled_at: MillisSinceOrigin::default(),
            redeem_sent_at: MillisSinceOrigin::default(),
            partial_used: false,
            refusals: 0,
            redeems: 0,
            fetches: 0,
            notices: Vec::new(),
            end: None,
        }
    }

    pub(crate) fn feed(&mut self, event: MachineEvent) {
        if let (InFlight::Redeem, MachineEvent::Redeemed(result)) = (self.in_flight, &event) {
            self.delivered |= matches!(result, RedeemResult::Delivered(_));
            if matches!(result, RedeemResult::Truncated(..)) {
                self.partial_settled_at = self.now + MAX_REDEEM_DELAY;
            }
            match result {
                RedeemResult::Refused => self.refusals += 1,
                RedeemResult::NotReady(_) => self.refusals = 0,
                _ => {}
            }
            self.partial = match result {
                RedeemResult::Truncated(..) => true,
                RedeemResult::NotReady(_) => self.partial && self.redeem_sent_at < self.partial_settled_at,
                RedeemResult::Delivered(_) => false,
                RedeemResult::Refused | RedeemResult::Failed(_) => self.partial,
            };
        }
        if !self.is_noise(&event)
            && !matches!(
                event,
                MachineEvent::TimerFired
                    | MachineEvent::Started
                    | MachineEvent::VisitorLeft
                    | MachineEvent::Interrupted
            )
        {
            self.in_flight = InFlight::Nothing;
        }
        let (visit, effects) = advance_visit_machine(self.visit.clone(), event, self.now);
        self.visit = visit;
        self.perform(effects);
    }

    fn perform(&mut self, effects: Vec<MachineEffect>) {
        let ended_before = self.end.is_some();
        for effect in effects {
            assert!(!ended_before && self.end.is_none(), "{effect:?} after the end");
            match effect {
                MachineEffect::Issue(_) => self.start(InFlight::Issue),
                MachineEffect::Redeem { token: redeemed } => {
                    assert_eq!(redeemed, token());
                    assert!(!self.delivered, "redeemed again after a response with URLs");
                    assert!(!self.partial_used, "redeemed again after a partial delivery was used");
                    self.redeems += 1;
                    self.redeem_sent_at = self.now;
                    self.start(InFlight::Redeem);
                }
                MachineEffect::Save { .. } => {
                    assert!(self.delivered, "only a delivery is saved");
                    self.start(InFlight::Save);
                }
                MachineEffect::FetchPartial { .. } => {
                    assert!(self.partial && !self.partial_used && !self.delivered);
                    self.fetches += 1;
                }
                MachineEffect::UsePartial { .. } => assert!(!self.partial_used),
                MachineEffect::SavePartial { .. } => {
                    assert!(self.partial && !self.delivered, "only a partial delivery that may be all there is");
                    self.partial_used = true;
                    self.start(InFlight::SavePartial);
                }
                MachineEffect::Wait { until } => self.wait = Some(until),
                MachineEffect::Notify(notice) => self.notices.push(notice),
                MachineEffect::End(outcome) => {
                    assert_eq!(self.visit.outcome_if_ended(), Some(&outcome));
                    // An avatar that failed keeps the token and the files until the token is refused.
                    let keeps_token = outcome.exit_code() == 5 && self.refusals < 2;
                    assert!(
                        !matches!(outcome.exit_code(), 4 | 5 | 9 | 10)
                            || !self.partial
                            || self.partial_used
                            || keeps_token,
                        "{outcome:?} without the files of a truncated response"
                    );
                    self.end = Some(outcome);
                    self.in_flight = InFlight::Nothing;
                    self.wait = None;
                }
            }
        }
        assert_eq!(self.end.is_some(), matches!(self.visit.state(), VisitState::Ended(..)));
        assert!(
            self.end.is_some() || self.in_flight != InFlight::Nothing || self.wait.is_some(),
            "the visit must not stall"
        );
    }

    fn start(&mut self, in_flight: InFlight) {
        assert_eq!(self.in_flight, InFlight::Nothing, "one effect at a time");
        self.in_flight = in_flight;
    }

    pub(crate) fn play_turn(&mut self, turn: &Turn) {
        if let Some(noise) = turn.noise.clone().filter(|event| self.is_noise(event)) {
            self.feed(noise);
            return;
        }
        let timer = self.in_flight == InFlight::Nothing || turn.timer;
        if let (true, Some(until)) = (timer, self.wait) {
            self.now = self.now.max(until);
            self.wait = None; // A timer fires once.
            self.feed(MachineEvent::TimerFired);
            return;
        }
        self.now = self.now + Duration::from_millis(turn.takes);
        match self.in_flight {
            InFlight::Issue => {
                let issued = |()| MachineEvent::TokenIssued(token());
                self.feed(turn.issue.clone().map_or_else(MachineEvent::IssueFailed, issued));
            }
            InFlight::Redeem => self.feed(MachineEvent::Redeemed(turn.redeem.clone())),
            InFlight::Save | InFlight::SavePartial => self.feed(match turn.saving {
                Saving::All => MachineEvent::Saved,
                Saving::Some => MachineEvent::SavedInPart("one is missing".into()),
                Saving::Nothing => MachineEvent::NothingSaved("all gone".into()),
                Saving::UntilFull => MachineEvent::DiskFull("no space".into()),
                Saving::UntilStorageFailed => MachineEvent::StorageFailed("input/output error".into()),
                Saving::Interrupted => MachineEvent::DownloadsInterrupted("connection refused".into()),
            }),
            InFlight::Nothing => {}
        }
    }

    /// An event that nothing in flight would bring now.
    fn is_noise(&self, event: &MachineEvent) -> bool {
        match event {
            MachineEvent::Redeemed(_) => self.in_flight != InFlight::Redeem,
            MachineEvent::TokenIssued(_) | MachineEvent::LoginFailed(_) | MachineEvent::IssueFailed(_) => {
                self.in_flight != InFlight::Issue
            }
            MachineEvent::Saved
            | MachineEvent::NothingSaved(_)
            | MachineEvent::SavedInPart(_)
            | MachineEvent::DiskFull(_)
            | MachineEvent::StorageFailed(_)
            | MachineEvent::DownloadsInterrupted(_) => {
                !matches!(self.in_flight, InFlight::Save | InFlight::SavePartial)
            }
            MachineEvent::TimerFired
            | MachineEvent::Started
            | MachineEvent::VisitorLeft
            | MachineEvent::Interrupted => true,
        }
    }
}
