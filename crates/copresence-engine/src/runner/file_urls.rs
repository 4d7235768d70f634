//! Which URL of a file is requested next: its one-time URL, or the one that it redirected to.
//!
//! A redirect may spend a one-time URL, while its target continues to serve the file. On the other hand, the target may
//! expire or be the page of a network login, and the one-time URL then redirects to another target. Therefore both are
//! requested in turn until one of them brings bytes, and the file is lost only after both were refused.
//!
//! One refusal proves nothing, because something in between may have sent it. A URL counts as refused after
//! [`FINAL_REFUSALS_AS_PROOF`] refusals in a row of which the last one states that it is final, or [`REFUSALS_AS_PROOF`]
//! others. The server may refuse ranges only, or the whole file only: where a range was refused, the whole file is requested
//! next, and both together are one refusal.

use copresence_protocol::DownloadUrl;

/// Refusals of a URL in a row that prove its loss, if the last one states that the URL never works again.
const FINAL_REFUSALS_AS_PROOF: u32 = 2;
/// Refusals of a URL in a row that prove its loss: with the pauses in between, this outlasts the restart of a server.
const REFUSALS_AS_PROOF: u32 = 3;

/// One of the two URLs of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileUrlChoice {
    /// The one-time URL of the delivery.
    OneTime,
    /// Where the one-time URL last redirected.
    RedirectTarget,
}

/// What a refusal of a URL means for its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusalMeaning {
    /// A range was refused: the whole file is requested next.
    WholeFileNext,
    /// The whole file was refused too, which is no proof yet.
    NoProofYet,
    /// It is proved that the server refuses the URL.
    UrlLost,
}

/// The refusals of one URL in a row, which are not yet proof.
#[derive(Debug, Clone, Copy, Default)]
struct RefusalsInARow {
    count: u32,
    /// Whether the refusal of the range, which belongs to the next refusal, states that it is final.
    is_range_refusal_final: bool,
}

/// The URLs of a file, and which of them was refused.
pub(super) struct FileUrls<'a> {
    one_time: &'a DownloadUrl,
    /// `None` if the one-time URL did not redirect, or if the target was refused.
    redirect_target: Option<DownloadUrl>,
    /// Why the one-time URL was refused, while its target was not. It is not requested again.
    one_time_refusal: Option<String>,
    /// Of the one-time URL and of its target.
    refusals: [RefusalsInARow; 2],
    prefers_target: bool,
}

impl<'a> FileUrls<'a> {
    /// The URLs at the start of a run. `redirect_target` is that of an earlier run.
    pub(super) fn new(one_time: &'a DownloadUrl, redirect_target: Option<DownloadUrl>) -> Self {
        Self { one_time, redirect_target, one_time_refusal: None, refusals: Default::default(), prefers_target: true }
    }

    /// The URL to request next.
    pub(super) fn choose_next_url(&self) -> FileUrlChoice {
        let requests_target =
            self.redirect_target.is_some() && (self.prefers_target || self.one_time_refusal.is_some());
        if requests_target { FileUrlChoice::RedirectTarget } else { FileUrlChoice::OneTime }
    }

