//! Figures of a running load test for Prometheus, in its text format.

use crate::statistics::Statistics;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Serves `GET /metrics` until it is dropped.
#[derive(Debug)]
pub struct MetricsServer {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl MetricsServer {
    /// Listens on `address`, and serves the metrics there until the server is dropped. Port 0 selects a free port.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn bind_and_serve_metrics(address: SocketAddr, statistics: Arc<Statistics>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let render = move || {
            let text = render_metrics(&statistics);
            async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text) }
        };
        let router = Router::new().route("/metrics", get(render));
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the Prometheus endpoint failed");
            }
        });
        Ok(Self { address, serving })
    }

    /// The address that it listens on.
    pub fn listen_address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The figures in the text format of Prometheus. Times are seconds.
pub fn render_metrics(statistics: &Statistics) -> String {
    let live = statistics.compute_live_figures();
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, help: &str, samples: &[(String, String)]| {
        // Writing to a string cannot fail.
        _ = writeln!(text, "# HELP copresence_load_{name} {help}\n# TYPE copresence_load_{name} {kind}");
        for (labels, value) in samples {
            _ = writeln!(text, "copresence_load_{name}{labels} {value}");
        }
    };
    let mut requests = Vec::new();
    let mut responses = Vec::new();
    let mut never_sent = Vec::new();
    let mut failures = Vec::new();
    let mut bytes = Vec::new();
    let mut latency = Vec::new();
    statistics.for_each_endpoint_counters(|endpoint, counted| {
        let labels = format!("{{endpoint=\"{endpoint}\"}}");
        requests.push((labels.clone(), counted.requests.to_string()));
        never_sent.push((labels.clone(), counted.never_sent.to_string()));
        failures.push((labels.clone(), counted.failures.to_string()));
        bytes.push((labels.clone(), counted.bytes.to_string()));
        for (status, count) in &counted.statuses {
            responses.push((format!("{{endpoint=\"{endpoint}\",status=\"{status}\"}}"), count.to_string()));
        }
        for quantile in [0.5, 0.9, 0.95, 0.99, 0.999] {
            if let Some(value) = counted.latency.find_latency_at_quantile(quantile) {
                let labels = format!("{{endpoint=\"{endpoint}\",quantile=\"{quantile}\"}}");
                latency.push((labels, value.as_secs_f64().to_string()));
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
        let sum = counted.latency.mean_latency().as_secs_f64() * counted.latency.recorded_latency_count() as f64;
        latency.push((format!("_sum{labels}"), sum.to_string()));
        latency.push((format!("_count{labels}"), counted.latency.recorded_latency_count().to_string()));
    });
    family("requests_total", "counter", "Requests that left this machine.", &requests);
    family("responses_total", "counter", "Responses by status.", &responses);
    family("unsent_requests_total", "counter", "Requests without a connection.", &never_sent);
    family("failures_total", "counter", "Requests without a usable response, or with an error.", &failures);
    family("received_bytes_total", "counter", "Bytes of response bodies.", &bytes);
    family("latency_seconds", "summary", "Time from when a request was due to its end.", &latency);
    let single = |value: u64| [(String::new(), value.to_string())];
    family("visits_running", "gauge", "Visits under way.", &single(live.running));
    family("visits_started_total", "counter", "Visits that started.", &single(live.started));
    family("visits_not_started_total", "counter", "Arrivals without a free console.", &single(live.not_started));
    let ended = [("completed", live.completed), ("failed", live.failed)];
    let ended = ended.map(|(result, count)| (format!("{{result=\"{result}\"}}"), count.to_string()));
    family("visits_ended_total", "counter", "Visits that ended by themselves.", &ended);
    let tokens = &live.tokens;
    let tokens = [
        ("issued", tokens.issued),
        ("possibly_issued", tokens.possibly_issued),
        ("spent", tokens.spent),
        ("possibly_consumed", tokens.possibly_consumed),
        ("refused", tokens.refused),
        ("unspent", tokens.unspent),
        ("double_delivery", tokens.double_deliveries),
    ];
    let tokens = tokens.map(|(state, count)| (format!("{{state=\"{state}\"}}"), count.to_string()));
    family("tokens_total", "counter", "Export Tokens by what became of them.", &tokens);
    text
}
