//! Crash points for tests: points between two steps, from the issue of a token to the saved avatar, at which a test
//! build can end its process as a power failure would.
//!
//! With the feature `crash-points`, which only tests enable, [`reach_crash_point`] reads two environment variables:
//!
//! * `COPRESENCE_CRASH_AT=answer-written` or `…=answer-written:2`: send SIGKILL to this process when the point is
//!   reached the first time or the second time.
//! * `COPRESENCE_CRASH_LOG=FILE`: append the name of each reached point to a file. A run without a crash lists its
//!   points.
//!
//! Without the feature [`reach_crash_point`] does nothing. The crate `fail` is not used, because it can neither list
//! its fail points nor end the process by SIGKILL.

macro_rules! points {
    (
        $(#[doc = $enum_doc:literal])+
        $vis:vis enum $name:ident {
            $($(#[doc = $words:literal])+ $point:ident = $word:literal,)+
        }
    ) => {
        $(#[doc = $enum_doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $name {
            $($(#[doc = $words])+ $point,)+
        }

        /// Every point with its name and description, in the order of a visit.
        const TABLE: &[($name, &str, &str)] = &[$(($name::$point, $word, concat!($($words),+)),)+];

        /// All points, in the order of a visit.
        const POINTS: &[$name] = &[$($name::$point,)+];
    };
}

points! {
    /// A point between two steps.
    pub enum Point {
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
}

impl Point {
    /// All points, in the order of a visit.
    pub const ALL: &[Self] = POINTS;

    /// The name in the environment variables.
    pub const fn name(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// The step that has just been completed.
    pub const fn words(self) -> &'static str {
        TABLE[self as usize].2
    }
}

/// The crash points before and after the commit of a journal transaction.
#[derive(Clone, Copy)]
pub(crate) struct Step(pub(crate) Point, pub(crate) Point);

/// Reaches a crash point. Ends the process if the environment says so, and does nothing without the feature
/// `crash-points`.
#[inline]
pub fn reached(point: Point) {
    #[cfg(feature = "crash-points")]
    armed::log_or_crash(point);
    #[cfg(not(feature = "crash-points"))]
    let _ = point;
}

#[cfg(feature = "crash-points")]
mod armed {
    use super::Point;
    use std::fs::{File, OpenOptions};
    use std::io::Write as _;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// The configuration from the environment.
    struct CrashConfig {
        /// Name of the point to crash at, and the number of times that it must be reached.
        crash_at: Option<(String, u32)>,
        log: Option<File>,
    }

    static CONFIG: OnceLock<CrashConfig> = OnceLock::new();
    static TIMES_REACHED: AtomicU32 = AtomicU32::new(0);

    /// Appends the point to the log, and ends the process if it is the configured point.
    pub(super) fn log_or_crash(point: Point) {
        let config = CONFIG.get_or_init(CrashConfig::from_env);
        if let Some(mut log) = config.log.as_ref() {
            // A single append, so that lines of several threads are not mixed.
            _ = log.write_all(format!("{}\n", point.name()).as_bytes());
        }
        if let Some((name, nth)) = &config.crash_at
            && name == point.name()
            && TIMES_REACHED.fetch_add(1, Ordering::SeqCst) + 1 == *nth
        {
            kill_process_now();
        }
    }

    impl CrashConfig {
        fn from_env() -> Self {
            let crash_at = std::env::var("COPRESENCE_CRASH_AT").ok().map(|text| match text.split_once(':') {
                Some((name, nth)) => (name.to_owned(), nth.parse().unwrap_or(1)),
                None => (text, 1),
            });
            let log = std::env::var_os("COPRESENCE_CRASH_LOG")
                .and_then(|path| OpenOptions::new().append(true).create(true).open(path).ok());
            Self { crash_at, log }
        }
    }

    /// Ends the process without flushing, dropping or unlocking anything.
    fn kill_process_now() -> ! {
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
    fn names_are_distinct_and_in_the_order_of_the_table() {
        assert!(
            TABLE
                .iter()
                .zip(Point::ALL)
                .enumerate()
                .all(|(index, (row, point))| { row.0 == *point && *point as usize == index })
        );
        let mut names: Vec<_> = Point::ALL.iter().map(|point| point.name()).collect();
        assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-')));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
