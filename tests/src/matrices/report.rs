//! What a matrix found: tables as they are printed and written, and breaches.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// What a matrix found.
pub(crate) struct Report {
    pub(crate) title: String,
    /// What was done, in sentences.
    pub(crate) about: String,
    pub(crate) tables: Vec<Table>,
    pub(crate) breaches: Vec<Breach>,
    pub(crate) cells: usize,
    pub(crate) took: Duration,
}

/// A claim that did not hold.
pub(crate) struct Breach {
    pub(crate) cell: String,
    pub(crate) what: String,
    /// The command line that brings it back.
    pub(crate) again: String,
}

/// A Markdown table.
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    /// The table with its columns aligned, so that it reads well unrendered too. The first column is text, the
    /// others are figures or short words.
    fn markdown(&self) -> String {
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
                let room = " ".repeat(width - cell.chars().count());
                if index == 0 {
                    _ = write!(text, " {cell}{room} |");
                } else {
                    _ = write!(text, " {room}{cell} |");
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
    /// All of it as Markdown, without what changes from machine to machine.
    fn markdown(&self) -> String {
        let mut text = format!("{}\n", self.about);
        for table in &self.tables {
            _ = write!(text, "\n{}", table.markdown());
        }
        text
    }

    /// Prints tables and breaches.
    pub(crate) fn print(&self) {
        println!("# {}\n\n{}", self.title, self.markdown());
        let breached: std::collections::BTreeSet<&str> =
            self.breaches.iter().map(|breach| breach.cell.as_str()).collect();
        println!(
            "{} cells in {:.0} s, claims broken in {}.",
            self.cells,
            self.took.as_secs_f32(),
            breached.len()
        );
        for Breach { cell, what, again } in &self.breaches {
            println!("\nBROKEN  {cell}\n  {}\n  again: {again}", what.replace('\n', "\n  "));
        }
        println!();
    }

    /// Writes the tables to `FOLDER/<name>.md`.
    pub(crate) fn write(&self, folder: &Path, name: &str) -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join(format!("{name}.md")), self.markdown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned() {
        let words = |row: &[&str]| row.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        let table = Table {
            title: String::new(),
            head: words(&["step", "n"]),
            rows: vec![words(&["a", "12"]), words(&["länger", "3"])],
        };
        let expected = "| step   |   n |\n|--------|----:|\n| a      |  12 |\n| länger |   3 |\n";
        assert_eq!(table.markdown(), expected);
    }
}
