use super::*;
use crate::backend::PartnerTokenSource;
use std::time::Duration;

fn url(text: &str) -> Url {
    Url::parse(text).expect("a URL")
}

fn vendor() -> BackendWithRoutes {
    BackendWithRoutes::copresence_backend_from_url(url("https://api.test/parse/"))
}

fn keyed() -> Credentials {
    Credentials {
        api_key: Some(ApiKey::new("key")),
        session_token: Some(SessionToken::new("session")),
        ..Credentials::default()
    }
}

fn plan(backend: &BackendWithRoutes, credentials: Credentials) -> Result<PreparedBackendRoutes, SetupError> {
    PreparedBackendRoutes::new(backend.clone(), credentials, &Timeouts::default())
}

fn problem(backend: &BackendWithRoutes, credentials: Credentials) -> SetupError {
    plan(backend, credentials).err().expect("a problem")
}

#[test]
fn endpoints_are_below_the_path_of_the_base_url() {
    let mut backend = vendor();
    backend.login_route.path = "/auth/login?app=1".to_owned();
    let login = Some((Username::new("jane"), Password::new("pass")));
    let plan = plan(&backend, Credentials { login, ..keyed() }).expect("a plan");
    assert_eq!(plan.redeem_route.url.as_str(), "https://api.test/parse/redeemExportToken");
    let TokenRoute::Direct { generate, login: Some(login), .. } = plan.token_route else { panic!("not direct") };
    assert_eq!(generate.url.as_str(), "https://api.test/parse/generateExportToken");
    assert_eq!(login.route.url.as_str(), "https://api.test/parse/auth/login?app=1");
}

#[test]
fn missing_credentials_are_named() {
    let without_key = Credentials { api_key: None, ..keyed() };
    assert_eq!(problem(&vendor(), without_key), SetupError::MissingApiKey { call: CallKind::Redeem });
    let blank_key = Credentials { api_key: Some(ApiKey::new(" \n")), ..keyed() };
    assert_eq!(problem(&vendor(), blank_key), SetupError::MissingApiKey { call: CallKind::Redeem });
    let without_session = Credentials { session_token: None, ..keyed() };
    assert_eq!(problem(&vendor(), without_session), SetupError::MissingSession);
    let half = Credentials { login: Some((Username::new("jane"), Password::new(""))), ..keyed() };
    assert_eq!(problem(&vendor(), half), SetupError::IncompleteLogin);
}

#[test]
fn no_copresence_credential_is_needed_if_a_partner_generates_and_redeems() {
    let mut partner = PartnerTokenSource::new(url("https://partner.test/token"));
    partner.headers = vec![("Authorization".to_owned(), "Bearer {partner_key}".to_owned())];
    let redeem = RedeemEndpoint::Partner { url: url("https://partner.test/redeem"), headers: Vec::new() };
    let backend = BackendWithRoutes { token_source: TokenSource::Partner(partner), redeem_route: redeem, ..vendor() };
    let missing = SetupError::MissingPartnerKey { header: "Authorization".to_owned() };
    assert_eq!(problem(&backend, Credentials::default()), missing);
    let credentials = Credentials { partner_key: Some(PartnerKey::new("pk")), ..Credentials::default() };
    let plan = plan(&backend, credentials.clone()).expect("a plan");
    let TokenRoute::Partner { generate, .. } = plan.token_route else { panic!("not the partner's") };
    assert_eq!(generate.headers["authorization"], "Bearer pk");
    assert!(generate.headers["authorization"].is_sensitive());
    // The vendor's API key is needed if only the token comes from the partner.
    let backend = BackendWithRoutes { redeem_route: RedeemEndpoint::Vendor, ..backend };
    assert_eq!(problem(&backend, credentials), SetupError::MissingApiKey { call: CallKind::Redeem });
}

#[test]
fn values_that_cannot_be_sent_are_rejected_without_being_shown() {
    let two_lines = Credentials { api_key: Some(ApiKey::new("se\ncret")), ..keyed() };
    let error = problem(&vendor(), two_lines);
    assert_eq!(error, SetupError::InvalidHeaderValue { what: "API key".to_owned() });
    let two_lines = Credentials { session_token: Some(SessionToken::new("se\ncret")), ..keyed() };
    let shown = format!("{:?}", problem(&vendor(), two_lines));
    assert!(shown.contains("session token") && !shown.contains("cret"), "{shown}");
}

#[test]
fn invalid_routes_are_rejected() {
    for base in ["ftp://api.test/", "https://jane:secret@api.test/", "mailto:x@api.test"] {
        assert!(
            matches!(
                problem(&BackendWithRoutes::copresence_backend_from_url(url(base)), keyed()),
                SetupError::InvalidUrl { .. }
            ),
            "{base}"
        );
    }
    let login = Some((Username::new("jane"), Password::new("pass")));
    let credentials = Credentials { login, ..keyed() };
    let route = LoginRoute { method: Method::GET, ..LoginRoute::default() };
    assert_eq!(
        problem(&BackendWithRoutes { login_route: route, ..vendor() }, credentials.clone()),
        SetupError::LoginMethodWithoutBody(Method::GET)
    );
    let route = LoginRoute { token_pointer: "sessionToken".to_owned(), ..LoginRoute::default() };
    assert!(matches!(
        problem(&BackendWithRoutes { login_route: route, ..vendor() }, credentials),
        SetupError::InvalidPointer { .. }
    ));
}

#[test]
fn timeouts_that_are_out_of_range_are_rejected() {
    let usual = Timeouts::default();
    for time_outs in [
        Timeouts { connect: usual.total, ..usual },
        Timeouts { connect: Duration::ZERO, ..usual },
        Timeouts { read: Duration::ZERO, ..usual },
        Timeouts { read: Duration::MAX, ..usual },
        Timeouts { total: Duration::MAX, ..usual },
    ] {
        let refused = PreparedBackendRoutes::new(vendor(), keyed(), &time_outs);
        assert!(matches!(refused, Err(SetupError::InvalidTimeouts)), "{time_outs:?}");
    }
}
