//! The acts with an avatar, from the scan to the last file.

use super::wire::{Given, Wire, own_token};
use super::{About, Acted, Run, Stop, stuck};
use crate::act::{Act, State};
use crate::content::inspect;
use crate::hand::{Hand, Invitation, People};
use crate::seen::{FileSeen, Role, Step};
use bytes::Bytes;
use futures_util::future::{Either, join_all, select};
use http::{Method, header};
use protocol::{DownloadUrl, ExportToken};
use std::time::Duration;
use url::Url;

/// Interval between two polls of a person's avatar.
const LOOK: Duration = Duration::from_secs(2);
/// Interval between two polls of a sandbox's avatar, in the sandbox's time. Shorter than a position lasts in its queue.
const SANDBOX_LOOK: Duration = Duration::from_millis(900);
/// Lifetime of the URLs of a sandbox with a fast clock, in real time.
const REAL_LIFE: Duration = Duration::from_mins(2);
/// Number of concurrent redeems in the race act.
const AT_ONCE: usize = 4;
/// Maximum number of redirects of a download.
const REDIRECTS: usize = 5;
/// Maximum number of consecutive failed polls.
const FAILURES: usize = 5;

/// Why polling an avatar ended.
#[derive(Debug, PartialEq, Eq)]
enum Watched {
    Delivered,
    Failed,
    /// The token is no longer active, or too many polls failed.
    Lost,
    OutOfPatience,
    LeftOut,
}

