//! What the program is doing when it is killed, or the power fails.

use crate::HarnessError;
use crate::asset_files::{glb_file, png_file, zip_file};
use crate::backend::{Asset, Backend, BackendScript};
use crate::test_home::{FinishedRun, TestHome, run_to_end};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A workload: how the test home is prepared, and which command is killed.
#[expect(clippy::struct_excessive_bools, reason = "each is an independent condition")]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// Title of its table.
    pub(crate) title: &'static str,
    /// The files of the avatar.
    files: Files,
    /// Whether a URL becomes invalid once its last byte was sent.
    has_one_time_urls: bool,
    /// Whether files are downloaded one after another, so that the earlier run always leaves the same state.
    downloads_one_at_a_time: bool,
    /// Whether OUT is on another disk than the data folder.
    pub(crate) uses_two_disks: bool,
    /// The run of `visit` before the command that is killed.
    earlier_run: EarlierRun,
    /// The command that is killed.
    action: Action,
    /// Whether the power matrix runs it too.
    pub(crate) in_power_matrix: bool,
    /// Only crash points whose names contain one of these parts. All if empty.
    pub(crate) crash_points: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Files {
    /// Three small files.
    Small,
    /// Three small files. The backend refuses one of them.
    OneRefused,
    /// A large file that is flushed several times, and a small one.
    Large,
}

enum EarlierRun {
    None,
    /// A visit that was killed at this crash point.
    KilledAt(&'static str),
    /// A visit that was saved.
    Saved,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Visit,
    Recover,
    Forget,
}

const DEFAULT_WORKLOAD: Workload = Workload {
    name: "",
    title: "",
    files: Files::Small,
    has_one_time_urls: false,
    downloads_one_at_a_time: false,
    uses_two_disks: false,
    earlier_run: EarlierRun::None,
    action: Action::Visit,
    in_power_matrix: false,
    crash_points: &[],
};

pub(crate) const WORKLOADS: &[Workload] = &[
    Workload { name: "visit", in_power_matrix: true, title: "A visit with three files", ..DEFAULT_WORKLOAD },
    Workload {
        name: "in-part",
        in_power_matrix: true,
        title: "A visit with one refused URL, whose received files are kept as incomplete",
        files: Files::OneRefused,
        ..DEFAULT_WORKLOAD
    },
    Workload {
        name: "two-disks",
        title: "The same with OUT on another disk than the data folder",
        files: Files::OneRefused,
        uses_two_disks: true,
        crash_points: &["manifest", "copy", "kept", "partial", "end", "wal"],
        ..DEFAULT_WORKLOAD
    },
    Workload {
        name: "large",
        title: "A visit with a file that is flushed several times",
        files: Files::Large,
        crash_points: &["bytes", "part", "progress", "file", "whole"],
        ..DEFAULT_WORKLOAD
    },
    Workload {
        name: "one-time",
        in_power_matrix: true,
        title: "A visit whose URLs become invalid with their last byte: bytes that were not flushed by then are lost",
        has_one_time_urls: true,
        crash_points: &["head", "bytes", "part", "progress", "file", "whole", "manifest", "publish"],
        ..DEFAULT_WORKLOAD
    },
    Workload {
        name: "recover-token",
        in_power_matrix: true,
        title: "`recover` after a crash before a redeem: it redeems and saves",
        earlier_run: EarlierRun::KilledAt("intent-written:4"),
        action: Action::Recover,
        ..DEFAULT_WORKLOAD
    },
    Workload {
        name: "recover-later",
        title: "`recover` after a crash before the first redeem: the avatar is not ready, and the next attempt is journalled",
        earlier_run: EarlierRun::KilledAt("intent-written:1"),
        action: Action::Recover,
        crash_points: &["postpone"],
        ..DEFAULT_WORKLOAD
    },
    Workload {
        name: "recover-answer",
        in_power_matrix: true,
        title: "`recover` after a crash with the response on the disk, not yet parsed",
        earlier_run: EarlierRun::KilledAt("answer-written"),
        action: Action::Recover,
        ..DEFAULT_WORKLOAD
    },
    Workload {
        name: "recover-files",
        in_power_matrix: true,
        title: "`recover` after a crash between two files",
        downloads_one_at_a_time: true,
        earlier_run: EarlierRun::KilledAt("whole-written:1"),
        action: Action::Recover,
        ..DEFAULT_WORKLOAD
    },
    Workload {
        name: "recover-in-part",
        title: "`recover` after a crash with the response on the disk and one refused URL",
        files: Files::OneRefused,
        earlier_run: EarlierRun::KilledAt("plan-written"),
        action: Action::Recover,
        crash_points: &["failure", "manifest", "kept", "end", "wal"],
        ..DEFAULT_WORKLOAD
    },
    Workload {
        name: "recover-published",
        title: "`recover` after a crash right after the rename that publishes the avatar",
        earlier_run: EarlierRun::KilledAt("published"),
        action: Action::Recover,
        ..DEFAULT_WORKLOAD
    },
    Workload {
        name: "forget",
        in_power_matrix: true,
        title: "`history forget` of a saved visit",
        earlier_run: EarlierRun::Saved,
        action: Action::Forget,
        ..DEFAULT_WORKLOAD
    },
];

impl Workload {
    pub(crate) fn create_home(&self, program: &Path) -> Result<TestHome, HarnessError> {
        match second_disk().filter(|_| self.uses_two_disks) {
            Some(other) => TestHome::on_two_disks(program, &other),
            None => TestHome::new(program),
        }
    }

