//! Inspects files on a thread of their own within a time limit, so that a file can neither block nor end the run.

use super::{FileContent, InspectionError};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tokio::sync::oneshot;

/// Time limit for the inspection of one file. The other limits end every known inspection within a few seconds.
pub(crate) const INSPECTION_TIME_LIMIT: Duration = Duration::from_mins(1);

/// Result of an inspection.
type InspectionResult = Result<FileContent, InspectionError>;

/// The inspections of a run, one at a time.
#[derive(Debug, Default)]
pub(crate) struct TimeLimitedInspections {
    /// The last inspection, if it was given up. It cannot be cancelled.
    abandoned: Option<oneshot::Receiver<InspectionResult>>,
}

impl TimeLimitedInspections {
    /// Runs an inspection until `stop` resolves; then the result is `None`, at once. A panic and an exceeded time limit
    /// are [`InspectionError::NotExamined`].
    ///
    /// The thread does not belong to the runtime, which would wait for it before the process can exit. While an
    /// inspection that was given up still runs, no other one starts, so that their number is bounded.
    pub(crate) async fn inspect_until_limit_or_stop(
        &mut self,
        time_limit: Duration,
        stop: impl Future<Output = ()>,
        inspect: impl FnOnce() -> InspectionResult + Send + 'static,
    ) -> Option<InspectionResult> {
        tokio::select! {
            biased;
            () = stop => None,
            inspected = self.inspect_within_time_limit(time_limit, inspect) => Some(inspected),
        }
    }

    /// Runs an inspection on a thread of its own, for at most `time_limit`. Fails at once while the thread of an
    /// inspection that was given up still runs.
    async fn inspect_within_time_limit(
        &mut self,
        time_limit: Duration,
        inspect: impl FnOnce() -> InspectionResult + Send + 'static,
    ) -> InspectionResult {
        if let Some(abandoned) = &mut self.abandoned
            && matches!(abandoned.try_recv(), Err(oneshot::error::TryRecvError::Empty))
        {
            return Err(InspectionError::limit_exceeded("the inspection of an earlier file has not ended yet"));
        }
        self.abandoned = None;
        let (sender, mut receiver) = oneshot::channel();
        let body = move || {
            let panicked = |_| Err(InspectionError::NotExamined("the inspection failed (a panic)".to_owned()));
            // Nothing that the inspection changes is used after a panic.
            _ = sender.send(catch_unwind(AssertUnwindSafe(inspect)).unwrap_or_else(panicked));
        };
        if let Err(error) = std::thread::Builder::new().name("file-inspection".to_owned()).spawn(body) {
            return Err(InspectionError::NotExamined(format!("no thread could be started: {error}")));
        }
        if let Ok(ended) = tokio::time::timeout(time_limit, &mut receiver).await {
            return ended.unwrap_or_else(|_| {
                Err(InspectionError::NotExamined("the inspection ended without a result".to_owned()))
            });
        }
        self.abandoned = Some(receiver);
        let seconds = time_limit.as_secs();
        Err(InspectionError::limit_exceeded(format!("the inspection took more than {seconds} s")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::{pending, ready};
    use std::sync::mpsc;

    /// Why the inspection gave no content.
    fn unexamined_reason(inspected: Option<InspectionResult>) -> String {
        inspected.expect("not stopped").expect_err("not examined").to_string()
    }

    #[tokio::test]
    async fn panic_of_an_inspection_is_a_result() {
        let mut inspections = TimeLimitedInspections::default();
        let ended = inspections
            .inspect_until_limit_or_stop(INSPECTION_TIME_LIMIT, pending(), || panic!("index out of bounds"))
            .await;
        assert_eq!(unexamined_reason(ended), "could not be examined: the inspection failed (a panic)");
        let ended =
            inspections.inspect_until_limit_or_stop(INSPECTION_TIME_LIMIT, pending(), || Ok(FileContent::Blend)).await;
        assert_eq!(ended, Some(Ok(FileContent::Blend)));
    }

    #[tokio::test]
    async fn inspection_without_end_is_given_up_and_no_second_one_starts_beside_it() {
        let mut inspections = TimeLimitedInspections::default();
        let (end, wait) = mpsc::channel::<()>();
        let endless = move || {
            _ = wait.recv();
            Ok(FileContent::Blend)
        };
        let ended = inspections.inspect_until_limit_or_stop(Duration::ZERO, pending(), endless).await;
        assert_eq!(unexamined_reason(ended), "could not be examined: the inspection took more than 0 s");
        let refused =
            inspections.inspect_until_limit_or_stop(INSPECTION_TIME_LIMIT, pending(), || Ok(FileContent::Blend)).await;
        assert!(unexamined_reason(refused).contains("earlier file"));
        drop(end);
        // The thread sends its result after the inspection has ended.
        while inspections
            .inspect_until_limit_or_stop(INSPECTION_TIME_LIMIT, pending(), || Ok(FileContent::Blend))
            .await
            .is_none_or(|inspected| inspected.is_err())
        {
            tokio::task::yield_now().await;
        }
    }

    /// The runtime of this test ends although the thread does not.
    #[test]
    fn stop_ends_an_inspection_and_its_thread_does_not_keep_the_runtime() {
        let (end, wait) = mpsc::channel::<()>();
        let (has_started, started) = tokio::sync::oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let endless = move || {
                _ = has_started.send(());
                _ = wait.recv();
                Ok(FileContent::Blend)
            };
            let stop = async { _ = started.await };
            let stopped = TimeLimitedInspections::default()
                .inspect_until_limit_or_stop(INSPECTION_TIME_LIMIT, stop, endless)
                .await;
            assert_eq!(stopped, None);
            let mut inspections = TimeLimitedInspections::default();
            let stopped =
                inspections.inspect_until_limit_or_stop(INSPECTION_TIME_LIMIT, ready(()), || Ok(FileContent::Blend));
            assert_eq!(stopped.await, None);
        });
        drop(runtime);
        drop(end);
    }
}
