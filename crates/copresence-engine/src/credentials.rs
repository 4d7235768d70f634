//! Credentials of a profile: which ones it uses, where they are looked up, and how the client takes them.

use crate::profile::Profile;
use copresence_client::{Credentials, PARTNER_KEY_PLACEHOLDER, RedeemEndpoint, TokenSource};
pub use copresence_credentials::{
    CredentialKind, CredentialOrigin, CredentialStore, EnvironmentCredentials, FoundCredentials, KeychainError,
    disable_core_dumps,
};

/// The credentials that a profile's token source and redeem route can use.
pub fn credential_kinds_usable_by_profile(profile: &Profile) -> Vec<CredentialKind> {
    let mut slots = Vec::new();
    let vendor_redeem = matches!(profile.redeem_route, RedeemEndpoint::Vendor);
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
    if let RedeemEndpoint::Partner { headers: more, .. } = &profile.redeem_route {
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
    let wanted = credential_kinds_usable_by_profile(profile);
    if matches!(profile.token_source, TokenSource::Direct) {
        return copresence_credentials::load_credentials(credential_store, &profile.name, env);
    }
    copresence_credentials::load_wanted_credentials(credential_store, &profile.name, env, &wanted)
}

/// Converts the credentials that were found for a profile for the client.
pub fn to_client_credentials(profile: &Profile, found: &FoundCredentials) -> Credentials {
    let login = match (&found.username, &found.password) {
        (Some((username, _)), Some((password, _))) => Some((username.clone(), password.clone())),
        _ => None,
    };
    Credentials {
        api_key: found.api_key.as_ref().map(|(key, _)| key.clone()),
        session_token: found.session_token.as_ref().map(|(token, _)| token.clone()),
        login,
        partner_key: found.partner_key.as_ref().map(|(key, _)| key.clone()),
        remedy_if_credentials_refused: Some(remedy_for_refused_credentials(profile, found)),
    }
}

/// What to do when the backend refuses a profile's credentials: names each source and the whole command for it.
fn remedy_for_refused_credentials(profile: &Profile, found: &FoundCredentials) -> String {
    let from = |origin: CredentialOrigin| {
        let kinds = credential_kinds_usable_by_profile(profile).into_iter();
        kinds.filter(move |kind| found.origin_of_credential(*kind) == Some(origin))
    };
    let names = |origin: CredentialOrigin| from(origin).map(CredentialKind::as_str).collect::<Vec<_>>().join(", ");
    let variables: Vec<_> = from(CredentialOrigin::Environment).map(CredentialKind::overriding_env_var_name).collect();
    let (kept, typed) = (names(CredentialOrigin::Keychain), names(CredentialOrigin::ThisRun));
    let mut steps = Vec::new();
    if !variables.is_empty() {
        steps.push(format!("correct {} in the environment", variables.join(", ")));
    }
    if !kept.is_empty() {
        let command = format!("`copresence credentials set --profile {}`", profile.name);
        steps.push(format!("set {kept} in the keychain again with {command}, or in the panel"));
    }
    if !typed.is_empty() {
        steps.push(format!("enter {typed} again (they are kept in memory for this run only)"));
    }
    steps.push(format!("check that `api_url` of the profile `{}` is the API that they belong to", profile.name));
    let mut remedy = steps.join("; ");
    if let Some(first) = remedy.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    remedy
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profiles;
    use copresence_protocol::{ApiKey, Password, Username};

    #[test]
    fn the_remedy_for_refused_credentials_names_the_profile_and_the_source_of_each() {
        let root = tempfile::tempdir().expect("a folder");
        let path = root.path().join("profiles.toml");
        let text = "[profiles.live]\napi_url = \"https://a.test\"\nlink = \"https://b.test/{token}\"\n";
        std::fs::write(&path, text).expect("written");
        let profile =
            Profiles::load_profiles(Some(&path)).and_then(|all| all.build_profile_by_name("live")).expect("usable");
        let found = FoundCredentials {
            api_key: Some((ApiKey::new("planted"), CredentialOrigin::Environment)),
            username: Some((Username::new("planted"), CredentialOrigin::Keychain)),
            password: Some((Password::new("planted"), CredentialOrigin::Keychain)),
            ..FoundCredentials::default()
        };
        let remedy = to_client_credentials(&profile, &found).remedy_if_credentials_refused.expect("a remedy");
        assert_eq!(
            remedy,
            "Correct COPRESENCE_API_KEY in the environment; set username, password in the keychain again with \
             `copresence credentials set --profile live`, or in the panel; check that `api_url` of the profile `live` \
             is the API that they belong to"
        );
    }
}
