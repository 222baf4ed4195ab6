//! Arguments of benchmarks: words, and values by name, `name=value`.

use std::fmt::Display;
use std::fs;
use std::path::PathBuf;
use std::process::exit;
use std::str::FromStr;

/// The arguments that were not read yet.
pub(crate) struct Arguments {
    words: Vec<String>,
    values: Vec<(String, String)>,
}

impl Arguments {
    /// The arguments of the program. `help` prints the help and exits.
    pub(crate) fn read(help: &str) -> Self {
        let (mut words, mut values) = (Vec::new(), Vec::new());
        for argument in std::env::args().skip(1) {
            match argument.split_once('=') {
                _ if ["help", "-h", "--help"].contains(&argument.as_str()) => {
                    print!("{help}");
                    exit(0);
                }
                // Passed by cargo to every benchmark.
                _ if argument.starts_with('-') => {}
                Some((name, value)) => values.push((name.into(), value.into())),
                None => words.push(argument),
            }
        }
        Self { words, values }
    }

    /// All words.
    pub(crate) fn words(&mut self) -> Vec<String> {
        std::mem::take(&mut self.words)
    }

    /// Whether there is a value with this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.values.iter().any(|(given, _)| given == name)
    }

    /// The last value with this name.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let found = self.values.iter().rposition(|(given, _)| given == name)?;
        let value = self.values.swap_remove(found).1;
        self.values.retain(|(given, _)| given != name);
        Some(value)
    }

    /// A number of at least 1.
    pub(crate) fn number(&mut self, name: &str, default: usize) -> usize {
        self.text(name).map_or(default, |text| positive(name, &text))
    }

    /// Numbers of at least 1, separated by commas.
    pub(crate) fn numbers(&mut self, name: &str, default: &[usize]) -> Vec<usize> {
        let Some(text) = self.text(name) else { return default.to_vec() };
        text.split(',').map(|part| positive(name, part)).collect()
    }

    /// Some of these choices, separated by commas. All by default.
    pub(crate) fn choices(&mut self, name: &str, among: &[&'static str]) -> Vec<&'static str> {
        let Some(text) = self.text(name) else { return among.to_vec() };
        text.split(',').map(|part| chosen(name, part, among)).collect()
    }

    /// The path of the measured server, by default that of this build.
    pub(crate) fn this(&mut self) -> PathBuf {
        let named = self.text("this").or_else(|| std::env::var("SCROLLBACK_PROGRAM").ok());
        program("this", named.as_deref().unwrap_or(env!("CARGO_BIN_EXE_scrollback")))
    }

    /// The remaining values.
    pub(crate) fn rest(self) -> Vec<(String, String)> {
        self.values
    }
}

/// The choice with this name, in any case.
pub(crate) fn chosen(name: &str, text: &str, among: &[&'static str]) -> &'static str {
    let found = among.iter().find(|choice| choice.eq_ignore_ascii_case(text));
    found.copied().unwrap_or_else(|| refuse(format!("{name}: {text} is none of {}", among.join(", "))))
}

/// The absolute path of a program: servers run in other folders.
pub(crate) fn program(name: &str, path: &str) -> PathBuf {
    let found = fs::canonicalize(path).ok().filter(|path| path.is_file());
    found.unwrap_or_else(|| refuse(format!("{name}: there is no program at {path}")))
}

fn positive(name: &str, text: &str) -> usize {
    let number = usize::from_str(text).ok().filter(|number| *number > 0);
    number.unwrap_or_else(|| refuse(format!("{name}: {text} is not a whole number of at least 1")))
}

/// Prints an error and exits.
pub(crate) fn refuse(message: impl Display) -> ! {
    eprintln!("{message}; `help` tells what can be given");
    exit(2)
}
