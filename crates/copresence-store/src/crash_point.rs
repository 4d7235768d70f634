//! Crash points for tests: points between two steps, from the issue of a token to the saved avatar, and in the repair of a
//! damaged journal, at which a test build can end its process as a power failure would.
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
    /// A point between two steps at which a test build can end the process.
    pub enum CrashPoint {
        /// the visit is locked
        VisitLocked = "claimed",
        /// the start of the visit is in the transaction
        BeginWriting = "begin-writing",
        /// the start of the visit is in the journal
        BeginWritten = "begin-written",
        /// the token is received
        TokenReceived = "token-received",
        /// the token is in the transaction
        TokenWriting = "token-writing",
        /// the token is in the journal
        TokenWritten = "token-written",
        /// the redeem intent is in the transaction
        IntentWriting = "intent-writing",
        /// the redeem intent is in the journal
        IntentWritten = "intent-written",
        /// the response of a redeem is received
        AnswerReceived = "answer-received",
        /// a "not ready" answer is in the transaction
        PollWriting = "poll-writing",
        /// a "not ready" answer is in the journal
        PollWritten = "poll-written",
        /// the raw response is in the transaction
        AnswerWriting = "answer-writing",
        /// the raw response is in the journal
        AnswerWritten = "answer-written",
        /// the response is parsed
        AnswerParsed = "answer-parsed",
        /// the kind of the response is in the transaction
        ReadingWriting = "verdict-writing",
        /// the kind of the response is in the journal
        ReadingWritten = "verdict-written",
        /// the lost response is in the transaction
        LostAnswerWriting = "loss-writing",
        /// the lost response is in the journal
        LostAnswerWritten = "loss-written",
        /// a phase is in the transaction
        PhaseWriting = "phase-writing",
        /// a phase is in the journal
        PhaseWritten = "phase-written",
        /// the partial folder is created
        FolderMade = "folder-made",
        /// the partial folder is durable
        FolderDurable = "folder-durable",
        /// the list of files is in the transaction
        PlanWriting = "plan-writing",
        /// the list of files is in the journal
        PlanWritten = "plan-written",
        /// a partial file is created
        PartMade = "part-made",
        /// the name of the partial file is durable
        PartDurable = "part-durable",
        /// the request of a file is in the transaction
        RequestWriting = "request-writing",
        /// the request of a file is in the journal
        RequestWritten = "request-written",
        /// the response headers of a file are received
        HeadReceived = "head-received",
        /// some bytes of a file are written
        BytesWritten = "bytes-written",
        /// the received part of a file is flushed
        PartFlushed = "part-flushed",
        /// the progress of a file is in the transaction
        ProgressWriting = "progress-writing",
        /// the progress of a file is in the journal
        ProgressWritten = "progress-written",
        /// a complete file is flushed
        FileFlushed = "file-flushed",
        /// a file is renamed
        FileRenamed = "file-renamed",
        /// the name of a file is durable
        FileDurable = "file-durable",
        /// the completion of a file is in the transaction
        WholeWriting = "whole-writing",
        /// the completion of a file is in the journal
        WholeWritten = "whole-written",
        /// the failure of a file is in the transaction
        FailureWriting = "failure-writing",
        /// the failure of a file is in the journal
        FailureWritten = "failure-written",
        /// the partial manifest is flushed
        ManifestFlushed = "manifest-flushed",
        /// the manifest is renamed
        ManifestRenamed = "manifest-renamed",
        /// the name of the manifest is durable
        ManifestDurable = "manifest-durable",
        /// the folder of the avatar is renamed
        Published = "published",
        /// the name of the folder is durable
        PublishDurable = "publish-durable",
        /// an incomplete avatar is copied to the disk of the data folder
        CopyMade = "copy-made",
        /// the copy is durable
        CopyDurable = "copy-durable",
        /// an incomplete avatar is renamed in the data folder
        IncompleteRenamed = "kept-renamed",
        /// the name of the incomplete avatar is durable
        IncompleteDurable = "kept-durable",
        /// an incomplete avatar is removed from its first folder
        IncompleteMoved = "kept-alone",
        /// the end of the visit is in the transaction
        EndWriting = "end-writing",
        /// the end of the visit is in the journal
        EndWritten = "end-written",
        /// erased secrets are out of the write-ahead log
        WalTruncated = "wal-truncated",
        /// the recovery of a visit is in the transaction
        ReopenWriting = "reopen-writing",
        /// the recovery of a visit is in the journal
        ReopenWritten = "reopen-written",
        /// the time of the next recovery is in the transaction
        PostponeWriting = "postpone-writing",
        /// the time of the next recovery is in the journal
        PostponeWritten = "postpone-written",
        /// the files of a partial folder are removed
        PartialEmptied = "partial-emptied",
        /// the files of an avatar are removed, but not its manifest
        AvatarEmptied = "avatar-emptied",
        /// the manifest of an avatar is removed
        ManifestRemoved = "manifest-removed",
        /// the folder of an avatar is removed
        AvatarRemoved = "avatar-removed",
        /// the deletion of a visit is in the transaction
        ForgetWriting = "forget-writing",
        /// a visit is deleted from the journal
        ForgetWritten = "forget-written",
        /// the empty draft of a repaired journal is durable
        RepairBegun = "repair-begun",
        /// the draft of a repaired journal is complete and flushed
        RepairDraftFlushed = "repair-draft-flushed",
        /// the name of the complete repaired journal is durable
        RepairDraftComplete = "repair-draft-complete",
        /// the WAL of a damaged journal is set aside
        DamagedWalRenamed = "damaged-wal-renamed",
        /// the database of a damaged journal is set aside
        DamagedDatabaseRenamed = "damaged-database-renamed",
        /// the repaired journal has the name of the journal
        RepairedJournalRenamed = "repaired-journal-renamed",
    }
}

