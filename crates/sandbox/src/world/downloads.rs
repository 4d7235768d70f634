//! One-time download URLs. Spec: "The provided URLs are also invalidated after a short while."
//!
//! A URL is used up when its last byte is handed to the connection. Until then, and while it has not expired, it can be
//! requested again (with `Range` or from the start). The newest delivery replaces the older one, so that the last byte is
//! delivered only once.

use crate::world::avatar::{Avatar, ExportName};
use std::collections::HashMap;
use std::time::Duration;

/// Lifetime of a URL from the response that contained it, at speed 1.
pub const URL_LIFE: Duration = Duration::from_mins(5);

/// Why a URL does not deliver its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The URL was never issued, or its token was forgotten.
    #[error("no such download URL")]
    Unknown,
    /// The file was delivered before.
    #[error("this one-time download URL has been used")]
    Used,
    /// The lifetime is over.
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

/// The file behind a URL, and the state of the URL.
#[derive(Debug, Clone)]
pub(crate) struct Download {
    pub(crate) avatar: Avatar,
    pub(crate) export: ExportName,
    /// The avatar's file, and whether it is padded.
    pub(crate) source: Source,
    pub(crate) expires_at: Duration,
    pub(crate) state: Use,
}

/// The source of a download's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    /// The name of the avatar's file.
    pub(crate) file: String,
    /// Whether a GLB is padded.
    pub(crate) large: bool,
}

/// Identifies one delivery of a URL.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    /// The id in the URL.
    pub(crate) id: String,
    /// The number of the delivery, unique in this sandbox.
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

    /// Returns the download if the URL is valid, without using it.
    pub(crate) fn look(&self, id: &str, file: &str, now: Duration) -> Result<&Download, Refusal> {
        let download = self.by_id.get(id).filter(|d| d.export.file == file).ok_or(Refusal::Unknown)?;
        match download.state {
            Use::Used => Err(Refusal::Used),
            _ if now >= download.expires_at => Err(Refusal::Expired),
            Use::Unused | Use::UnderWay { .. } => Ok(download),
        }
    }

    /// Begins a delivery, which replaces an unfinished one.
    pub(crate) fn begin(&mut self, id: &str, file: &str, now: Duration) -> Result<Claim, Refusal> {
        self.look(id, file, now)?;
        self.deliveries += 1;
        let delivery = self.deliveries;
        let download = self.by_id.get_mut(id).ok_or(Refusal::Unknown)?;
        download.state = Use::UnderWay { delivery };
        Ok(Claim { id: id.to_owned(), delivery })
    }

    /// Whether a delivery may send another chunk. With `last`, the chunk contains the last byte and uses the URL up.
    pub(crate) fn hand_over(&mut self, id: &str, delivery: u64, last: bool) -> bool {
        let Some(download) = self.by_id.get_mut(id) else { return false };
        let current = download.state == Use::UnderWay { delivery };
        if current && last {
            download.state = Use::Used;
        }
        current
    }

    /// Whether one of the URLs can still deliver its file.
    pub(crate) fn wanted(&self, ids: &[String], now: Duration) -> bool {
        let alive = |d: &Download| match d.state {
            Use::Unused => now < d.expires_at,
            // A delivery that began in time may end after the expiry.
            Use::UnderWay { .. } => now < d.expires_at.saturating_add(URL_LIFE),
            Use::Used => false,
        };
        ids.iter().any(|id| self.by_id.get(id).is_some_and(alive))
    }
}
