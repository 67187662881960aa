//! Bytes of strangers on a terminal: what a record holds must not steer it.

use std::fmt::Write;

use serde::Serialize;

/// A text with its control characters replaced, on one line.
pub(super) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// Bytes as they can be shown: text where they are UTF-8, else hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Shown {
    Text(String),
    Hex(String),
}

impl Shown {
    pub(super) fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Hex(bytes.iter().fold(String::new(), |mut hex, byte| {
                // Writing to a string cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            })),
        }
    }
}

impl std::fmt::Display for Shown {
    /// Control characters are escaped as in Rust, so that nothing is lost and nothing acts.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => text.chars().try_for_each(|c| {
                if c.is_control() {
                    write!(f, "{}", c.escape_default())
                } else {
                    f.write_char(c)
                }
            }),
            Self::Hex(hex) => write!(f, "hex {hex}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_cannot_steer_the_terminal() {
        assert_eq!(one_line("a\u{1b}[2Jb\nc"), "a [2Jb c");
        let shown = Shown::of("a\u{1b}[2J\u{9b}é".as_bytes());
        assert_eq!(shown.to_string(), r"a\u{1b}[2J\u{9b}é");
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_as_hexadecimal() {
        assert_eq!(Shown::of(b"\xff\x00{").to_string(), "hex ff007b");
    }
}
