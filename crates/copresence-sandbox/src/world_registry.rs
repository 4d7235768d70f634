//! The worlds of a sandbox beside the main one, by id and by API key.
//!
//! A world ends when it was not used for its idle limit. It is in use while somebody has a handle to it: a request, a
//! download, or the program that embeds the sandbox.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

/// Maximum number of worlds beside the main one.
pub const MAX_ADDITIONAL_WORLDS: usize = 500;

/// The maximum number of worlds is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there are {MAX_ADDITIONAL_WORLDS} worlds, which is the maximum; delete those that are no longer needed")]
pub struct TooManyWorldsError;

/// The worlds, each with the state `W`.
pub(crate) struct WorldRegistry<W>(RwLock<RegisteredWorlds<W>>);

/// The worlds by id, and their ids by API key.
struct RegisteredWorlds<W> {
    by_id: HashMap<String, RegisteredWorld<W>>,
    id_by_api_key: HashMap<String, String>,
}

/// A world, and when it ends.
struct RegisteredWorld<W> {
    state: Arc<W>,
    api_key: String,
    idle_limit: Duration,
    /// When it was last requested; later while there are handles to it.
    last_used: RwLock<Instant>,
}

/// The state and idle time of a world, read without counting as a use.
pub(crate) struct ListedWorld<W> {
    pub(crate) state: Arc<W>,
    /// How long it has not been used.
    pub(crate) idle: Duration,
    pub(crate) idle_limit: Duration,
}

impl<W> Default for WorldRegistry<W> {
    fn default() -> Self {
        Self(RwLock::new(RegisteredWorlds { by_id: HashMap::new(), id_by_api_key: HashMap::new() }))
    }
}

impl<W> WorldRegistry<W> {
    /// Adds a world. Drops those that have ended.
    ///
    /// # Errors
    /// There are [`MAX_ADDITIONAL_WORLDS`].
    pub(crate) fn drop_unused_and_add_world(
        &self,
        id: &str,
        api_key: &str,
        idle_limit: Duration,
        state: Arc<W>,
    ) -> Result<(), TooManyWorldsError> {
        self.drop_unused_worlds();
        let mut worlds = self.lock_worlds_for_writing();
        if worlds.by_id.len() >= MAX_ADDITIONAL_WORLDS {
            return Err(TooManyWorldsError);
        }
        worlds.id_by_api_key.insert(api_key.to_owned(), id.to_owned());
        let last_used = RwLock::new(Instant::now());
        worlds
            .by_id
            .insert(id.to_owned(), RegisteredWorld { state, api_key: api_key.to_owned(), idle_limit, last_used });
        Ok(())
    }

    /// The world with this id, which counts as a use of it; `None` if there is none, or it has ended.
    pub(crate) fn find_and_renew_world_by_id(&self, id: &str) -> Option<Arc<W>> {
        let worlds = self.lock_worlds_for_reading();
        worlds.by_id.get(id).and_then(RegisteredWorld::record_use_and_share_state)
    }

    /// The world with this API key, which counts as a use of it; `None` if there is none, or it has ended.
    pub(crate) fn find_and_renew_world_by_api_key(&self, api_key: &str) -> Option<Arc<W>> {
        let worlds = self.lock_worlds_for_reading();
        worlds.by_id.get(worlds.id_by_api_key.get(api_key)?).and_then(RegisteredWorld::record_use_and_share_state)
    }

    /// The world with this id, which does not count as a use of it.
    pub(crate) fn find_world_without_renewal(&self, id: &str) -> Option<ListedWorld<W>> {
        self.lock_worlds_for_reading()
            .by_id
            .get(id)
            .filter(|world| !world.has_idle_limit_passed())
            .map(RegisteredWorld::to_listed_world)
    }

    /// All worlds, in no order. This does not count as a use of them.
    pub(crate) fn list_worlds(&self) -> Vec<ListedWorld<W>> {
        let worlds = self.lock_worlds_for_reading();
        worlds
            .by_id
            .values()
            .filter(|world| !world.has_idle_limit_passed())
            .map(RegisteredWorld::to_listed_world)
            .collect()
    }

