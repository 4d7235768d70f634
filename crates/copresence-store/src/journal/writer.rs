//! The journal's thread: it owns the database connection and runs one request after another.
//!
//! Requests that wait at the same time are flushed to the disk together: each commits its own transaction, then one
//! flush of the WAL makes all of them durable, and only then are they answered. So the files of an avatar, which are
//! downloaded at the same time, share flushes, and a call that resolved is durable nevertheless.

use super::database::JournalDatabase;
use crate::error::StoreError;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Runs in the database, and returns what answers the caller after the flush.
type Request = Box<dyn FnOnce(&mut JournalDatabase) -> Reply + Send>;
/// Answers the caller of a request. Takes the result of the flush.
type Reply = Box<dyn FnOnce(&io::Result<()>)>;

/// Maximum number of requests whose commits are flushed together.
const MAX_GROUP: usize = 64;

/// The sending side of the journal's thread. Dropping it runs what is queued, then ends the thread.
pub(super) struct JournalThreadHandle {
    /// `None` while this is dropped, and in a simulation.
    requests: Option<mpsc::Sender<Request>>,
    thread: Option<JoinHandle<()>>,
    database_path: PathBuf,
    /// Runs each request at once, in place of the thread.
    #[cfg(feature = "simulation")]
    inline: Option<InlineDatabase>,
}

impl JournalThreadHandle {
    /// Starts the thread over an open database.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the system starts no further thread.
    pub(super) fn start_thread(database: JournalDatabase) -> Result<Self, StoreError> {
        let path = database.path().to_owned();
        let (requests, queue) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || run_queued_requests(database, &queue))
            .map_err(|error| StoreError::from_io_error("start the thread of", &path, error))?;
        Ok(Self {
            requests: Some(requests),
            thread: Some(thread),
            database_path: path,
            #[cfg(feature = "simulation")]
            inline: None,
        })
    }

    /// Runs each request at once on the thread that queues it.
    #[cfg(feature = "simulation")]
    pub(super) fn run_requests_on_queueing_thread(
        path: &Path,
        database: super::simulation::InMemoryJournalDatabase,
        end: super::simulation::SimulatedProcessEndSignal,
    ) -> Self {
        let inline = Some(InlineDatabase { database, end });
        Self { requests: None, thread: None, database_path: path.to_owned(), inline }
    }

    /// Path of the database file.
    pub(super) fn database_path(&self) -> &Path {
        &self.database_path
    }

    /// Queues a request when first polled, and resolves to its result. Once queued, it runs even if this future is
    /// dropped.
    ///
    /// # Errors
    /// Those of `request`; [`StoreError::JournalPanicked`] when it panics.
    pub(super) async fn queue_and_await_request<T: Send + 'static>(
        &self,
        request: impl FnOnce(&mut JournalDatabase) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, result) = oneshot::channel();
        self.queue_request(move |database| {
            let path = database.path().to_owned();
            let written = request(database);
            Box::new(move |flushed| {
                let result = match flushed {
                    Err(error) if written.is_ok() => {
                        Err(StoreError::from_io_error("flush", &path, io::Error::new(error.kind(), error.to_string())))
                    }
                    _ => written,
                };
                if let Err(Err(error)) = reply.send(result) {
                    tracing::error!(%error, "a journal write failed after its caller was dropped");
                }
            })
        });
        #[cfg(feature = "simulation")]
        if self.inline.as_ref().is_some_and(|inline| inline.end.has_simulated_process_ended()) {
            std::future::pending::<()>().await;
        }
        result.await.unwrap_or_else(|_| Err(StoreError::JournalPanicked { path: self.database_path.clone() }))
    }

    /// Queues a request whose result no caller waits for.
    pub(super) fn queue_request_without_reply(&self, request: impl FnOnce(&mut JournalDatabase) + Send + 'static) {
        self.queue_request(move |database| {
            request(database);
            Box::new(|flushed| {
                if let Err(error) = flushed {
                    tracing::error!(%error, "a journal write could not be flushed");
                }
            })
        });
    }

    /// Queues a request.
    fn queue_request(&self, request: impl FnOnce(&mut JournalDatabase) -> Reply + Send + 'static) {
        #[cfg(feature = "simulation")]
        if let Some(inline) = &self.inline {
            return inline.run_request_unless_process_ended(request);
        }
        let queued = self.requests.as_ref().map(|requests| requests.send(Box::new(request)));
        if !matches!(queued, Some(Ok(()))) {
            tracing::error!("the journal's thread has ended");
        }
    }
}

