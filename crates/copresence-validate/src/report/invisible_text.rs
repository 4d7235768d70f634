//! Shows characters that are invisible, or that change how the text around them is displayed.

use copresence_client::is_invisible_character;

/// Writes each control, bidirectional and invisible character as `\u{…}`. Keeps tabs and line ends.
pub(super) fn escape_invisible_characters(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let ends_line = c == '\n' || c == '\r' && characters.peek() == Some(&'\n');
        if c != '\t' && !ends_line && is_invisible_character(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_are_shown_and_others_kept() {
        let kept = "a\tline\r\nЖ é 中 שלום 😀 “q” — \u{a0}\n";
        assert_eq!(escape_invisible_characters(kept), kept);
        let hidden = "\0\r\u{1b}\u{7f}\u{9b}\u{61c}\u{200b}\u{200d}\u{2028}\u{202e}\u{2066}\u{2069}\u{feff}\u{e0041}";
        let shown =
            r"\u{0}\u{d}\u{1b}\u{7f}\u{9b}\u{61c}\u{200b}\u{200d}\u{2028}\u{202e}\u{2066}\u{2069}\u{feff}\u{e0041}";
        assert_eq!(escape_invisible_characters(hidden), shown);
    }
}
