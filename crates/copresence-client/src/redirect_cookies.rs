//! The cookies of one download. Some servers set one with a redirect, and send the file only with it.

use crate::redact::Redactor;
use cookie::Cookie;
use http::{HeaderMap, HeaderValue, header};
use std::fmt;
use url::Url;

/// Maximum number of cookies of one download.
const MAX_COOKIES: usize = 20;

/// The cookies that the redirects of one download have set. Each request of this download sends them to the hosts that they
/// are for, also when it continues at the target of an earlier redirect. They are in memory only.
#[derive(Default)]
pub struct RedirectCookies {
    cookies: Vec<(Url, Cookie<'static>)>,
}

impl fmt::Debug for RedirectCookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedirectCookies({} cookies)", self.cookies.len())
    }
}

impl RedirectCookies {
    /// Adds the cookies of a response to a request for `url`. A cookie replaces an earlier one of its name.
    pub(crate) fn add_cookies_of_response(&mut self, url: &Url, headers: &HeaderMap) {
        for value in headers.get_all(header::SET_COOKIE) {
            let Some(cookie) = value.to_str().ok().and_then(|text| Cookie::parse(text.to_owned()).ok()) else {
                continue;
            };
            self.cookies.retain(|(_, known)| known.name() != cookie.name());
            let is_removed = cookie.max_age().is_some_and(|age| !age.is_positive());
            if !is_removed && self.cookies.len() < MAX_COOKIES {
                self.cookies.push((url.clone(), cookie));
            }
        }
    }

    /// The header `Cookie` of a request for `url`; `None` without one.
    pub(crate) fn build_cookie_header(&self, url: &Url) -> Option<HeaderValue> {
        let sent = self.cookies.iter().filter(|(from, cookie)| is_for_url(from, cookie, url));
        let pairs: Vec<String> = sent.map(|(_, cookie)| cookie.stripped().to_string()).collect();
        let mut header = HeaderValue::from_str(&pairs.join("; ")).ok().filter(|_| !pairs.is_empty())?;
        header.set_sensitive(true);
        Some(header)
    }

    /// A redactor that also masks the values of all cookies.
    pub(crate) fn add_values_to_redactor(&self, redactor: Redactor) -> Redactor {
        self.all_cookie_values().fold(redactor, |redactor, value| redactor.with_secret(value))
    }

    /// The values of all cookies, whichever URL they belong to.
    fn all_cookie_values(&self) -> impl Iterator<Item = &str> {
        self.cookies.iter().map(|(_, cookie)| cookie.value())
    }
}

/// Whether a cookie that a response to a request for `from` has set belongs to `url` (RFC 6265, 5.1.3, 5.1.4 and 5.4).
fn is_for_url(from: &Url, cookie: &Cookie<'_>, url: &Url) -> bool {
    let is_host_match = match cookie.domain().map(|domain| domain.trim_start_matches('.').to_ascii_lowercase()) {
        // The server may widen a cookie to its parent domain, not to another one.
        Some(domain) => is_in_domain(from, &domain) && is_in_domain(url, &domain),
        None => from.host_str() == url.host_str(),
    };
    let is_path_match = cookie.path().is_none_or(|path| {
        url.path()
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || path.ends_with('/') || rest.starts_with('/'))
    });
    let is_secure_enough = cookie.secure() != Some(true) || url.scheme() == "https";
    is_host_match && is_path_match && is_secure_enough
}

/// Whether the host of a URL is `domain` or below it. An address is only itself.
fn is_in_domain(url: &Url, domain: &str) -> bool {
    match url.host() {
        Some(url::Host::Domain(host)) => {
            host == domain || domain.contains('.') && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
        }
        _ => url.host_str() == Some(domain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cookies that are sent to `url` after `from` set `cookie`.
    fn sent(from: &str, cookie: &'static str, url: &str) -> Option<String> {
        let mut cookies = RedirectCookies::default();
        let headers = HeaderMap::from_iter([(header::SET_COOKIE, HeaderValue::from_static(cookie))]);
        cookies.add_cookies_of_response(&from.parse().expect("a URL"), &headers);
        let header = cookies.build_cookie_header(&url.parse().expect("a URL"))?;
        Some(header.to_str().expect("text").to_owned())
    }

    #[test]
    fn a_cookie_is_sent_to_its_own_hosts_and_paths() {
        let from = "https://app.files.test/one";
        for (cookie, url) in [
            ("dl=abc; Path=/; HttpOnly", "https://app.files.test/two"),
            ("dl=abc; Domain=.files.test; Secure", "https://cdn.files.test/a"),
            ("dl=abc; Path=/f; Max-Age=60", "https://app.files.test/f/a"),
            ("dl=abc", "http://app.files.test/"),
        ] {
            assert_eq!(sent(from, cookie, url).as_deref(), Some("dl=abc"), "{cookie} {url}");
        }
        for (cookie, url) in [
            ("dl=abc; Path=/", "https://cdn.files.test/"),
            ("dl=abc; Domain=files.test", "https://otherfiles.test/"),
            ("dl=abc; Domain=other.test", "https://other.test/"),
            ("dl=abc; Domain=test", "https://other.test/"),
            ("dl=abc; Secure", "http://app.files.test/"),
            ("dl=abc; Path=/f", "https://app.files.test/fg"),
            ("dl=abc; Max-Age=0", "https://app.files.test/"),
            ("nothing", "https://app.files.test/"),
        ] {
            assert_eq!(sent(from, cookie, url), None, "{cookie} {url}");
        }
        assert_eq!(sent("http://10.0.0.1/", "a=1; Domain=0.0.1", "http://10.0.0.1/"), None);
    }

    #[test]
    fn the_last_value_of_a_cookie_is_sent() {
        let mut cookies = RedirectCookies::default();
        let url: Url = "https://files.test/".parse().expect("a URL");
        for value in ["a=1", "b=2", "a=3"] {
            cookies.add_cookies_of_response(
                &url,
                &HeaderMap::from_iter([(header::SET_COOKIE, HeaderValue::from_static(value))]),
            );
        }
        assert_eq!(cookies.build_cookie_header(&url).expect("two"), "b=2; a=3");
        assert_eq!(cookies.all_cookie_values().collect::<Vec<_>>(), ["2", "3"]);
    }
}
