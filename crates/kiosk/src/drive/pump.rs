//! One file from its one-time URL to the disk: resumed where the URL goes on, never started over on a spent one.

use super::Parts;
use crate::line::{Line, LineEvent};
use client::{Download, DownloadError, Resume};
use futures_util::StreamExt;
use protocol::{DownloadUrl, ExportType};
use std::time::{Duration, Instant};
use store::{AvatarFolder, FileProgress, FileState, PartialFile, StoreError, VisitId, WholeFile};

/// Tries for one file in a row that bring not one byte further, before it is given up.
const FRUITLESS: u32 = 5;
/// Four lines a second and file at most, and one when it is whole: five in any second.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// So much is at stake in a power cut: after each, what came is flushed and journalled.
const FLUSH_EVERY: u64 = 8 << 20;
/// `Retry-After` is honoured so far: the URL itself lives for a short while only.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Why a file did not come whole.
#[derive(Debug)]
pub(crate) struct Failure {
    /// In words, for the manifest and the operator.
    pub(crate) why: String,
    /// Whether asking its URL again would be in vain.
    pub(crate) spent: bool,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { why: error.to_string(), spent: false }
    }
}

/// One file to fetch.
pub(crate) struct Fetch<'a> {
    pub(crate) id: VisitId,
    pub(crate) index: usize,
    pub(crate) name: &'a str,
    pub(crate) export_type: &'a ExportType,
    pub(crate) url: &'a DownloadUrl,
    pub(crate) max: u64,
    /// How far an earlier run had come with it.
    pub(crate) earlier: Option<&'a FileState>,
}

/// Downloads one file into the folder in the making.
pub(crate) async fn fetch(
    parts: &Parts,
    folder: &AvatarFolder,
    file: &Fetch<'_>,
) -> Result<WholeFile, Failure> {
    let mut known = FileProgress::default();
    let partial = match file.earlier {
        Some(FileState::Failed { why, spent: true }) => {
            return Err(Failure { why: why.clone(), spent: true });
        }
        Some(FileState::Requested(progress)) => {
            // A crash may have come between the file's last rename and the journal's word.
            if let Some(whole) = folder.whole(file.name)? {
                return Ok(whole);
            }
            known = progress.clone();
            folder.resume(file.name, progress.bytes)?
        }
        _ => folder.start(file.name)?,
    };
    let mut partial = partial.limited(file.max);
    if let Err(error) = parts.journal.file_requested(&file.id, file.index) {
        tracing::error!(%error, file = file.name, "the request could not be journalled");
    }
    let mut flow = Flow { parts, file, told: None, known };
    let mut fruitless = 0;
    loop {
        let offset = partial.offset();
        let failure = match flow.turn(&mut partial).await {
            Ok(()) => break,
            Err(Stop::Disk(error)) => return Err(error.into()),
            Err(Stop::Wire(DownloadError::RangeRefused { total: Some(total) })) if total == offset => break,
            Err(Stop::Wire(failure)) => failure,
        };
        if !may_go_on(&failure) {
            return Err(Failure { why: failure.to_string(), spent: true });
        }
        fruitless = if partial.offset() > offset { 0 } else { fruitless + 1 };
        if fruitless >= FRUITLESS {
            return Err(Failure { why: failure.to_string(), spent: false });
        }
        tracing::info!(file = file.name, at = partial.offset(), why = %failure, "the download goes on");
        tokio::time::sleep(pause(&failure, fruitless)).await;
    }
    believable(file, &partial).map_err(|why| Failure { why, spent: true })?;
    // The fsync of a large file takes a while: not on the thread that serves the other visits.
    let whole = tokio::task::spawn_blocking(move || partial.finish()).await;
    let whole = whole
        .map_err(|error| Failure { why: format!("it could not be finished: {error}"), spent: true })??;
    match whole.stated_bytes {
        Some(stated) if stated != whole.bytes => {
            let why = format!("its own header says {stated} bytes, and {} came", whole.bytes);
            Err(Failure { why, spent: true })
        }
        _ => Ok(whole),
    }
}

