//! Output of commands: results go to standard output, errors to standard error.
//!
//! `println!` and `eprintln!` panic if the reader has closed the pipe (`scrollback config | head -1`).

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use anyhow::Context;

/// Writes a line to standard output.
///
/// # Errors
/// It cannot be written, for example to a full disk. A closed pipe is not an error: the command continues.
pub(super) fn print_line(text: impl Display) -> anyhow::Result<()> {
    print(format_args!("{text}\n"))
}

/// Writes to standard output without a line break. Errors as in [`print_line`].
pub(super) fn print(text: impl Display) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    match write!(output, "{text}").and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// Writes a line to standard error. Failures are ignored.
pub(super) fn print_fault(text: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// An error with its causes in one line. Repeated causes are removed: drivers repeat them.
pub(super) fn in_one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        let cause = cause.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.contains(&cause) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&cause);
    }
    line
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn error_causes_are_printed_once_in_one_line() {
        let error = anyhow!("(code: 26) no database").context("driver:\n  (code: 26) no database");
        let error = error.context("cannot open a.db");
        assert_eq!(in_one_line(&error), "cannot open a.db: driver: (code: 26) no database");
    }
}
