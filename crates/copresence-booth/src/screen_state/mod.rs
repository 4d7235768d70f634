//! Screen state of one visit, built from its events. The window and the command line therefore show the same story.

mod downloads;
mod saved_avatar;

use crate::view::{AvatarStatusChange, NextVisitorOffer, Problem, SavedFileView, Screen, TicketState};
use copresence_engine::events::{EventKind, SavedFile, VisitEvent, format_rfc3339};
use copresence_engine::home_path::abbreviate_home;
use copresence_engine::problem::problem_for_code;
use copresence_engine::qr::QrCode;
use copresence_protocol::CompletionStatus;
use downloads::FileDownloads;
use jiff::Timestamp;
use saved_avatar::SavedAvatar;
use std::path::PathBuf;

/// What the host adds to every screen beside the state of its visit: paths, phone access, and the offer to hand over.
#[derive(Debug, Clone, Default)]
pub(crate) struct ScreenDataFromHost {
    /// Base URL of saved files for the web view; `/<visit>/<path>` is appended.
    pub(crate) asset_base: String,
    /// Whether the phone page of the sandbox can be opened from the screen.
    pub(crate) can_play_phone: bool,
    /// Home folder, abbreviated to `~`.
    pub(crate) home: Option<PathBuf>,
    /// Whether phones reach the backend: not the sandbox that is kept to this machine.
    pub(crate) can_phones_scan: bool,
    /// The offer to hand the visit over; none without lanes.
    pub(crate) next_visitor: Option<NextVisitorOffer>,
}

/// Screen state of one visit, updated by [`apply_event`](Self::apply_event).
#[derive(Debug, Clone)]
pub(crate) struct VisitScreenState {
    visit: String,
    shown_code: Option<ShownQrCode>,
    last_status: Option<LastStatusWithSamples>,
    downloads: Option<FileDownloads>,
    saved: Option<SavedAvatar>,
    trouble: Option<Problem>,
    ended: Option<Problem>,
}

/// The QR code on the screen, its link, and when it expires.
#[derive(Debug, Clone)]
struct ShownQrCode {
    link: String,
    qr_svg: String,
    expires_at: Option<Timestamp>,
}

impl ShownQrCode {
    /// Whether the token in the QR code has expired, if its lifetime is known.
    fn is_token_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }
}

/// The last status of the avatar, and the samples since its status word last changed.
#[derive(Debug, Clone)]
struct LastStatusWithSamples {
    status_word: String,
    progress: Option<u8>,
    queue_position: Option<u32>,
    /// Responses since the status word last changed, oldest first, at most [`MAX_STATUS_SAMPLES`].
    samples: Vec<AvatarStatusChange>,
}

impl LastStatusWithSamples {
    /// Whether a phone is associated. True for every status except `no_associated_avatar`, also for unknown ones.
    fn has_associated_phone(&self) -> bool {
        self.status_word != CompletionStatus::NoAssociatedAvatar.as_str()
    }

    /// Whether the backend reported that the avatar failed. The visitor can record again.
    fn has_avatar_failed(&self) -> bool {
        self.status_word == CompletionStatus::Failed.as_str()
    }
}

/// Number of status responses that are kept for the estimate of the time left.
const MAX_STATUS_SAMPLES: usize = 40;

impl VisitScreenState {
    pub(crate) fn new(visit: String) -> Self {
        Self { visit, shown_code: None, last_status: None, downloads: None, saved: None, trouble: None, ended: None }
    }

    /// The link in the QR code, once there is one.
    pub(crate) fn shown_qr_link(&self) -> Option<&str> {
        self.shown_code.as_ref().map(|invite| invite.link.as_str())
    }

    /// Whether a QR code was shown, or may still be shown, and no phone was seen that scanned it.
    pub(crate) fn may_have_unscanned_code(&self) -> bool {
        let may_have_code = self.shown_code.is_some() || self.ended.is_none();
        may_have_code && !self.is_code_scanned()
    }

    /// Whether a phone was seen that scanned the QR code.
    pub(crate) fn is_code_scanned(&self) -> bool {
        self.last_status.as_ref().is_some_and(LastStatusWithSamples::has_associated_phone)
            || self.downloads.is_some()
            || self.saved.is_some()
    }