/// An error page with status 200 is no avatar, however whole it came.
fn believable(file: &Fetch<'_>, partial: &PartialFile) -> Result<(), String> {
    let format = partial.format();
    if store::contradicts(file.export_type, format) {
        return Err(format!("{} was due, and {format} came", file.export_type));
    }
    Ok(())
}

/// Whether the same URL may bring more.
fn may_go_on(failure: &DownloadError) -> bool {
    match failure {
        DownloadError::NeverSent(_) | DownloadError::Unanswered(_) | DownloadError::Cut { .. } => true,
        DownloadError::Refused { status, .. } => matches!(status, 408 | 425 | 429 | 500 | 502..=504),
        DownloadError::RangeRefused { .. } | DownloadError::Redirected { .. } | DownloadError::Broken(_) => {
            false
        }
    }
}

fn pause(failure: &DownloadError, fruitless: u32) -> Duration {
    let wish = match failure {
        DownloadError::Refused { retry_after, .. } => *retry_after,
        _ => None,
    };
    wish.unwrap_or(Duration::from_millis(200 << fruitless)).min(LONGEST_PAUSE)
}

enum Stop {
    Disk(StoreError),
    Wire(DownloadError),
}

/// What goes from request to request of one file.
struct Flow<'a> {
    parts: &'a Parts,
    file: &'a Fetch<'a>,
    told: Option<Instant>,
    known: FileProgress,
}

impl Flow<'_> {
    async fn turn(&mut self, partial: &mut PartialFile) -> Result<(), Stop> {
        let offset = partial.offset();
        let resume = (offset > 0).then(|| Resume {
            offset,
            validator: self.known.validator.clone(),
            total: self.known.total,
        });
        let download = self.parts.api.download(self.file.url, resume.as_ref()).await.map_err(Stop::Wire)?;
        self.take_in(download, partial).await
    }

    async fn take_in(&mut self, mut download: Download, partial: &mut PartialFile) -> Result<(), Stop> {
        self.known.total = download.total;
        self.known.validator.clone_from(&download.validator);
        if download.offset != partial.offset() {
            // The backend ignored the range, or has another file by now, and sends all of it: this very answer is
            // the file, so it starts over here.
            partial.restart().map_err(Stop::Disk)?;
            self.flush(partial)?;
        }
        let mut flushed = partial.offset();
        while let Some(chunk) = download.stream.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(failure) => {
                    self.flush(partial)?;
                    return Err(Stop::Wire(failure));
                }
            };
            partial.write(&chunk).map_err(Stop::Disk)?;
            if partial.offset() - flushed >= FLUSH_EVERY {
                self.flush(partial)?;
                flushed = partial.offset();
            }
            self.tell(partial.offset(), false);
        }
        self.tell(partial.offset(), true);
        Ok(())
    }

    fn flush(&mut self, partial: &mut PartialFile) -> Result<(), Stop> {
        self.known.bytes = partial.sync().map_err(Stop::Disk)?;
        if let Err(error) = self.parts.journal.file_progress(&self.file.id, self.file.index, &self.known) {
            tracing::error!(%error, file = self.file.name, "how far the file came could not be journalled");
        }
        Ok(())
    }

    fn tell(&mut self, bytes: u64, whole: bool) {
        let told = *self.told.get_or_insert_with(Instant::now);
        if !whole && told.elapsed() < TELL_EVERY {
            return;
        }
        self.told = Some(Instant::now());
        let total = if whole { Some(bytes) } else { self.known.total };
        let event = LineEvent::Progress { file: self.file.name.to_owned(), bytes, total };
        (self.parts.teller)(Line { visit: self.file.id, at: self.parts.clock.now(), event });
    }
}
