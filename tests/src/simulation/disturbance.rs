//! What may go wrong in a world: single requests, outages that begin and end, files, processes, clocks.

use rand::RngExt as _;
use rand::seq::IndexedRandom as _;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;
use std::time::Duration;

/// A kind of disturbance. A world has a drawn set of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, clap::ValueEnum)]
pub(crate) enum Disturbance {
    /// An API request is not sent: connection refused, unknown name, no route, connect timeout.
    ApiNotSent,
    /// An API request or its response is lost: reset or silence, before or after the effect.
    ApiAnswerLost,
    /// The connection of an API request is lost, and the request reaches the backend up to a quarter of an hour later.
    ApiRequestLate,
    /// The response of an API request ends in the middle of its body.
    ApiAnswerTruncated,
    /// 500, 502, 503 or 504 before the effect.
    ApiErrorBeforeEffect,
    /// 500, 502 or 504 after the effect.
    ApiErrorAfterEffect,
    /// A gate in between answers with an HTML page; the backend sees nothing.
    ApiGate,
    /// 429.
    ApiBusy,
    /// A whole response of the backend to a redeem that violates the specification, after the effect.
    ApiGarbage,
    /// A response that takes some seconds.
    ApiSlow,
    /// A download request is not sent.
    FileNotSent,
    /// A download request is answered by a reset or by silence; a one-time URL may be spent.
    FileAnswerLost,
    /// 500, 503 or 429 of the file server.
    FileError,
    /// A download is cut in the middle.
    FileCut,
    /// A download stops in the middle without an end.
    FileStall,
    /// A captive portal answers a download with an HTML page.
    FileGate,
    /// The first byte of a file takes up to 100 seconds.
    FileSlowFirstByte,
    /// Files are sent with `Content-Encoding: gzip`.
    FileGzip,
    /// Files are sent with a `Content-Encoding` that is none, or that their content contradicts.
    FileOddEncoding,
    /// Bytes follow the stated end of a GLB.
    FileTrailingBytes,
    /// A range is answered with status 200 and the rest of the file, if the URL also sends the whole file.
    FileRestAs200,
    /// A known export type has content that is not recognised.
    FileUnknownContent,
    /// An outage of the API, the file server or both begins at a drawn moment and ends.
    Outage,
    /// The process ends at a drawn moment.
    Crash,
    /// As [`Disturbance::Crash`], and unflushed bytes of partial files are lost or wrong.
    PowerCut,
    /// The system's clock is set.
    ClockJump,
    /// The operator stops the program (Ctrl-C), or the visitor leaves.
    Interrupt,
    /// Two programs use the same data folder.
    TwoConsoles,
}

impl Disturbance {
    const ALL: [Self; 28] = [
        Self::ApiNotSent,
        Self::ApiAnswerLost,
        Self::ApiRequestLate,
        Self::ApiAnswerTruncated,
        Self::ApiErrorBeforeEffect,
        Self::ApiErrorAfterEffect,
        Self::ApiGate,
        Self::ApiBusy,
        Self::ApiGarbage,
        Self::ApiSlow,
        Self::FileNotSent,
        Self::FileAnswerLost,
        Self::FileError,
        Self::FileCut,
        Self::FileStall,
        Self::FileGate,
        Self::FileSlowFirstByte,
        Self::FileGzip,
        Self::FileOddEncoding,
        Self::FileTrailingBytes,
        Self::FileRestAs200,
        Self::FileUnknownContent,
        Self::Outage,
        Self::Crash,
        Self::PowerCut,
        Self::ClockJump,
        Self::Interrupt,
        Self::TwoConsoles,
    ];

    /// Those that happen to single API requests.
    const OF_API_REQUESTS: [Self; 10] = [
        Self::ApiNotSent,
        Self::ApiAnswerLost,
        Self::ApiRequestLate,
        Self::ApiAnswerTruncated,
        Self::ApiErrorBeforeEffect,
        Self::ApiErrorAfterEffect,
        Self::ApiGate,
        Self::ApiBusy,
        Self::ApiGarbage,
        Self::ApiSlow,
    ];

    /// Those that happen to single downloads.
    const OF_DOWNLOADS: [Self; 6] =
        [Self::FileNotSent, Self::FileAnswerLost, Self::FileError, Self::FileCut, Self::FileStall, Self::FileGate];
}

/// Which servers an outage concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutageHosts {
    Api,
    Files,
    Both,
}

/// How requests fail during an outage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutageKind {
    NotSent,
    Reset,
    Silence,
    /// 503 before any effect.
    ServerError,
    /// An HTML page of a gate.
    Gate,
}

