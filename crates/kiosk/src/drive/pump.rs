//! One file from its one-time URL to the disk: resumed where the URL goes on, never started over on a spent one.

use super::{Parts, at_the_disk};
use crate::line::{Line, LineEvent};
use client::{Download, DownloadError, Resume};
use futures_util::StreamExt;
use protocol::{DownloadUrl, ExportType};
use std::time::{Duration, Instant};
use store::crash::{self, Point};
use store::{
    AvatarFolder, FileProgress, FileState, Format, PartialFile, Room, StoreError, VisitId, WholeFile,
};

/// Tries for one file in a row that bring not one byte further, before it is given up.
const FRUITLESS: u32 = 5;
/// Four lines a second and file at most, and one when it is whole: five in any second.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// So much is at stake in a power cut: after each, what came is flushed and journalled.
const FLUSH_EVERY: u64 = 8 << 20;
/// And no longer than this is anything that came known to memory alone: most avatars are smaller than that, and a
/// spent URL that goes on by range is of use only to who knows how far it came.
const FLUSH_WITHIN: Duration = Duration::from_millis(500);
/// Bytes a second, over as long as patience lasts, under which a download is as good as dead: 3 MB would take an hour.
const SLOWEST: u64 = 1024;
/// So much is taken of a file that has no room.
const BEGINNING: usize = 4096;
/// `Retry-After` is honoured so far: the URL itself lives for a short while only.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Why a file did not come whole.
#[derive(Debug)]
pub(crate) struct Failure {
    /// In words, for the manifest and the operator.
    pub(crate) why: String,
    /// Whether asking its URL again would be in vain.
    pub(crate) spent: bool,
    /// Whether room on the disk is what is missing.
    pub(crate) full: bool,
}

impl Failure {
    /// For good.
    fn spent(why: impl Into<String>) -> Self {
        Self { why: why.into(), spent: true, full: false }
    }

    /// For now.
    fn for_now(why: impl Into<String>) -> Self {
        Self { why: why.into(), spent: false, full: false }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { why: error.to_string(), spent: false, full: error.is_disk_full() }
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
    /// What all files in flight still need.
    pub(crate) room: &'a Room,
    /// Before it is asked for again; doubled each time that it brings nothing.
    pub(crate) pause: Duration,
    /// How long it may hardly move.
    pub(crate) patience: Duration,
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
    let durable = match file.earlier {
        Some(FileState::Failed { why, spent: true, .. }) => {
            return Err(Failure::spent(why));
        }
        Some(FileState::Requested(progress)) => {
            // A crash may have come between the file's last rename and the journal's word.
            if let Some(whole) = at_the_disk(|| folder.whole(file.name))? {
                return credible(file, whole);
            }
            known = progress.clone();
            progress.bytes
        }
        // What an earlier run may have left of it, nobody vouches for.
        _ => 0,
    };
    let mut partial = at_the_disk(|| folder.resume(file.name, durable))?.limited(file.max);
    if let Err(error) = parts.journal.file_requested(&file.id, file.index).await {
        tracing::error!(%error, file = file.name, "the request could not be journalled");
    }
    let mut flow = Flow { parts, file, told: None, known, pace: (Instant::now(), 0) };
    if durable == 0 && file.earlier.is_some() {
        // What the journal says of an earlier beginning has to go before anything new is written.
        flow.flush(&mut partial).await?;
    }
    flow.fetch_all_of_it(&mut partial).await?;
    believable(file, partial.format()).map_err(Failure::spent)?;
    // In one go: a visit that is dropped meanwhile must not rename anything after it let go of its claim.
    let whole = credible(file, at_the_disk(|| partial.finish())?)?;
    flow.tell(whole.bytes, true);
    Ok(whole)
}

/// An error page with status 200 is no avatar, however whole it came.
fn believable(file: &Fetch<'_>, format: Format) -> Result<(), String> {
    if store::contradicts(file.export_type, format) {
        return Err(format!("{} was due, and {format} came", file.export_type));
    }
    Ok(())
}

/// A file whose own structure says that it is not all there is not whole.
fn credible(file: &Fetch<'_>, whole: WholeFile) -> Result<WholeFile, Failure> {
    believable(file, whole.format).map_err(Failure::spent)?;
    match whole.flaw {
        Some(flaw) => Err(Failure::spent(flaw)),
        None => Ok(whole),
    }
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

fn wish(failure: &DownloadError) -> Option<Duration> {
    match failure {
        DownloadError::Refused { retry_after, .. } => *retry_after,
        _ => None,
    }
}

/// Whether two validators, as far as they can be compared, name two versions. "A client that has received multiple
/// partial responses … combines [them] if they all share the same strong validator" (RFC 9110, 15.3.7.3).
fn is_another(before: Option<&str>, now: Option<&str>) -> bool {
    let is_tag = |validator: &str| validator.starts_with('"');
    matches!((before, now), (Some(before), Some(now)) if is_tag(before) == is_tag(now) && before != now)
}

enum Stop {
    Disk(StoreError),
    Wire(DownloadError),
    /// The rest belongs to another version of the file than the beginning that is here.
    Changed,
    /// More came than the file has.
    Overrun {
        total: u64,
    },
    /// It hardly moved for as long as patience lasts.
    Starved {
        bytes: u64,
    },
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Disk(error)
    }
}

/// What goes from request to request of one file.
struct Flow<'a> {
    parts: &'a Parts,
    file: &'a Fetch<'a>,
    told: Option<Instant>,
    known: FileProgress,
    /// Since when, and how many bytes came since.
    pace: (Instant, u64),
}

