//! Avatars, from the scan to the last file.

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

/// Between two looks at an avatar that a person makes.
const LOOK: Duration = Duration::from_secs(2);
/// Between two looks at an avatar of a sandbox, in its own time: short against a place in its queue.
const SANDBOX_LOOK: Duration = Duration::from_millis(900);
/// As long, in real time, the URLs of a sandbox with a fast clock may live.
const REAL_LIFE: Duration = Duration::from_mins(2);
/// As many redeems go out at once.
const AT_ONCE: usize = 4;
/// As many redirects a download may take.
const REDIRECTS: usize = 5;
/// After as many failures in a row an avatar is given up.
const FAILURES: usize = 5;

/// How a watch over an avatar ended.
#[derive(Debug, PartialEq, Eq)]
enum Watched {
    Delivered,
    Failed,
    /// No longer active, or never answered again.
    Lost,
    OutOfPatience,
    LeftOut,
}

impl Run<'_> {
    pub(super) async fn visit(&mut self) -> Acted {
        let token = self.waiting_token()?;
        self.invite(token, "the avatar whose making and files are checked", None).await?;
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
            Watched::Lost => Err(stuck("the token was refused, or not answered for, before its URLs came")),
            Watched::OutOfPatience => {
                if let Some(tester) = self.hand.tester() {
                    let row = tester.token(&self.tokens[token]).await.map_err(stuck)?;
                    self.seen.known_ready =
                        row.get("state").and_then(|state| state.as_str()) == Some("ready");
                }
                Err(stuck("the avatar was not ready while it was waited for"))
            }
        }
    }

    pub(super) async fn files(&mut self) -> Acted {
        let urls = self.seen.delivery().map(Step::urls).unwrap_or_default();
        for (index, (url, export_type)) in urls.iter().enumerate() {
            let mut file = FileSeen { export_type: export_type.clone(), content: None };
            if let Some(url) = usable(url) {
                let step = self.download(Act::Files, Role::Download, &url, index).await?;
                let step = &mut self.seen.steps[step];
                if let Some(reply) = step.reply.as_mut().filter(|reply| (200..300).contains(&reply.status)) {
                    file.content = Some(inspect(export_type, &reply.body));
                    // Somebody's face is held no longer than it is looked into.
                    reply.body = first_byte(&reply.body);
                    if self.options.wrong_requests {
                        self.download(Act::Files, Role::DownloadAgain, &url, index).await?;
                    }
                }
            }
            self.seen.files.push(file);
        }
        if urls.is_empty() {
            return Err(stuck("the delivery carried no URL that can be fetched"));
        }
        Ok(())
    }

    pub(super) async fn race(&mut self) -> Acted {
        let token = self.waiting_token()?;
        self.invite(token, "an avatar that may be lost: it is redeemed several times at once", None).await?;
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
            _ => Err(stuck("no URLs came")),
        }
    }

    pub(super) async fn urls_end(&mut self) -> Acted {
        let life = self.options.url_life;
        match self.hand {
            Hand::Sandbox(tester) => {
                // With a fast clock a sandbox's URLs live for a while of real time.
                let speed = tester.speed().await.map_err(stuck)?;
                let real = Duration::try_from_secs_f64(REAL_LIFE.as_secs_f64() * speed).unwrap_or(life);
                tester.pass(life.max(real)).await.map_err(stuck)?;
            }
            Hand::People(people) => {
                self.note(format!(
                    "Waiting {} min for the download URLs to end.",
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

    pub(super) async fn failure(&mut self) -> Acted {
        let token = self.next_token(Act::Failure).await?;
        self.invite(token, "an avatar that fails", Some("fails")).await?;
        match self.watch(Act::Failure, Role::FailedPoll, token, 1).await? {
            Watched::Failed => {
                self.redeem(Act::Failure, Role::FailedAgain, token).await?;
                Ok(())
            }
            _ => Err(stuck("the avatar was not told as failed")),
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
            // Never redeemed, or still waiting when it was; what was scanned once is another act's.
            let played = self.seen.steps.iter().any(|step| step.token == about && step.role == Role::Poll);
            !played && last.is_none_or(|step| step.status() == Some(200))
        });
        found.ok_or_else(|| stuck("every token of this run was scanned already"))
    }

    pub(super) async fn invite(&self, token: usize, purpose: &'static str, scenario: Option<&str>) -> Acted {
        let value = &self.tokens[token];
        match self.hand {
            Hand::Sandbox(tester) => tester.associate(value, scenario).await.map_err(stuck),
            Hand::People(people) => {
                let token = ExportToken::new(value).map_err(|_| stuck("no link can carry this token"))?;
                let link = self.target.link.fill(&token);
                people.invite(&Invitation { link, purpose, patience: self.options.patience });
                Ok(())
            }
            Hand::Nobody => Err(stuck("nobody is here with a phone")),
        }
    }

    fn thank(&self) {
        if let Hand::People(people) = self.hand {
            people.done();
        }
    }

    /// Waits; whether the check was left out, or the run stopped, meanwhile.
    async fn left_out_within(&self, people: &dyn People, time: Duration) -> bool {
        let ended = select(people.skipped(), Box::pin(self.stopping.wait()));
        matches!(select(ended, people.wait(time)).await, Either::Left(_))
    }

    /// Redeems until the URLs come, with pauses, so many at once.
    async fn watch(&mut self, act: Act, role: Role, token: usize, at_once: usize) -> Result<Watched, Stop> {
        let look = if self.hand.tester().is_some() { SANDBOX_LOOK } else { LOOK };
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
            if let (Hand::People(people), Some(words)) =
                (self.hand, steps().find_map(Step::completion_status))
            {
                people.status(&words);
            }
            waited += look;
            match self.hand {
                Hand::Sandbox(tester) => tester.pass(look).await.map_err(stuck)?,
                Hand::People(people) => {
                    if self.left_out_within(people.as_ref(), look).await {
                        return Ok(Watched::LeftOut);
                    }
                }
                Hand::Nobody => return Ok(Watched::LeftOut),
            }
        }
    }

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
        let (probes, curls): (Vec<_>, Vec<_>) = requests.into_iter().map(|request| (request.probe, request.curl)).unzip();
        let answers = join_all(probes.into_iter().map(|probe| self.prober.send(probe))).await;
        let mut indices = Vec::new();
        for (answer, curl) in answers.into_iter().zip(curls) {
            let index = self.keep(act, role, About::token(token), curl, answer?);
            for (url, _) in self.seen.steps[index].urls() {
                self.prober.learn(&url);
            }
            indices.push(index);
        }
        Ok(indices)
    }

    /// Fetches a URL, over redirects where there are any; the last step counts.
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
            // From https never to http.
            let next = next.filter(|next| next.scheme() == "https" || at.scheme() == "http");
            let Some(next) = next else {
                let curl = Wire::download(url, number + 1).curl;
                return Ok(self.keep(act, role, about, curl, probed));
            };
            at = next;
        }
        Err(stuck("a download was sent from place to place, more than five times"))
    }
}

fn left_out_by_hand() -> Stop {
    Stop::State(State::Skipped("left out by hand".to_owned()))
}

/// Keeps one byte, so that an empty body can still be told from a file.
fn first_byte(body: &Bytes) -> Bytes {
    Bytes::copy_from_slice(&body[..body.len().min(1)])
}

fn usable(url: &str) -> Option<Url> {
    DownloadUrl::new(url)?;
    Url::parse(url).ok()
}
