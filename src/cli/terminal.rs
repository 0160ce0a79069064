//! What may reach a terminal, and how it gets there.

use std::fmt::Write as _;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;

/// What a command prints on stdout.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For a terminal
    #[default]
    Text,
    /// For programs
    Json,
}

/// Headings.
pub(super) const BOLD: Style = Style::new().bold();
/// What accompanies the result.
pub(super) const DIM: Style = Style::new().dimmed();
/// What went well.
pub(super) const GOOD: Style = AnsiColor::Green.on_default();
/// What did not.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();

/// Writes text to stdout. Style codes are dropped where stdout is no terminal or colours are not wanted.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// `text` in a style.
pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Text of others, with nothing in it that a terminal would obey: control characters, except line ends and tabs, become
/// visible, and what turns the direction of writing vanishes.
pub(super) fn sanitized(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\t' => safe.push(character),
            '\r' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {}
            control if control.is_control() => {
                let _ = write!(safe, "\\x{:02x}", u32::from(control));
            }
            other => safe.push(other),
        }
    }
    safe
}

/// The same on one line.
pub(super) fn one_line(text: &str) -> String {
    sanitized(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// True where an error only says that nobody reads our output any more, as in `drydock diagnose | head`.
pub(super) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
    causes.any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("Zeile 1\n\tüber ☸ 파드\n", "Zeile 1\n\tüber ☸ 파드\n")]
    #[case::colour("\u{1b}[31mred\u{1b}[0m", "\\x1b[31mred\\x1b[0m")]
    #[case::title("\u{1b}]0;owned\u{7}", "\\x1b]0;owned\\x07")]
    #[case::one_byte_csi("\u{9b}2J", "\\x9b2J")]
    #[case::overwrites_the_line("fine\rbad", "finebad")]
    #[case::turned_around("a\u{202e}b", "ab")]
    fn nothing_reaches_a_terminal_that_it_would_obey(#[case] text: &str, #[case] safe: &str) {
        assert_eq!(sanitized(text), safe);
    }
}
