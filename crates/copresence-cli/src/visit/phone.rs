//! `--auto`: simulates the phone through the sandbox's tester API.

use crate::failure::CommandFailure;
use crate::output;
use std::time::Duration;
use url::Url;

/// A simulated phone that scans the QR code at once and records a new avatar.
#[derive(Debug, Clone)]
pub(super) struct SimulatedPhone {
    sandbox: Url,
    http: reqwest::Client,
}

impl SimulatedPhone {
    pub(super) fn new(sandbox: Url) -> Result<Self, CommandFailure> {
        let builder = reqwest::Client::builder().timeout(Duration::from_secs(10));
        // Reach a sandbox on this machine without a proxy.
        let local = matches!(sandbox.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        let builder = if local { builder.no_proxy() } else { builder };
        let http = builder.build().map_err(|error| CommandFailure::usage_error(error.to_string()))?;
        Ok(Self { sandbox, http })
    }

    /// Associates a new avatar with the token of the link, in a background task.
    pub(super) fn associate_avatar_with_link_in_background(&self, link: &str) {
        let phone = self.clone();
        let token = token_from_link(link);
        tokio::spawn(async move {
            if let Err(why) = phone.associate_new_avatar(token).await {
                output::eprint_sanitized_line(format_args!(
                    "warning: --auto could not play the phone ({why}); scan the code, or open the link"
                ));
            }
        });
    }

    /// Associates a new avatar with the token through the sandbox's control endpoint, as a visitor's phone would.
    async fn associate_new_avatar(&self, token: Option<String>) -> Result<(), String> {
        let token = token.ok_or("the link has no `exportToken`")?;
        let mut url = self.sandbox.clone();
        url.path_segments_mut().map_err(|()| "the backend's URL has no path")?.pop_if_empty().extend([
            "sandbox",
            "tokens",
            &token,
            "associate",
        ]);
        let request = self.http.post(url).json(&serde_json::json!({ "avatar": "new" }));
        let answer = request.send().await.map_err(|error| error.without_url().to_string())?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(format!("the backend answered {}: is it a Copresence sandbox?", answer.status()))
    }
}

/// The value of the `exportToken` query parameter of the link.
fn token_from_link(link: &str) -> Option<String> {
    let url = Url::parse(link).ok()?;
    url.query_pairs().find(|(key, _)| key == "exportToken").map(|(_, token)| token.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_read_from_the_link() {
        let link = "http://127.0.0.1:1/phone?lang=de&exportToken=a%2Bb";
        assert_eq!(token_from_link(link).as_deref(), Some("a+b"));
        assert_eq!(token_from_link("http://127.0.0.1:1/phone"), None);
    }
}
