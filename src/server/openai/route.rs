//! The endpoints.

/// An endpoint with the ids of its path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// All conversations.
    Conversations,
    /// One conversation.
    Conversation(String),
    /// The items of a conversation.
    Items(String),
    /// One item.
    Item(String, String),
}

impl Route {
    /// The endpoint of a path. `None`: there is none.
    pub(super) fn of(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/v1/conversations")?;
        if rest.is_empty() {
            return Some(Self::Conversations);
        }
        let segments: Vec<String> = rest.strip_prefix('/')?.split('/').map(decoded).collect();
        match segments.as_slice() {
            [id] if !id.is_empty() => Some(Self::Conversation(id.clone())),
            [id, items] if !id.is_empty() && items == "items" => Some(Self::Items(id.clone())),
            [id, items, item] if !id.is_empty() && items == "items" && !item.is_empty() => {
                Some(Self::Item(id.clone(), item.clone()))
            }
            _ => None,
        }
    }

    /// The methods that it has.
    pub(super) fn methods(&self) -> &'static [&'static str] {
        match self {
            Self::Conversations | Self::Items(_) => &["GET", "POST"],
            Self::Conversation(_) => &["GET", "POST", "DELETE"],
            Self::Item(..) => &["GET", "DELETE"],
        }
    }
}

/// A segment without percent-encodings. No id has any, so a wrong one is left as it is.
fn decoded(segment: &str) -> String {
    let pair = format!("x={}", segment.replace('+', "%2B"));
    form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_endpoints() {
        let id = || "a".to_owned();
        for (path, route) in [
            ("/v1/conversations", Some(Route::Conversations)),
            ("/v1/conversations/a", Some(Route::Conversation(id()))),
            ("/v1/conversations/%61", Some(Route::Conversation(id()))),
            ("/v1/conversations/a/items", Some(Route::Items(id()))),
            ("/v1/conversations/a/items/b", Some(Route::Item(id(), "b".to_owned()))),
            ("/v1/conversations/", None),
            ("/v1/conversations/a/", None),
            ("/v1/conversations/a/other", None),
            ("/v1/conversations/a/items/b/c", None),
        ] {
            assert_eq!(Route::of(path), route, "{path}");
        }
    }
}
