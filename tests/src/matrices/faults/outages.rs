//! Outages that end: for a time the backend, which also serves the files, cannot be used. No avatar may be lost.
//!
//! The times are a tenth of those that people see (a second, ten seconds, a minute), and so is the patience of the
//! profile, except that the longest outage is longer than it: then the visit ends with exit code 6, and `recover` saves
//! the avatar.

use super::name_service::{BACKEND_NAME, NameService, missing_for_name_service};
use crate::asset_files::{glb_file, png_file, zip_file};
use crate::backend::{Asset, Backend, BackendScript, EventKind, RequestStage, StageTrigger};
use crate::outage::OutageKind;
use crate::report::{Table, Violation};
use crate::test_home::{FinishedRun, TestHome, run_to_end};
use crate::{HarnessError, Options};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The durations of the outages, with their names.
const DURATIONS: [(&str, Duration); 3] =
    [("1 s", Duration::from_millis(100)), ("10 s", Duration::from_secs(1)), ("60 s", Duration::from_secs(6))];

/// Number of redeems before the one that delivers.
const NOT_READY_COUNT: u32 = 3;

/// The profile: patience between the second and the third duration.
const PROFILE: &str = r#"[profiles.sandbox]
patience = "3s"
timeout = "1m"
downloads.first_byte = "1s"
# The address without a route is not a private one.
downloads.allow_private_hosts = true
network = { connect = "1s", silence = "1s", call = "2s" }
"#;

/// Maximum runs of `recover` after the outage.
const MAX_RECOVER_RUNS: usize = 8;

/// Where an outage begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OutageStart {
    /// Before the visit starts.
    Start,
    /// At this stage, reached for the n-th time.
    Stage(RequestStage, u32),
    /// Before `recover`, after a crash at this point.
    Recover(&'static str),
}

/// The places with their names. The response of the redeem that delivers is never cut: what it said would be lost.
const PLACES: [(&str, OutageStart); 9] = [
    ("start of the visit", OutageStart::Start),
    ("token issued", OutageStart::Stage(RequestStage::GenerateReceived, 1)),
    ("between two polls", OutageStart::Stage(RequestStage::RedeemSent, 2)),
    ("right after the delivery", OutageStart::Stage(RequestStage::RedeemSent, NOT_READY_COUNT + 1)),
    ("file requested", OutageStart::Stage(RequestStage::FileReceived, 1)),
    ("half of a file", OutageStart::Stage(RequestStage::FileHalfSent, 1)),
    ("between two files", OutageStart::Stage(RequestStage::FileSent, 1)),
    ("recover with a token", OutageStart::Recover("intent-written:4")),
    ("recover with URLs", OutageStart::Recover("answer-written")),
];

