//! The request log of a world, and what watches its requests.

use super::Sandbox;
use crate::requests::{FinishedRequest, RequestLine, RequestLog};
use std::sync::{Arc, PoisonError};
use tokio::sync::broadcast;

impl Sandbox {
    /// Subscribes to the request log, credentials masked. A slow subscriber misses the oldest lines.
    pub fn subscribe_to_request_log(&self) -> broadcast::Receiver<RequestLine> {
        self.world.request_log.subscribe_to_lines()
    }

    /// Calls `act` with the log line of every later request, after the request had its effect and before the body of
    /// its response is sent. Changes that `act` makes to the sandbox are visible to the client's next request, so a
    /// test can play the phone at the second poll without waiting.
    ///
    /// `act` must not block and must not panic.
    pub fn add_request_watcher(&self, act: impl Fn(&Self, &RequestLine) + Send + Sync + 'static) {
        self.world.watchers.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(act));
    }

    /// Calls the watchers with the line of a finished request, and adds it to the log.
    pub(crate) fn notify_watchers_and_log_request(&self, request: FinishedRequest) {
        // Cloned, so that no lock is held: a watcher may register another one.
        let watchers = self.world.watchers.read().unwrap_or_else(PoisonError::into_inner).clone();
        if !watchers.is_empty() || self.request_log().has_subscribers() {
            let line = request.to_log_line();
            for watcher in &watchers {
                watcher(self, &line);
            }
            self.request_log().publish_line(line);
        }
        self.request_log().append_request_dropping_oldest(request);
    }

    /// The log of past requests, which the index page and testers read.
    pub(crate) fn request_log(&self) -> &RequestLog {
        &self.world.request_log
    }
}
