//! The acts that compare a relay with its upstream, which has to be a sandbox.

use super::{Acted, Run, stuck};
use crate::act::Act;
use crate::seen::{Count, Role};
use crate::tester::Tester;
use std::time::Duration;

/// How far the upstream's clock is advanced before its redeems are counted: longer than a relay's polling interval.
const LONG_ENOUGH: Duration = Duration::from_mins(1);

impl Run<'_> {
    /// Counts the redeems at the upstream before and after two redeems of the run.
    pub(super) async fn witness(&mut self) -> Acted {
        let upstream = self.upstream()?;
        let token = self.next_token(Act::Witness).await?;
        self.count(&upstream, token, "before the first redeem of the run", 0).await?;
        let ours = 2;
        for _ in 0..ours {
            self.redeem(Act::Witness, Role::Watched, token).await?;
        }
        self.count(&upstream, token, "after the redeems of the run", ours).await
    }

    /// Redeems a ready avatar while the upstream drops its response, and counts the redeems at the upstream.
    pub(super) async fn lost_answer(&mut self) -> Acted {
        let upstream = self.upstream()?;
        let token = self.next_token(Act::LostAnswer).await?;
        upstream.associate(&self.tokens[token], None).await.map_err(stuck)?;
        upstream.force(&self.tokens[token], "complete").await.map_err(stuck)?;
        let before = upstream.redeems(&self.tokens[token]).await.map_err(stuck)?;
        upstream.lose_next_answer().await.map_err(stuck)?;
        let redeemed = self.redeem(Act::LostAnswer, Role::LostAnswer, token).await;
        tokio::time::sleep(self.options.watch).await;
        let cleared = upstream.no_faults().await;
        redeemed?;
        cleared.map_err(stuck)?;
        let after = upstream.redeems(&self.tokens[token]).await.map_err(stuck)?;
        let redeems = after.saturating_sub(before);
        self.seen.lost = Some(Count { when: "after the response was lost", ours: 1, upstream: redeems });
        Ok(())
    }

    /// The control of the upstream sandbox.
    fn upstream(&self) -> Result<Tester, super::Stop> {
        self.hand.tester().cloned().ok_or_else(|| stuck("the relay's upstream is not known"))
    }

    /// Advances the upstream's clock, waits, and records how many redeems it counted.
    async fn count(&mut self, upstream: &Tester, token: usize, when: &'static str, ours: u64) -> Acted {
        upstream.pass(LONG_ENOUGH).await.map_err(stuck)?;
        tokio::time::sleep(self.options.watch).await;
        let redeems = upstream.redeems(&self.tokens[token]).await.map_err(stuck)?;
        self.seen.counts.push(Count { when, ours, upstream: redeems });
        Ok(())
    }
}