impl Flow<'_> {
    /// Asks again until all of it is here, or nothing more can be had.
    async fn fetch_all_of_it(&mut self, partial: &mut PartialFile) -> Result<(), Failure> {
        let mut fruitless = 0;
        // The furthest that any answer came: a URL that ever begins again does not get for ever.
        let mut furthest = partial.offset();
        loop {
            let offset = partial.offset();
            if offset > 0 && self.known.total == Some(offset) {
                // Its last byte was durable before a crash: a spent URL is not needed any more.
                return Ok(());
            }
            let (why, wish) = match self.turn(partial).await {
                Ok(()) => return Ok(()),
                Err(Stop::Disk(error)) => return Err(error.into()),
                Err(Stop::Wire(DownloadError::RangeRefused { total: Some(total) })) if total == offset => {
                    return Ok(());
                }
                Err(Stop::Wire(failure)) if !may_go_on(&failure) => {
                    return Err(Failure::spent(failure.to_string()));
                }
                Err(Stop::Overrun { total }) => {
                    return Err(Failure::spent(format!("the backend said {total} bytes, and sent more")));
                }
                Err(Stop::Starved { bytes }) => {
                    let why = format!("too slow: {bytes} bytes came within {:?}", self.file.patience);
                    return Err(Failure::for_now(why));
                }
                Err(Stop::Wire(failure)) => (failure.to_string(), wish(&failure)),
                Err(Stop::Changed) => ("the file changed at the backend while it came".to_owned(), None),
            };
            fruitless = if partial.offset() > furthest { 0 } else { fruitless + 1 };
            furthest = furthest.max(partial.offset());
            if fruitless >= FRUITLESS {
                return Err(Failure::for_now(why));
            }
            let pause = wish.unwrap_or(self.file.pause * (1 << fruitless) / 2).min(LONGEST_PAUSE);
            tracing::info!(file = self.file.name, at = partial.offset(), %why, "the download goes on");
            self.tell_trouble(&why, fruitless.max(1), pause);
            tokio::time::sleep(pause).await;
        }
    }

    async fn turn(&mut self, partial: &mut PartialFile) -> Result<(), Stop> {
        let offset = partial.offset();
        let resume = (offset > 0).then(|| Resume {
            offset,
            validator: self.known.validator.clone(),
            total: self.known.total,
        });
        let download = self.parts.api.download(self.file.url, resume.as_ref()).await.map_err(Stop::Wire)?;
        crash::reached(Point::HeadReceived);
        self.take_in(download, partial).await
    }

    async fn take_in(&mut self, mut download: Download, partial: &mut PartialFile) -> Result<(), Stop> {
        if download.offset > 0 && is_another(self.known.validator.as_deref(), download.validator.as_deref()) {
            self.known = FileProgress::default();
            self.begin_again(partial).await?;
            return Err(Stop::Changed);
        }
        self.known.total = download.total;
        if download.offset == 0 || download.validator.is_some() {
            self.known.validator.clone_from(&download.validator);
        }
        if download.offset != partial.offset() {
            // The backend ignored the range, or has another file by now, and sends all of it: this very answer is
            // the file, so it starts over here.
            self.begin_again(partial).await?;
        }
        if let Some(total) = download.total {
            if total > self.file.max {
                // A head that promises as much is not to be filled up to the limit first.
                return Err(partial.too_large(self.file.max).into());
            }
            let yet_to_come = total.saturating_sub(partial.offset());
            if let Err(full) = self.file.room.promise(self.file.index, yet_to_come) {
                self.take_a_beginning(&mut download, partial).await;
                return Err(full.into());
            }
        }
        let (mut flushed, mut flushed_at) = (partial.offset(), Instant::now());
        loop {
            let chunk = match tokio::time::timeout(FLUSH_WITHIN, download.stream.next()).await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => break,
                Err(_quiet) => {
                    if partial.offset() > flushed {
                        self.flush(partial).await?;
                        (flushed, flushed_at) = (partial.offset(), Instant::now());
                    }
                    continue;
                }
            };
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(failure) => {
                    self.flush(partial).await?;
                    return Err(Stop::Wire(failure));
                }
            };
            let grown = partial.offset() + chunk.len() as u64;
            if let Some(total) = self.known.total.filter(|total| grown > *total) {
                return Err(Stop::Overrun { total });
            }
            if let Err(error) = partial.write(&chunk) {
                // How far it came is what it goes on from, once there is room.
                _ = self.flush(partial).await;
                return Err(error.into());
            }
            self.keep_pace(chunk.len() as u64)?;
            if partial.offset() - flushed >= FLUSH_EVERY || flushed_at.elapsed() >= FLUSH_WITHIN {
                self.flush(partial).await?;
                (flushed, flushed_at) = (partial.offset(), Instant::now());
            }
            self.tell(partial.offset(), false);
        }
        // On disk with its size before anything else: from here on a crash needs no URL.
        self.known.total = Some(partial.offset());
        Ok(self.flush(partial).await?)
    }

    /// Where the whole has no room: a few bytes all the same. A one-time URL that was asked for can be gone on with by
    /// range, and never be begun again.
    async fn take_a_beginning(&mut self, download: &mut Download, partial: &mut PartialFile) {
        if partial.offset() == 0
            && let Some(Ok(chunk)) = download.stream.next().await
        {
            let few = &chunk[..chunk.len().min(BEGINNING)];
            if let Err(error) = self.write_and_flush(partial, few).await {
                tracing::warn!(%error, file = self.file.name, "not even a beginning has room");
            }
        }
    }

    fn keep_pace(&mut self, came: u64) -> Result<(), Stop> {
        let (since, bytes) = (self.pace.0, self.pace.1 + came);
        self.pace.1 = bytes;
        if since.elapsed() >= self.file.patience {
            if bytes < SLOWEST * since.elapsed().as_secs().max(1) {
                return Err(Stop::Starved { bytes });
            }
            self.pace = (Instant::now(), 0);
        }
        Ok(())
    }

    async fn write_and_flush(&mut self, partial: &mut PartialFile, bytes: &[u8]) -> Result<(), StoreError> {
        partial.write(bytes)?;
        self.flush(partial).await
    }

    /// Throws away what came; the journal takes its word back before anything new is written.
    async fn begin_again(&mut self, partial: &mut PartialFile) -> Result<(), StoreError> {
        partial.restart()?;
        self.flush(partial).await
    }

    async fn flush(&mut self, partial: &mut PartialFile) -> Result<(), StoreError> {
        self.known.bytes = at_the_disk(|| partial.sync())?;
        if let Some(total) = self.known.total {
            self.file.room.reduce(self.file.index, total.saturating_sub(self.known.bytes));
        }
        if let Err(error) =
            self.parts.journal.file_progress(&self.file.id, self.file.index, &self.known).await
        {
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
        self.say(LineEvent::Progress { file: self.file.name.to_owned(), bytes, total });
    }

    fn tell_trouble(&self, why: &str, attempt: u32, pause: Duration) {
        self.say(LineEvent::Retrying {
            code: "download_interrupted".to_owned(),
            message: format!("{}: {why}", self.file.name),
            attempt,
            next_poll_ms: super::millis(pause),
        });
    }

    fn say(&self, event: LineEvent) {
        (self.parts.teller)(Line { visit: self.file.id, at: self.parts.clock.now(), event });
    }
}
