//! What the program is doing when it is killed, or the power fails.

use crate::Trouble;
use crate::backend::{Asset, Backend, Script};
use crate::files::{glb, png, zip};
use crate::stand::{Ran, Stand, run};
use std::path::{Path, PathBuf};
use std::process::Command;

/// One course of things.
#[expect(clippy::struct_excessive_bools, reason = "each is a circumstance of its own")]
pub(crate) struct Course {
    pub(crate) name: &'static str,
    /// For the table's title.
    pub(crate) words: &'static str,
    /// The files of the avatar.
    files: Files,
    /// URLs are used up by their last byte.
    one_time: bool,
    /// One file after the other, so that what an earlier run had done is always the same.
    one_at_a_time: bool,
    /// OUT stands on another disk.
    pub(crate) two_disks: bool,
    /// Where an earlier run of `visit` was killed.
    before: Before,
    /// What is killed now.
    act: Act,
    /// The power cut plays it too.
    pub(crate) power: bool,
    /// Only crash points whose name contains one of these; all, when empty.
    pub(crate) points: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Files {
    /// Three small ones.
    Small,
    /// Three small ones, of which the backend refuses one.
    OneGone,
    /// A large one, of several flushes, and a small one.
    Large,
}

enum Before {
    Nothing,
    /// A visit that was killed there.
    KilledAt(&'static str),
    /// A visit that was saved.
    Saved,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Visit,
    Recover,
    Forget,
}

const PLAIN: Course = Course {
    name: "",
    words: "",
    files: Files::Small,
    one_time: false,
    one_at_a_time: false,
    two_disks: false,
    before: Before::Nothing,
    act: Act::Visit,
    power: false,
    points: &[],
};

pub(crate) const COURSES: &[Course] = &[
    Course { name: "visit", power: true, words: "A visit, three files", ..PLAIN },
    Course {
        name: "in-part",
        power: true,
        words: "A visit of which one URL is refused, so that what came is kept as incomplete",
        files: Files::OneGone,
        ..PLAIN
    },
    Course {
        name: "two-disks",
        words: "The same, with OUT on another disk than the data folder",
        files: Files::OneGone,
        two_disks: true,
        points: &["manifest", "copy", "kept", "partial", "end", "wal"],
        ..PLAIN
    },
    Course {
        name: "large",
        words: "A visit with a file of several flushes",
        files: Files::Large,
        points: &["bytes", "part", "progress", "file", "whole"],
        ..PLAIN
    },
    Course {
        name: "one-time",
        power: true,
        words: "A visit whose URLs are used up by their last byte: what the program had not flushed by then is gone",
        one_time: true,
        points: &["head", "bytes", "part", "progress", "file", "whole", "manifest", "publish"],
        ..PLAIN
    },
    Course {
        name: "recover-token",
        power: true,
        words: "`recover` after a crash before a redeem: it redeems, and saves",
        before: Before::KilledAt("intent-written:4"),
        act: Act::Recover,
        ..PLAIN
    },
    Course {
        name: "recover-later",
        words: "`recover` after a crash before the first redeem: the avatar is not ready, and the next attempt is journalled",
        before: Before::KilledAt("intent-written:1"),
        act: Act::Recover,
        points: &["postpone"],
        ..PLAIN
    },
    Course {
        name: "recover-answer",
        power: true,
        words: "`recover` after a crash with the answer on the disk, unread",
        before: Before::KilledAt("answer-written"),
        act: Act::Recover,
        ..PLAIN
    },
    Course {
        name: "recover-files",
        power: true,
        words: "`recover` after a crash between two files",
        one_at_a_time: true,
        before: Before::KilledAt("whole-written:1"),
        act: Act::Recover,
        ..PLAIN
    },
    Course {
        name: "recover-in-part",
        words: "`recover` after a crash with the answer on the disk, and one URL refused",
        files: Files::OneGone,
        before: Before::KilledAt("plan-written"),
        act: Act::Recover,
        points: &["failure", "manifest", "kept", "end", "wal"],
        ..PLAIN
    },
    Course {
        name: "recover-published",
        words: "`recover` after a crash right after the rename that shows the avatar",
        before: Before::KilledAt("published"),
        act: Act::Recover,
        ..PLAIN
    },
    Course {
        name: "forget",
        power: true,
        words: "`history forget` of a saved visit",
        before: Before::Saved,
        act: Act::Forget,
        ..PLAIN
    },
];

impl Course {
    pub(crate) fn stand(&self, program: &Path) -> Result<Stand, Trouble> {
        match other_disk().filter(|_| self.two_disks) {
            Some(other) => Stand::on_two_disks(program, &other),
            None => Stand::new(program),
        }
    }

