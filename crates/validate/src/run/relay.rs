//! What only a relay's upstream can tell.

use super::{Acted, Run, stuck};
use crate::act::Act;
use crate::seen::{Count, Role};
use crate::tester::Tester;
use std::time::Duration;

/// As long the upstream's time is moved on, so that a relay that polls would have polled.
const LONG_ENOUGH: Duration = Duration::from_mins(1);

impl Run<'_> {
    pub(super) async fn witness(&mut self) -> Acted {
        let tester = self.upstream()?;
        let token = self.next_token(Act::Witness).await?;
        self.count(&tester, token, "before our first redeem", 0).await?;
        let ours = 2;
        for _ in 0..ours {
            self.redeem(Act::Witness, Role::Watched, token).await?;
        }
        self.count(&tester, token, "after our redeems", ours).await
    }

    pub(super) async fn lost_answer(&mut self) -> Acted {
        let tester = self.upstream()?;
        let token = self.next_token(Act::LostAnswer).await?;
        tester.associate(&self.tokens[token], None).await.map_err(stuck)?;
        tester.force(&self.tokens[token], "complete").await.map_err(stuck)?;
        let before = tester.redeems(&self.tokens[token]).await.map_err(stuck)?;
        tester.lose_next_answer().await.map_err(stuck)?;
        let redeemed = self.redeem(Act::LostAnswer, Role::LostAnswer, token).await;
        tokio::time::sleep(self.options.watch).await;
        let cleared = tester.no_faults().await;
        redeemed?;
        cleared.map_err(stuck)?;
        let after = tester.redeems(&self.tokens[token]).await.map_err(stuck)?;
        let upstream = after.saturating_sub(before);
        self.seen.lost = Some(Count { when: "after the answer was lost", ours: 1, upstream });
        Ok(())
    }

    fn upstream(&self) -> Result<Tester, super::Stop> {
        self.hand.tester().cloned().ok_or_else(|| stuck("the relay's upstream is not known"))
    }

    async fn count(&mut self, tester: &Tester, token: usize, when: &'static str, ours: u64) -> Acted {
        tester.pass(LONG_ENOUGH).await.map_err(stuck)?;
        tokio::time::sleep(self.options.watch).await;
        let upstream = tester.redeems(&self.tokens[token]).await.map_err(stuck)?;
        self.seen.counts.push(Count { when, ours, upstream });
        Ok(())
    }
}
