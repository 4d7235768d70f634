//! The faults of a world: the active list, and those of its tokens' scenarios.

use super::Sandbox;
use crate::faults::{Fault, FaultListError, FaultSet, FaultWithCounts, RequestAttributes, SelectedFault};
use std::sync::{MutexGuard, PoisonError};

impl Sandbox {
    /// Replaces the list of faults; all counts restart at 0. An empty list removes all faults. See [`crate::faults`].
    ///
    /// # Errors
    /// The list is too long, or a fault is invalid. Then nothing changes.
    pub fn set_faults(&self, faults: Vec<Fault>) -> Result<(), FaultListError> {
        self.lock_fault_set().replace_faults(faults)
    }

    /// Adds a fault. The counts of the other faults continue.
    ///
    /// # Errors
    /// The list is full, or the fault is invalid. Then nothing changes.
    pub fn add_fault(&self, fault: Fault) -> Result<(), FaultListError> {
        self.lock_fault_set().add_fault(fault)
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        *self.lock_fault_set() = FaultSet::new(self.with_locked_world(|world, _| world.seed()));
    }

    /// The active faults, each with the number of requests that it matched and that it was applied to.
    pub fn active_faults_with_counts(&self) -> Vec<FaultWithCounts> {
        self.lock_fault_set().active_faults_with_counts()
    }

    /// Counts a request, and returns the faults to apply to it: those of the token's scenario, then those of the active
    /// list. `url_id` is the id in the URL of a download.
    pub(crate) fn count_request_returning_its_faults(
        &self,
        attributes: &RequestAttributes<'_>,
        token: Option<&str>,
        url_id: Option<&str>,
    ) -> Vec<SelectedFault> {
        let mut selected =
            self.with_locked_world(|world, _| world.count_and_select_token_faults(attributes, token, url_id));
        selected.extend(self.lock_fault_set().count_request_returning_its_faults(attributes));
        selected
    }

    /// Whether there are faults: in the active list, or of a token's scenario.
    pub(crate) fn has_active_or_scenario_faults(&self) -> bool {
        !self.lock_fault_set().is_empty() || self.with_locked_world(|world, _| world.has_scenario_faults())
    }

    /// Locks the active list of faults.
    fn lock_fault_set(&self) -> MutexGuard<'_, FaultSet> {
        self.world.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
