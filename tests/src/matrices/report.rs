//! The report of a matrix: tables, which are printed and written to files, and violations.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::time::Duration;

/// The report of a matrix.
pub(crate) struct Report {
    pub(crate) title: String,
    /// What the matrix does, in sentences.
    pub(crate) about: String,
    pub(crate) tables: Vec<Table>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) cells: usize,
    pub(crate) duration: Duration,
}

/// A guarantee that did not hold.
pub(crate) struct Violation {
    pub(crate) cell: String,
    pub(crate) description: String,
    /// The command line that reproduces it.
    pub(crate) reproduce: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let description = self.description.replace('\n', "\n  ");
        write!(f, "VIOLATED  {}\n  {description}\n  reproduce: {}", self.cell, self.reproduce)
    }
}

/// A Markdown table.
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// The table as Markdown with aligned columns. The first column is left-aligned, the others right-aligned.
    fn to_markdown(&self) -> String {
        let columns = self.head.len();
        let mut widths: Vec<usize> = self.head.iter().map(|cell| cell.chars().count().max(3)).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let line = |row: &[String]| {
            let mut text = String::from("|");
            for (index, width) in widths.iter().enumerate().take(columns) {
                let cell = row.get(index).map_or("", String::as_str);
                let padding = " ".repeat(width - cell.chars().count());
                if index == 0 {
                    _ = write!(text, " {cell}{padding} |");
                } else {
                    _ = write!(text, " {padding}{cell} |");
                }
            }
            text
        };
        let mut text = String::new();
        if !self.title.is_empty() {
            _ = writeln!(text, "**{}**\n", self.title);
        }
        _ = writeln!(text, "{}", line(&self.head));
        let rule = |(index, width): (usize, &usize)| {
            if index == 0 { format!("-{}-", "-".repeat(*width)) } else { format!("-{}:", "-".repeat(*width)) }
        };
        _ = writeln!(text, "|{}|", widths.iter().enumerate().map(rule).collect::<Vec<_>>().join("|"));
        for row in &self.rows {
            _ = writeln!(text, "{}", line(row));
        }
        text
    }
}

impl Report {
    /// The report as Markdown, without the duration and the violations.
    fn to_markdown(&self) -> String {
        let mut text = format!("{}\n", self.about);
        for table in &self.tables {
            _ = write!(text, "\n{}", table.to_markdown());
        }
        text
    }

    /// Prints the tables and the number of violated cells to stdout.
    pub(crate) fn print(&self) {
        println!("# {}\n\n{}", self.title, self.to_markdown());
        let violated: std::collections::BTreeSet<&str> =
            self.violations.iter().map(|violation| violation.cell.as_str()).collect();
        println!(
            "{} cells in {:.0} s, guarantees violated in {}.\n",
            self.cells,
            self.duration.as_secs_f32(),
            violated.len()
        );
    }

    /// Writes the tables to `FOLDER/<name>.md`.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join(format!("{name}.md")), self.to_markdown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned() {
        let strings = |row: &[&str]| row.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let table = Table {
            title: String::new(),
            head: strings(&["step", "n"]),
            rows: vec![strings(&["a", "12"]), strings(&["länger", "3"])],
        };
        let expected = "| step   |   n |\n|--------|----:|\n| a      |  12 |\n| länger |   3 |\n";
        assert_eq!(table.to_markdown(), expected);
    }
}
