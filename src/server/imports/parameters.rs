//! The parameters of an import.

use crate::import::Format;
use crate::model::Invalid;
use crate::server::query::once;

/// What the client wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parameters {
    /// `None`: it is detected.
    pub(super) format: Option<Format>,
    /// Nothing is written.
    pub(super) dry_run: bool,
}

/// Reads the query of a URL.
///
/// # Errors
/// A parameter is unknown, given twice or not valid.
pub(super) fn parse(query: &str) -> Result<Parameters, Invalid> {
    let (mut format, mut dry_run) = (None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let got: String = value.chars().take(64).collect();
        match &*name {
            "format" => once("format", &mut format, parse_format(&got)?)?,
            "dryRun" => {
                let value = got
                    .parse::<bool>()
                    .map_err(|_| Invalid::new("dryRun", format!("must be true or false, got {got:?}")))?;
                once("dryRun", &mut dry_run, value)?;
            }
            unknown => {
                let unknown: String = unknown.chars().take(64).collect();
                return Err(Invalid::new(unknown, "is unknown: there are format and dryRun"));
            }
        }
    }
    Ok(Parameters { format: format.flatten(), dry_run: dry_run.unwrap_or(false) })
}

fn parse_format(value: &str) -> Result<Option<Format>, Invalid> {
    if value == "auto" {
        return Ok(None);
    }
    let names = || Format::ALL.map(Format::name).join(", ");
    let format = Format::named(value);
    format
        .map(Some)
        .ok_or_else(|| Invalid::new("format", format!("must be one of auto, {}, got {value:?}", names())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_argument_value_and_rule() {
        let parsed = parse("format=claude&dryRun=true").unwrap();
        assert_eq!(parsed, Parameters { format: Some(Format::Claude), dry_run: true });
        assert_eq!(parse("format=auto").unwrap(), Parameters { format: None, dry_run: false });
        for (query, expected) in [
            ("format=pdf", "`format` must be one of auto, chatgpt, claude, librechat, "),
            ("format=claude&format=claude", "`format` must be given once"),
            ("dryRun=1", "`dryRun` must be true or false, got \"1\""),
            ("user=bob", "`user` is unknown: there are format and dryRun"),
        ] {
            let said = parse(query).unwrap_err().to_string();
            assert!(said.starts_with(expected), "{said}");
        }
    }
}
