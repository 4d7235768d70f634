//! Which URL of a file is requested next: its one-time URL, or one that it redirected to.
//!
//! A redirect may spend a one-time URL, while its target continues to serve the file. On the other hand, a target may
//! expire or be the page of a network login, and the one-time URL then redirects to another target. Therefore all are
//! requested in turn until one of them brings bytes, and the file is lost only after all were refused.
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

/// Redirect targets that are kept for a file: the first ones, of which one is the storage if a network login redirects its
/// requests to ever new pages, and the newest one, which may replace one that expired.
const MAX_REDIRECT_TARGETS: usize = 4;

/// One of the URLs of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileUrlChoice {
    /// The one-time URL of the delivery.
    OneTime,
    /// A URL to which the file was redirected, by its number in [`FileUrls`].
    RedirectTarget(u32),
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

/// A URL to which the file was redirected.
struct RedirectTarget {
    /// Differs for each target of the file, also for one that is not kept any more.
    number: u32,
    url: DownloadUrl,
    refusals: RefusalsInARow,
}

/// The URLs of a file, and which of them was refused.
pub(super) struct FileUrls<'a> {
    one_time: &'a DownloadUrl,
    one_time_refusals: RefusalsInARow,
    /// Why the one-time URL was refused, while a target was not. It is not requested again.
    one_time_loss: Option<String>,
    /// In the order in which they became known, without those that were refused.
    targets: Vec<RedirectTarget>,
    next_target_number: u32,
    next: FileUrlChoice,
}

impl<'a> FileUrls<'a> {
    /// The URLs at the start of a run, before which there were so many attempts of recovery. `targets` are those of an earlier run.
    ///
    /// A run of recovery may have time for one request only, so each begins with another URL. The first target comes first: it is
    /// the storage where the others are pages of a network login.
    pub(super) fn new(one_time: &'a DownloadUrl, targets: Vec<DownloadUrl>, attempts: u32) -> Self {
        let mut urls = Self {
            one_time,
            one_time_refusals: RefusalsInARow::default(),
            one_time_loss: None,
            targets: Vec::new(),
            next_target_number: 0,
            next: FileUrlChoice::OneTime,
        };
        urls.add_new_redirect_targets(targets);
        let mut order: Vec<_> =
            urls.targets.iter().map(|target| FileUrlChoice::RedirectTarget(target.number)).collect();
        order.insert(order.len().min(1), FileUrlChoice::OneTime);
        urls.next = order[attempts as usize % order.len()];
        urls
    }

    /// The URL to request next.
    pub(super) fn choose_next_url(&self) -> FileUrlChoice {
        match self.next {
            FileUrlChoice::RedirectTarget(number) if self.target_position(number).is_some() => self.next,
            FileUrlChoice::OneTime if self.one_time_loss.is_none() => self.next,
            _ => self.newest_target_or_one_time(),
        }
    }

    /// The chosen URL.
    pub(super) fn chosen_url(&self, choice: FileUrlChoice) -> &DownloadUrl {
        match choice {
            FileUrlChoice::RedirectTarget(number) => {
                self.target_position(number).map_or(self.one_time, |position| &self.targets[position].url)
            }
            FileUrlChoice::OneTime => self.one_time,
        }
    }

    /// The redirect targets that were not refused, in the order in which they became known.
    pub(super) fn usable_redirect_targets(&self) -> Vec<DownloadUrl> {
        self.targets.iter().map(|target| target.url.clone()).collect()
    }

    /// Adds the targets of redirects that are not known yet. Returns whether there was one.
    pub(super) fn add_new_redirect_targets(&mut self, targets: impl IntoIterator<Item = DownloadUrl>) -> bool {
        let mut has_new = false;
        for url in targets {
            if url == *self.one_time || self.targets.iter().any(|target| target.url == url) {
                continue;
            }
            has_new = true;
            self.targets.truncate(MAX_REDIRECT_TARGETS - 1);
            self.targets.push(RedirectTarget {
                number: self.next_target_number,
                url,
                refusals: RefusalsInARow::default(),
            });
            self.next_target_number += 1;
        }
        has_new
    }

    /// Whether the file may be available at another URL.
    pub(super) fn has_other_usable_url(&self, choice: FileUrlChoice) -> bool {
        let has_other_target = self.targets.iter().any(|target| choice != FileUrlChoice::RedirectTarget(target.number));
        has_other_target || choice != FileUrlChoice::OneTime && self.one_time_loss.is_none()
    }

