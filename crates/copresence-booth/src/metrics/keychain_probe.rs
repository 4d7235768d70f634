//! The state of the keychain for the metrics, which must not wait for it.

use copresence_engine::credentials::CredentialStore;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Whether the keychain can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeychainUsability {
    /// It is unlocked.
    Usable,
    /// It is locked, absent, or does not respond.
    Unusable,
    /// It was not asked yet.
    Unknown,
}

/// Time for which the last known keychain state is used without asking the keychain again. Asking can take several
/// seconds.
const KEYCHAIN_STATE_LIFETIME: Duration = Duration::from_mins(1);

/// The state of the keychain as found last. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeychainStateCache(Arc<Mutex<LastKeychainState>>);

/// The last known state of the keychain and its time, and whether the keychain is being asked now.
#[derive(Debug, Default)]
struct LastKeychainState {
    found: Option<(Instant, KeychainUsability)>,
    is_being_asked: bool,
}

impl KeychainStateCache {
    /// The state as found last. Asks the keychain again in the background if that is too long ago. Needs a tokio runtime.
    pub(crate) fn read_last_state_and_refresh_if_old(&self, credential_store: &CredentialStore) -> KeychainUsability {
        let mut last = self.lock_last_keychain_state_mutex();
        let is_old = last.found.is_none_or(|(at, _)| at.elapsed() >= KEYCHAIN_STATE_LIFETIME);
        if is_old && !last.is_being_asked {
            last.is_being_asked = true;
            let (probe, credential_store) = (self.clone(), credential_store.clone());
            tokio::task::spawn_blocking(move || {
                let is_usable = credential_store.check_keychain().is_ok();
                let state = if is_usable { KeychainUsability::Usable } else { KeychainUsability::Unusable };
                *probe.lock_last_keychain_state_mutex() =
                    LastKeychainState { found: Some((Instant::now(), state)), is_being_asked: false };
            });
        }
        last.found.map_or(KeychainUsability::Unknown, |(_, state)| state)
    }

    /// Locks the last known state.
    fn lock_last_keychain_state_mutex(&self) -> MutexGuard<'_, LastKeychainState> {
        // Each change is complete, also after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
