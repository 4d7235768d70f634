//! Writes each message of the log as one line.

use copresence_client::is_invisible_character;
use std::io::{self, Write};

/// Replaces line ends inside of a message by spaces, so that a text of a backend in it cannot forge another message. The
/// formatter itself escapes control characters in texts.
pub(super) struct SingleLineWriter<W>(pub(super) W);

impl<W: Write> Write for SingleLineWriter<W> {
    /// Writes one message, which ends with a line end.
    fn write(&mut self, message: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(message);
        let clean = |c: char| match c {
            '\n' => ' ',
            // The escape sequences of the formatter's colours stay.
            c if c == '\r' || !c.is_control() && is_invisible_character(c) => '\u{fffd}',
            c => c,
        };
        let mut line: String = text.trim_end_matches('\n').chars().map(clean).collect();
        line.push('\n');
        self.0.write_all(line.as_bytes())?;
        Ok(message.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_in_a_message_cannot_forge_another_message() {
        let mut written = SingleLineWriter(Vec::new());
        written
            .write_all("\u{1b}[31mERROR\u{1b}[0m refused: x\nINFO saved\u{2028}\r\u{202e}\n".as_bytes())
            .expect("written");
        let written = String::from_utf8(written.0).expect("UTF-8");
        assert_eq!(written, "\u{1b}[31mERROR\u{1b}[0m refused: x INFO saved\u{fffd}\u{fffd}\u{fffd}\n");
    }
}
