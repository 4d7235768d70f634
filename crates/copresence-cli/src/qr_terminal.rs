//! Draws a link as a QR code in the terminal, if it is large enough.

use copresence_engine::qr::QrCode;

/// Lines that show the QR code of a link, and the link. If the terminal is too small for the code, they say what to
/// do instead.
pub(crate) fn qr_code_and_link_lines(link: &str, link_line: String, lively: bool, rows_below: usize) -> Vec<String> {
    match QrCode::new(link) {
        Ok(code) if RequiredTerminalSize::required_size_for_code(&code, rows_below).fits_terminal_if_any() => {
            vec![with_white_on_black_colors(&code.to_half_blocks(), lively), String::new(), link_line, String::new()]
        }
        // In a small terminal the code is printed last, so that nothing scrolls it out of view.
        Ok(code) => match QrCode::encode_with_fewest_modules(link) {
            Ok(small) if RequiredTerminalSize::required_size_for_code(&small, 1).fits_terminal_if_any() => {
                vec![link_line, with_white_on_black_colors(&small.to_half_blocks(), lively)]
            }
            small => {
                vec![
                    link_line,
                    RequiredTerminalSize::required_size_for_code(&small.unwrap_or(code), 1)
                        .terminal_too_small_message(),
                ]
            }
        },
        // The visit itself reports a link that no QR code can hold.
        Err(_) => vec![link_line],
    }
}

/// Sets white on black explicitly, because many phones cannot read an inverted QR code.
fn with_white_on_black_colors(blocks: &str, lively: bool) -> String {
    if !lively {
        return blocks.to_owned();
    }
    let lines: Vec<_> = blocks.lines().map(|line| format!("\u{1b}[38;5;231;48;5;16m{line}\u{1b}[0m")).collect();
    lines.join("\n")
}

/// Terminal size that a QR code needs, in columns and rows.
struct RequiredTerminalSize {
    columns: usize,
    rows: usize,
}

impl RequiredTerminalSize {
    /// Terminal size that a QR code needs, with its quiet zone and `rows_below` lines below it.
    fn required_size_for_code(code: &QrCode, rows_below: usize) -> Self {
        // Four quiet modules on each side; two modules per row; one row for the cursor.
        let side = code.modules_per_side() + 8;
        Self { columns: side, rows: side.div_ceil(2) + rows_below + 1 }
    }

    /// Whether a QR code of this size fits the terminal. True without a terminal (a log, a pipe), where nothing is cut
    /// off.
    fn fits_terminal_if_any(&self) -> bool {
        terminal_size::terminal_size_of(std::io::stderr())
            .is_none_or(|(width, height)| usize::from(width.0) >= self.columns && usize::from(height.0) >= self.rows)
    }

    /// Message that the terminal is too small for the QR code, with the required size.
    fn terminal_too_small_message(&self) -> String {
        let Self { columns, rows } = self;
        format!(
            "(this terminal is too small for the code, which needs {columns} columns and {rows} rows: \
             enlarge it and start again, or use --qr FILE.png)"
        )
    }
}
