//! A profile with every default filled in, with the keys and the notation of the file.

use super::Profile;
use copresence_client::{RedeemEndpoint, TokenSource};
use serde_json::{Value, json};
use std::time::Duration;

impl Profile {
    /// Each key with its value; null if it is not set and has no default. Only the names of headers are listed, because
    /// a value may be a secret.
    pub fn to_setting_rows(&self) -> Vec<(&'static str, Value)> {
        let url = |url: Option<&url::Url>| url.map_or(Value::Null, |url| url.as_str().into());
        let time = |duration: Option<Duration>| duration.map_or(Value::Null, duration_to_json);
        let mut rows = vec![
            ("profile", self.name.as_str().into()),
            ("api_url", url(self.api_url.as_ref())),
            ("link", self.link.as_ref().map_or(Value::Null, |link| link.template_text().into())),
            ("timeout", duration_to_json(self.timeout)),
            ("patience", duration_to_json(self.limits.patience)),
            ("export_token_life", time(self.token_lifetime)),
            ("out", self.out_dir.as_ref().map_or(Value::Null, |out| out.display().to_string().into())),
            ("polling.fastest", duration_to_json(self.polling.fastest)),
            ("polling.slowest", duration_to_json(self.polling.slowest)),
            ("polling.fixed", time(self.polling.fixed)),
            ("polling.usual_processing", time(self.usual_processing)),
            ("downloads.parallel", self.limits.parallel_downloads.into()),
            ("downloads.max_file_size", size_to_json(self.limits.max_file_size)),
            ("downloads.min_free_space", size_to_json(self.limits.min_free_space)),
            ("downloads.keep_trying", duration_to_json(self.limits.keep_trying)),
            ("downloads.allow_http", self.download_exceptions.allow_http.into()),
            ("downloads.allow_private_hosts", self.download_exceptions.allow_private_hosts.into()),
            ("downloads.first_byte", duration_to_json(self.timeouts.first_byte)),
            ("network.connect", duration_to_json(self.timeouts.connect)),
            ("network.silence", duration_to_json(self.timeouts.read)),
            ("network.call", duration_to_json(self.timeouts.total)),
        ];
        match &self.token_source {
            TokenSource::Direct => rows.extend([
                ("login.path", self.login_route.path.as_str().into()),
                ("login.method", self.login_route.method.as_str().into()),
                ("login.token", self.login_route.token_pointer.as_str().into()),
                ("login.logout_path", self.login_route.logout_path.as_deref().map_or(Value::Null, Into::into)),
            ]),
            TokenSource::Partner(partner) => {
                let headers: Vec<&str> = partner.headers.iter().map(|(name, _)| name.as_str()).collect();
                let redeem = match &self.redeem_route {
                    RedeemEndpoint::Partner { url: relay, .. } => url(Some(relay)),
                    RedeemEndpoint::Vendor => Value::Null,
                };
                rows.extend([
                    ("partner.url", url(Some(&partner.url))),
                    ("partner.method", partner.method.as_str().into()),
                    ("partner.token", partner.token_pointer.as_str().into()),
                    ("partner.headers", json!(headers)),
                    ("partner.redeem_url", redeem),
                ]);
            }
        }
        rows
    }
}

/// Converts a duration to JSON: a text such as `"1m 30s"`.
fn duration_to_json(duration: Duration) -> Value {
    humantime::format_duration(duration).to_string().into()
}

/// Converts a size to JSON: a text with a binary unit, such as `"2.0GiB"`.
fn size_to_json(bytes: u64) -> Value {
    bytesize::ByteSize(bytes).display().iec().to_string().replace(' ', "").into()
}

#[cfg(test)]
mod tests {
    use crate::profile::Profiles;

    #[test]
    fn a_shown_profile_can_be_written_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("profiles.toml");
        std::fs::write(&file, "[profiles.a]\napi_url = \"https://a.test/\"\nlink = \"https://b.test/{token}\"\n")
            .expect("written");
        let shown = Profiles::load_profiles(Some(&file))
            .and_then(|all| all.build_profile_by_name("a"))
            .expect("a profile")
            .to_setting_rows();
        let written = shown.iter().filter(|(key, value)| *key != "profile" && !value.is_null());
        let lines: Vec<String> = written.map(|(key, value)| format!("{key} = {value}")).collect();
        let again = format!("[profiles.a]\n{}\n", lines.join("\n"));
        std::fs::write(&file, &again).expect("written");
        let read = Profiles::load_profiles(Some(&file)).and_then(|all| all.build_profile_by_name("a")).expect(&again);
        assert_eq!(read.to_setting_rows(), shown);
    }
}
