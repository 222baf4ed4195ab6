//! Pages of an ordered list by keyset pagination, without offsets and counts.

use super::Invalid;

/// The most items of a page.
pub const MAX_PAGE: u32 = 100;

/// The end of the range that a page is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The first items.
    First,
    /// The last items.
    Last,
}

/// A request for a page: how many items, from which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Page {
    /// The end of the range.
    pub end: End,
    /// 1 to [`MAX_PAGE`].
    pub size: u32,
}

impl Page {
    /// The page for the arguments `first` and `last`, or `default` without them.
    ///
    /// # Errors
    /// One of them is not between 1 and 100, or both are given.
    pub fn from_arguments(first: Option<i32>, last: Option<i32>, default: Self) -> Result<Self, Invalid> {
        match (first, last) {
            (None, None) => Ok(default),
            (Some(_), Some(_)) => Err(Invalid::new("last", "must not be given together with `first`")),
            (Some(size), None) => Ok(Self { end: End::First, size: size_of("first", size)? }),
            (None, Some(size)) => Ok(Self { end: End::Last, size: size_of("last", size)? }),
        }
    }
}

fn size_of(argument: &str, size: i32) -> Result<u32, Invalid> {
    u32::try_from(size)
        .ok()
        .filter(|size| (1..=MAX_PAGE).contains(size))
        .ok_or_else(|| Invalid::new(argument, format!("must be between 1 and {MAX_PAGE}, got {size}")))
}

/// Whether deleted messages, which have no content, are in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Deleted {
    /// They are in it.
    Included,
    /// They are not.
    LeftOut,
}

/// The range of a list that a page is taken from, without both bounds. `K` is the key of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Range<K> {
    /// Only items after this key.
    pub after: Option<K>,
    /// Only items before this key.
    pub before: Option<K>,
}

impl<K> Range<K> {
    /// The whole list.
    pub fn all() -> Self {
        Self { after: None, before: None }
    }
}

/// The items of a page in list order, and whether there are more items before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slice<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether there are items before.
    pub has_previous: bool,
    /// Whether there are items after.
    pub has_next: bool,
}

impl<T> Slice<T> {
    /// Makes a page from rows that were read from `page.end` inwards, one more than `page.size`: the extra
    /// row shows that there are more. A bound of the range was the key of an item, so there is an item beyond
    /// it.
    pub fn from_rows<K>(rows: Vec<T>, page: Page, range: &Range<K>) -> Self {
        Self::with_extra_row(rows, page, range).0
    }

    /// The same with the extra row.
    pub(super) fn with_extra_row<K>(mut rows: Vec<T>, page: Page, range: &Range<K>) -> (Self, Option<T>) {
        let extra = rows.drain(rows.len().min(page.size as usize)..).next();
        let more = extra.is_some();
        if page.end == End::Last {
            rows.reverse();
        }
        let slice = Self {
            items: rows,
            has_previous: range.after.is_some() || (more && page.end == End::Last),
            has_next: range.before.is_some() || (more && page.end == End::First),
        };
        (slice, extra)
    }

    /// Converts each item.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Slice<U> {
        Slice {
            items: self.items.into_iter().map(f).collect(),
            has_previous: self.has_previous,
            has_next: self.has_next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULT: Page = Page { end: End::Last, size: 50 };

    #[test]
    fn a_page_is_1_to_100_items_from_one_end() {
        let page =
            |first, last| Page::from_arguments(first, last, DEFAULT).map_err(|error| error.to_string());
        assert_eq!(page(None, None), Ok(DEFAULT));
        assert_eq!(page(Some(100), None), Ok(Page { end: End::First, size: 100 }));
        assert_eq!(page(None, Some(1)), Ok(Page { end: End::Last, size: 1 }));
        assert_eq!(page(Some(0), None), Err("`first` must be between 1 and 100, got 0".into()));
        assert_eq!(page(Some(-1), None), Err("`first` must be between 1 and 100, got -1".into()));
        assert_eq!(page(None, Some(101)), Err("`last` must be between 1 and 100, got 101".into()));
        assert_eq!(page(Some(1), Some(1)), Err("`last` must not be given together with `first`".into()));
    }

    #[test]
    fn a_slice_is_in_list_order_whichever_end_it_was_read_from() {
        let last = Page { end: End::Last, size: 2 };
        let slice = Slice::from_rows(vec![5, 4, 3], last, &Range::<u8>::all());
        assert_eq!(slice, Slice { items: vec![4, 5], has_previous: true, has_next: false });
        let first = Page { end: End::First, size: 2 };
        let slice = Slice::from_rows(vec![3, 4], first, &Range { after: Some(2), before: None });
        assert_eq!(slice, Slice { items: vec![3, 4], has_previous: true, has_next: false });
    }
}
