//! Asks a person at the terminal to use a phone: shows the QR code and lets them skip the check.

use super::phone_command::print_phone_needed_json_line;
use crate::common_options::CommonOptions;
use crate::{output, qr_terminal};
use copresence_validate::{InvitationDisplay, InvitationEndWithoutAvatar, InvitationSkipSignal, ScanInvitation};
use futures_util::future::BoxFuture;
use std::io::BufRead;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Rows below the QR code: an empty line, the link, an empty line, and how to skip.
const ROWS_BELOW: usize = 5;

/// Shows invitations to a person at the terminal, who can type `s` to skip one.
pub(super) struct TerminalInvitationDisplay {
    lively: bool,
    json: bool,
    skip: Arc<InvitationSkipSignal>,
    said: Mutex<String>,
}

impl TerminalInvitationDisplay {
    pub(super) fn new(common: &CommonOptions) -> Self {
        let skip = Arc::new(InvitationSkipSignal::default());
        let heard = skip.clone();
        // A blocking read of the terminal cannot be cancelled; the thread ends with the program.
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if matches!(line.trim().to_ascii_lowercase().as_str(), "s" | "skip") {
                    heard.request_invitation_skip();
                }
            }
        });
        Self { lively: output::can_animate_stderr(common.no_color), json: common.json, skip, said: Mutex::default() }
    }
}

impl InvitationDisplay for TerminalInvitationDisplay {
    /// Prints the QR code and the link of an invitation, and what its scan is for.
    fn show_invitation(&self, invitation: &ScanInvitation) {
        self.skip.reset_skip();
        if self.json {
            print_phone_needed_json_line(invitation);
        }
        output::eprint_sanitized_line(format_args!(""));
        output::eprint_sanitized_line(format_args!(
            "A phone is needed for {}. Scan this, or open the link:",
            invitation.purpose
        ));
        output::eprint_sanitized_line(format_args!(""));
        let link_line = output::sanitize_for_terminal(&format!("  {}", invitation.link));
        for line in qr_terminal::qr_code_and_link_lines(&invitation.link, link_line, self.lively, ROWS_BELOW) {
            output::eprint_unsanitized(&line);
        }
        let timeout = humantime::format_duration(invitation.timeout);
        output::eprint_sanitized_line(format_args!("Waiting up to {timeout}; type s and Enter to skip this."));
    }

    /// Prints the avatar's status, unless it is the same as before.
    fn show_avatar_status(&self, words: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if *said != words {
            output::eprint_sanitized_line(format_args!("  {words}"));
            words.clone_into(&mut said);
        }
    }

    /// Ends the invitation: prints nothing, but forgets the last status, so that the next invitation starts anew.
    fn end_invitation(&self) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn wait_for_end_without_avatar(&self) -> BoxFuture<'_, InvitationEndWithoutAvatar> {
        self.skip.wait_for_end_without_avatar()
    }

    fn sleep_real_time(&self, time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}
