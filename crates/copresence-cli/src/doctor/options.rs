//! Options of `copresence doctor`.

use super::drill::RehearsedLoss;
use std::time::Duration;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct DoctorOptions {
    /// Rehearse losses in real visits with a sandbox, and say which promises hold: killed, network gone, disk full,
    /// keychain silent, clock wrong. Takes some minutes; touches no real visit
    #[arg(long)]
    pub(crate) drill: bool,
    /// Drill: how long the network is gone
    #[arg(long, value_name = "OUTAGE_DUR", value_parser = humantime::parse_duration, default_value = "20s", requires = "drill")]
    pub(crate) outage: Duration,
    /// Drill: rehearse this loss only (repeatable)
    #[arg(long, value_name = "LOSS", value_parser = RehearsedLoss::parse_loss_name, requires = "drill")]
    pub(crate) only: Vec<RehearsedLoss>,
}