    pub(crate) fn backend(&self) -> Result<Backend, Trouble> {
        let files = match self.files {
            Files::Small | Files::OneGone => vec![
                Asset { export_type: "glb", name: "avatar.glb", bytes: glb(150_000), gone: false },
                Asset {
                    export_type: "fbx",
                    name: "avatar_fbx.zip",
                    bytes: zip(3_000),
                    gone: self.files == Files::OneGone,
                },
                Asset { export_type: "png", name: "avatar.png", bytes: png(900), gone: false },
            ],
            Files::Large => vec![
                Asset { export_type: "glb", name: "avatar.glb", bytes: glb(9 << 20), gone: false },
                Asset { export_type: "png", name: "avatar.png", bytes: png(900), gone: false },
            ],
        };
        Ok(Backend::start(Script { files, waits: 3, one_time: self.one_time })?)
    }

    /// Brings a stand to where the act begins.
    pub(crate) fn prepare(&self, stand: &Stand, backend: &Backend) -> Result<(), Trouble> {
        let ran = match self.before {
            Before::Nothing => return Ok(()),
            Before::KilledAt(point) => {
                let mut visit = self.configured(stand, stand.visit(backend))?;
                visit.env("COPRESENCE_CRASH_AT", point);
                let ran = run(visit)?;
                if ran.exit.is_some() {
                    return Err(format!("{point} was not reached: {}", ran.told()).into());
                }
                ran
            }
            Before::Saved => run(stand.visit(backend))?,
        };
        if matches!(self.before, Before::Saved) && ran.exit != Some(0) {
            return Err(format!("nothing is saved that could be forgotten: {}", ran.told()).into());
        }
        Ok(())
    }

    /// What is killed.
    pub(crate) fn act(&self, stand: &Stand, backend: &Backend) -> Result<Command, Trouble> {
        let command = match self.act {
            Act::Visit => stand.visit(backend),
            Act::Recover => stand.recover(),
            Act::Forget => stand.command(&["history", "forget", "--all", "--json"]),
        };
        self.configured(stand, command)
    }

    fn configured(&self, stand: &Stand, mut command: Command) -> Result<Command, Trouble> {
        if self.one_at_a_time {
            let config = stand.root().join("profiles.toml");
            std::fs::write(&config, "[profiles.sandbox]\ndownloads.parallel = 1\n")?;
            command.arg("--config").arg(config);
        }
        Ok(command)
    }

    pub(crate) fn forgets(&self) -> bool {
        self.act == Act::Forget
    }

    /// Whether an undisturbed run ended as it should.
    pub(crate) fn is_as_due(&self, ran: &Ran) -> bool {
        let due = if self.files == Files::OneGone { 7 } else { 0 };
        ran.exit == Some(due)
    }
}

/// A folder on another disk than the temporary folders', where this machine has one.
pub(crate) fn other_disk() -> Option<PathBuf> {
    use std::os::unix::fs::MetadataExt as _;
    let other = Path::new("/dev/shm");
    let device = |path: &Path| path.metadata().map(|meta| meta.dev()).ok();
    (device(other)? != device(&std::env::temp_dir())?).then(|| other.to_owned())
}
