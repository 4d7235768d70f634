//! The acts that compare a relay with its upstream, which has to be a sandbox.

use super::{ActResult, CheckRun, build_incomplete_act_abort};
use crate::act::Act;
use crate::observations::{RelayAndUpstreamRedeemCounts, StepRole};
use crate::sandbox_control::{LostResponseKind, SandboxControl};
use std::time::Duration;

/// How far the upstream's clock is advanced before its redeems are counted: longer than a relay's polling interval.
const POLLING_WINDOW: Duration = Duration::from_mins(1);

impl CheckRun<'_> {
    /// Counts the redeems at the upstream before and after two redeems of the run.
    pub(super) async fn run_upstream_count_act(&mut self) -> ActResult {
        let upstream = self.upstream_sandbox_control()?;
        let token = self.generate_token_for_act(Act::Witness).await?;
        self.advance_clock_and_record_upstream_count(&upstream, token, "before the first redeem of the run", 0).await?;
        let ours = 2;
        for _ in 0..ours {
            self.redeem_token(Act::Witness, StepRole::CountedRedeem, token).await?;
        }
        self.advance_clock_and_record_upstream_count(&upstream, token, "after the redeems of the run", ours).await
    }

    /// Loses responses in each way of [`LostResponseKind`]: redeems a ready avatar while the upstream spends the token
    /// and loses the response, then counts the redeems of each token at the upstream.
    pub(super) async fn run_lost_response_act(&mut self) -> ActResult {
        let upstream = self.upstream_sandbox_control()?;
        let mut lost = Vec::new();
        for kind in LostResponseKind::ALL {
            let token = self.generate_token_for_act(Act::LostAnswer).await?;
            upstream.associate_avatar(&self.export_tokens[token], None).await.map_err(build_incomplete_act_abort)?;
            upstream
                .force_token_state(&self.export_tokens[token], "complete")
                .await
                .map_err(build_incomplete_act_abort)?;
            let before =
                upstream.fetch_redeem_count(&self.export_tokens[token]).await.map_err(build_incomplete_act_abort)?;
            upstream.replace_faults_by_lost_redeem_response(kind).await.map_err(build_incomplete_act_abort)?;
            let redeemed = self.redeem_token(Act::LostAnswer, StepRole::LostAnswer, token).await;
            upstream.clear_faults().await.map_err(build_incomplete_act_abort)?;
            lost.push((redeemed?, token, kind, before));
        }
        tokio::time::sleep(self.options.upstream_watch).await;
        for (index, token, kind, before) in lost {
            let after =
                upstream.fetch_redeem_count(&self.export_tokens[token]).await.map_err(build_incomplete_act_abort)?;
            let count = RelayAndUpstreamRedeemCounts {
                when: kind.describe_response_loss().into(),
                relay_redeems: 1,
                upstream_redeems: after.saturating_sub(before),
            };
            self.observations.lost_answer_counts.push((self.observations.steps[index].number, count));
        }
        Ok(())
    }

    /// The control of the upstream sandbox.
    fn upstream_sandbox_control(&self) -> Result<SandboxControl, super::ActAbort> {
        self.phone
            .sandbox_control()
            .cloned()
            .ok_or_else(|| build_incomplete_act_abort("the relay's upstream is not known"))
    }

    /// Waits for the upstream, whose clock is advanced first, and records how many redeems it counted.
    async fn advance_clock_and_record_upstream_count(
        &mut self,
        upstream: &SandboxControl,
        token: usize,
        when: &'static str,
        ours: u64,
    ) -> ActResult {
        upstream.advance_clock(POLLING_WINDOW).await.map_err(build_incomplete_act_abort)?;
        tokio::time::sleep(self.options.upstream_watch).await;
        let redeems =
            upstream.fetch_redeem_count(&self.export_tokens[token]).await.map_err(build_incomplete_act_abort)?;
        self.observations.upstream_counts.push(RelayAndUpstreamRedeemCounts {
            when: when.into(),
            relay_redeems: ours,
            upstream_redeems: redeems,
        });
        Ok(())
    }
}
