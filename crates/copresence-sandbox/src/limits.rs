//! Bounds on what clients can make the server use, because strangers on the network can reach it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Pictures that are decoded at the same time. Each needs up to 64 MB until it is scaled down.
const CONCURRENT_DECODINGS: usize = 2;

/// Bounds on bodies, responses and connections of all servers of one sandbox.
///
/// # Defaults
/// A body must arrive within 20 s; bodies of 16 MiB in all are in memory at a time; a response of which the client
/// accepts nothing for 30 s is aborted. 512 connections of other machines, 32 of each; 4,000 connections of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceLimits {
    /// Time allowed for a request body to arrive completely.
    pub body_time_limit: Duration,
    /// Maximum size of all request bodies that are in memory at a time, in bytes.
    pub max_body_bytes_in_flight: u32,
    /// Time after which a response is aborted of which the client accepts nothing.
    pub write_timeout: Duration,
    /// Maximum number of connections of other machines, and of a proxy on this machine. At most a quarter of the open
    /// files that the process may have.
    pub max_remote_connections: usize,
    /// Maximum number of connections of one other machine. The addresses of an IPv6 network count as one machine.
    pub max_connections_per_address: usize,
    /// Maximum number of connections of programs on this machine. At most half of the open files that the process may
    /// have.
    pub max_local_connections: usize,
}

impl Default for ResourceLimits {
    fn default() -> Self {
        Self {
            body_time_limit: Duration::from_secs(20),
            max_body_bytes_in_flight: 16 * 1024 * 1024,
            write_timeout: Duration::from_secs(30),
            max_remote_connections: 512,
            max_connections_per_address: 32,
            max_local_connections: 4_000,
        }
    }
}

/// Limits the body bytes in memory, the picture decodings at the same time, and the uploads to one a token.
pub(crate) struct UploadLimiter {
    body_bytes: Arc<Semaphore>,
    max_body_bytes: u32,
    decodings: Arc<Semaphore>,
    uploading_tokens: Arc<Mutex<HashSet<String>>>,
}

/// Marks a token as having an upload in progress, until it is dropped.
pub(crate) struct TokenUploadGuard {
    token: String,
    uploading_tokens: Arc<Mutex<HashSet<String>>>,
}

impl UploadLimiter {
    pub(crate) fn new(limits: &ResourceLimits) -> Self {
        let max_body_bytes = limits.max_body_bytes_in_flight;
        let semaphore_permits = usize::try_from(max_body_bytes).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self {
            body_bytes: Arc::new(Semaphore::new(semaphore_permits)),
            max_body_bytes,
            decodings: Arc::new(Semaphore::new(CONCURRENT_DECODINGS)),
            uploading_tokens: Arc::default(),
        }
    }

    /// Waits until `bytes` bytes of bodies may be in memory, and reserves them until the permit is dropped. A larger
    /// reservation than all bodies may have waits until there is no other body.
    pub(crate) async fn reserve_body_bytes(&self, bytes: u32) -> Option<OwnedSemaphorePermit> {
        // Fails only if the semaphore is closed, which it never is.
        self.body_bytes.clone().acquire_many_owned(bytes.min(self.max_body_bytes)).await.ok()
    }

    /// Waits until another picture may be decoded. The permit must be kept until the decoding ends, even if the client
    /// disconnects before.
    pub(crate) async fn wait_for_picture_decoding_permit(&self) -> Option<OwnedSemaphorePermit> {
        // Fails only if the semaphore is closed, which it never is.
        self.decodings.clone().acquire_owned().await.ok()
    }

    /// Begins an upload for a token; `None` while there is another one.
    pub(crate) fn begin_upload_if_none_for_token(&self, token: &str) -> Option<TokenUploadGuard> {
        let is_first = self.uploading_tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(token.to_owned());
        is_first.then(|| TokenUploadGuard { token: token.to_owned(), uploading_tokens: self.uploading_tokens.clone() })
    }
}

impl Drop for TokenUploadGuard {
    fn drop(&mut self) {
        self.uploading_tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.token);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn bodies_share_a_bounded_amount_of_memory() {
        let limits = ResourceLimits { max_body_bytes_in_flight: 1_000, ..ResourceLimits::default() };
        let limiter = UploadLimiter::new(&limits);
        let first = limiter.reserve_body_bytes(600).now_or_never().expect("room");
        assert!(limiter.reserve_body_bytes(600).now_or_never().is_none(), "no room");
        assert!(limiter.reserve_body_bytes(400).now_or_never().is_some());
        drop(first);
        assert!(limiter.reserve_body_bytes(5_000).now_or_never().is_some(), "larger than all, but alone");
    }

    #[test]
    fn two_pictures_are_decoded_at_a_time() {
        let limiter = UploadLimiter::new(&ResourceLimits::default());
        let permits = [(); 2].map(|()| limiter.wait_for_picture_decoding_permit().now_or_never().expect("free"));
        assert!(limiter.wait_for_picture_decoding_permit().now_or_never().is_none());
        drop(permits);
        assert!(limiter.wait_for_picture_decoding_permit().now_or_never().is_some());
    }
}
