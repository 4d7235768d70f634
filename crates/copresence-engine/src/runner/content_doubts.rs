//! What speaks against the received bytes of a file, without proof. Doubted bytes are what the server has, if it sends the same
//! again or nothing else; so they are kept until another response has arrived completely or is proved to be better.

use copresence_client::StatedDigest;
use copresence_store::{DurableFileProgress, Sha256Digest};

/// The doubts about the bytes that were received of a file in this run.
#[derive(Debug, Default)]
pub(super) struct ContentDoubts {
    /// The digest of a whole response whose content is doubtful by itself or whose end is uncertain, and its size on the disk in
    /// bytes.
    content: Option<(Sha256Digest, u64)>,
    /// Size in bytes of a whole response that has another digest than its server states.
    other_digest: Option<u64>,
    /// Size in bytes of the partial file when the server sent other bytes for its end.
    other_end: Option<u64>,
    /// The doubted bytes of a whole response, while another one is received.
    pub(super) copy: Option<DoubtedCopy>,
    /// Why the first response that sent bytes of the file, or something else, did not complete it.
    first_failure: Option<String>,
}

/// What is known of doubted bytes that are kept as a copy beside the partial file.
#[derive(Debug)]
pub(super) struct DoubtedCopy {
    /// Size in bytes.
    pub(super) size: u64,
    pub(super) progress: DurableFileProgress,
    pub(super) stated_digest: Option<StatedDigest>,
    /// Whether the content is a text.
    pub(super) is_text: bool,
    /// Whether an earlier run, or the download of a truncated response, left it on the disk.
    pub(super) is_of_earlier_run: bool,
}

impl ContentDoubts {
    /// Records that a whole response has doubtful content: its digest, the size of the partial file, and whether it is a text.
    /// Returns whether the last one had the same. A text where the doubted copy is none is a message, however often it comes.
    pub(super) fn record_doubtful_content(&mut self, digest: Sha256Digest, size: u64, is_text: bool) -> bool {
        if is_text && self.copy.as_ref().is_some_and(|copy| !copy.is_text) {
            return false;
        }
        let is_same = self.content.is_some_and(|(before, _)| before == digest);
        if !is_same {
            self.content = Some((digest, size));
            // The server has other bytes by now, and all of them were received.
            self.copy = None;
        }
        is_same
    }

    /// Records that a response may have been whole, and had no certain end: the digest and the size of the partial file. Returns
    /// whether the last one had the same.
    pub(super) fn record_uncertain_end(&mut self, digest: Sha256Digest, size: u64) -> bool {
        let is_same = self.content.is_some_and(|(before, _)| before == digest);
        // Fewer bytes than those of an earlier response are cut off.
        if self.copy.as_ref().is_none_or(|copy| size >= copy.size) {
            self.content = Some((digest, size));
        }
        is_same
    }

    /// Records that a whole response of this size has another digest than its server states. Returns whether an earlier one
    /// had another digest, too.
    pub(super) fn record_other_digest(&mut self, size: u64) -> bool {
        let is_repeated = self.other_digest.is_some();
        self.other_digest.get_or_insert(size);
        is_repeated
    }

    /// Records that the server sent other bytes for the end of a partial file of this size.
    pub(super) fn record_other_end(&mut self, size: u64) {
        self.other_end = Some(size);
    }

    /// Records why a response did not complete the file, if it is the first one.
    pub(super) fn record_first_failure(&mut self, why: impl Into<String>) {
        self.first_failure.get_or_insert_with(|| why.into());
    }

    /// Why the first response did not complete the file. Told with a later refusal.
    pub(super) fn first_failure(&self) -> Option<&str> {
        self.first_failure.as_deref()
    }

    /// Whether the structure of a partial file of this size proves nothing: other bytes of it are doubted.
    pub(super) fn is_structure_no_proof(&self, size: u64) -> bool {
        [self.other_digest, self.other_end].contains(&Some(size))
    }

    /// Whether a whole response had another digest than stated, and its bytes are still those of the partial file.
    pub(super) fn has_other_digest_in_place(&self) -> bool {
        self.other_digest.is_some() && self.copy.is_none()
    }

    /// Whether a partial file of this size has all bytes of a response that is doubted as a whole: they cannot be decoded, may
    /// be a message, lack an end, or have another digest than stated.
    pub(super) fn is_whole_response_in_doubt(&self, size: u64) -> bool {
        self.content.is_some_and(|(_, doubted)| doubted == size) || self.other_digest == Some(size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_doubtful_content_twice_is_what_the_server_has() {
        let mut doubts = ContentDoubts::default();
        let [one, other] = [&b"one"[..], b"other"].map(Sha256Digest::sha256_of_bytes);
        assert!(!doubts.record_doubtful_content(one, 3, false) && !doubts.is_whole_response_in_doubt(5));
        assert!(doubts.is_whole_response_in_doubt(3) && !doubts.is_structure_no_proof(3));
        assert!(doubts.record_doubtful_content(one, 3, false));
        assert!(!doubts.record_doubtful_content(other, 5, false), "the server sent something else");
        assert!(doubts.is_whole_response_in_doubt(5));
        let progress = DurableFileProgress::default();
        doubts.copy =
            Some(DoubtedCopy { size: 5, progress, stated_digest: None, is_text: false, is_of_earlier_run: false });
        for _ in 0..3 {
            assert!(!doubts.record_doubtful_content(one, 3, true), "a message in place of the file");
            assert!(doubts.copy.is_some() && !doubts.is_whole_response_in_doubt(3));
        }
    }

    #[test]
    fn a_response_without_a_certain_end_is_whole_if_it_comes_twice_and_is_not_replaced_by_a_shorter_one() {
        let mut doubts = ContentDoubts::default();
        let [whole, part] = [&b"whole"[..], b"par"].map(Sha256Digest::sha256_of_bytes);
        assert!(!doubts.record_uncertain_end(whole, 5) && doubts.is_whole_response_in_doubt(5));
        let progress = DurableFileProgress::default();
        doubts.copy =
            Some(DoubtedCopy { size: 5, progress, stated_digest: None, is_text: false, is_of_earlier_run: false });
        assert!(!doubts.record_uncertain_end(part, 3));
        assert!(!doubts.is_whole_response_in_doubt(3) && doubts.copy.is_some());
        assert!(doubts.record_uncertain_end(whole, 5));
    }

    #[test]
    fn another_digest_is_doubted_once_and_its_structure_proves_nothing() {
        let mut doubts = ContentDoubts::default();
        assert!(!doubts.record_other_digest(7) && doubts.record_other_digest(7));
        assert!(doubts.is_structure_no_proof(7) && doubts.is_whole_response_in_doubt(7));
        doubts.record_other_end(9);
        assert!(doubts.is_structure_no_proof(9) && !doubts.is_whole_response_in_doubt(9));
        doubts.record_first_failure("first");
        doubts.record_first_failure("second");
        assert_eq!(doubts.first_failure(), Some("first"));
    }
}
