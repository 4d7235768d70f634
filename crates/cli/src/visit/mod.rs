//! `copresence visit`: runs one whole visit in the terminal.

mod files;
mod phone;
pub(crate) mod remote;
mod show;

use crate::args::VisitOptions;
use crate::common_options::Common;
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
use remote::remote;
use sandbox::Server;
use show::Show;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub(crate) async fn run(common: &Common, options: VisitOptions) -> Result<u8, Failure> {
    let show = Arc::new(Show::new(common));
    let ended = prepared(common, options, show.clone()).await;
    if let Err(failure) = &ended {
        not_begun(&show, common, failure);
    }
    ended
}

/// Prepares and runs the visit. Returns an error only before the visit starts; later failures are its outcome.
async fn prepared(common: &Common, options: VisitOptions, show: Arc<Show>) -> Result<u8, Failure> {
    let mut profile = ground::profile(common)?;
    if let Some(poll) = options.poll {
        // An explicit --poll overrides the profile's lower bound.
        profile.pace.fastest = profile.pace.fastest.min(poll);
    }
    let disk = ground::disk(common)?;
    let out = ground::out(common, &profile, &disk)?;
    let qr = options.qr.as_deref().map(QrFile::new).transpose()?;
    let har = options.har.as_deref().map(HarFile::create).transpose()?;
    let stopping = stop::on_signal("stopping … (again to stop at once)");
    tokio::select! {
        () = recover::before_a_visit(common, &disk) => {}
        // The interrupted recovery stays recoverable. No token was requested yet.
        () = stopping.cancelled() => return Err(Failure::interrupted()),
    }

    let embedded = if profile.is_embedded_sandbox() { Some(embedded(&options).await?) } else { None };
    let backend = embedded.as_ref().map(Server::url).or_else(|| profile.api_url.clone());
    // Some scenarios simulate that the code is never scanned.
    let scans = options.auto && (embedded.is_none() || options.world.scenario.is_scanned());
    let phone = backend.filter(|_| scans).map(Phone::new).transpose()?;
    let stage = Stage { show, out, qr, har, phone, stopping };
    let exit = visit(options, &profile, &disk, embedded.as_ref(), stage).await;
    if let Some(server) = embedded {
        server.stop().await;
    }
    exit.map_err(|failure| failure.at(&profile))
}

/// Inputs and outputs of one visit in the terminal.
struct Stage {
    show: Arc<Show>,
    out: PathBuf,
    qr: Option<QrFile>,
    har: Option<HarFile>,
    phone: Option<Phone>,
    stopping: CancellationToken,
}

async fn visit(
    options: VisitOptions,
    profile: &Profile,
    disk: &Disk,
    embedded: Option<&Server>,
    stage: Stage,
) -> Result<u8, Failure> {
    let target = match embedded {
        Some(server) => sandbox_target(server)?,
        None => remote(profile).await?,
    };
    let recorder: Arc<dyn Recorder> = match &stage.har {
        Some(har) => har.recorder(),
        None => Arc::new(NoRecorder),
    };
    let api = target.api(profile, recorder)?;
    let overrides = Overrides {
        out: Some(stage.out.clone()),
        timeout: options.timeout,
        poll: options.poll,
        required_exports: options.exports.iter().map(ExportType::new).collect(),
        max_file_size: options.max_file_size.map(|size| size.as_u64()),
    };
    let order = order(profile, &target, disk, &overrides).await;
    let teller = teller(&stage);
    let ended = drive(order, disk.parts(api, Clock::default(), teller), stage.stopping.clone()).await;
    if let Some(har) = stage.har {
        har.write();
    }
    Ok(ended.outcome.exit())
}

fn teller(stage: &Stage) -> Teller {
    let (show, qr, phone) = (stage.show.clone(), stage.qr.clone(), stage.phone.clone());
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

/// With `--json`, emits `started` and `ended` also for a visit that could not start.
fn not_begun(show: &Show, common: &Common, failure: &Failure) {
    let visit = kiosk::history::VisitId::new();
    let clock = Clock::default();
    let api_url = ground::profile(common).ok().and_then(|profile| profile.api_url);
    let problem = problem::problem(failure.code(), Some(failure.message()));
    let events = [
        LineEvent::Started {
            profile: common.profile().to_owned(),
            api_url: api_url.as_ref().map(ToString::to_string).unwrap_or_default(),
        },
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
    let settings = crate::sandbox::settings(&options.world)?;
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