/// When an outage begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutageStart {
    /// At this time after the world began.
    At(Duration),
    /// When the backend delivers the URLs of an avatar.
    AtDelivery,
    /// When a download has begun.
    AtDownload,
    /// When the program starts again.
    AtRestart,
}

/// One outage.
#[derive(Debug, Clone)]
pub(crate) struct Outage {
    pub(crate) hosts: OutageHosts,
    pub(crate) kind: OutageKind,
    pub(crate) start: OutageStart,
    pub(crate) duration: Duration,
    /// When it began, in time after the world began.
    pub(crate) began: Option<Duration>,
}

impl Outage {
    /// Whether requests to the API (or else the file server) fail at this time.
    pub(crate) fn concerns(&self, is_api: bool, now: Duration) -> bool {
        let host = match self.hosts {
            OutageHosts::Api => is_api,
            OutageHosts::Files => !is_api,
            OutageHosts::Both => true,
        };
        let began = match self.start {
            OutageStart::At(time) => Some(time),
            _ => self.began,
        };
        host && began.is_some_and(|began| (began..began + self.duration).contains(&now))
    }
}

/// The disturbances of a world.
#[derive(Debug, Clone)]
pub(crate) struct Weather {
    pub(crate) kinds: BTreeSet<Disturbance>,
    /// Probability of a disturbance of a single request.
    rate: f64,
    pub(crate) outages: Vec<Outage>,
}

impl Weather {
    /// Draws a set: none, one, two or many kinds. Worlds with one kind show what it alone does.
    pub(crate) fn draw(rng: &mut ChaCha8Rng) -> Self {
        let count = [0, 1, 1, 1, 1, 2, 2, 3, 5, 26][rng.random_range(0..10)];
        let mut kinds = BTreeSet::new();
        if count == 26 {
            kinds.extend(Disturbance::ALL.into_iter().filter(|_| rng.random_bool(0.4)));
        }
        while kinds.len() < count.min(5) {
            kinds.extend(Disturbance::ALL.choose(rng));
        }
        let rate = [0.04, 0.15, 0.4, 0.75][rng.random_range(0..4)];
        let outages = if kinds.contains(&Disturbance::Outage) {
            (0..rng.random_range(1..=3)).map(|_| draw_outage(rng)).collect()
        } else {
            Vec::new()
        };
        Self { kinds, rate, outages }
    }

    pub(crate) fn has(&self, kind: Disturbance) -> bool {
        self.kinds.contains(&kind)
    }

    /// Draws what happens to one API request.
    pub(crate) fn draw_for_api_request(&self, rng: &mut ChaCha8Rng) -> Option<Disturbance> {
        self.draw_from(&Disturbance::OF_API_REQUESTS, rng)
    }

    /// Draws what happens to one download.
    pub(crate) fn draw_for_download(&self, rng: &mut ChaCha8Rng) -> Option<Disturbance> {
        self.draw_from(&Disturbance::OF_DOWNLOADS, rng)
    }

    fn draw_from(&self, candidates: &[Disturbance], rng: &mut ChaCha8Rng) -> Option<Disturbance> {
        let possible: Vec<Disturbance> = candidates.iter().copied().filter(|kind| self.has(*kind)).collect();
        if possible.is_empty() || !rng.random_bool(self.rate) {
            return None;
        }
        possible.choose(rng).copied()
    }

    /// Begins the outages that wait for this moment.
    pub(crate) fn begin_outages(&mut self, moment: OutageStart, now: Duration) {
        for outage in self.outages.iter_mut().filter(|outage| outage.start == moment && outage.began.is_none()) {
            outage.began = Some(now);
        }
    }
}

fn draw_outage(rng: &mut ChaCha8Rng) -> Outage {
    let hosts = [OutageHosts::Api, OutageHosts::Files, OutageHosts::Both][rng.random_range(0..3)];
    let kinds = [
        OutageKind::NotSent,
        OutageKind::NotSent,
        OutageKind::Reset,
        OutageKind::Silence,
        OutageKind::ServerError,
        OutageKind::Gate,
    ];
    let start = match rng.random_range(0..6) {
        0 => OutageStart::AtDelivery,
        1 => OutageStart::AtDownload,
        2 => OutageStart::AtRestart,
        _ => OutageStart::At(Duration::from_millis(rng.random_range(0..150_000))),
    };
    let seconds = [1, 3, 7, 10, 20, 60, 200, 600, 3600][rng.random_range(0..9)];
    let kind = kinds[rng.random_range(0..kinds.len())];
    Outage { hosts, kind, start, duration: Duration::from_secs(seconds), began: None }
}
