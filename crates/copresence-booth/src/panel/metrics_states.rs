//! The endpoint of the metrics, and the states that they report beside their counters.

use super::{Panel, SharedPanelState};
use crate::metrics::{BoothGaugeValues, MetricsEndpoint, MetricsEndpointConfig};
use copresence_engine::free_disk_bytes;
use copresence_engine::health::{self, PartHealth};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

impl Panel {
    /// Starts the metrics endpoint as the settings say, if they do. Address and token file of the command line override
    /// theirs. A failure is logged and shown in *Health*: a booth without metrics still serves visitors. Needs a tokio
    /// runtime.
    pub async fn start_metrics_endpoint(&self, listen: Option<SocketAddr>, token_file: Option<PathBuf>) {
        let settings = self.0.settings_file.current_settings();
        let Some(listen) = listen.or(settings.metrics_listen) else { return };
        let config = MetricsEndpointConfig { listen, token_file: token_file.or(settings.metrics_token_file) };
        // The panel owns the endpoint, so the endpoint must not own the panel.
        let panel = Arc::downgrade(&self.0);
        let render = Arc::new(move || -> futures_util::future::BoxFuture<'static, String> {
            let panel = panel.upgrade().map(Panel);
            Box::pin(async move {
                match panel {
                    Some(panel) => panel.collect_metrics_text().await,
                    None => String::new(),
                }
            })
        });
        let started = MetricsEndpoint::start_endpoint(config, render).await.map_err(|error| error.to_string());
        match &started {
            Ok(endpoint) => tracing::info!(address = %endpoint.listen_address(), "metrics are served at /metrics"),
            Err(error) => tracing::error!("{error}"),
        }
        *self.0.metrics_endpoint.lock().unwrap_or_else(PoisonError::into_inner) = Some(started);
    }

    /// Where the metrics endpoint listens, if it runs.
    pub fn running_metrics_endpoint_address(&self) -> Option<SocketAddr> {
        let endpoint = self.0.metrics_endpoint.lock().unwrap_or_else(PoisonError::into_inner);
        endpoint.as_ref()?.as_ref().ok().map(MetricsEndpoint::listen_address)
    }

    /// Health of the metrics endpoint; `None` if no start was tried.
    pub(super) fn check_metrics_endpoint(&self) -> Option<PartHealth> {
        let endpoint = self.0.metrics_endpoint.lock().unwrap_or_else(PoisonError::into_inner);
        Some(match endpoint.as_ref()? {
            Ok(endpoint) => health::good_part_health(
                health::part::METRICS,
                format_args!("at http://{}/metrics", endpoint.listen_address()),
            ),
            Err(error) => health::doubtful_part_health(
                health::part::METRICS,
                error,
                "Change [metrics] in settings.toml or the options of the program, then restart it",
            ),
        })
    }

    /// All metrics of this program in the text format of Prometheus. Needs a tokio runtime.
    pub async fn collect_metrics_text(&self) -> String {
        let SharedPanelState { kiosk, sources, keychain_probe, .. } = &*self.0;
        let recoverable_visits = match kiosk.count_recoverable_visits().await {
            Ok(counts) => Some(counts),
            Err(error) => {
                tracing::warn!(%error, "the metrics cannot tell how many visits are recoverable");
                None
            }
        };
        let states = BoothGaugeValues {
            is_open: kiosk.is_booth_open(),
            is_within_opening_hours: self.is_within_opening_hours(),
            visits_in_progress: kiosk.running_visits().len(),
            recoverable_visits,
            data_free_bytes: free_disk_bytes(kiosk.data_store().data.path()),
            avatars_free_bytes: free_disk_bytes(&kiosk.output_folder()),
            required_free_bytes: kiosk.backend_config().profile.limits.min_free_space,
            keychain: keychain_probe.read_last_state_and_refresh_if_old(&sources.credential_store),
        };
        kiosk.metrics().render_metrics_text(&states)
    }
}
