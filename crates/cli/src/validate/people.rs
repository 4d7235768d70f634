//! Asks a person at the terminal to use a phone: shows the QR code and lets them skip the check.

use crate::common_options::Common;
use crate::{code, output};
use futures_util::future::BoxFuture;
use std::io::BufRead;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use validate::{Invitation, People, Skip};

/// Rows below the QR code: an empty line, the link, an empty line, and how to skip.
const ROWS_BELOW: usize = 5;

pub(super) struct AtTheTerminal {
    lively: bool,
    skip: Arc<Skip>,
    said: Mutex<String>,
}

impl AtTheTerminal {
    pub(super) fn new(common: &Common) -> Self {
        let skip = Arc::new(Skip::default());
        let heard = skip.clone();
        // A blocking read of the terminal cannot be cancelled; the thread ends with the program.
        std::thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if matches!(line.trim().to_ascii_lowercase().as_str(), "s" | "skip") {
                    heard.ask();
                }
            }
        });
        Self { lively: output::is_lively(common.no_color), skip, said: Mutex::default() }
    }
}

impl People for AtTheTerminal {
    fn invite(&self, invitation: &Invitation) {
        self.skip.begin();
        output::people(format_args!(
            "\nA phone is needed for {}. Scan this, or open the link:\n",
            invitation.purpose
        ));
        let link_line = format!("  {}", invitation.link);
        for line in code::lines(&invitation.link, link_line, self.lively, ROWS_BELOW) {
            output::drawn(&line);
        }
        let patience = humantime::format_duration(invitation.patience);
        output::people(format_args!("Waiting up to {patience}; type s and Enter to skip this."));
    }

    fn status(&self, words: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if *said != words {
            output::people(format_args!("  {words}"));
            words.clone_into(&mut said);
        }
    }

    fn done(&self) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn skipped(&self) -> BoxFuture<'_, ()> {
        self.skip.asked()
    }

    fn wait(&self, time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}