    /// Ends a world. Requests in flight are completed. Returns whether there was one.
    pub(crate) fn remove_world(&self, id: &str) -> bool {
        let mut worlds = self.lock_worlds_for_writing();
        let Some(removed) = worlds.by_id.remove(id) else { return false };
        worlds.id_by_api_key.remove(&removed.api_key);
        !removed.has_idle_limit_passed()
    }

    /// Ends the worlds that were not used for their idle limit.
    pub(crate) fn drop_unused_worlds(&self) {
        if !self.lock_worlds_for_reading().by_id.values().any(RegisteredWorld::has_idle_limit_passed) {
            return;
        }
        let mut worlds = self.lock_worlds_for_writing();
        let RegisteredWorlds { by_id, id_by_api_key } = &mut *worlds;
        by_id.retain(|_, world| !world.has_idle_limit_passed());
        id_by_api_key.retain(|_, id| by_id.contains_key(id));
    }

    fn lock_worlds_for_reading(&self) -> RwLockReadGuard<'_, RegisteredWorlds<W>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_worlds_for_writing(&self) -> RwLockWriteGuard<'_, RegisteredWorlds<W>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W> RegisteredWorld<W> {
    /// Records a use of this world and returns its state; `None` if it has ended.
    fn record_use_and_share_state(&self) -> Option<Arc<W>> {
        if self.has_idle_limit_passed() {
            return None;
        }
        *self.last_used.write().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        Some(self.state.clone())
    }

    /// The state and idle time of this world, read without counting as a use.
    fn to_listed_world(&self) -> ListedWorld<W> {
        ListedWorld { idle: self.renew_and_measure_idle_time(), idle_limit: self.idle_limit, state: self.state.clone() }
    }

    /// Sets the last use of a world with handles to now, because it is in use. Returns how long it has not been used.
    fn renew_and_measure_idle_time(&self) -> Duration {
        if Arc::strong_count(&self.state) > 1 {
            *self.last_used.write().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
        self.last_used.read().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    /// Whether nobody used it for its idle limit.
    fn has_idle_limit_passed(&self) -> bool {
        Arc::strong_count(&self.state) == 1 && self.renew_and_measure_idle_time() >= self.idle_limit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn worlds_are_found_by_id_and_key_until_removed() {
        let registry = WorldRegistry::default();
        registry.drop_unused_and_add_world("a", "key-a", HOUR, Arc::new(1)).expect("room");
        registry.drop_unused_and_add_world("b", "key-b", HOUR, Arc::new(2)).expect("room");
        assert_eq!(registry.find_and_renew_world_by_id("a").as_deref(), Some(&1));
        assert_eq!(registry.find_and_renew_world_by_api_key("key-b").as_deref(), Some(&2));
        assert!(
            registry.find_and_renew_world_by_id("key-a").is_none()
                && registry.find_and_renew_world_by_api_key("a").is_none()
        );
        assert!(registry.remove_world("a") && !registry.remove_world("a"));
        assert!(registry.find_and_renew_world_by_api_key("key-a").is_none());
        assert_eq!(registry.list_worlds().len(), 1);
    }

    #[test]
    fn unused_world_ends_and_one_with_a_handle_does_not() {
        let registry = WorldRegistry::default();
        let handle = Arc::new(());
        registry.drop_unused_and_add_world("used", "key-used", Duration::ZERO, handle.clone()).expect("room");
        registry.drop_unused_and_add_world("unused", "key-unused", Duration::ZERO, Arc::new(())).expect("room");
        assert!(registry.find_and_renew_world_by_api_key("key-unused").is_none());
        registry.drop_unused_worlds();
        assert!(registry.find_and_renew_world_by_id("used").is_some());
        drop(handle);
        registry.drop_unused_worlds();
        assert!(registry.find_world_without_renewal("used").is_none());
        assert!(registry.lock_worlds_for_reading().id_by_api_key.is_empty());
    }

    #[test]
    fn number_of_worlds_is_bounded_and_ended_ones_make_room() {
        let registry = WorldRegistry::default();
        let add = |id: &str, limit| registry.drop_unused_and_add_world(id, id, limit, Arc::new(()));
        add("unused", Duration::ZERO).expect("room");
        for id in 0..MAX_ADDITIONAL_WORLDS {
            add(&id.to_string(), HOUR).expect("room");
        }
        assert_eq!(add("one more", HOUR), Err(TooManyWorldsError));
    }
}
