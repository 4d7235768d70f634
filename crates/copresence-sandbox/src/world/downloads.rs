//! One-time download URLs. Spec: "The provided URLs are also invalidated after a short while."
//!
//! A URL is used up when its last byte is handed to the connection. Until then, and while it has not expired, it can be
//! requested again (with `Range` or from the start). The newest delivery replaces the older one, so that the last byte
//! is delivered only once.

use crate::scenario::URL_LIFETIME;
use crate::world::avatar::{AvatarIdentity, ExportFileNameAndType};
use std::collections::HashMap;
use std::time::Duration;

/// Why a URL does not deliver its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DownloadRefusal {
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

/// The state of the delivery of a one-time URL: how far the URL has been used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UrlDeliveryState {
    Unused,
    UnderWay { delivery: u64 },
    Used,
}

/// The file behind a URL, and the state of the URL.
#[derive(Debug, Clone)]
pub(crate) struct IssuedDownloadUrl {
    pub(crate) avatar: AvatarIdentity,
    pub(crate) export: ExportFileNameAndType,
    /// The avatar's file, and how it is padded.
    pub(crate) source: DownloadFileNameAndPadding,
    /// The number of the token that it was issued for.
    pub(crate) token_ordinal: u64,
    pub(crate) expires_at: Duration,
    pub(crate) state: UrlDeliveryState,
}

/// Specifies the file behind a download URL: its name in the avatar, and how it is padded to a large file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DownloadFileNameAndPadding {
    /// The name of the avatar's file.
    pub(crate) file: String,
    /// Bytes that are added if it is a generated GLB.
    pub(crate) glb_padding: u64,
}

/// Identifies one delivery of a URL.
#[derive(Debug, Clone)]
pub(crate) struct DeliveryId {
    /// The id in the URL.
    pub(crate) url_id: String,
    /// The number of the delivery, unique in this sandbox.
    pub(crate) delivery: u64,
}

/// All issued download URLs by their ids, and the number of deliveries begun so far.
#[derive(Debug, Default)]
pub(crate) struct DownloadUrlRegistry {
    by_id: HashMap<String, IssuedDownloadUrl>,
    deliveries: u64,
}

impl DownloadUrlRegistry {
    /// Registers a newly issued URL under its id.
    pub(crate) fn add_download_url(&mut self, id: String, download: IssuedDownloadUrl) {
        self.by_id.insert(id, download);
    }

    /// The download with this id, also if its URL is used up or expired.
    pub(crate) fn find_download_in_any_state(&self, id: &str) -> Option<&IssuedDownloadUrl> {
        self.by_id.get(id)
    }

    /// Forgets a URL; from now on it is unknown.
    pub(crate) fn remove_download_url(&mut self, id: &str) {
        self.by_id.remove(id);
    }

    /// Returns the download if the URL is valid, without using it.
    pub(crate) fn find_valid_download(
        &self,
        id: &str,
        file: &str,
        now: Duration,
    ) -> Result<&IssuedDownloadUrl, DownloadRefusal> {
        let download = self.by_id.get(id).filter(|d| d.export.file == file).ok_or(DownloadRefusal::Unknown)?;
        match download.state {
            UrlDeliveryState::Used => Err(DownloadRefusal::Used),
            _ if now >= download.expires_at => Err(DownloadRefusal::Expired),
            UrlDeliveryState::Unused | UrlDeliveryState::UnderWay { .. } => Ok(download),
        }
    }

    /// Begins a delivery, which replaces an unfinished one.
    pub(crate) fn begin_delivery_replacing_unfinished(
        &mut self,
        id: &str,
        file: &str,
        now: Duration,
    ) -> Result<DeliveryId, DownloadRefusal> {
        self.find_valid_download(id, file, now)?;
        self.deliveries += 1;
        let delivery = self.deliveries;
        let download = self.by_id.get_mut(id).ok_or(DownloadRefusal::Unknown)?;
        download.state = UrlDeliveryState::UnderWay { delivery };
        Ok(DeliveryId { url_id: id.to_owned(), delivery })
    }

    /// Whether a delivery may send another chunk. With `last`, the chunk contains the last byte and uses the URL up.
    pub(crate) fn may_send_chunk_and_record_last(&mut self, id: &str, delivery: u64, last: bool) -> bool {
        let Some(download) = self.by_id.get_mut(id) else { return false };
        let current = download.state == UrlDeliveryState::UnderWay { delivery };
        if current && last {
            download.state = UrlDeliveryState::Used;
        }
        current
    }

    /// Whether one of the URLs can still deliver its file.
    pub(crate) fn has_any_usable_url(&self, ids: &[String], now: Duration) -> bool {
        let alive = |d: &IssuedDownloadUrl| match d.state {
            UrlDeliveryState::Unused => now < d.expires_at,
            // A delivery that began in time may end after the expiry.
            UrlDeliveryState::UnderWay { .. } => now < d.expires_at.saturating_add(URL_LIFETIME),
            UrlDeliveryState::Used => false,
        };
        ids.iter().any(|id| self.by_id.get(id).is_some_and(alive))
    }
}
