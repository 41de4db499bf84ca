//! Tables for terminals and for Markdown.

use std::fmt::Write;

/// Cells; the first row is the heading, the first column names the rows. All rows have as many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table(pub Vec<Vec<String>>);

impl Table {
    /// For a terminal: columns are aligned, numbers to the right.
    pub fn text(&self) -> String {
        let columns = self.0.first().map_or(0, Vec::len);
        let widths: Vec<usize> = (0..columns)
            .map(|column| self.0.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
            .collect();
        let mut table = String::new();
        for row in &self.0 {
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let fill = " ".repeat(width - cell.chars().count());
                let (left, right) = if column == 0 { ("", fill.as_str()) } else { (fill.as_str(), "") };
                let gap = if column == 0 { "" } else { "  " };
                let _ = write!(table, "{gap}{left}{cell}{right}");
            }
            table.truncate(table.trim_end().len());
            table.push('\n');
        }
        table
    }

    /// As Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::new();
        for (index, row) in self.0.iter().enumerate() {
            let _ = writeln!(text, "| {} |", row.join(" | "));
            if index == 0 {
                let _ = writeln!(text, "| --- |{}", " ---: |".repeat(row.len() - 1));
            }
        }
        text
    }
}