    /// The chosen URL.
    pub(super) fn chosen_url(&self, choice: FileUrlChoice) -> &DownloadUrl {
        match (choice, &self.redirect_target) {
            (FileUrlChoice::RedirectTarget, Some(target)) => target,
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
    pub(super) fn has_other_usable_url(&self, choice: FileUrlChoice) -> bool {
        match choice {
            FileUrlChoice::OneTime => self.redirect_target.is_some(),
            FileUrlChoice::RedirectTarget => self.one_time_refusal.is_none(),
        }
    }

    /// Counts a refusal of a URL, or of a range of it. `is_final` says whether the response states that the URL never works
    /// again.
    pub(super) fn count_refusal(&mut self, choice: FileUrlChoice, is_of_range: bool, is_final: bool) -> RefusalMeaning {
        let refusals = &mut self.refusals[choice as usize];
        if is_of_range {
            refusals.is_range_refusal_final = is_final;
            return RefusalMeaning::WholeFileNext;
        }
        let is_final = std::mem::take(&mut refusals.is_range_refusal_final) || is_final;
        refusals.count += 1;
        let proof = if is_final { FINAL_REFUSALS_AS_PROOF } else { REFUSALS_AS_PROOF };
        if refusals.count >= proof { RefusalMeaning::UrlLost } else { RefusalMeaning::NoProofYet }
    }

    /// Counts the refusals of this URL from zero again, after another response of it.
    pub(super) fn reset_url_refusal_count(&mut self, choice: FileUrlChoice) {
        self.refusals[choice as usize] = RefusalsInARow::default();
    }

    /// Records that it is proved that the server refuses a URL. Returns the reason for the file's loss if no URL is left.
    pub(super) fn record_proven_refusal_returning_loss(
        &mut self,
        choice: FileUrlChoice,
        why: String,
    ) -> Option<String> {
        match choice {
            FileUrlChoice::OneTime if self.redirect_target.is_some() => {
                self.one_time_refusal = Some(why);
                None
            }
            FileUrlChoice::OneTime => Some(why),
            FileUrlChoice::RedirectTarget => {
                self.redirect_target = None;
                self.reset_url_refusal_count(choice);
                self.one_time_refusal.take().map(|refusal| format!("{refusal}; {why}"))
            }
        }
    }

    /// Chooses the URL of the next request after a failed one: the redirect target if the request brought bytes,
    /// otherwise the URL that was not requested.
    pub(super) fn prefer_url_after_failure(&mut self, choice: FileUrlChoice, has_progress: bool) {
        self.prefers_target = choice == FileUrlChoice::OneTime || has_progress;
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
        assert_eq!(requested, FileUrlChoice::OneTime);
        assert!(urls.set_redirect_target_if_new(url("https://b.test/file")));
        for expected in [FileUrlChoice::RedirectTarget, FileUrlChoice::OneTime, FileUrlChoice::RedirectTarget] {
            urls.prefer_url_after_failure(requested, false);
            requested = urls.choose_next_url();
            assert_eq!(requested, expected);
        }
        urls.prefer_url_after_failure(FileUrlChoice::RedirectTarget, true);
        assert_eq!(urls.choose_next_url(), FileUrlChoice::RedirectTarget, "it brought bytes");
        assert_eq!(urls.record_proven_refusal_returning_loss(FileUrlChoice::OneTime, "gone".to_owned()), None);
        urls.prefer_url_after_failure(FileUrlChoice::RedirectTarget, false);
        assert_eq!(urls.choose_next_url(), FileUrlChoice::RedirectTarget, "the only one that was not refused");
        assert!(!urls.has_other_usable_url(FileUrlChoice::RedirectTarget));
        let why = urls.record_proven_refusal_returning_loss(FileUrlChoice::RedirectTarget, "expired".to_owned());
        assert_eq!(why.as_deref(), Some("gone; expired"));
    }

    #[test]
    fn a_url_is_refused_after_two_final_responses_or_three_in_a_row() {
        let one_time = url("https://a.test/once");
        let mut urls = FileUrls::new(&one_time, Some(url("https://b.test/file")));
        let refuse_whole = |urls: &mut FileUrls<'_>, choice, is_final| urls.count_refusal(choice, false, is_final);
        assert_eq!(refuse_whole(&mut urls, FileUrlChoice::OneTime, true), RefusalMeaning::NoProofYet);
        let other = refuse_whole(&mut urls, FileUrlChoice::RedirectTarget, true);
        assert_eq!(other, RefusalMeaning::NoProofYet, "each URL has its own count");
        assert_eq!(refuse_whole(&mut urls, FileUrlChoice::OneTime, true), RefusalMeaning::UrlLost);
        urls.reset_url_refusal_count(FileUrlChoice::OneTime);
        let meanings = [(); 3].map(|()| refuse_whole(&mut urls, FileUrlChoice::OneTime, false));
        assert_eq!(meanings, [RefusalMeaning::NoProofYet, RefusalMeaning::NoProofYet, RefusalMeaning::UrlLost]);
    }

    #[test]
    fn the_refusals_of_a_range_and_of_the_whole_file_are_one_which_either_makes_final() {
        let one_time = url("https://a.test/once");
        let mut urls = FileUrls::new(&one_time, None);
        let mut refuse = |is_of_range, is_final| urls.count_refusal(FileUrlChoice::OneTime, is_of_range, is_final);
        assert_eq!(refuse(true, true), RefusalMeaning::WholeFileNext);
        assert_eq!(refuse(false, false), RefusalMeaning::NoProofYet);
        assert_eq!(refuse(true, true), RefusalMeaning::WholeFileNext);
        assert_eq!(refuse(false, false), RefusalMeaning::UrlLost, "the refusal of the range was final");
    }

    #[test]
    fn a_refused_target_leads_back_to_the_one_time_url() {
        let one_time = url("https://a.test/once");
        let mut urls = FileUrls::new(&one_time, Some(url("https://b.test/file")));
        assert_eq!(urls.chosen_url(urls.choose_next_url()), &url("https://b.test/file"), "as an earlier run left it");
        assert_eq!(
            urls.record_proven_refusal_returning_loss(FileUrlChoice::RedirectTarget, "expired".to_owned()),
            None
        );
        assert_eq!((urls.choose_next_url(), urls.redirect_target()), (FileUrlChoice::OneTime, None));
        assert!(!urls.set_redirect_target_if_new(one_time.clone()), "a redirect to itself");
        assert_eq!(
            urls.record_proven_refusal_returning_loss(FileUrlChoice::OneTime, "gone".to_owned()).as_deref(),
            Some("gone")
        );
    }
}
