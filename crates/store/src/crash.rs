//! Instants at which a test build can be told to end itself as a power cut would: every step between the issue of a
//! token and the saved avatar.
//!
//! With the feature `crash-points`, which only tests turn on, [`reached`] reads two variables of the environment:
//!
//! * `COPRESENCE_CRASH_AT=answer-written` or `…=answer-written:2`: SIGKILL the first, or the second, time that this
//!   point is reached;
//! * `COPRESENCE_CRASH_LOG=FILE`: append the name of each point reached, so that a run without a crash tells which
//!   there are.
//!
//! Without the feature nothing of that is compiled, and [`reached`] is empty.

macro_rules! points {
    ($($(#[doc = $words:literal])+ $point:ident = $name:literal,)+) => {
        /// An instant between two steps.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Point {
            $($(#[doc = $words])+ $point,)+
        }

        impl Point {
            /// All of them, in the order of a visit.
            pub const ALL: &[Self] = &[$(Self::$point,)+];

            /// Its name in the environment.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)+
                }
            }

            /// What has just happened, in a few words.
            pub const fn words(self) -> &'static str {
                match self {
                    $(Self::$point => concat!($($words),+),)+
                }
            }
        }
    };
}

points! {
    /// the visit is claimed
    Claimed = "claimed",
    /// the beginning is in the transaction
    BeginWriting = "begin-writing",
    /// the beginning is in the journal
    BeginWritten = "begin-written",
    /// the token came
    TokenReceived = "token-received",
    /// the token is in the transaction
    TokenWriting = "token-writing",
    /// the token is in the journal
    TokenWritten = "token-written",
    /// the redeem intent is in the transaction
    IntentWriting = "intent-writing",
    /// the redeem intent is in the journal
    IntentWritten = "intent-written",
    /// the answer of a redeem came
    AnswerReceived = "answer-received",
    /// a "not ready" answer is in the transaction
    PollWriting = "poll-writing",
    /// a "not ready" answer is in the journal
    PollWritten = "poll-written",
    /// the raw answer is in the transaction
    AnswerWriting = "answer-writing",
    /// the raw answer is in the journal
    AnswerWritten = "answer-written",
    /// the answer is read
    AnswerParsed = "answer-parsed",
    /// what the answer was is in the transaction
    VerdictWriting = "verdict-writing",
    /// what the answer was is in the journal
    VerdictWritten = "verdict-written",
    /// that no answer came is in the transaction
    LossWriting = "loss-writing",
    /// that no answer came is in the journal
    LossWritten = "loss-written",
    /// a phase is in the transaction
    PhaseWriting = "phase-writing",
    /// a phase is in the journal
    PhaseWritten = "phase-written",
    /// the partial folder is made
    FolderMade = "folder-made",
    /// the partial folder is durable
    FolderDurable = "folder-durable",
    /// the files are in the transaction
    PlanWriting = "plan-writing",
    /// the files are in the journal
    PlanWritten = "plan-written",
    /// a part is made
    PartMade = "part-made",
    /// the part's name is durable
    PartDurable = "part-durable",
    /// that a file is asked for is in the transaction
    RequestWriting = "request-writing",
    /// that a file is asked for is in the journal
    RequestWritten = "request-written",
    /// the head of a file's answer came
    HeadReceived = "head-received",
    /// some bytes of a file are written
    BytesWritten = "bytes-written",
    /// what came of a file is flushed
    PartFlushed = "part-flushed",
    /// how far a file came is in the transaction
    ProgressWriting = "progress-writing",
    /// how far a file came is in the journal
    ProgressWritten = "progress-written",
    /// a whole part is flushed
    FileFlushed = "file-flushed",
    /// a file has its name
    FileRenamed = "file-renamed",
    /// a file's name is durable
    FileDurable = "file-durable",
    /// that a file is whole is in the transaction
    WholeWriting = "whole-writing",
    /// that a file is whole is in the journal
    WholeWritten = "whole-written",
    /// that a file was given up is in the transaction
    FailureWriting = "failure-writing",
    /// that a file was given up is in the journal
    FailureWritten = "failure-written",
    /// the manifest is flushed as a part
    ManifestFlushed = "manifest-flushed",
    /// the manifest has its name
    ManifestRenamed = "manifest-renamed",
    /// the manifest's name is durable
    ManifestDurable = "manifest-durable",
    /// the avatar's folder has its name
    Published = "published",
    /// the avatar's folder is durable
    PublishDurable = "publish-durable",
    /// an incomplete avatar is copied to the data folder's disk
    CopyMade = "copy-made",
    /// the copy is durable
    CopyDurable = "copy-durable",
    /// an incomplete avatar has its name in the data folder
    KeptRenamed = "kept-renamed",
    /// that name is durable
    KeptDurable = "kept-durable",
    /// an incomplete avatar is gone from where it grew
    KeptAlone = "kept-alone",
    /// the end is in the transaction
    EndWriting = "end-writing",
    /// the end is in the journal
    EndWritten = "end-written",
    /// forgotten secrets are out of the journal's log
    WalTruncated = "wal-truncated",
    /// that a visit is taken up again is in the transaction
    ReopenWriting = "reopen-writing",
    /// that a visit is taken up again is in the journal
    ReopenWritten = "reopen-written",
    /// the time of the next recovery is in the transaction
    PostponeWriting = "postpone-writing",
    /// the time of the next recovery is in the journal
    PostponeWritten = "postpone-written",
    /// the files of a partial folder are removed
    PartialEmptied = "partial-emptied",
    /// an avatar's files are removed, its manifest is not
    AvatarEmptied = "avatar-emptied",
    /// an avatar's manifest is removed
    ManifestRemoved = "manifest-removed",
    /// an avatar's folder is removed
    AvatarRemoved = "avatar-removed",
    /// that a visit is forgotten is in the transaction
    ForgetWriting = "forget-writing",
    /// a visit is out of the journal
    ForgetWritten = "forget-written",
}