/// A visit, or a `recover`, with one outage.
pub(super) struct OutageCell {
    kind: OutageKind,
    place: (&'static str, OutageStart),
    duration: (&'static str, Duration),
    pub(super) name: String,
}

/// The result of a cell.
pub(super) struct OutageVerdict {
    /// Exit codes of the run with the outage and of the last `recover` that found something.
    exits: (Option<i32>, Option<i32>),
    pub(super) violations: Vec<String>,
}

/// All cells whose name is selected. Prints a notice if those that need a name service of their own cannot run here.
pub(super) fn all_outage_cells(is_selected: impl Fn(&str) -> bool) -> Vec<OutageCell> {
    let mut cells = outage_cells_of_kinds(OutageKind::OF_BACKEND);
    cells.extend(outage_cells_of_kinds(OutageKind::OF_ROUTE_AND_NAME));
    cells.retain(|cell| is_selected(&cell.name));
    if cells.iter().any(OutageCell::needs_name_service)
        && let Some(why) = missing_for_name_service()
    {
        eprintln!("NOT TESTED: outages of the route and of the name ({why})");
        cells.retain(|cell| !cell.needs_name_service());
    }
    cells
}

fn outage_cells_of_kinds(kinds: [OutageKind; 4]) -> Vec<OutageCell> {
    let mut cells = Vec::new();
    for kind in kinds {
        for place in PLACES {
            for duration in DURATIONS {
                let name = format!("outage/{}/{}/{}", kind.name(), place.0, duration.0);
                cells.push(OutageCell { kind, place, duration, name });
            }
        }
    }
    cells
}

impl OutageCell {
    fn needs_name_service(&self) -> bool {
        OutageKind::OF_ROUTE_AND_NAME.contains(&self.kind)
    }

    pub(super) fn run(&self, program: &Path) -> Result<OutageVerdict, HarnessError> {
        let home = TestHome::new(program)?;
        let config = home.root().join("profiles.toml");
        std::fs::write(&config, PROFILE)?;
        let (kind, duration) = (self.kind, self.duration.1);
        let names = self.needs_name_service().then(|| NameService::new(home.root(), kind)).transpose()?;
        let with_config = |mut command: Command| {
            command.arg("--config").arg(&config);
            names.as_ref().map(|names| names.wrap_command(&command)).unwrap_or(command)
        };
        let backend = Backend::start_with_name(script(), names.as_ref().map(|_| BACKEND_NAME))?;
        let begin_at_backend = backend.outage_starter();
        let names_in_outage = names.clone();
        let begin_outage = move || {
            if let Some(names) = names_in_outage.clone() {
                if let Err(error) = names.begin_outage(kind) {
                    eprintln!("the outage did not begin: {error}");
                }
                std::thread::spawn(move || {
                    std::thread::sleep(duration);
                    // Fails if the cell is done.
                    _ = names.end_outage();
                });
            }
            begin_at_backend(kind, duration);
        };
        let command = match self.place.1 {
            OutageStart::Start => {
                begin_outage();
                home.visit_command(&backend)
            }
            OutageStart::Stage(stage, nth) => {
                let action = Box::new(begin_outage);
                backend.set_trigger(Some(StageTrigger { stage, nth, action }));
                home.visit_command(&backend)
            }
            OutageStart::Recover(point) => {
                let mut visit = home.visit_command(&backend);
                visit.env("COPRESENCE_CRASH_AT", point);
                let ran = run_to_end(with_config(visit))?;
                if ran.exit.is_some() {
                    return Err(format!("{point} was not reached: {}", ran.describe()).into());
                }
                begin_outage();
                home.recover_command()
            }
        };
        let ran = run_to_end(with_config(command))?;
        backend.set_trigger(None);
        backend.await_end_of_outage();
        if let Some(names) = &names {
            names.end_outage()?;
        }
        let mut recovered = None;
        for _ in 0..MAX_RECOVER_RUNS {
            let recover = run_to_end(with_config(home.recover_command()))?;
            if recover.stdout.is_empty() {
                break;
            }
            recovered = Some(recover);
        }
        let violations = self.check(&home, &backend, &ran, recovered.as_ref())?;
        Ok(OutageVerdict { exits: (ran.exit, recovered.and_then(|recovered| recovered.exit)), violations })
    }

    fn check(
        &self,
        home: &TestHome,
        backend: &Backend,
        ran: &FinishedRun,
        recovered: Option<&FinishedRun>,
    ) -> Result<Vec<String>, HarnessError> {
        backend.await_requests()?;
        let mut violations = Vec::new();
        let runs = || {
            let recovered = recovered.map_or_else(String::new, |recovered| format!("; then {}", recovered.describe()));
            format!("{}{recovered}", ran.describe())
        };
        if ran.timed_out || !matches!(ran.exit, Some(0 | 6)) {
            violations.push(format!("neither saved nor kept: {}", runs()));
        }
        let lines = ran.json_lines();
        let ended = lines.iter().rfind(|line| line["event"] == "ended");
        if ran.exit == Some(6)
            && ended.is_some_and(|line| line["visit_state"] == "saving" && line["code"] != "download_interrupted")
        {
            violations.push(format!("the code is not `download_interrupted`: {}", runs()));
        }
        let events = backend.events();
        let count = |is_counted: &dyn Fn(&EventKind) -> bool| events.iter().filter(|it| is_counted(&it.kind)).count();
        let generated = count(&|kind| matches!(kind, EventKind::Generated { .. }));
        let delivered = count(&|kind| matches!(kind, EventKind::Delivered { .. }));
        let refused = count(&|kind| matches!(kind, EventKind::Refused { .. }));
        let invited =
            lines.iter().any(|line| line["event"] == "invited") || matches!(self.place.1, OutageStart::Recover(_));
        let expected_avatars = usize::from(invited);
        let avatars: Vec<_> = std::fs::read_dir(home.out())?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_dir() && !home.is_foreign(path))
            .collect();
        if avatars.len() != expected_avatars || delivered != expected_avatars {
            violations.push(format!(
                "{} avatars are saved and {delivered} were delivered, expected {expected_avatars} ({generated} tokens): {}",
                avatars.len(),
                runs()
            ));
        }
        if refused > 0 {
            violations.push(format!("a spent token was redeemed {refused} times: {}", runs()));
        }
        for (folder, asset) in
            avatars.iter().flat_map(|folder| backend.script().files.iter().map(move |it| (folder, it)))
        {
            if std::fs::read(folder.join(asset.name)).ok().as_ref() != Some(&asset.bytes) {
                violations.push(format!("{}: {} is not what the backend sent", folder.display(), asset.name));
            }
        }
        if home.data().join("incomplete").read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
            violations.push(format!("an incomplete avatar is left: {}", runs()));
        }
        violations.extend(home.foreign_file_changes());
        Ok(violations)
    }
}

