//! `copresence recover`: what a crash or power cut left, finished or explained.

use crate::args::Common;
use crate::failure::Failure;
use crate::{ground, output, stop};
use kiosk::clock::Clock;
use kiosk::credentials::{Vault, find, for_client};
use kiosk::drive::{Parts, Teller};
use kiosk::line::Line;
use kiosk::profile::Profiles;
use kiosk::recover::{Fate, Recovered, Unfinished, recover, recover_due};
use kiosk::setup::{Disk, Target};
use kiosk::{NoRecorder, Outcome};
use std::sync::Arc;

pub(crate) async fn run(common: &Common) -> Result<u8, Failure> {
    let disk = ground::disk(common)?;
    let stopping = stop::on_signal("stopping … what is not finished stays for the next `copresence recover`");
    let all = tokio::select! {
        all = finish(common, &disk) => all?,
        // Dropped in the middle it is what it was before: something to recover.
        () = stopping.cancelled() => return Ok(Outcome::Interrupted.exit()),
    };
    if all.is_empty() && !common.json {
        output::people(format_args!("Nothing to recover."));
    }
    // The worst of them: a script that sees 0 may forget about it.
    Ok(all.iter().map(|recovered| recovered.fate.exit()).max().unwrap_or(0))
}

/// At the start of a visit: what is left over is finished, and never stands in the new visit's way. Told to people
/// alone: the lines of `visit --json` are the new visit's, and its `ended` is the only one.
pub(crate) async fn before_a_visit(common: &Common, disk: &Disk) {
    if let Err(failure) = finish_due(common, disk).await {
        output::people(format_args!("warning: earlier visits could not be looked at: {failure}"));
    }
}

async fn finish_due(common: &Common, disk: &Disk) -> Result<(), Failure> {
    let profiles = ground::profiles(common)?;
    let teller: Teller = Arc::new(|_| {});
    let parts_for = |unfinished: &Unfinished| parts(disk, &profiles, unfinished, teller.clone());
    recover_due(disk, Clock::default(), &parts_for, &|_| false).await?.iter().for_each(tell);
    Ok(())
}

async fn finish(common: &Common, disk: &Disk) -> Result<Vec<Recovered>, Failure> {
    let profiles = ground::profiles(common)?;
    let json = common.json;
    let teller: Teller = Arc::new(move |line: Line| {
        if json && let Ok(text) = serde_json::to_string(&line) {
            output::result(format_args!("{text}"));
        }
    });
    let parts_for = |unfinished: &Unfinished| parts(disk, &profiles, unfinished, teller.clone());
    let all = recover(disk, &parts_for).await?;
    all.iter().for_each(tell);
    Ok(all)
}

fn parts(disk: &Disk, profiles: &Profiles, unfinished: &Unfinished, teller: Teller) -> Result<Parts, String> {
    let start = &unfinished.visit.start;
    let api_url: url::Url = start.api_url.parse().map_err(|error| format!("its backend's URL: {error}"))?;
    let profile = profiles.get(&start.profile);
    let link = "x:{token}".parse().map_err(|error: kiosk::LinkError| error.to_string())?;
    let mut target = Target {
        api_url: api_url.clone(),
        link,
        credentials: kiosk::Credentials::default(),
        embedded_sandbox: false,
    };
    if unfinished.token.is_none() {
        // What is delivered needs neither credentials nor a profile that is still there.
        let network = profile.as_ref().map(|profile| profile.network).unwrap_or_default();
        let api = target.downloads(network).map_err(|error| error.to_string())?;
        let parts = disk.parts(api, Clock::default(), teller);
        return Ok(match profile {
            Ok(profile) => parts.within(&profile),
            Err(_) => parts,
        });
    }
    let mut profile = profile.map_err(|error| error.to_string())?;
    profile.api_url = Some(api_url);
    let found = find(&profile, &Vault::os(), &ground::env).map_err(|error| error.to_string())?;
    target.credentials = for_client(&found);
    let api = target.api(&profile, Arc::new(NoRecorder)).map_err(|error| error.to_string())?;
    Ok(disk.parts(api, Clock::default(), teller).within(&profile))
}

fn tell(recovered: &Recovered) {
    let visit = recovered.visit;
    let began = recovered.started_at.strftime("%F %H:%M UTC");
    match &recovered.fate {
        Fate::Finished { outcome, directory } => {
            let problem = kiosk::problem::of_outcome(outcome);
            let place = directory.as_ref().map_or_else(String::new, |d| format!(" {}", d.display()));
            output::people(format_args!(
                "Visit {visit} of {began}: {}{place}",
                kiosk::problem::message(&problem)
            ));
        }
        Fate::StillActive { status } => output::people(format_args!(
            "Visit {visit} of {began}: its Export Token is still active ({status}); recover again later"
        )),
        Fate::NotNow { why, .. } => output::people(format_args!(
            "Visit {visit} of {began}: cannot be finished now ({why}); everything is kept, recover again later"
        )),
        Fate::Closed { why } => output::people(format_args!("Visit {visit} of {began}: closed, {why}")),
    }
}
