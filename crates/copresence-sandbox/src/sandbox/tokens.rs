//! The tokens of a world: what a phone and testers do with them, and what they see of them.

use super::Sandbox;
use crate::avatar_store::TokenInWorld;
use crate::scenario::Scenario;
use crate::world::avatar::AvatarChoice;
use crate::world::state::{PhoneTicket, PhoneView, TesterTokenView};
use crate::world::{AssociateError, ForceTokenStateError, ForcedState};
use image::RgbImage;
use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};

impl Sandbox {
    /// Plays the phone: associates an avatar with a token, without a network request.
    ///
    /// # Errors
    /// The token is unknown, no longer active or already has an avatar, or the chosen avatar does not exist.
    pub fn associate_avatar(
        &self,
        token: &str,
        choice: &AvatarChoice,
        scenario: Option<&Scenario>,
    ) -> Result<(), AssociateError> {
        self.associate_avatar_with_picture(token, choice, scenario, None)
    }

    /// Like [`Sandbox::associate_avatar`], with the visitor's picture as the face of a new avatar.
    ///
    /// # Errors
    /// As [`Sandbox::associate_avatar`].
    pub fn associate_avatar_with_picture(
        &self,
        token: &str,
        choice: &AvatarChoice,
        scenario: Option<&Scenario>,
        picture: Option<RgbImage>,
    ) -> Result<(), AssociateError> {
        self.with_locked_world(|world, now| {
            let picture = picture.map(|image| (self.avatar_store().allocate_picture_id(), image));
            world.associate_avatar(token, choice, scenario, picture.as_ref().map(|(id, _)| *id), now)?;
            // Under the same lock, so that no redeem runs before the picture is stored.
            self.avatar_store().store_visitor_picture(self.token_in_world_as_picture_owner(token), picture);
            Ok(())
        })
    }

    /// The token together with its world, as the owner of a picture.
    fn token_in_world_as_picture_owner(&self, token: &str) -> TokenInWorld {
        TokenInWorld { world: self.world.id.clone(), token: token.to_owned() }
    }

    /// Checks whether [`Sandbox::associate_avatar`] would succeed now.
    ///
    /// # Errors
    /// As [`Sandbox::associate_avatar`].
    pub(crate) fn check_avatar_can_be_associated(
        &self,
        token: &str,
        choice: &AvatarChoice,
    ) -> Result<(), AssociateError> {
        self.with_locked_world(|world, now| world.check_avatar_can_be_associated(token, choice, now))
    }

    /// Forces a token into a state.
    ///
    /// # Errors
    /// The token is unknown or no longer active, or has no avatar that could fail or complete.
    pub fn force_token_state(&self, token: &str, force: ForcedState) -> Result<(), ForceTokenStateError> {
        self.with_locked_world(|world, now| world.force_token_state(token, force, now))
    }

    /// The state of a token for the phone page; `None` if the token is unknown.
    pub(crate) fn phone_view_by_token(&self, token: &str) -> Option<PhoneView> {
        let view = self.with_locked_world(|world, now| world.phone_view(token, now))?;
        Some(PhoneView { ticket: self.find_phone_ticket(token), ..view })
    }

    /// The ticket on the phone page of a token.
    pub fn find_phone_ticket(&self, token: &str) -> Option<PhoneTicket> {
        self.lock_phone_tickets().get(token).cloned()
    }

    /// Shows these tickets on the phone pages of their tokens, in place of all earlier ones: for a console in the same
    /// program that continues visits in the background.
    pub fn replace_phone_tickets(&self, by_token: HashMap<String, PhoneTicket>) {
        *self.lock_phone_tickets() = by_token;
    }

    /// Locks the tickets on phone pages.
    fn lock_phone_tickets(&self) -> MutexGuard<'_, HashMap<String, PhoneTicket>> {
        // Replaced as a whole, also when a thread panicked.
        self.world.phone_tickets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state of a token for testers; `None` if the token is unknown.
    pub(crate) fn token_view(&self, token: &str) -> Option<TesterTokenView> {
        self.with_locked_world(|world, now| world.token_view(token, now))
    }

    /// Whether the next redeem of a token returns download URLs.
    pub(crate) fn is_token_ready(&self, token: &str) -> bool {
        self.with_locked_world(|world, now| world.is_token_ready(token, now))
    }

    /// The export type behind a download URL.
    pub(crate) fn export_type_of_url(&self, id: &str) -> Option<String> {
        self.with_locked_world(|world, _| world.export_type_of_url(id).map(str::to_owned))
    }
}
