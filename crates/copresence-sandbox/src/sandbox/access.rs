//! Who may use a world: its session tokens, API key and operator key. All are compared in constant time.

use super::Sandbox;
use crate::settings::random_session_token;
use copresence_protocol::ApiKey;
use subtle::ConstantTimeEq;

/// Maximum number of valid session tokens. Beyond it, the oldest becomes invalid.
const MAX_SESSIONS: usize = 1_000;

impl Sandbox {
    /// Creates a session token if the login is correct.
    pub(crate) fn create_session_token_if_login_correct(&self, username: &str, password: &str) -> Option<String> {
        let known = self.accepted_credentials();
        let is_correct =
            constant_time_eq(username, known.username.expose()) & constant_time_eq(password, known.password.expose());
        is_correct.then(|| self.create_session_token())
    }

    /// Creates a session token.
    pub(crate) fn create_session_token(&self) -> String {
        let session = random_session_token();
        let sessions = &mut self.lock_protected_state().sessions;
        if sessions.len() >= MAX_SESSIONS {
            sessions.pop_front();
        }
        sessions.push_back(session.clone());
        session
    }

    /// Whether a session token was issued here; compares in constant time.
    pub(crate) fn is_known_session_token(&self, session: &str) -> bool {
        self.lock_protected_state().sessions.iter().fold(false, |known, valid| known | constant_time_eq(session, valid))
    }

    /// Whether this is the API key of this world; compares in constant time.
    pub(crate) fn is_valid_api_key(&self, key: &str) -> bool {
        constant_time_eq(key, self.accepted_credentials().api_key.expose())
    }

    /// Whether this is the operator key; compares in constant time.
    pub(crate) fn is_valid_operator_key(&self, key: &str) -> bool {
        let known: &ApiKey = &self.accepted_credentials().operator_key;
        constant_time_eq(key, known.expose())
    }
}

/// Compares in constant time, so that the duration does not reveal how much matched.
fn constant_time_eq(given: &str, known: &str) -> bool {
    given.as_bytes().ct_eq(known.as_bytes()).into()
}
