//! Load tests: many virtual consoles at once, with the real client, the real visit machine and the real polling policy.
//!
//! [`PreparedLoadRun`] carries out a [`LoadPlan`] in this process; [`LoadReport`] says what came of it, as JSON and as a page. With
//! [`locust::run_worker`] the consoles of this process are users of a Locust master instead.
//!
//! Unlike a kiosk, a virtual console keeps no journal and saves nothing: tokens that it could not use are lost. Use a
//! sandbox, or a backend whose tokens may be spent.

mod arrivals;
mod console_pool;
mod download;
mod exchange_meter;
mod latency_histogram;
mod load_context;
mod load_plan;
mod load_run;
pub mod locust;
mod phone;
pub mod prometheus;
pub mod report;
mod simulated_console;
mod statistics;
mod threshold;
mod timeline;
mod token_ledger;
mod usual_durations;

pub use copresence_client::ApiClient;
pub use copresence_protocol::ExportToken;
pub use futures_util::future::BoxFuture;

pub use arrivals::{ArrivalSchedule, ArrivalScheduleError, ArrivalSpacing, ArrivalStage};
pub use latency_histogram::{LatencyHistogram, LatencyQuantiles};
pub use load_plan::{ConsoleVisitPlan, DownloadMode, LoadPlan, VisitStartModel};
pub use load_run::{PreparedLoadRun, RunEnd};
pub use phone::LoadTestPhone;
pub use report::LoadReport;
pub use statistics::{
    EndpointFigures, ErrorFigures, GeneratorFigures, LiveFigures, LoadFigures, OutcomeFigures, PhoneFigures,
    Statistics, VisitFigures,
};
pub use threshold::{Threshold, ThresholdParseError, ThresholdResult, list_metric_names};
pub use timeline::TimelineRow;
pub use token_ledger::TokenCounts;
