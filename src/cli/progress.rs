//! Progress on standard error, if that is a terminal.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar of bytes, without their number at first.
pub(super) fn of_bytes() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent}%, {eta} left") {
        bar.set_style(style);
    }
    hidden_unless_terminal(bar)
}

/// A bar of rows, without their number at first.
pub(super) fn of_rows() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) =
        ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} rows, {per_sec}, {eta} left")
    {
        bar.set_style(style);
    }
    hidden_unless_terminal(bar)
}

/// A message that changes.
pub(super) fn of_messages() -> ProgressBar {
    hidden_unless_terminal(ProgressBar::new_spinner())
}

fn hidden_unless_terminal(bar: ProgressBar) -> ProgressBar {
    if !stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    bar
}