/// A durable step of the journal: the instants before and after its commit.
#[derive(Clone, Copy)]
pub(crate) struct Step(pub(crate) Point, pub(crate) Point);

/// Marks that an instant is reached.
#[cfg(not(feature = "crash-points"))]
#[inline]
pub const fn reached(_: Point) {}

#[cfg(feature = "crash-points")]
pub use armed::reached;

#[cfg(feature = "crash-points")]
mod armed {
    use super::Point;
    use std::fs::{File, OpenOptions};
    use std::io::Write as _;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    struct Plan {
        at: Option<(String, u32)>,
        log: Option<File>,
    }

    static PLAN: OnceLock<Plan> = OnceLock::new();
    static REACHED: AtomicU32 = AtomicU32::new(0);

    /// Marks that an instant is reached; ends the process there if the environment says so.
    pub fn reached(point: Point) {
        let plan = PLAN.get_or_init(Plan::read);
        if let Some(mut log) = plan.log.as_ref() {
            // One write, appended: threads do not mix.
            _ = log.write_all(format!("{}\n", point.name()).as_bytes());
        }
        if let Some((name, nth)) = &plan.at
            && name == point.name()
            && REACHED.fetch_add(1, Ordering::SeqCst) + 1 == *nth
        {
            die();
        }
    }

    impl Plan {
        fn read() -> Self {
            let at = std::env::var("COPRESENCE_CRASH_AT").ok().map(|text| match text.split_once(':') {
                Some((name, nth)) => (name.to_owned(), nth.parse().unwrap_or(1)),
                None => (text, 1),
            });
            let log = std::env::var_os("COPRESENCE_CRASH_LOG")
                .and_then(|path| OpenOptions::new().append(true).create(true).open(path).ok());
            Self { at, log }
        }
    }

    /// Nothing is flushed, dropped or let go of.
    fn die() -> ! {
        #[cfg(unix)]
        {
            use rustix::process::{Signal, getpid, kill_process};
            _ = kill_process(getpid(), Signal::KILL);
        }
        std::process::abort()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_and_no_two_are_the_same() {
        let mut names: Vec<_> = Point::ALL.iter().map(|point| point.name()).collect();
        assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-')));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
