//! Who scans the codes of the virtual consoles.

use copresence_protocol::ExportToken;
use futures_util::future::BoxFuture;

/// Simulates the visitors' phones in a load test, through the tester API of a sandbox or a command of the user.
pub trait LoadTestPhone: Send + Sync {
    /// Scans the code with this link and gives its token an avatar. Resolves when that is done.
    ///
    /// The error says what failed, without the token.
    fn scan_code_and_associate_avatar<'a>(
        &'a self,
        link: &'a str,
        token: &'a ExportToken,
    ) -> BoxFuture<'a, Result<(), String>>;
}