impl Drop for JournalThreadHandle {
    fn drop(&mut self) {
        self.requests.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the journal's thread panicked");
        }
    }
}

/// Runs queued requests until the queue is closed, in groups of those that wait at the same time. A request that panics
/// is rolled back and logged.
fn run_queued_requests(mut database: JournalDatabase, queue: &mpsc::Receiver<Request>) {
    while let Ok(first) = queue.recv() {
        let group = std::iter::once(first).chain(queue.try_iter()).take(MAX_GROUP);
        let replies: Vec<Reply> =
            group.filter_map(|request| run_request_catching_panic(&mut database, request)).collect();
        let flushed = database.flush_commits();
        for reply in replies {
            reply(&flushed);
        }
    }
}

/// Runs one request. A panic is caught.
fn run_request_catching_panic(
    database: &mut JournalDatabase,
    request: impl FnOnce(&mut JournalDatabase) -> Reply,
) -> Option<Reply> {
    // The transaction of a request that panics is rolled back while unwinding, so the next one finds a consistent
    // database.
    let reply = catch_unwind(AssertUnwindSafe(|| request(database))).ok();
    if reply.is_none() {
        tracing::error!("a journal request panicked");
    }
    reply
}

/// The open database of a simulated process, whose requests run on the thread that queues them.
#[cfg(feature = "simulation")]
struct InlineDatabase {
    database: super::simulation::InMemoryJournalDatabase,
    end: super::simulation::SimulatedProcessEndSignal,
}

