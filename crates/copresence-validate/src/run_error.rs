//! Why a run ended before it judged the backend.

/// Why a run could not judge the backend, or not to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The backend refused the credentials; exit code 3.
    #[error("{0}")]
    CredentialsRefused(String),
    /// A request got no response; exit code 6.
    #[error("the backend could not be reached: {0}")]
    Unreachable(String),
    /// The backend answered with a server error (5xx); exit code 6.
    #[error("{0}")]
    Failing(String),
    /// The backend limits the rate of requests (429); exit code 6.
    #[error("{0}")]
    Busy(String),
    /// Something in between, such as a proxy, a firewall or a captive portal, answered; exit code 6.
    #[error("{0}")]
    Gate(String),
    /// There is no API at the configured address; exit code 2.
    #[error("{0}")]
    NoApi(String),
    /// The run was stopped; exit code 130.
    #[error("{STOPPED_MESSAGE}")]
    Stopped,
}

/// Exit code of a run that was stopped before its end.
pub(crate) const EXIT_STOPPED: u8 = 130;

/// Detail of every act and check that a stopped run did not reach.
pub(crate) const STOPPED_MESSAGE: &str = "the run was stopped before its end";

/// Detail of every act and check that a run with an error did not decide. The report states the error itself once.
pub(crate) const NOT_JUDGED_MESSAGE: &str = "the run ended before this was judged";

impl RunError {
    /// Exit code of the command.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoApi(_) => 2,
            Self::CredentialsRefused(_) => 3,
            Self::Unreachable(_) | Self::Failing(_) | Self::Busy(_) | Self::Gate(_) => 6,
            Self::Stopped => EXIT_STOPPED,
        }
    }

    /// Stable error code, as of the outcome of a visit that ends for the same reason.
    pub fn error_code(&self) -> &'static str {
        match self {
            Self::CredentialsRefused(_) => "credentials_refused",
            Self::Unreachable(_) => "backend_unreachable",
            Self::Failing(_) => "backend_failing",
            Self::Busy(_) => "backend_busy",
            Self::Gate(_) => "gate",
            Self::NoApi(_) => "no_api",
            Self::Stopped => "interrupted",
        }
    }

    /// The same error with a changed reason.
    #[must_use]
    pub(crate) fn map_reason(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::CredentialsRefused(why) => Self::CredentialsRefused(change(why)),
            Self::Unreachable(why) => Self::Unreachable(change(why)),
            Self::Failing(why) => Self::Failing(change(why)),
            Self::Busy(why) => Self::Busy(change(why)),
            Self::Gate(why) => Self::Gate(change(why)),
            Self::NoApi(why) => Self::NoApi(change(why)),
            Self::Stopped => Self::Stopped,
        }
    }
}