fn script() -> BackendScript {
    let asset = |export_type, name, bytes| Asset { export_type, name, bytes, is_refused: false };
    let files = vec![
        asset("glb", "avatar.glb", glb_file(300_000)),
        asset("fbx", "avatar_fbx.zip", zip_file(3_000)),
        asset("png", "avatar.png", png_file(900)),
    ];
    BackendScript { files, not_ready_count: NOT_READY_COUNT as usize, has_one_time_urls: false }
}

/// The violations of these cells.
pub(super) fn outage_violations(
    options: &Options,
    cells: &[OutageCell],
    verdicts: &[Result<OutageVerdict, HarnessError>],
) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (cell, verdict) in cells.iter().zip(verdicts) {
        let descriptions = match verdict {
            Ok(verdict) => verdict.violations.clone(),
            Err(error) => vec![format!("the cell could not run: {error}")],
        };
        let reproduce = options.reproduce_command("faults", &cell.name);
        let violation = |description| Violation { cell: cell.name.clone(), description, reproduce: reproduce.clone() };
        violations.extend(descriptions.into_iter().map(violation));
    }
    violations
}

/// The tables: outages of the backend, and of the route to it and of its name.
pub(super) fn outage_tables(cells: &[OutageCell], verdicts: &[Result<OutageVerdict, HarnessError>]) -> Vec<Table> {
    let tables = [
        ("Outages that end", OutageKind::OF_BACKEND),
        ("Outages of the route and of the name that end", OutageKind::OF_ROUTE_AND_NAME),
    ];
    tables.into_iter().filter_map(|(title, kinds)| outage_table(title, &kinds, cells, verdicts)).collect()
}

/// One row per place, one column per kind and duration.
fn outage_table(
    title: &str,
    kinds: &[OutageKind],
    cells: &[OutageCell],
    verdicts: &[Result<OutageVerdict, HarnessError>],
) -> Option<Table> {
    let code = |exit: Option<i32>| exit.map_or("?".to_owned(), |exit| exit.to_string());
    let label = |verdict: &Result<OutageVerdict, HarnessError>| match verdict {
        Err(_) => "?".to_owned(),
        Ok(OutageVerdict { exits: (ran, recovered), violations }) => {
            let recovered = recovered.map_or_else(String::new, |exit| format!(" → {exit}"));
            format!("{}{recovered}{}", code(*ran), if violations.is_empty() { "" } else { " !" })
        }
    };
    let mut head = vec!["the outage begins at …".to_owned()];
    let columns: Vec<_> = kinds.iter().flat_map(|kind| DURATIONS.map(|(name, _)| (*kind, name))).collect();
    head.extend(columns.iter().map(|(kind, duration)| format!("{} {duration}", kind.name())));
    let mut rows = Vec::new();
    for (place, _) in PLACES {
        let mut row = vec![place.to_owned()];
        for (kind, duration) in &columns {
            let found = cells
                .iter()
                .zip(verdicts)
                .find(|(cell, _)| cell.place.0 == place && cell.kind == *kind && cell.duration.0 == *duration);
            row.push(found.map_or_else(|| "·".to_owned(), |(_, verdict)| label(verdict)));
        }
        rows.push(row);
    }
    let has_cells = cells.iter().any(|cell| kinds.contains(&cell.kind));
    has_cells.then(|| Table { title: title.to_owned(), head, rows })
}
