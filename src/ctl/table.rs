//! Rows for a terminal, in columns.

use std::fmt;

/// Rows of equally many cells under a header.
#[derive(Debug)]
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(super) fn new<const N: usize>(header: [&str; N]) -> Self {
        Self {
            rows: vec![header.map(str::to_owned).into()],
        }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into());
    }
}

impl fmt::Display for Table {
    /// Columns of numbers are flush right, and nothing pads the end of a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.first().map_or(0, Vec::len);
        let cells = |column: usize| self.rows.iter().filter_map(move |row| row.get(column));
        let widths: Vec<usize> = (0..columns)
            .map(|column| cells(column).map(|cell| cell.chars().count()).max())
            .map(Option::unwrap_or_default)
            .collect();
        let numbers: Vec<bool> = (0..columns)
            .map(|column| cells(column).skip(1).all(|cell| is_number(cell)))
            .collect();
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, width), number) in row.iter().zip(&widths).zip(&numbers) {
                if *number {
                    line.push_str(&format!("{cell:>width$}  "));
                } else {
                    line.push_str(&format!("{cell:<width$}  "));
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn is_number(cell: &str) -> bool {
    cell == "-" || cell.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_flush_right_and_texts_flush_left() {
        let mut table = Table::new(["ID", "NAME", "LAG"]);
        table.row(["1".into(), "default".into(), "1200".into()]);
        table.row(["20".into(), "é".into(), "-".into()]);
        assert_eq!(
            table.to_string(),
            "ID  NAME      LAG\n 1  default  1200\n20  é           -\n"
        );
    }
}
