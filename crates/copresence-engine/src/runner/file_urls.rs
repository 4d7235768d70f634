//! Which URL of a file is requested next: its one-time URL, or the one that it redirected to.
//!
//! A redirect may spend a one-time URL, while its target continues to serve the file. On the other hand, the target may
//! expire or be the page of a network login, and the one-time URL then redirects to another target. Therefore both are
//! requested in turn until one of them brings bytes, and the file is lost only after both were refused.
//!
//! One refusal proves nothing, because something in between may have sent it. A URL counts as refused after
//! [`REFUSALS_WITH_CODE_AS_PROOF`] refusals in a row that state a code, or [`REFUSALS_WITHOUT_CODE_AS_PROOF`] others.

use copresence_protocol::DownloadUrl;

/// Refusals of a URL in a row that prove its loss, if the last one states a code of the file server.
const REFUSALS_WITH_CODE_AS_PROOF: u32 = 2;
/// Refusals of a URL in a row that prove its loss: with the pauses in between, this outlasts the restart of a server.
const REFUSALS_WITHOUT_CODE_AS_PROOF: u32 = 3;

/// One of the two URLs of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileUrlKind {
    /// The one-time URL of the delivery.
    OneTime,
    /// Where the one-time URL last redirected.
    RedirectTarget,
}

/// The URLs of a file, and which of them was refused.
pub(super) struct FileUrls<'a> {
    one_time: &'a DownloadUrl,
    /// `None` if the one-time URL did not redirect, or if the target was refused.
    redirect_target: Option<DownloadUrl>,
    /// Why the one-time URL was refused, while its target was not. It is not requested again.
    one_time_refusal: Option<String>,
    /// Refusals in a row of the one-time URL and of its target, which are not yet proof.
    refusals: [u32; 2],
    prefers_target: bool,
}

impl<'a> FileUrls<'a> {
    /// The URLs at the start of a run. `redirect_target` is that of an earlier run.
    pub(super) fn new(one_time: &'a DownloadUrl, redirect_target: Option<DownloadUrl>) -> Self {
        Self { one_time, redirect_target, one_time_refusal: None, refusals: [0; 2], prefers_target: true }
    }

    /// The URL to request next.
    pub(super) fn choose_next_url(&self) -> FileUrlKind {
        let requests_target =
            self.redirect_target.is_some() && (self.prefers_target || self.one_time_refusal.is_some());
        if requests_target { FileUrlKind::RedirectTarget } else { FileUrlKind::OneTime }
    }

    /// The chosen URL.
    pub(super) fn chosen_url(&self, choice: FileUrlKind) -> &DownloadUrl {
        match (choice, &self.redirect_target) {
            (FileUrlKind::RedirectTarget, Some(target)) => target,
            _ => self.one_time,
        }
    }

    /// The target of the last redirect, unless it was refused.
    pub(super) fn redirect_target(&self) -> Option<&DownloadUrl> {
        self.redirect_target.as_ref()
    }

    /// Sets the target of the last redirect. Changes nothing and returns false if it is the one-time URL or known.
    pub(super) fn set_redirect_target_if_new(&mut self, target: DownloadUrl) -> bool {
        let is_new = target != *self.one_time && self.redirect_target.as_ref() != Some(&target);
        if is_new {
            self.redirect_target = Some(target);
        }
        is_new
    }

    /// Whether the file may be available at the other URL.
    pub(super) fn has_alternative_to(&self, choice: FileUrlKind) -> bool {
        match choice {
            FileUrlKind::OneTime => self.redirect_target.is_some(),
            FileUrlKind::RedirectTarget => self.one_time_refusal.is_none(),
        }
    }

    /// Counts a refusal of a URL. Returns whether it is proved that the URL is refused. `states_code` says whether the
    /// response states a code of the file server.
    pub(super) fn count_refusal_and_check_if_url_is_lost(&mut self, choice: FileUrlKind, states_code: bool) -> bool {
        let count = &mut self.refusals[choice as usize];
        *count += 1;
        *count >= if states_code { REFUSALS_WITH_CODE_AS_PROOF } else { REFUSALS_WITHOUT_CODE_AS_PROOF }
    }

    /// Counts the refusals of this URL from zero again, after another response of it.
    pub(super) fn reset_url_refusal_count(&mut self, choice: FileUrlKind) {
        self.refusals[choice as usize] = 0;
    }

