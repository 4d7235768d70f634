//! `copresence doctor --drill`: rehearses losses on this machine, with its configuration, and says which promises held.
//!
//! Each loss happens to a real visit: this program is started again as `copresence visit` and `copresence recover`, with
//! the selected profile's limits, in folders beside the real ones, against a sandbox in this process. Nothing of the
//! real data is touched, and no other backend is asked. `docs/reliability.md` has the promises.

mod cuttable_proxy;
mod losses;
mod rehearsal;

use crate::common_options::CommonOptions;
use crate::failure::CommandFailure;
use crate::{context, output, signals};
use copresence_engine::Outcome;
pub(crate) use losses::RehearsedLoss;
use losses::{RehearsalFinding, rehearse_loss};
use rehearsal::RehearsalSetup;
use serde::Serialize;
use std::time::Duration;

/// Exit code if a promise did not hold.
const BROKEN_PROMISE_EXIT_CODE: u8 = 1;

/// Result of one rehearsed loss.
#[derive(Debug, Serialize)]
struct RehearsedLossResult {
    /// Stable name of the loss.
    loss: &'static str,
    /// The promise.
    promise: &'static str,
    /// Whether it held; `null` if it could not be tested here.
    held: Option<bool>,
    /// What was seen.
    seen: String,
    /// What to do, if it did not hold.
    remedy: Option<&'static str>,
}

/// Runs `copresence doctor --drill`, and returns the exit code. `outage` is how long the network is gone; `only` names the
/// losses to rehearse, all if it is empty.
pub(super) async fn run_drill(
    common: &CommonOptions,
    outage: Duration,
    only: &[RehearsedLoss],
) -> Result<u8, CommandFailure> {
    let profile = context::load_selected_profile(common)?;
    if profile.partner_token_url().is_some() {
        return Err(CommandFailure::usage_error(format!(
            "the profile `{}` gets its tokens from a partner's backend, which the drill's sandbox does not have. Rehearse \
             with a profile that has the same limits and no `partner` table",
            profile.name
        )));
    }
    let data_store = context::open_data_store(common)?;
    let out = context::prepare_output_folder(common, &profile, &data_store)?;
    let place = RehearsalSetup::new(common, &profile, data_store.data.path(), &out)?;
    if !common.json {
        output::eprint_sanitized_line(format_args!(
            "Rehearsing losses with the profile `{}` beside {} and {}; this takes some minutes.",
            profile.name,
            copresence_engine::display_path_abbreviating_home(data_store.data.path()),
            copresence_engine::display_path_abbreviating_home(&out),
        ));
    }
    let stopping = signals::token_cancelled_by_first_signal("stopping; the rehearsal's folders are removed …");
    let mut is_any_broken = false;
    for loss in RehearsedLoss::ALL.into_iter().filter(|loss| only.is_empty() || only.contains(loss)) {
        let rehearsed = stopping.run_until_cancelled(rehearse_loss(loss, &place, outage)).await;
        let Some(finding) = rehearsed else { return Ok(Outcome::Interrupted.exit_code()) };
        let (held, seen) = match finding {
            RehearsalFinding::Held(seen) => (Some(true), seen),
            RehearsalFinding::Broken(seen) => (Some(false), seen),
            RehearsalFinding::Untested(seen) => (None, seen),
        };
        is_any_broken |= held == Some(false);
        let remedy = (held == Some(false)).then(|| loss.remedy_for_broken_promise());
        print_rehearsed_loss_result(
            &RehearsedLossResult {
                loss: loss.stable_loss_name(),
                promise: loss.promise_tested_by_loss(),
                held,
                seen,
                remedy,
            },
            common.json,
        );
        if held == Some(false) && loss == RehearsedLoss::Nothing {
            // Every further rehearsal would fail in the same way.
            break;
        }
    }
    Ok(if is_any_broken { BROKEN_PROMISE_EXIT_CODE } else { 0 })
}

/// Prints one result, as JSON with `--json`.
fn print_rehearsed_loss_result(result: &RehearsedLossResult, json: bool) {
    if json {
        return output::print_json_line(result);
    }
    let word = match result.held {
        Some(true) => "held",
        Some(false) => "BROKEN",
        None => "untested",
    };
    output::print_stdout_line(format_args!("{word:<9} {:<13} {}", result.loss, result.promise));
    output::print_stdout_line(format_args!("{:<23} {}", "", output::sanitize_for_terminal(&result.seen)));
    if let Some(remedy) = result.remedy {
        output::print_stdout_line(format_args!("{:<23} what to do: {remedy}", ""));
    }
}
