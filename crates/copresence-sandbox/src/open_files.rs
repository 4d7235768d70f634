//! The number of files and connections that this process may have open.

/// Open files that a program allows itself: enough for every connection, and small enough for libraries and child
/// processes that look at all of them.
#[cfg(unix)]
const WANTED_OPEN_FILES: u64 = 65_536;

/// Raises the number of files and connections that this process may have open, as far as the system allows and up to
/// 65,536. Common defaults are 1,024 (Linux) and 256 (macOS), which a full server would use up.
///
/// Call it at the start of a program, when logging works.
pub fn raise_open_file_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let wanted = maximum.map_or(WANTED_OPEN_FILES, |maximum| maximum.min(WANTED_OPEN_FILES));
        if current.is_none_or(|current| current >= wanted) {
            return;
        }
        if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
            tracing::warn!(%error, wanted, "the limit of open files cannot be raised; the sandbox accepts fewer connections");
        }
    }
}

/// The number of files and connections that this process may have open; `None` if it is unlimited or unknown.
pub(crate) fn open_file_limit() -> Option<usize> {
    #[cfg(unix)]
    {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
        usize::try_from(limit).ok()
    }
    #[cfg(not(unix))]
    None
}
