//! The phones of a load test: the tester API of a sandbox, or a command of the user's.

use crate::validate::phone_command::PhoneCommand;
use copresence_load::{BoxFuture, ExportToken, LoadTestPhone};
use copresence_validate::{SandboxControl, ScanInvitation};
use std::time::Duration;

/// Time after which a phone's command is ended.
const PHONE_COMMAND_TIMEOUT: Duration = Duration::from_mins(5);

/// Associates a new avatar with each token, through the control endpoints of a sandbox.
pub(super) struct SandboxPhones(SandboxControl);

impl SandboxPhones {
    pub(super) fn new(control: SandboxControl) -> Self {
        Self(control)
    }
}

impl LoadTestPhone for SandboxPhones {
    fn scan_code_and_associate_avatar<'a>(
        &'a self,
        _: &'a str,
        token: &'a ExportToken,
    ) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(self.0.associate_avatar(token.expose(), None))
    }
}

/// The phones of a load test as a command of the user's, which is run once for each QR code.
pub(super) struct UserCommandAsPhones(PhoneCommand);

impl UserCommandAsPhones {
    pub(super) fn new(command: PhoneCommand) -> Self {
        Self(command)
    }
}

impl LoadTestPhone for UserCommandAsPhones {
    fn scan_code_and_associate_avatar<'a>(
        &'a self,
        link: &'a str,
        _: &'a ExportToken,
    ) -> BoxFuture<'a, Result<(), String>> {
        let invitation =
            ScanInvitation { link: link.to_owned(), purpose: "a load test", timeout: PHONE_COMMAND_TIMEOUT };
        let mut process = self.0.build_process_for_invitation(&invitation);
        Box::pin(async move {
            match tokio::time::timeout(PHONE_COMMAND_TIMEOUT, process.status()).await {
                Ok(Ok(status)) if status.success() => Ok(()),
                Ok(Ok(status)) => Err(format!("the command of --phone failed: {status}")),
                Ok(Err(error)) => Err(format!("the command of --phone cannot start: {error}")),
                Err(_) => Err("the command of --phone did not end within 5 minutes".to_owned()),
            }
        })
    }
}
