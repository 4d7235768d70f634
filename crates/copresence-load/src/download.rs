//! Downloads of a virtual console: each file is requested once, hashed and not saved.

use crate::load_context::SharedConsoleState;
use crate::load_plan::DownloadMode;
use copresence_client::{CallKind, DownloadError, DownloadErrorKind};
use copresence_protocol::{DeliveredExports, DownloadUrl};
use copresence_visit::MachineEvent;
use futures_util::StreamExt;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

/// Files of one avatar that are requested at the same time, as on a console.
const MAX_PARALLEL_DOWNLOADS: usize = 4;

/// Downloads the files of a delivery, and returns the event for the visit's machine. A failed download is not repeated,
/// so that the figures show each failure.
pub(crate) async fn download_files_and_make_event(
    context: &SharedConsoleState,
    delivery: &DeliveredExports,
    mode: DownloadMode,
) -> MachineEvent {
    let due = Instant::now();
    let mut downloads = Vec::with_capacity(delivery.exports.len());
    for export in &delivery.exports {
        downloads.push(download_file(context, &export.download_url, mode, due));
    }
    let results: Vec<_> =
        futures_util::stream::iter(downloads).buffer_unordered(MAX_PARALLEL_DOWNLOADS).collect().await;
    let total = results.len();
    let failures: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    if failures.is_empty() {
        MachineEvent::Saved
    } else if failures.len() == total {
        MachineEvent::NothingSaved(failures.join("; "))
    } else {
        MachineEvent::SavedInPart(failures.join("; "))
    }
}

/// Downloads one file. The error says what failed.
async fn download_file(
    context: &SharedConsoleState,
    url: &DownloadUrl,
    mode: DownloadMode,
    due: Instant,
) -> Result<(), String> {
    let receive = || async {
        let mut opened = context.api.open_download(url, None).await?;
        if mode == DownloadMode::Full {
            let mut hash = Sha256::new();
            while let Some(chunk) = opened.stream.next().await {
                hash.update(&chunk?);
            }
            tracing::trace!(sha256 = ?hash.finalize(), "file received");
        }
        Ok::<_, DownloadError>(())
    };
    context.run_measured_call_with_connection_permit(due, receive).await.map_err(|error| {
        let detail = error.to_string();
        context.count_failure(CallKind::Download, choose_download_failure_code(&error.kind), &detail);
        detail
    })
}

/// The stable error code of a failed download.
fn choose_download_failure_code(kind: &DownloadErrorKind) -> &'static str {
    match kind {
        DownloadErrorKind::NeverSent(_) => "file_host_unreachable",
        DownloadErrorKind::ResponseLost(_) => "answer_lost",
        DownloadErrorKind::ErrorStatus { .. } => "file_refused",
        DownloadErrorKind::Interrupted { .. } => "download_interrupted",
        DownloadErrorKind::TargetNotAllowed { .. } => "target_not_allowed",
        DownloadErrorKind::RangeNotSatisfiable { .. }
        | DownloadErrorKind::RedirectNotFollowed { .. }
        | DownloadErrorKind::InvalidResponse(_) => "invalid_response",
    }
}
