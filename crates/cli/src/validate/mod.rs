//! `copresence validate`: checks a backend and writes reports.

mod compare;
mod files;
mod options;
mod people;
mod place;
mod show;

pub(crate) use options::Options;

use crate::common_options::Common;
use crate::failure::Failure;
use crate::{output, stop};
use files::Files;
use kiosk::clock::Clock;
use place::Place;
use show::Show;
use std::io::{BufRead, IsTerminal};
use std::path::Path;
use tokio_util::sync::CancellationToken;
use validate::report::change::changes;
use validate::{Plan, Report, Run};

pub(crate) async fn run(common: &Common, options: Options) -> Result<u8, Failure> {
    let show = Show::new(common);
    if let [first, second] = options.compare.as_slice() {
        return compare::run(common, &options, &show, first, second).await;
    }
    // Report an unreadable or unwritable file before a token is spent.
    let baseline = options.baseline.as_deref().map(read).transpose()?;
    let files = Files::create(&options)?;
    let (report, har) = checked(common, &options, &show).await?;
    let changed = baseline.as_ref().map(|before| changes(before, &report));
    show.ended(&report, changed.as_deref());
    files.write(&report, &har, changed.as_deref());
    Ok(report.exit)
}

/// Checks the backend of the command line's profile.
async fn checked(
    common: &Common,
    options: &Options,
    show: &Show,
) -> Result<(Report, serde_json::Value), Failure> {
    let stopping =
        stop::on_signal("stopping … (the checks done so far are reported; press again to stop at once)");
    let place = tokio::select! {
        place = Place::open(common, options) => place?,
        () = stopping.cancelled() => return Err(Failure::interrupted()),
    };
    let done = at(&place, options, show, &stopping).await;
    place.close().await;
    done
}

async fn at(
    place: &Place,
    options: &Options,
    show: &Show,
    stopping: &CancellationToken,
) -> Result<(Report, serde_json::Value), Failure> {
    let limits = options.limits(place.is_sandbox());
    let plan = Plan::new(&place.target, &limits, &place.hand);
    show.planned(&place.target, &plan, place.is_sandbox());
    agreed(&plan, options)?;
    let clock = Clock::default();
    let began = clock.now();
    let tell = |event: validate::Event<'_>| show.event(&event);
    let run = Run::new(&place.target, &limits, &place.hand, &plan, &tell)
        .map_err(|error| Failure::usage(error.to_string()))?;
    let ended = run.run_until(stopping.cancelled()).await;
    let report = Report::new(&place.target, &limits, &plan, &ended, (began, clock.now()));
    Ok((report, ended.har()))
}

/// Asks for confirmation on a terminal, because Export Tokens cost money.
fn agreed(plan: &Plan, options: &Options) -> Result<(), Failure> {
    let asks = !plan.free && !options.yes && plan.tokens > 0 && std::io::stdin().is_terminal();
    if !asks {
        return Ok(());
    }
    output::people(format_args!("Continue? [y/N] (--yes skips this question)"));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" if read.is_ok() => Ok(()),
        _ => Err(Failure::usage("nothing was done: the run was not confirmed")),
    }
}

fn read(path: &Path) -> Result<Report, Failure> {
    let failed = |why: &dyn std::fmt::Display| Failure::usage(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    Report::read(&text).map_err(|error| failed(&error))
}
