//! Pages of lists.

use super::parameters::ListParameters;
use crate::model::{End, Slice};

/// The end of the range that a page is taken from.
pub(super) fn end(parameters: &ListParameters) -> End {
    match (&parameters.after, &parameters.before) {
        (None, Some(_)) => End::Last,
        _ => End::First,
    }
}

/// Whether there is more in the direction of the page.
pub(super) fn has_more<T>(slice: &Slice<T>, end: End) -> bool {
    match end {
        End::First => slice.has_next,
        End::Last => slice.has_previous,
    }
}
