//! Ctrl-C and SIGTERM: the first stops gracefully, the second at once.

use crate::output;
use tokio_util::sync::CancellationToken;

/// Returns a token that the first signal cancels; prints `asked` then. The second signal exits with 130.
pub(crate) fn token_cancelled_by_signal(asked: &'static str) -> CancellationToken {
    let token = CancellationToken::new();
    let cancelled = token.clone();
    // Register the handlers before the task is spawned, so that no signal is missed.
    let mut signals = TerminationSignals::listen_for_signals();
    tokio::spawn(async move {
        signals.wait_for_next_signal().await;
        cancelled.cancel();
        output::eprint_sanitized_line(format_args!("\n{asked}"));
        signals.wait_for_next_signal().await;
        std::process::exit(130);
    });
    token
}

#[cfg(unix)]
struct TerminationSignals(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl TerminationSignals {
    fn listen_for_signals() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        // A signal that cannot be handled keeps its default action.
        Self([SignalKind::interrupt(), SignalKind::terminate()].map(signal).into_iter().flatten().collect())
    }

    async fn wait_for_next_signal(&mut self) {
        std::future::poll_fn(|context| {
            let heard = self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready());
            if heard { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
}

#[cfg(not(unix))]
struct TerminationSignals;

#[cfg(not(unix))]
impl TerminationSignals {
    fn listen_for_signals() -> Self {
        Self
    }

    async fn wait_for_next_signal(&mut self) {
        _ = tokio::signal::ctrl_c().await;
    }
}
