//! `copresence visit`: one whole visit in the terminal.

mod files;
mod phone;
mod show;

use crate::args::{Common, VisitOptions};
use crate::failure::Failure;
use crate::{ground, recover, stop};
use files::{HarFile, QrFile};
use kiosk::clock::Clock;
use kiosk::drive::{Teller, drive};
use kiosk::line::{Line, LineEvent};
use kiosk::profile::Profile;
use kiosk::setup::{Disk, Overrides, Target, order};
use kiosk::{ExportType, NoRecorder, Recorder, problem};
use phone::Phone;
use sandbox::{Server, Settings};
use show::Show;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub(crate) async fn run(common: &Common, options: VisitOptions) -> Result<u8, Failure> {
    let profile = ground::profile(common)?;
    let disk = ground::disk(common)?;
    let qr = options.qr.as_deref().map(QrFile::new).transpose()?;
    let har = options.har.as_deref().map(HarFile::create).transpose()?;
    let stopping = stop::on_signal("stopping … (again to stop at once)");
    recover::before_a_visit(common, &disk).await;

    let embedded = if profile.is_embedded_sandbox() { Some(embedded(&options).await?) } else { None };
    let backend = embedded.as_ref().map(Server::url).or_else(|| profile.api_url.clone());
    // In a scenario where nobody scans, nobody does.
    let scans = options.auto && (embedded.is_none() || options.world.scenario.is_scanned());
    let phone = backend.filter(|_| scans).map(Phone::new).transpose()?;
    let exit =
        visit(common, options, &profile, &disk, embedded.as_ref(), Stage { qr, har, phone, stopping }).await;
    if let Some(server) = embedded {
        server.stop().await;
    }
    exit
}

/// What stands around the visit.
struct Stage {
    qr: Option<QrFile>,
    har: Option<HarFile>,
    phone: Option<Phone>,
    stopping: CancellationToken,
}

async fn visit(
    common: &Common,
    options: VisitOptions,
    profile: &Profile,
    disk: &Disk,
    embedded: Option<&Server>,
    stage: Stage,
) -> Result<u8, Failure> {
    let found = match embedded {
        Some(server) => Ok(sandbox_target(server)?),
        None => ground::remote(profile).await,
    };
    let recorder: Arc<dyn Recorder> = match &stage.har {
        Some(har) => har.recorder(),
        None => Arc::new(NoRecorder),
    };
    let made = found.and_then(|target| Ok((target.api(profile, recorder)?, target)));
    let overrides = Overrides {
        out: common.out.clone(),
        timeout: options.timeout,
        poll: options.poll,
        required_exports: options.exports.iter().map(ExportType::new).collect(),
        max_file_size: options.max_file_size.map(|size| size.as_u64()),
    };
    let clock = Clock::default();
    let show = Arc::new(Show::new(common));
    let (api, target) = match made {
        Ok(made) => made,
        Err(failure) => {
            not_begun(&show, clock, profile, &failure);
            return Err(failure);
        }
    };
    let order = order(profile, &target, disk, &overrides);
    let teller = teller(show, &stage);
    let ended = drive(order, disk.parts(api, clock, teller), stage.stopping.clone()).await;
    if let Some(har) = stage.har {
        har.write();
    }
    Ok(ended.outcome.exit())
}

fn teller(show: Arc<Show>, stage: &Stage) -> Teller {
    let (qr, phone) = (stage.qr.clone(), stage.phone.clone());
    Arc::new(move |line: Line| {
        show.take(&line);
        if let LineEvent::Invited { link, .. } = &line.event {
            if let Some(qr) = &qr {
                qr.write(link);
            }
            if let Some(phone) = &phone {
                phone.play(link);
            }
        }
    })
}

/// For `--json` there is a last line also when nothing could begin.
fn not_begun(show: &Show, clock: Clock, profile: &Profile, failure: &Failure) {
    let visit = kiosk::history::VisitId::new();
    let api_url = profile.api_url.as_ref().map(ToString::to_string).unwrap_or_default();
    let problem = problem::problem(failure.code(), Some(&failure.to_string()));
    let events = [
        LineEvent::Started { profile: profile.name.clone(), api_url },
        LineEvent::Ended {
            code: failure.code().to_owned(),
            exit: failure.exit(),
            message: problem::message(&problem),
            visit_state: "issuing".to_owned(),
        },
    ];
    for event in events {
        show.only_for_programs(&Line { visit, at: clock.now(), event });
    }
}

async fn embedded(options: &VisitOptions) -> Result<Server, Failure> {
    let world = &options.world;
    let defaults = Settings::default();
    let settings = Settings {
        scenario: world.scenario,
        speed: world.speed,
        seed: world.seed.unwrap_or(defaults.seed),
        assets: world.assets.clone(),
        ..defaults
    };
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::start(settings, anywhere).await;
    server.map_err(|error| Failure::usage(format!("the embedded sandbox cannot start: {error}")))
}

fn sandbox_target(server: &Server) -> Result<Target, Failure> {
    let accepted = server.sandbox().credentials();
    let login = (accepted.username.clone(), accepted.password.clone());
    let target =
        Target::embedded_sandbox(server.url(), &server.link_template(), accepted.api_key.clone(), login);
    target.map_err(|error| Failure::usage(error.to_string()))
}