    pub(crate) fn start_backend(&self) -> Result<Backend, HarnessError> {
        let files = match self.files {
            Files::Small | Files::OneRefused => vec![
                Asset { export_type: "glb", name: "avatar.glb", bytes: glb_file(150_000), is_refused: false },
                Asset {
                    export_type: "fbx",
                    name: "avatar_fbx.zip",
                    bytes: zip_file(3_000),
                    is_refused: self.files == Files::OneRefused,
                },
                Asset { export_type: "png", name: "avatar.png", bytes: png_file(900), is_refused: false },
            ],
            Files::Large => vec![
                Asset { export_type: "glb", name: "avatar.glb", bytes: glb_file(9 << 20), is_refused: false },
                Asset { export_type: "png", name: "avatar.png", bytes: png_file(900), is_refused: false },
            ],
        };
        Ok(Backend::start(BackendScript { files, not_ready_count: 3, has_one_time_urls: self.has_one_time_urls })?)
    }

    /// Runs the earlier run, if there is one.
    pub(crate) fn prepare_home(&self, home: &TestHome, backend: &Backend) -> Result<(), HarnessError> {
        let ran = match self.earlier_run {
            EarlierRun::None => return Ok(()),
            EarlierRun::KilledAt(point) => {
                let mut visit = self.apply_config(home, home.visit_command(backend))?;
                visit.env("COPRESENCE_CRASH_AT", point);
                let ran = run_to_end(visit)?;
                if ran.exit.is_some() {
                    return Err(format!("{point} was not reached: {}", ran.describe()).into());
                }
                ran
            }
            EarlierRun::Saved => run_to_end(home.visit_command(backend))?,
        };
        if matches!(self.earlier_run, EarlierRun::Saved) && ran.exit != Some(0) {
            return Err(format!("the visit to forget was not saved: {}", ran.describe()).into());
        }
        Ok(())
    }

    /// The command that is killed.
    pub(crate) fn command(&self, home: &TestHome, backend: &Backend) -> Result<Command, HarnessError> {
        let command = match self.action {
            Action::Visit => home.visit_command(backend),
            Action::Recover => home.recover_command(),
            Action::Forget => home.command(&["history", "forget", "--all", "--json"]),
        };
        self.apply_config(home, command)
    }

    /// Adds the profile: with a patience so short that a refusal is confirmed twice, after a third of a second each.
    fn apply_config(&self, home: &TestHome, mut command: Command) -> Result<Command, HarnessError> {
        let config = home.root().join("profiles.toml");
        let parallel = if self.downloads_one_at_a_time { "downloads.parallel = 1\n" } else { "" };
        std::fs::write(&config, format!("[profiles.sandbox]\npatience = \"2s\"\n{parallel}"))?;
        command.arg("--config").arg(config);
        Ok(command)
    }

    pub(crate) fn is_forget(&self) -> bool {
        self.action == Action::Forget
    }

    /// Whether an undisturbed run ended with the expected exit code.
    pub(crate) fn ended_as_expected(&self, ran: &FinishedRun) -> bool {
        let expected = if self.files == Files::OneRefused { 7 } else { 0 };
        ran.exit == Some(expected)
    }
}

/// A folder on another disk than the temporary folders, if this machine has one.
pub(crate) fn second_disk() -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt as _;
    let other = Path::new("/dev/shm");
    let device = |path: &Path| path.metadata().map(|meta| meta.dev()).ok();
    (device(other)? != device(&std::env::temp_dir())?).then(|| other.to_owned())
}