    /// Records that it is proved that the server refuses a URL. Returns the reason for the file's loss if no URL is left.
    pub(super) fn record_refusal_returning_loss(&mut self, choice: FileUrlKind, why: String) -> Option<String> {
        match choice {
            FileUrlKind::OneTime if self.redirect_target.is_some() => {
                self.one_time_refusal = Some(why);
                None
            }
            FileUrlKind::OneTime => Some(why),
            FileUrlKind::RedirectTarget => {
                self.redirect_target = None;
                self.reset_url_refusal_count(choice);
                self.one_time_refusal.take().map(|refusal| format!("{refusal}; {why}"))
            }
        }
    }

    /// Chooses the URL of the next request after a failed one: the redirect target if the request brought bytes,
    /// otherwise the URL that was not requested.
    pub(super) fn prefer_url_after_failure(&mut self, choice: FileUrlKind, has_progress: bool) {
        self.prefers_target = choice == FileUrlKind::OneTime || has_progress;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> DownloadUrl {
        DownloadUrl::new(text).expect("a URL")
    }

    #[test]
    fn both_urls_are_requested_in_turn_until_one_of_them_is_refused() {
        let one_time = url("https://a.test/once");
        let mut urls = FileUrls::new(&one_time, None);
        let mut requested = urls.choose_next_url();
        assert_eq!(requested, FileUrlKind::OneTime);
        assert!(urls.set_redirect_target_if_new(url("https://b.test/file")));
        for expected in [FileUrlKind::RedirectTarget, FileUrlKind::OneTime, FileUrlKind::RedirectTarget] {
            urls.prefer_url_after_failure(requested, false);
            requested = urls.choose_next_url();
            assert_eq!(requested, expected);
        }
        urls.prefer_url_after_failure(FileUrlKind::RedirectTarget, true);
        assert_eq!(urls.choose_next_url(), FileUrlKind::RedirectTarget, "it brought bytes");
        assert_eq!(urls.record_refusal_returning_loss(FileUrlKind::OneTime, "gone".to_owned()), None);
        urls.prefer_url_after_failure(FileUrlKind::RedirectTarget, false);
        assert_eq!(urls.choose_next_url(), FileUrlKind::RedirectTarget, "the only one that was not refused");
        assert!(!urls.has_alternative_to(FileUrlKind::RedirectTarget));
        let why = urls.record_refusal_returning_loss(FileUrlKind::RedirectTarget, "expired".to_owned());
        assert_eq!(why.as_deref(), Some("gone; expired"));
    }

    #[test]
    fn a_url_is_refused_after_two_responses_with_a_code_or_three_in_a_row() {
        let one_time = url("https://a.test/once");
        let mut urls = FileUrls::new(&one_time, Some(url("https://b.test/file")));
        assert!(!urls.count_refusal_and_check_if_url_is_lost(FileUrlKind::OneTime, true));
        assert!(
            !urls.count_refusal_and_check_if_url_is_lost(FileUrlKind::RedirectTarget, true),
            "each URL has its own count"
        );
        assert!(urls.count_refusal_and_check_if_url_is_lost(FileUrlKind::OneTime, true));
        urls.reset_url_refusal_count(FileUrlKind::OneTime);
        let proofs = [(); 3].map(|()| urls.count_refusal_and_check_if_url_is_lost(FileUrlKind::OneTime, false));
        assert_eq!(proofs, [false, false, true]);
    }

    #[test]
    fn a_refused_target_leads_back_to_the_one_time_url() {
        let one_time = url("https://a.test/once");
        let mut urls = FileUrls::new(&one_time, Some(url("https://b.test/file")));
        assert_eq!(urls.chosen_url(urls.choose_next_url()), &url("https://b.test/file"), "as an earlier run left it");
        assert_eq!(urls.record_refusal_returning_loss(FileUrlKind::RedirectTarget, "expired".to_owned()), None);
        assert_eq!((urls.choose_next_url(), urls.redirect_target()), (FileUrlKind::OneTime, None));
        assert!(!urls.set_redirect_target_if_new(one_time.clone()), "a redirect to itself");
        assert_eq!(
            urls.record_refusal_returning_loss(FileUrlKind::OneTime, "gone".to_owned()).as_deref(),
            Some("gone")
        );
    }
}