    /// Whether the visit has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.is_some()
    }

    /// Whether nobody has to wait at the screen: the visitor can record with the phone, or the avatar is queued or being
    /// made. `can_phones_scan`: whether phones reach the backend.
    pub(crate) fn can_continue_in_background(&self, can_phones_scan: bool, now: Timestamp) -> bool {
        let Some(code) = &self.shown_code else { return false };
        if self.saved.is_some() || self.ended.is_some() || self.downloads.is_some() {
            return false;
        }
        match &self.last_status {
            Some(status) if status.has_associated_phone() => !status.has_avatar_failed(),
            _ => can_phones_scan && !code.is_token_expired(now),
        }
    }

    /// Whether the visit ended, and no visitor can have used its QR code: there is nothing to show to anybody.
    pub(crate) fn has_ended_without_scan(&self) -> bool {
        let is_used = self.last_status.as_ref().is_some_and(LastStatusWithSamples::has_associated_phone);
        self.saved.is_none() && self.ended.is_some() && !is_used && !self.is_code_possibly_scanned()
    }

    /// The state of the visit's ticket, and the progress of its avatar while it is being made.
    pub(crate) fn derive_ticket_state_and_progress(&self) -> (TicketState, Option<u8>) {
        if self.saved.is_some() {
            return (TicketState::Ready, None);
        }
        if self.ended.is_some()
            || self.downloads.is_none()
                && self.last_status.as_ref().is_some_and(LastStatusWithSamples::has_avatar_failed)
        {
            return (TicketState::Failed, None);
        }
        let is_used = self.downloads.is_some()
            || self.last_status.as_ref().is_some_and(LastStatusWithSamples::has_associated_phone);
        if !is_used {
            return (TicketState::Recording, None);
        }
        (TicketState::Making, self.last_status.as_ref().and_then(|status| status.progress))
    }

    /// Updates the screen by an event of the visit.
    pub(crate) fn apply_event(&mut self, event: &VisitEvent) {
        match &event.kind {
            EventKind::Started { .. } => {}
            EventKind::Invited { link, expires_at } => {
                self.trouble = None;
                let qr_svg = QrCode::new(link).map(|code| code.to_svg()).unwrap_or_default();
                self.shown_code = Some(ShownQrCode { link: link.clone(), qr_svg, expires_at: *expires_at });
            }
            EventKind::Status { completion_status, completion_progress, queue_position, .. } => {
                self.trouble = None;
                self.add_status_sample(
                    event.at,
                    completion_status,
                    u8::try_from(*completion_progress).ok(),
                    u32::try_from(*queue_position).ok(),
                );
            }
            EventKind::Retrying { code, message, .. } => {
                self.trouble = Some(problem_for_code(code, Some(message)));
            }
            EventKind::Redeemed { .. } => {
                self.trouble = None;
                // Of a visit that recovery continues: its first end is past.
                self.ended = None;
                self.downloads = Some(FileDownloads::default());
            }
            EventKind::Progress { file, bytes, total } => {
                self.trouble = None;
                self.downloads.get_or_insert_default().update_file_progress(file, *bytes, *total);
            }
            EventKind::Saved { directory, files } => {
                self.saved = Some(SavedAvatar::new(directory.clone(), files.clone()));
            }
            EventKind::Ended { code, message, .. } => {
                let words = problem_for_code(code, None);
                self.ended = Some(Problem { operator: message.clone(), ..words });
            }
        }
    }

    /// Adds a sample of the status. A new status word starts a new list; the oldest sample is dropped when it is
    /// full.
    fn add_status_sample(&mut self, at: Timestamp, word: &str, progress: Option<u8>, queue_position: Option<u32>) {
        let before = self.last_status.take().filter(|before| before.status_word == word);
        let mut seen = before.map(|before| before.samples).unwrap_or_default();
        if seen.len() == MAX_STATUS_SAMPLES {
            seen.remove(0);
        }
        seen.push(AvatarStatusChange { at_ms: at.as_millisecond(), progress, queue_position });
        self.last_status =
            Some(LastStatusWithSamples { status_word: word.to_owned(), progress, queue_position, samples: seen });
    }

    /// The screen of this visit as its state is now.
    pub(crate) fn to_screen(&self, host: &ScreenDataFromHost, now: Timestamp) -> Screen {
        let visit = self.visit.clone();
        if let Some(avatar) = &self.saved {
            return self.build_reveal_screen(avatar, host);
        }
        if let Some(problem) = &self.ended {
            return Screen::Ended { visit, problem: problem.clone(), of_somebody: self.is_code_possibly_scanned() };
        }
        if let Some(files) = &self.downloads {
            return Screen::Saving {
                visit,
                files: files.list_first_and_sum_other_downloads(),
                trouble: self.trouble.clone(),
            };
        }
        let trouble = self.trouble.clone();
        let Some(invite) = &self.shown_code else {
            return Screen::Preparing { visit, trouble };
        };
        match &self.last_status {
            Some(status) if status.has_associated_phone() => Screen::Making {
                visit,
                status: status.status_word.clone(),
                progress: status.progress,
                queue_position: status.queue_position,
                seen: status.samples.clone(),
                link: invite.link.clone(),
                qr_svg: invite.qr_svg.clone(),
                can_play_phone: host.can_play_phone && status.has_avatar_failed(),
                next_visitor: host.next_visitor.clone().filter(|_| !status.has_avatar_failed()),
                trouble,
            },
            _ => Screen::Invite {
                visit,
                qr_svg: invite.qr_svg.clone(),
                link: invite.link.clone(),
                expires_at: invite.expires_at.map(format_rfc3339),
                expired: invite.is_token_expired(now),
                can_play_phone: host.can_play_phone,
                next_visitor: host
                    .next_visitor
                    .clone()
                    .filter(|_| host.can_phones_scan && !invite.is_token_expired(now))
                    .map(|offer| NextVisitorOffer { automatic_seconds: None, ..offer }),
                trouble,
            },
        }
    }

    /// Whether a visitor may have scanned the QR code. False only if no QR code was shown, or if the last status was
    /// `no_associated_avatar` and the backend has not failed since.
    fn is_code_possibly_scanned(&self) -> bool {
        let has_no_visitor = |status: &LastStatusWithSamples| !status.has_associated_phone() && self.trouble.is_none();
        self.downloads.is_some()
            || (self.shown_code.is_some() && !self.last_status.as_ref().is_some_and(has_no_visitor))
    }

    /// Path of a saved file, if the visit saved one of this name.
    pub(crate) fn saved_file_path(&self, name: &str) -> Option<PathBuf> {
        self.saved.as_ref()?.saved_file_path(name)
    }

    /// Records that the page asks for this saved file.
    pub(crate) fn record_file_request(&mut self, name: &str) {
        if let Some(avatar) = &mut self.saved {
            avatar.record_file_request(name);
        }
    }

    /// Withholds the file with which the page crashed or froze. Returns what is withheld from now on.
    pub(crate) fn withhold_file_requested_before_crash(&mut self) -> Option<&'static str> {
        self.saved.as_mut()?.withhold_file_requested_before_crash()
    }

    /// The screen with the finished avatar and its saved files.
    fn build_reveal_screen(&self, avatar: &SavedAvatar, host: &ScreenDataFromHost) -> Screen {
        let url = |file: &SavedFile| format!("{}/{}/{}", host.asset_base, self.visit, file.path);
        let views = avatar.files.iter().map(|file| SavedFileView {
            path: file.path.clone(),
            export_type: file.export_type.clone(),
            bytes: file.bytes,
            sha256: file.sha256.clone(),
        });
        Screen::Reveal {
            visit: self.visit.clone(),
            directory: abbreviate_home(&avatar.directory, host.home.as_deref()),
            files: views.collect(),
            glb: avatar.model_to_show().map(url),
            portrait: avatar.portrait_to_show().map(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use copresence_store::VisitId;

    fn facts() -> ScreenDataFromHost {
        ScreenDataFromHost {
            asset_base: "avatar://localhost".into(),
            can_play_phone: true,
            home: Some("/home/me".into()),
            can_phones_scan: true,
            next_visitor: Some(NextVisitorOffer { has_free_lane: true, automatic_seconds: None }),
        }
    }

    fn screen_after(events: &[EventKind]) -> Screen {
        let mut screen_state = VisitScreenState::new("v".into());
        for (second, event) in (0..).zip(events) {
            screen_state.apply_event(&VisitEvent { visit: VisitId::new(), at: at(second), kind: event.clone() });
        }
        screen_state.to_screen(&facts(), at(60))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a time")
    }

    fn invited() -> EventKind {
        EventKind::Invited { link: "https://a.test/?t=1".into(), expires_at: None }
    }

    fn status(word: &str, progress: i64, place: i64) -> EventKind {
        EventKind::Status {
            completion_status: word.into(),
            completion_progress: progress,
            queue_position: place,
            next_poll_ms: 0,
        }
    }

    fn retrying() -> EventKind {
        EventKind::Retrying { code: "answer_lost".into(), message: "reset".into(), attempt: 1, next_poll_ms: 9 }
    }

    #[test]
    fn events_lead_through_the_screens() {
        assert!(matches!(screen_after(&[]), Screen::Preparing { trouble: None, .. }));
        assert!(matches!(screen_after(&[retrying()]), Screen::Preparing { trouble: Some(_), .. }));
        let Screen::Invite { qr_svg, can_play_phone, .. } =
            screen_after(&[invited(), status("no_associated_avatar", -1, -1)])
        else {
            panic!("invites");
        };
        assert!(qr_svg.contains("<svg") && can_play_phone);
        let screen = screen_after(&[invited(), status("in_queue", 0, 3)]);
        assert!(matches!(screen, Screen::Making { queue_position: Some(3), progress: Some(0), .. }));
        let redeemed = EventKind::Redeemed { exports: vec!["glb".into()] };
        let progress = EventKind::Progress { file: "avatar.glb".into(), bytes: 5, total: Some(5) };
        let Screen::Saving { files, .. } = screen_after(&[invited(), redeemed, progress]) else {
            panic!("saves");
        };
        assert!(files[0].whole);
    }

    #[test]
    fn a_code_expires_at_its_expiry() {
        let expired = |second| {
            let link = "https://a.test/?t=1".to_owned();
            match screen_after(&[EventKind::Invited { link, expires_at: Some(at(second)) }]) {
                Screen::Invite { expired, .. } => expired,
                other => panic!("{other:?}"),
            }
        };
        assert!(expired(60));
        assert!(!expired(61));
    }

    #[test]
    fn a_new_status_clears_the_samples() {
        let mut lines = vec![invited(), status("in_queue", 0, 3), status("in_queue", 0, 2)];
        let seen = |lines: &[EventKind]| match screen_after(lines) {
            Screen::Making { seen, .. } => seen,
            other => panic!("{other:?}"),
        };
        let queue = seen(&lines);
        assert_eq!(
            queue.iter().map(|one| (one.at_ms, one.queue_position)).collect::<Vec<_>>(),
            [(1000, Some(3)), (2000, Some(2))]
        );
        lines.extend((0..=99).map(|progress| status("processing", progress, -1)));
        let latest: Vec<_> = seen(&lines).iter().map(|one| one.progress).collect();
        assert_eq!((latest.len(), latest[0], latest[39]), (40, Some(60), Some(99)));
    }

    #[test]
    fn the_next_good_response_clears_the_trouble() {
        let screen = screen_after(&[invited(), status("in_queue", 0, 3), retrying(), status("in_queue", 0, 3)]);
        assert!(matches!(screen, Screen::Making { trouble: None, .. }));
    }

    #[test]
    fn deletion_is_offered_unless_nobody_scanned_the_code() {
        let of_somebody = |before: &[EventKind]| {
            let end = EventKind::Ended {
                code: "token_expired".into(),
                exit: 4,
                message: String::new(),
                visit_state: String::new(),
            };
            match screen_after(&[before, &[end]].concat()) {
                Screen::Ended { of_somebody, .. } => of_somebody,
                other => panic!("{other:?}"),
            }
        };
        let nobody = || status("no_associated_avatar", -1, -1);
        assert!(!of_somebody(&[]), "no code was shown");
        assert!(!of_somebody(&[invited(), nobody()]));
        assert!(of_somebody(&[invited()]), "the backend sent no status");
        assert!(of_somebody(&[invited(), nobody(), retrying()]), "it may have happened since");
        assert!(of_somebody(&[invited(), nobody(), status("in_queue", 0, 3)]));
        assert!(of_somebody(&[invited(), EventKind::Redeemed { exports: vec!["glb".into()] }]));
    }

    #[test]
    fn a_stalled_download_is_shown_until_it_progresses() {
        let redeemed = EventKind::Redeemed { exports: vec!["glb".into()] };
        let progress = EventKind::Progress { file: "avatar.glb".into(), bytes: 5, total: None };
        let screen = screen_after(&[invited(), redeemed.clone(), progress.clone(), retrying()]);
        assert!(matches!(screen, Screen::Saving { trouble: Some(_), .. }));
        let screen = screen_after(&[invited(), redeemed, retrying(), progress]);
        assert!(matches!(screen, Screen::Saving { trouble: None, .. }));
    }

    #[test]
    fn the_phone_page_is_offered_again_after_failed() {
        let offers = |word: &str| match screen_after(&[invited(), status(word, 0, -1)]) {
            Screen::Making { can_play_phone, .. } => can_play_phone,
            other => panic!("{other:?}"),
        };
        assert!(offers("failed"));
        assert!(!offers("processing"));
    }

    #[test]
    fn the_reveal_screen_has_the_file_urls() {
        let file = |path: &str| SavedFile {
            path: path.into(),
            export_type: "x".into(),
            bytes: 1,
            sha256: "00".into(),
            notes: Vec::new(),
        };
        let saved =
            EventKind::Saved { directory: "/out/a".into(), files: vec![file("avatar.glb"), file("avatar.png")] };
        let Screen::Reveal { glb, portrait, .. } = screen_after(&[invited(), saved]) else {
            panic!("reveals");
        };
        assert_eq!(glb.as_deref(), Some("avatar://localhost/v/avatar.glb"));
        assert_eq!(portrait.as_deref(), Some("avatar://localhost/v/avatar.png"));
    }
}