impl CrashPoint {
    /// All points, in the order of a visit.
    pub const ALL: &[Self] = POINTS;

    /// The name in the environment variables.
    pub const fn name_in_environment_variable(self) -> &'static str {
        TABLE[self as usize].1
    }

    /// The step that has just been completed.
    pub const fn completed_step_description(self) -> &'static str {
        TABLE[self as usize].2
    }
}

/// The crash points before and after the commit of a journal transaction.
#[derive(Clone, Copy)]
pub(crate) struct CommitCrashPoints(pub(crate) CrashPoint, pub(crate) CrashPoint);

/// Reaches a crash point. Ends the process if the environment says so, and does nothing without the feature
/// `crash-points`.
#[inline]
pub fn reach_crash_point(point: CrashPoint) {
    #[cfg(feature = "crash-points")]
    armed::log_point_and_crash_if_configured(point);
    #[cfg(not(feature = "crash-points"))]
    let _ = point;
}

#[cfg(feature = "crash-points")]
mod armed {
    use super::CrashPoint;
    use std::fs::{File, OpenOptions};
    use std::io::Write as _;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// The crash point to end the process at, and the log of reached points, from the environment.
    struct CrashConfig {
        /// Name of the point to crash at, and the number of times that it must be reached.
        crash_at: Option<(String, u32)>,
        log: Option<File>,
    }

    static CONFIG: OnceLock<CrashConfig> = OnceLock::new();
    static TIMES_REACHED: AtomicU32 = AtomicU32::new(0);

    /// Appends the point to the log, and ends the process if it is the configured point.
    pub(super) fn log_point_and_crash_if_configured(point: CrashPoint) {
        let config = CONFIG.get_or_init(CrashConfig::read_config_and_open_log);
        if let Some(mut log) = config.log.as_ref() {
            // A single append, so that lines of several threads are not mixed.
            _ = log.write_all(format!("{}\n", point.name_in_environment_variable()).as_bytes());
        }
        if let Some((name, nth)) = &config.crash_at
            && name == point.name_in_environment_variable()
            && TIMES_REACHED.fetch_add(1, Ordering::SeqCst) + 1 == *nth
        {
            kill_process_now();
        }
    }

    impl CrashConfig {
        /// Reads the crash point from the environment, and opens the log file if one is named.
        fn read_config_and_open_log() -> Self {
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
                .zip(CrashPoint::ALL)
                .enumerate()
                .all(|(index, (row, point))| { row.0 == *point && *point as usize == index })
        );
        let mut names: Vec<_> = CrashPoint::ALL.iter().map(|point| point.name_in_environment_variable()).collect();
        assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-')));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