#[cfg(feature = "simulation")]
impl InlineDatabase {
    /// Runs a request at once, unless the simulated process has ended.
    fn run_request_unless_process_ended(&self, request: impl FnOnce(&mut JournalDatabase) -> Reply) {
        if self.end.count_request_and_check_end() {
            return;
        }
        let mut database = self.database.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(reply) = run_request_catching_panic(&mut database, request) {
            reply(&database.flush_commits());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::database::CommitFlushPolicy;
    use super::*;
    use crate::crash_point::{CommitCrashPoints, CrashPoint};
    use rusqlite::Connection;

    fn thread() -> JournalThreadHandle {
        let connection = Connection::open_in_memory().expect("opens");
        connection.execute_batch("CREATE TABLE t (n INTEGER)").expect("made");
        let database = JournalDatabase::new(connection, Path::new("memory"), CommitFlushPolicy::Never);
        JournalThreadHandle::start_thread(database).expect("started")
    }

    const STEP: CommitCrashPoints = CommitCrashPoints(CrashPoint::BeginWriting, CrashPoint::BeginWritten);

    fn insert(database: &mut JournalDatabase, n: i64) -> Result<(), StoreError> {
        database.run_write_transaction(STEP, |tx| {
            tx.execute_statement("INSERT INTO t VALUES (?1)", [n])?;
            Ok(())
        })
    }

    fn numbers(database: &mut JournalDatabase) -> Result<Vec<i64>, StoreError> {
        database.run_read_transaction(|tx| {
            let mut query = tx.prepare_statement("SELECT n FROM t ORDER BY rowid")?;
            Ok(query.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
        })
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_its_call_alone_and_writes_nothing() {
        let thread = thread();
        let failed = thread
            .queue_and_await_request(|database| -> Result<(), StoreError> {
                database.run_write_transaction(STEP, |tx| {
                    tx.execute_statement("INSERT INTO t VALUES (1)", [])?;
                    panic!("as a mistake would")
                })
            })
            .await;
        assert!(matches!(failed, Err(StoreError::JournalPanicked { .. })), "{failed:?}");
        thread.queue_and_await_request(|database| insert(database, 2)).await.expect("the thread goes on");
        assert_eq!(thread.queue_and_await_request(numbers).await.expect("reads"), [2]);
    }

    #[tokio::test]
    async fn a_queued_write_survives_its_dropped_future_and_keeps_its_place() {
        let thread = thread();
        let (open, gate) = mpsc::channel::<()>();
        thread.queue_request_without_reply(move |_| _ = gate.recv());
        {
            let mut write = Box::pin(thread.queue_and_await_request(|database| insert(database, 1)));
            assert!(futures_now(&mut write).is_none(), "it waits behind the gate");
        }
        thread.queue_request_without_reply(|database| insert(database, 2).expect("written"));
        open.send(()).expect("opened");
        assert_eq!(thread.queue_and_await_request(numbers).await.expect("reads"), [1, 2]);
    }

    /// A journal thread over a file, with its folder.
    fn thread_over_file() -> (JournalThreadHandle, tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("journal");
        let connection = Connection::open(&path).expect("opens");
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).expect("WAL");
        assert_eq!(mode, "wal");
        connection.pragma_update(None, "synchronous", CommitFlushPolicy::FlushWal.synchronous_pragma()).expect("set");
        connection.execute_batch("CREATE TABLE t (n INTEGER)").expect("made");
        let database = JournalDatabase::new(connection, &path, CommitFlushPolicy::FlushWal);
        (JournalThreadHandle::start_thread(database).expect("started"), folder, path)
    }

    // On Windows nobody can remove a file that `SQLite` has open.
    #[cfg(unix)]
    #[tokio::test]
    async fn a_failed_flush_is_an_error_of_each_call_until_it_succeeds() {
        let (thread, _folder, path) = thread_over_file();
        thread.queue_and_await_request(|database| insert(database, 1)).await.expect("flushed");
        std::fs::remove_file(path.with_file_name("journal-wal")).expect("removed");
        let (open, gate) = mpsc::channel::<()>();
        thread.queue_request_without_reply(move |_| _ = gate.recv());
        let mut writes: Vec<_> =
            (2..5).map(|n| Box::pin(thread.queue_and_await_request(move |database| insert(database, n)))).collect();
        for write in &mut writes {
            assert!(futures_now(write).is_none(), "it waits behind the gate");
        }
        open.send(()).expect("opened");
        for write in writes {
            let error = write.await.expect_err("not durable");
            assert!(error.to_string().contains("journal"), "{error}");
        }
        let numbers = thread.queue_and_await_request(numbers).await;
        assert!(numbers.is_err(), "commits that cannot be flushed are reported until they can: {numbers:?}");
    }

    #[tokio::test]
    async fn a_flush_that_fails_once_is_repeated_after_the_wal_is_written_again() {
        let (thread, _folder, path) = thread_over_file();
        thread.queue_and_await_request(|database| insert(database, 1)).await.expect("flushed");
        let wal = path.with_file_name("journal-wal");
        let inserted = thread
            .queue_and_await_request(|database| {
                database.fail_next_flushes(1);
                insert(database, 2)
            })
            .await;
        inserted.expect("the second flush succeeded");
        let before = std::fs::read(&wal).expect("read");
        let failed = thread
            .queue_and_await_request(|database| {
                database.fail_next_flushes(2);
                numbers(database)
            })
            .await;
        assert_eq!(failed.expect("nothing was to be flushed"), [1, 2]);
        let failed = thread.queue_and_await_request(|database| insert(database, 3)).await;
        assert!(failed.is_err(), "both flushes failed");
        thread.queue_and_await_request(|database| insert(database, 4)).await.expect("flushed");
        assert_eq!(thread.queue_and_await_request(numbers).await.expect("reads"), [1, 2, 3, 4]);
        assert!(std::fs::read(&wal).expect("read").starts_with(&before), "the same bytes were written");
        let copy = path.with_file_name("copy");
        std::fs::copy(&path, &copy).expect("copied");
        std::fs::copy(&wal, path.with_file_name("copy-wal")).expect("copied");
        let other = Connection::open(&copy).expect("opens");
        let count: i64 = other.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).expect("reads");
        assert_eq!(count, 4, "what another process finds after a crash");
    }

    #[test]
    fn dropping_the_last_handle_runs_what_is_queued() {
        let thread = thread();
        let (done, seen) = mpsc::channel();
        for n in 0..50 {
            let done = done.clone();
            thread.queue_request_without_reply(move |database| {
                insert(database, n).expect("written");
                done.send(n).expect("somebody counts");
            });
        }
        drop((thread, done));
        assert_eq!(seen.try_iter().collect::<Vec<_>>(), (0..50).collect::<Vec<_>>());
    }

    fn futures_now<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        }
    }
}