    /// Counts a refusal of a URL, or of a range of it. `is_final` says whether the response states that the URL never works
    /// again.
    pub(super) fn count_refusal(&mut self, choice: FileUrlChoice, is_of_range: bool, is_final: bool) -> RefusalMeaning {
        let Some(refusals) = self.refusals_of(choice) else { return RefusalMeaning::NoProofYet };
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
        if let Some(refusals) = self.refusals_of(choice) {
            *refusals = RefusalsInARow::default();
        }
    }

    /// Records that it is proved that the server refuses a URL. Returns the reason for the file's loss if no URL is left.
    pub(super) fn record_proven_refusal_returning_loss(
        &mut self,
        choice: FileUrlChoice,
        why: String,
    ) -> Option<String> {
        match choice {
            FileUrlChoice::OneTime if self.targets.is_empty() => Some(why),
            FileUrlChoice::OneTime => {
                self.one_time_loss = Some(why);
                None
            }
            FileUrlChoice::RedirectTarget(number) => {
                self.targets.retain(|target| target.number != number);
                if self.targets.is_empty() {
                    self.one_time_loss.take().map(|refusal| format!("{refusal}; {why}"))
                } else {
                    None
                }
            }
        }
    }

    /// Chooses the URL of the next request after a failed one. After the one-time URL, that is its newest target. After a
    /// target, it is the same again if the request brought bytes, otherwise the one that became known before it, or the one-time
    /// URL after the first one.
    pub(super) fn prefer_url_after_failure(&mut self, choice: FileUrlChoice, has_progress: bool) {
        self.next = match choice {
            FileUrlChoice::RedirectTarget(_) if has_progress => choice,
            FileUrlChoice::RedirectTarget(number) => {
                let earlier = self.targets.iter().rfind(|target| target.number < number);
                earlier.map_or(FileUrlChoice::OneTime, |target| FileUrlChoice::RedirectTarget(target.number))
            }
            FileUrlChoice::OneTime => self.newest_target_or_one_time(),
        };
    }

    fn newest_target_or_one_time(&self) -> FileUrlChoice {
        self.targets.last().map_or(FileUrlChoice::OneTime, |target| FileUrlChoice::RedirectTarget(target.number))
    }

    fn target_position(&self, number: u32) -> Option<usize> {
        self.targets.iter().position(|target| target.number == number)
    }

