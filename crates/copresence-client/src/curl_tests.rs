use super::*;
use crate::backend::PartnerTokenSource;
use crate::exchange::ExchangeOutcome;
use std::time::Duration;

/// A shell of Unix parses the commands.
#[cfg(unix)]
mod with_a_shell {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    /// The words that a shell parses from a command.
    pub(super) fn through_a_shell(command: &str, variables: &[(&str, String)]) -> Vec<String> {
        let script = format!("show() {{ printf '%s\\0' \"$@\"; }}\nset -u\nshow {command}");
        let envs = variables.iter().map(|(name, value)| (name, value));
        let ran = Command::new("sh").arg("-c").arg(&script).env_clear().envs(envs).output().expect("a shell");
        assert!(ran.status.success(), "{script}: {}", String::from_utf8_lossy(&ran.stderr));
        let said = String::from_utf8(ran.stdout).expect("UTF-8");
        let mut words: Vec<_> = said.split('\0').map(str::to_owned).collect();
        assert_eq!(words.pop().as_deref(), Some(""));
        words
    }

    /// The text of a word with its variables replaced by their values.
    fn filled(word: &ShellWord, variables: &[(&str, String)]) -> String {
        let value = |name: &str| variables.iter().find(|(known, _)| *known == name).expect("known").1.clone();
        let parts = word.0.iter().map(|part| match part {
            ShellWordPart::Text(text) => text.clone(),
            ShellWordPart::Variable(name) => value(name),
        });
        parts.collect()
    }

    fn text() -> impl Strategy<Value = String> {
        // Characters with a meaning in a shell, and any others except NUL, which no argument can contain.
        prop_oneof!["[-'\"$`\\\\!*?\\[\\]{}~#&|;<>() \t\n=@:/a-zA-Z0-9_]{0,12}", "[^\0]{0,8}"]
    }

    fn word() -> impl Strategy<Value = ShellWord> {
        let part = prop_oneof![
            text().prop_map(|text| (true, text)),
            Just((false, "KEY".to_owned())),
            Just((false, "TOKEN_2".to_owned()))
        ];
        prop::collection::vec(part, 0..5).prop_map(|parts| {
            parts.into_iter().fold(ShellWord::default(), |word, (is_text, value)| {
                if is_text { word.append_text(value) } else { word.append_variable_expansion(&value) }
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn a_shell_parses_exactly_the_words(
            url in word(),
            headers in prop::collection::vec(("[A-Za-z-]{1,8}", word()), 0..4),
            body in prop::option::of(word()),
            key in "[^\0]{0,10}",
            token in text(),
        ) {
            let variables = [("KEY", key), ("TOKEN_2", token)];
            let mut curl = CurlCommand::new("POST", url);
            for (name, value) in headers {
                curl = curl.with_header(&name, value);
            }
            if let Some(body) = body {
                curl = curl.with_body(body);
            }
            let wanted: Vec<_> = curl.to_shell_words().iter().map(|word| filled(word, &variables)).collect();
            prop_assert_eq!(through_a_shell(&curl.to_multiline_shell_command(), &variables), wanted);
        }
    }
}

fn exchange(call: CallKind, method: &str, url: &str, headers: &[(&str, &str)], body: Option<&str>) -> Exchange {
    Exchange {
        call,
        started_at: "2026-11-22T10:00:00Z".parse().expect("a time"),
        time_to_headers: None,
        duration: Duration::ZERO,
        method: method.to_owned(),
        url: url.to_owned(),
        request_headers: headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        request_body: body.map(str::to_owned),
        status: Some(200),
        response_headers: Vec::new(),
        body: None,
        body_size: 0,
        outcome: ExchangeOutcome::Complete,
        error: None,
    }
}

fn vendor() -> BackendWithRoutes {
    BackendWithRoutes::copresence_backend_from_url("https://api.test/".parse().expect("a URL"))
}

#[test]
fn credentials_become_readable_variables() {
    let headers = [
        ("x-copresence-rest-api-key", "…3f"),
        ("x-copresence-export-token", "…"),
        ("accept", "application/json"),
        ("x-empty", ""),
    ];
    let redeem = exchange(CallKind::Redeem, "GET", "https://api.test/redeemExportToken", &headers, None);
    let command = curl_for_exchange(&redeem, &vendor()).to_multiline_shell_command();
    assert_eq!(
        command,
        "curl -sS -i -X GET https://api.test/redeemExportToken \\\n  \
         -H \"x-copresence-rest-api-key: $COPRESENCE_API_KEY\" \\\n  \
         -H \"x-copresence-export-token: $EXPORT_TOKEN\" \\\n  \
         -H 'accept: application/json' \\\n  \
         -H 'x-empty;'"
    );
}

#[test]
fn the_secrets_of_a_login_become_variables() {
    let body = r#"{"username":"…er","password":"…"}"#;
    let login = exchange(CallKind::Login, "POST", "https://api.test/login", &[("content-length", "40")], Some(body));
    let command = curl_for_exchange(&login, &vendor()).to_multiline_shell_command();
    assert!(command.starts_with("curl -sS -i -X POST https://api.test/login"), "{command}");
    assert!(command.contains("$COPRESENCE_USERNAME") && command.contains("$COPRESENCE_PASSWORD"), "{command}");
    assert!(!command.contains('…') && !command.contains("content-length"), "{command}");
    #[cfg(unix)]
    {
        let variables = [("COPRESENCE_USERNAME", "jane".to_owned()), ("COPRESENCE_PASSWORD", "$(x)".to_owned())];
        let words = with_a_shell::through_a_shell(&command, &variables);
        let sent: Value = serde_json::from_str(words.last().expect("a body")).expect("JSON");
        assert_eq!(sent, serde_json::json!({"username": "jane", "password": "$(x)"}));
    }
}

#[test]
fn a_partner_header_keeps_its_template_and_a_query_its_names() {
    let mut partner = PartnerTokenSource::new("https://relay.test/t?v=1".parse().expect("a URL"));
    partner.headers.push(("Authorization".into(), "Bearer {partner_key}".into()));
    let backend = BackendWithRoutes { token_source: TokenSource::Partner(partner), ..vendor() };
    let headers = [("authorization", "…xy"), ("x-tenant", "…")];
    let generate = exchange(CallKind::Generate, "POST", "https://relay.test/t?v=…&to-ken=…", &headers, None);
    let command = curl_for_exchange(&generate, &backend).to_multiline_shell_command();
    assert!(command.contains("\"authorization: Bearer $COPRESENCE_PARTNER_KEY\""), "{command}");
    assert!(command.contains("\"x-tenant: $X_TENANT\""), "{command}");
    assert!(command.contains("\"https://relay.test/t?v=$V&to-ken=$TO_KEN\""), "{command}");
    assert!(!command.contains('…'));
}

#[test]
fn a_download_url_becomes_a_variable() {
    let download = exchange(CallKind::Download, "GET", "https://files.test/…", &[("range", "bytes=5-")], None);
    let command = curl_for_exchange(&download, &vendor()).to_multiline_shell_command();
    assert_eq!(command, "curl -sS -i -X GET \"$DOWNLOAD_URL\" \\\n  -H 'range: bytes=5-'");
}
