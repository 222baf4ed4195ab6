//! Parameters in the query of a URL.

use crate::model::Invalid;

/// Keeps the value of a parameter.
///
/// # Errors
/// The parameter was given before.
pub(super) fn once<T>(name: &str, place: &mut Option<T>, value: T) -> Result<(), Invalid> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Invalid::new(name, "must be given once")),
    }
}
