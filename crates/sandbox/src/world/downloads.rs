//! One-time download URLs: "The provided URLs are also invalidated after a short while."
//!
//! A URL is used up once its last byte has been handed to the connection. Until then, and within its life, it
//! may be asked again (by `Range` or from the start): then the newest delivery goes on and an older one ends, so
//! that the last byte is delivered once.

use crate::world::avatar::{Avatar, ExportName};
use std::collections::HashMap;
use std::time::Duration;

/// How long a URL lives from the answer on that carried it, when the clock runs at speed 1.
pub const URL_LIFE: Duration = Duration::from_mins(5);

/// Why a URL gives no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Never given out, or forgotten since.
    #[error("no such download URL")]
    Unknown,
    /// Delivered before.
    #[error("this one-time download URL has been used")]
    Used,
    /// Too late.
    #[error("this download URL has expired")]
    Expired,
}

/// How far a URL has been used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    Unused,
    UnderWay { delivery: u64 },
    Used,
}

/// What one URL stands for.
#[derive(Debug, Clone)]
pub(crate) struct Download {
    pub(crate) avatar: Avatar,
    pub(crate) export: ExportName,
    /// Which of the avatar's files it gives, and how.
    pub(crate) source: Source,
    pub(crate) expires_at: Duration,
    pub(crate) state: Use,
}

/// What a URL's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// The avatar's file.
    pub(crate) file: String,
    /// Whether a GLB gets ballast.
    pub(crate) large: bool,
}

/// A delivery that was let in.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// The URL's id.
    pub(crate) id: String,
    /// Which of its deliveries this is.
    pub(crate) delivery: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Downloads {
    by_id: HashMap<String, Download>,
    deliveries: u64,
}

impl Downloads {
    pub(crate) fn add(&mut self, id: String, download: Download) {
        self.by_id.insert(id, download);
    }

    pub(crate) fn get(&self, id: &str) -> Option<&Download> {
        self.by_id.get(id)
    }

    pub(crate) fn remove(&mut self, id: &str) {
        self.by_id.remove(id);
    }

    /// Looks at a URL without using it (`HEAD`).
    pub(crate) fn look(&self, id: &str, file: &str, now: Duration) -> Result<&Download, Refusal> {
        let download = self.by_id.get(id).filter(|d| d.export.file == file).ok_or(Refusal::Unknown)?;
        match download.state {
            Use::Used => Err(Refusal::Used),
            _ if now >= download.expires_at => Err(Refusal::Expired),
            Use::Unused | Use::UnderWay { .. } => Ok(download),
        }
    }

    /// Begins a delivery, which takes the place of an unfinished one.
    pub(crate) fn begin(&mut self, id: &str, file: &str, now: Duration) -> Result<Claim, Refusal> {
        self.look(id, file, now)?;
        self.deliveries += 1;
        let delivery = self.deliveries;
        let download = self.by_id.get_mut(id).ok_or(Refusal::Unknown)?;
        download.state = Use::UnderWay { delivery };
        Ok(Claim { id: id.to_owned(), delivery })
    }

    /// Whether a delivery may hand over more; with `last`, it hands over the last byte, which uses the URL up.
    pub(crate) fn hand_over(&mut self, id: &str, delivery: u64, last: bool) -> bool {
        let Some(download) = self.by_id.get_mut(id) else { return false };
        let current = download.state == Use::UnderWay { delivery };
        if current && last {
            download.state = Use::Used;
        }
        current
    }

    /// Whether any URL still gives files of this avatar.
    pub(crate) fn wanted(&self, ids: &[String], now: Duration) -> bool {
        let alive = |d: &Download| match d.state {
            Use::Unused => now < d.expires_at,
            // A delivery that began in time may end after it.
            Use::UnderWay { .. } => now < d.expires_at.saturating_add(URL_LIFE),
            Use::Used => false,
        };
        ids.iter().any(|id| self.by_id.get(id).is_some_and(alive))
    }
}
