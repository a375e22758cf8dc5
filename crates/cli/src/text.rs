//! Text that came from elsewhere, made safe to show: an agent chooses paths and models, and must not be able to move
//! the cursor, colour a line, or turn the reading direction. Must not know where the text came from.

/// The text with every character that does something rather than show something written as `\u{…}`.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if acts(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// One cell of a CSV file (RFC 4180) that no spreadsheet takes for a formula and no line reader for two lines.
pub(crate) fn csv_cell(text: &str) -> String {
    let text = visible(text);
    let is_formula = text.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\\']);
    let text = if is_formula { format!("'{text}") } else { text };
    if text.contains(['"', ',', ';', ' ', '\'']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

/// Columns on a terminal; close enough for names and numbers.
pub(crate) fn width(text: &str) -> usize {
    text.chars()
        .map(|c| {
            if matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{ffdc}' | '\u{1f300}'..='\u{1faff}') {
                2
            } else {
                1
            }
        })
        .sum()
}

fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Direction marks and overrides, invisible joiners, line and paragraph separators, tags.
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{61c}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_acts_on_the_terminal() {
        for hostile in
            ["\u{1b}[2J", "a\nb", "a\r", "\u{202e}gpj.exe", "\0", "\u{9b}31m", "\u{2028}", "\u{200b}"]
        {
            let shown = visible(hostile);
            assert!(!shown.chars().any(acts), "{hostile:?} became {shown:?}");
        }
        assert_eq!(visible("/v1/größe"), "/v1/größe", "letters stay");
    }

    #[test]
    fn no_cell_is_a_formula() {
        let hostile = ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\0=1", "＝1", "\u{feff}=1"];
        for text in hostile {
            let cell = csv_cell(text);
            let inside = cell.trim_matches('"');
            assert!(inside.starts_with('\''), "{text:?} became {cell:?}");
        }
        assert_eq!(csv_cell("a\"b,c"), "\"a\"\"b,c\"", "RFC 4180");
        assert_eq!(csv_cell("plain"), "plain", "plain text stays");
        assert!(!csv_cell("a\nb").contains('\n'), "one record, one line");
    }
}
