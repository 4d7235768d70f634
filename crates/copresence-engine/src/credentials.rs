//! Credentials of a profile: which ones it uses, where they are looked up, and how the client takes them.

use crate::profile::Profile;
use copresence_client::{Credentials, PARTNER_KEY_PLACEHOLDER, RedeemRoute, TokenSource};
pub use copresence_credentials::{CredentialKind, CredentialOrigin, CredentialStore, FoundCredentials, KeychainError};

/// The credentials that a profile's token source and redeem route can use.
pub fn usable_credential_kinds(profile: &Profile) -> Vec<CredentialKind> {
    let mut slots = Vec::new();
    let vendor_redeem = matches!(profile.redeem_route, RedeemRoute::Vendor);
    let mut headers = Vec::new();
    match &profile.token_source {
        TokenSource::Direct => {
            slots.extend([
                CredentialKind::ApiKey,
                CredentialKind::SessionToken,
                CredentialKind::Username,
                CredentialKind::Password,
            ]);
        }
        TokenSource::Partner(partner) => {
            headers.extend(&partner.headers);
            if vendor_redeem {
                slots.push(CredentialKind::ApiKey);
            }
        }
    }
    if let RedeemRoute::Partner { headers: more, .. } = &profile.redeem_route {
        headers.extend(more);
    }
    if headers.iter().any(|(_, value)| value.contains(PARTNER_KEY_PLACEHOLDER)) {
        slots.push(CredentialKind::PartnerKey);
    }
    slots
}

/// Looks up a profile's credentials in the environment, then in the keychain. A profile that uses none does not query
/// the keychain.
///
/// # Errors
/// The keychain failed and the environment has no credential.
pub fn find_credentials(
    profile: &Profile,
    credential_store: &CredentialStore,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<FoundCredentials, KeychainError> {
    let wanted = usable_credential_kinds(profile);
    if matches!(profile.token_source, TokenSource::Direct) {
        return copresence_credentials::load_credentials(credential_store, &profile.name, env);
    }
    copresence_credentials::load_wanted_credentials(credential_store, &profile.name, env, &wanted)
}

/// Converts the credentials that were found for the client.
pub fn to_client_credentials(found: &FoundCredentials) -> Credentials {
    let login = match (&found.username, &found.password) {
        (Some((username, _)), Some((password, _))) => Some((username.clone(), password.clone())),
        _ => None,
    };
    Credentials {
        api_key: found.api_key.as_ref().map(|(key, _)| key.clone()),
        session_token: found.session_token.as_ref().map(|(token, _)| token.clone()),
        login,
        partner_key: found.partner_key.as_ref().map(|(key, _)| key.clone()),
    }
}
