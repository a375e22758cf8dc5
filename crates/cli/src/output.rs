//! How results and errors are written: results to stdout, everything else to stderr; one JSON document with `--json`,
//! aligned text without. Must not know the meaning of what it writes.

use std::io::{IsTerminal as _, Write as _};

use claviger_api::schema::ApiError;
use serde_json::{Value, json};

use crate::text::{visible, width};

/// How this command writes.
#[derive(Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
    colour: bool,
}

// === impl Output ===

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let colour =
            std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Self { json, colour }
    }

    /// The result: the document with `--json`, else these lines.
    pub(crate) fn result(self, document: &Value, text: impl FnOnce() -> String) {
        line(&if self.json { document.to_string() } else { text() });
    }

    /// A table, or the same rows as one JSON array.
    pub(crate) fn table(self, rows: &Value, columns: &[(&str, &str)], empty: &str) {
        if self.json {
            line(&rows.to_string());
            return;
        }
        let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
        if rows.is_empty() {
            note(empty);
            return;
        }
        let cells: Vec<Vec<String>> =
            rows.iter().map(|row| columns.iter().map(|(field, _)| cell(&row[*field])).collect()).collect();
        let widths: Vec<usize> = columns
            .iter()
            .enumerate()
            .map(|(i, (_, title))| {
                cells.iter().map(|row| width(&row[i])).max().unwrap_or(0).max(width(title))
            })
            .collect();
        let titles: Vec<String> = columns.iter().map(|(_, title)| (*title).to_owned()).collect();
        let head = aligned(&titles, &widths);
        line(&if self.colour { format!("\u{1b}[1m{head}\u{1b}[0m") } else { head });
        for row in &cells {
            line(&aligned(row, &widths));
        }
    }

    /// One thing, a field a line, or the same as a JSON object.
    pub(crate) fn fields(self, thing: &Value, fields: &[(&str, &str)]) {
        self.result(thing, || {
            let widest = fields.iter().map(|(_, title)| width(title)).max().unwrap_or(0);
            let lines: Vec<String> = fields
                .iter()
                .map(|(field, title)| (title, cell(&thing[*field])))
                .filter(|(_, value)| value != "-")
                .map(|(title, value)| format!("{title:widest$}  {value}"))
                .collect();
            lines.join("\n")
        });
    }
}

/// One line of the result; `false` when the reader has gone away (`| head`), so that a long result can stop.
pub(crate) fn line(text: &str) -> bool {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{text}").and_then(|()| stdout.flush()).is_ok()
}

/// Something worth knowing that is no result.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// The error: what happened, and what to do.
pub(crate) fn error(why: &ApiError, json: bool) {
    let mut stderr = std::io::stderr().lock();
    let _ = if json {
        writeln!(stderr, "{}", json!({"error": why}))
    } else if why.hint.is_empty() {
        writeln!(stderr, "error: {}", visible(&why.message))
    } else {
        writeln!(stderr, "error: {}\nhint: {}", visible(&why.message), visible(&why.hint))
    };
}

/// A value as people read it.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) if text.is_empty() => "-".to_owned(),
        Value::String(text) => time(text).unwrap_or_else(|| visible(text)),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        Value::Object(thing) => {
            let named = ["agent", "name", "grant"].iter().find_map(|field| thing.get(*field));
            named.map_or_else(|| value.to_string(), cell)
        }
        Value::Number(number) => number.to_string(),
    }
}

/// RFC 3339 without the fraction: `2026-11-21 09:30:00Z`.
fn time(text: &str) -> Option<String> {
    let shape = text.len() >= 20 && text.ends_with('Z') && text.is_ascii() && text.as_bytes()[10] == b'T';
    let digits = shape && text.bytes().take(4).all(|b| b.is_ascii_digit());
    digits.then(|| format!("{} {}Z", &text[..10], &text[11..19]))
}

fn aligned(cells: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (i, (cell, wide)) in cells.iter().zip(widths).enumerate() {
        if i > 0 {
            text.push_str("  ");
        }
        text.push_str(cell);
        if i + 1 < cells.len() {
            text.extend(std::iter::repeat_n(' ', wide.saturating_sub(width(cell))));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let row = |cells: [&str; 2]| aligned(&cells.map(str::to_owned), &[5, 3]);
        assert_eq!(row(["a", "b"]), "a      b", "padded to the width");
        assert_eq!(row(["größe", "b"]), "größe  b", "by characters, not bytes");
    }

    #[test]
    fn cells_read_plainly() {
        assert_eq!(cell(&json!("2026-11-21T09:30:00.250Z")), "2026-11-21 09:30:00Z", "a time");
        assert_eq!(cell(&json!(["GET", "POST"])), "GET, POST", "a list");
        assert_eq!(cell(&json!([])), "-", "nothing");
        assert_eq!(cell(&json!("\u{1b}[31mred")), "\\u{1b}[31mred", "no colours from elsewhere");
    }
}