    /// The refusals of a URL; `None` if it is not kept any more.
    fn refusals_of(&mut self, choice: FileUrlChoice) -> Option<&mut RefusalsInARow> {
        match choice {
            FileUrlChoice::OneTime => Some(&mut self.one_time_refusals),
            FileUrlChoice::RedirectTarget(number) => {
                self.targets.iter_mut().find(|target| target.number == number).map(|target| &mut target.refusals)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FileUrlChoice::{OneTime, RedirectTarget};
    use super::*;

    fn url(text: &str) -> DownloadUrl {
        DownloadUrl::new(text).expect("a URL")
    }

    #[test]
    fn all_urls_are_requested_in_turn_until_one_of_them_is_refused() {
        let one_time = url("https://a.test/once");
        let mut urls = FileUrls::new(&one_time, Vec::new(), 0);
        let mut requested = urls.choose_next_url();
        assert_eq!(requested, OneTime);
        assert!(urls.add_new_redirect_targets([url("https://b.test/file"), url("https://c.test/login")]));
        for expected in [RedirectTarget(1), RedirectTarget(0), OneTime, RedirectTarget(1)] {
            urls.prefer_url_after_failure(requested, false);
            requested = urls.choose_next_url();
            assert_eq!(requested, expected);
        }
        urls.prefer_url_after_failure(RedirectTarget(0), true);
        assert_eq!(urls.choose_next_url(), RedirectTarget(0), "it brought bytes");
        assert_eq!(urls.record_proven_refusal_returning_loss(OneTime, "gone".to_owned()), None);
        urls.prefer_url_after_failure(RedirectTarget(0), false);
        assert_eq!(urls.choose_next_url(), RedirectTarget(1), "the one-time URL was refused");
        assert_eq!(urls.record_proven_refusal_returning_loss(RedirectTarget(1), "no".to_owned()), None);
        assert_eq!(urls.choose_next_url(), RedirectTarget(0), "the only one that was not refused");
        assert!(!urls.has_other_usable_url(RedirectTarget(0)));
        let why = urls.record_proven_refusal_returning_loss(RedirectTarget(0), "expired".to_owned());
        assert_eq!(why.as_deref(), Some("gone; expired"));
    }

    #[test]
    fn each_run_of_recovery_begins_with_another_url() {
        let one_time = url("https://a.test/once");
        let begins = |attempts, targets: &[&str]| {
            let targets = targets.iter().copied().map(url).collect();
            FileUrls::new(&one_time, targets, attempts).choose_next_url()
        };
        let two = ["https://b.test/storage", "https://login.test/"];
        let first = [0, 1, 2, 3].map(|attempts| begins(attempts, &two));
        assert_eq!(first, [RedirectTarget(0), OneTime, RedirectTarget(1), RedirectTarget(0)]);
        assert_eq!([0, 1].map(|attempts| begins(attempts, &[])), [OneTime, OneTime]);
    }

    #[test]
    fn the_first_redirect_targets_and_the_newest_one_are_kept() {
        let one_time = url("https://a.test/once");
        let mut urls = FileUrls::new(&one_time, vec![url("https://b.test/storage")], 0);
        for page in 0..9 {
            assert!(urls.add_new_redirect_targets([url(&format!("https://login.test/{page}"))]));
        }
        let kept = ["https://b.test/storage", "https://login.test/0", "https://login.test/1", "https://login.test/8"];
        assert_eq!(urls.usable_redirect_targets(), kept.map(url));
        assert_eq!(urls.count_refusal(RedirectTarget(4), false, true), RefusalMeaning::NoProofYet, "it is not kept");
        assert_eq!(urls.chosen_url(urls.choose_next_url()), &url("https://b.test/storage"), "a later run starts there");
    }

    #[test]
    fn a_url_is_refused_after_two_final_responses_or_three_in_a_row() {
        let one_time = url("https://a.test/once");
        let mut urls = FileUrls::new(&one_time, vec![url("https://b.test/file")], 0);
        let refuse_whole = |urls: &mut FileUrls<'_>, choice, is_final| urls.count_refusal(choice, false, is_final);
        assert_eq!(refuse_whole(&mut urls, OneTime, true), RefusalMeaning::NoProofYet);
        let other = refuse_whole(&mut urls, RedirectTarget(0), true);
        assert_eq!(other, RefusalMeaning::NoProofYet, "each URL has its own count");
        assert_eq!(refuse_whole(&mut urls, OneTime, true), RefusalMeaning::UrlLost);
        urls.reset_url_refusal_count(OneTime);
        let meanings = [(); 3].map(|()| refuse_whole(&mut urls, OneTime, false));
        assert_eq!(meanings, [RefusalMeaning::NoProofYet, RefusalMeaning::NoProofYet, RefusalMeaning::UrlLost]);
    }

    #[test]
    fn the_refusals_of_a_range_and_of_the_whole_file_are_one_which_either_makes_final() {
        let one_time = url("https://a.test/once");
        let mut urls = FileUrls::new(&one_time, Vec::new(), 0);
        let mut refuse = |is_of_range, is_final| urls.count_refusal(OneTime, is_of_range, is_final);
        assert_eq!(refuse(true, true), RefusalMeaning::WholeFileNext);
        assert_eq!(refuse(false, false), RefusalMeaning::NoProofYet);
        assert_eq!(refuse(true, true), RefusalMeaning::WholeFileNext);
        assert_eq!(refuse(false, false), RefusalMeaning::UrlLost, "the refusal of the range was final");
    }

    #[test]
    fn a_refused_target_leads_back_to_the_one_time_url() {
        let one_time = url("https://a.test/once");
        let mut urls = FileUrls::new(&one_time, vec![url("https://b.test/file")], 0);
        assert_eq!(urls.chosen_url(urls.choose_next_url()), &url("https://b.test/file"), "as an earlier run left it");
        assert_eq!(urls.record_proven_refusal_returning_loss(RedirectTarget(0), "expired".to_owned()), None);
        assert_eq!((urls.choose_next_url(), urls.usable_redirect_targets()), (OneTime, Vec::new()));
        assert!(!urls.add_new_redirect_targets([one_time.clone()]), "a redirect to itself");
        assert_eq!(urls.record_proven_refusal_returning_loss(OneTime, "gone".to_owned()).as_deref(), Some("gone"));
    }
}