impl Run<'_> {
    /// Polls one avatar until its URLs are delivered, then redeems the spent token.
    pub(super) async fn visit(&mut self) -> Acted {
        let token = self.waiting_token()?;
        self.invite(token, "the avatar whose status and files are checked", None).await?;
        let watched = self.watch(Act::Visit, Role::Poll, token, 1).await;
        self.thank();
        match watched? {
            Watched::Delivered => {
                for _ in 0..if self.options.wrong_requests { 2 } else { 0 } {
                    self.redeem(Act::Visit, Role::RedeemSpent, token).await?;
                }
                Ok(())
            }
            Watched::LeftOut => Err(left_out_by_hand()),
            Watched::Failed => Err(stuck("the avatar failed")),
            Watched::Lost => {
                Err(stuck("the token was refused, or got no response, before its URLs were delivered"))
            }
            Watched::OutOfPatience => {
                if let Some(tester) = self.hand.tester() {
                    let row = tester.token(&self.tokens[token]).await.map_err(stuck)?;
                    self.seen.known_ready =
                        row.get("state").and_then(|state| state.as_str()) == Some("ready");
                }
                Err(stuck("the avatar was not ready within the time limit"))
            }
        }
    }

    /// Downloads and inspects each file of the visit act, then downloads it again.
    pub(super) async fn files(&mut self) -> Acted {
        let urls = self.seen.delivery().map(Step::urls).unwrap_or_default();
        for (index, (url, export_type)) in urls.iter().enumerate() {
            let mut file = FileSeen { export_type: export_type.clone(), content: None };
            if let Some(url) = usable(url) {
                let step = self.download(Act::Files, Role::Download, &url, index).await?;
                let step = &mut self.seen.steps[step];
                if let Some(reply) = step.reply.as_mut().filter(|reply| (200..300).contains(&reply.status)) {
                    file.content = Some(inspect(export_type, &reply.body));
                    // Files show a person's face: they are dropped once they were inspected.
                    reply.body = first_byte(&reply.body);
                    if self.options.wrong_requests {
                        self.download(Act::Files, Role::DownloadAgain, &url, index).await?;
                    }
                }
            }
            self.seen.files.push(file);
        }
        if urls.is_empty() {
            return Err(stuck("the delivery contained no valid URL"));
        }
        Ok(())
    }

    /// Redeems one avatar with concurrent requests, and keeps the delivered URLs unused.
    pub(super) async fn race(&mut self) -> Acted {
        let token = self.waiting_token()?;
        self.invite(
            token,
            "an avatar that may be lost: it is redeemed with several concurrent requests",
            None,
        )
        .await?;
        if let Some(tester) = self.hand.tester() {
            tester.force(&self.tokens[token], "complete").await.map_err(stuck)?;
        }
        let watched = self.watch(Act::Race, Role::Race, token, AT_ONCE).await;
        self.thank();
        let delivered = self.seen.of(Role::Race).find(|step| step.is_delivery());
        let urls = delivered.map(Step::urls).unwrap_or_default();
        self.left_over = urls.iter().filter_map(|(url, _)| usable(url)).collect();
        match watched? {
            Watched::Delivered => Ok(()),
            Watched::LeftOut => Err(left_out_by_hand()),
            _ => Err(stuck("no URLs were delivered")),
        }
    }

    /// Waits until the unused URLs must have expired, then downloads them.
    pub(super) async fn urls_end(&mut self) -> Acted {
        let life = self.options.url_life;
        match self.hand {
            Hand::Sandbox(tester) => {
                // The sandbox gives its URLs a minimum lifetime in real time, also with a fast clock.
                let speed = tester.speed().await.map_err(stuck)?;
                let real = Duration::try_from_secs_f64(REAL_LIFE.as_secs_f64() * speed).unwrap_or(life);
                tester.pass(life.max(real)).await.map_err(stuck)?;
            }
            Hand::People(people) => {
                self.note(format!(
                    "Waiting {} min for the download URLs to expire.",
                    life.as_secs().div_ceil(60)
                ));
                if self.left_out_within(people.as_ref(), life).await {
                    return Err(left_out_by_hand());
                }
            }
            Hand::Nobody => {}
        }
        for (index, url) in self.left_over.clone().into_iter().enumerate() {
            let step = self.download(Act::UrlsEnd, Role::LateDownload, &url, index).await?;
            if let Some(reply) = &mut self.seen.steps[step].reply {
                reply.body = first_byte(&reply.body);
            }
        }
        Ok(())
    }

    /// Polls an avatar that fails, then redeems its token again.
    pub(super) async fn failure(&mut self) -> Acted {
        let token = self.next_token(Act::Failure).await?;
        self.invite(token, "an avatar that fails", Some("fails")).await?;
        match self.watch(Act::Failure, Role::FailedPoll, token, 1).await? {
            Watched::Failed => {
                self.redeem(Act::Failure, Role::FailedAgain, token).await?;
                Ok(())
            }
            _ => Err(stuck("the avatar was not reported as failed")),
        }
    }

    /// Index of a token that was not scanned yet, as far as its last response says.
    ///
    /// # Errors
    /// [`ActAbort::Outcome`] if there is none.
    pub(super) fn waiting_token(&self) -> Result<usize, Stop> {
        let found = (0..self.tokens.len()).find(|index| {
            let about = Some(index + 1);
            let last = self.seen.steps.iter().rev().find(|step| {
                step.token == about
                    && matches!(
                        step.role,
                        Role::RedeemFresh
                            | Role::RedeemUntouched
                            | Role::RedeemFromPage
                            | Role::Poll
                            | Role::RedeemSpent
                    )
            });
            // Never redeemed, or not scanned at the last redeem. A polled token belongs to another act.
            let was_polled =
                self.seen.steps.iter().any(|step| step.token == about && step.role == Role::Poll);
            !was_polled && last.is_none_or(|step| step.status() == Some(200))
        });
        found.ok_or_else(|| stuck("every token of this run was scanned already"))
    }

    /// Asks for the scan of a token: shows the link to a person, or lets the sandbox associate an avatar.
    pub(super) async fn invite(&self, token: usize, purpose: &'static str, scenario: Option<&str>) -> Acted {
        let value = &self.tokens[token];
        match self.hand {
            Hand::Sandbox(tester) => tester.associate(value, scenario).await.map_err(stuck),
            Hand::People(people) => {
                let token = ExportToken::new(value).map_err(|_| stuck("the token is not valid in a link"))?;
                let link = self.target.link.fill(&token);
                people.invite(&Invitation { link, purpose, patience: self.options.patience });
                Ok(())
            }
            Hand::Nobody => Err(stuck("no phone is available")),
        }
    }

    /// Removes the invitation.
    fn thank(&self) {
        if let Hand::People(people) = self.hand {
            people.done();
        }
    }

    /// Waits. Returns whether the invitation was skipped or the run stopped meanwhile.
    async fn left_out_within(&self, people: &dyn People, time: Duration) -> bool {
        let ended = select(people.skipped(), Box::pin(self.stopping.wait()));
        matches!(select(ended, people.wait(time)).await, Either::Left(_))
    }

    /// Polls until the URLs are delivered, with `at_once` concurrent redeems each time.
    async fn watch(&mut self, act: Act, role: Role, token: usize, at_once: usize) -> Result<Watched, Stop> {
        let interval = if self.hand.tester().is_some() { SANDBOX_LOOK } else { LOOK };
        let (mut waited, mut failures) = (Duration::ZERO, 0);
        loop {
            let indices = self.redeem_at_once(act, role, token, at_once).await?;
            let steps = || indices.iter().map(|index| &self.seen.steps[*index]);
            if steps().any(Step::is_delivery) {
                return Ok(Watched::Delivered);
            }
            if steps().any(|step| step.completion_status().as_deref() == Some("failed"))
                && role == Role::FailedPoll
            {
                return Ok(Watched::Failed);
            }
            if steps().any(|step| step.status() == Some(400)) {
                return Ok(Watched::Lost);
            }
            failures = if steps().all(|step| !step.succeeded()) { failures + 1 } else { 0 };
            if failures >= FAILURES {
                return Ok(Watched::Lost);
            }
            if waited >= self.options.patience {
                return Ok(Watched::OutOfPatience);
            }
            if let (Hand::People(people), Some(status)) =
                (self.hand, steps().find_map(Step::completion_status))
            {
                people.status(&status);
            }
            waited += interval;
            match self.hand {
                Hand::Sandbox(tester) => tester.pass(interval).await.map_err(stuck)?,
                Hand::People(people) => {
                    if self.left_out_within(people.as_ref(), interval).await {
                        return Ok(Watched::LeftOut);
                    }
                }
                Hand::Nobody => return Ok(Watched::LeftOut),
            }
        }
    }

    /// Sends `count` redeems at the same time. Returns the indices of the steps.
    async fn redeem_at_once(
        &mut self,
        act: Act,
        role: Role,
        token: usize,
        count: usize,
    ) -> Result<Vec<usize>, Stop> {
        self.not_stopped()?;
        let value = self.tokens[token].clone();
        let wire = self.wire();
        let mut requests = Vec::new();
        for _ in 0..count {
            let token = Some((value.as_str(), Some(own_token(token))));
            requests.push(wire.redeem(token, Given::Right, Method::GET, None)?);
        }
        let (probes, curls): (Vec<_>, Vec<_>) =
            requests.into_iter().map(|request| (request.probe, request.curl)).unzip();
        let results = join_all(probes.into_iter().map(|probe| self.prober.send(probe))).await;
        let mut indices = Vec::new();
        for (result, curl) in results.into_iter().zip(curls) {
            let index = self.keep(act, role, About::token(token), curl, result?);
            for (url, _) in self.seen.steps[index].urls() {
                self.prober.learn(&url);
            }
            indices.push(index);
        }
        Ok(indices)
    }

    /// Downloads a URL and follows redirects. Records the last exchange, and returns the index of its step.
    async fn download(&mut self, act: Act, role: Role, url: &Url, number: usize) -> Result<usize, Stop> {
        let mut at = url.clone();
        let about = About { token: None, file: Some(number) };
        for _ in 0..=REDIRECTS {
            self.not_stopped()?;
            let probed = self.prober.send(Wire::download(&at, number + 1).probe).await?;
            let next = probed
                .reply
                .as_ref()
                .ok()
                .filter(|reply| (300..400).contains(&reply.status))
                .and_then(|reply| at.join(reply.headers.get(header::LOCATION)?.to_str().ok()?).ok());
            // Redirects from https to http are not followed.
            let next = next.filter(|next| next.scheme() == "https" || at.scheme() == "http");
            let Some(next) = next else {
                let curl = Wire::download(url, number + 1).curl;
                return Ok(self.keep(act, role, about, curl, probed));
            };
            at = next;
        }
        Err(stuck("a download was redirected more than five times"))
    }
}

/// Ends an act because the person skipped it.
fn left_out_by_hand() -> Stop {
    Stop::State(State::Skipped("left out by hand".to_owned()))
}

/// Keeps one byte, so that an empty body can still be told from a file.
fn first_byte(body: &Bytes) -> Bytes {
    Bytes::copy_from_slice(&body[..body.len().min(1)])
}

/// Parses a download URL; `None` unless it is an absolute http(s) URL.
fn usable(url: &str) -> Option<Url> {
    DownloadUrl::new(url)?;
    Url::parse(url).ok()
}
