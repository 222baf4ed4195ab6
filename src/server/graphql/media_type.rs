//! Content negotiation: <https://graphql.github.io/graphql-over-http/draft/>, RFC 9110 section 12.5.1.

/// The media type of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::server) enum MediaType {
    /// `application/graphql-response+json`: the status distinguishes request errors from results.
    GraphqlResponse,
    /// `application/json`: a well-formed request is always 200.
    Json,
    /// `text/event-stream`: GraphQL over SSE. Only if the client names it.
    EventStream,
}

impl MediaType {
    pub(in crate::server) fn content_type(self) -> &'static str {
        match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            // Responses that cannot be streamed are JSON.
            Self::Json | Self::EventStream => "application/json; charset=utf-8",
        }
    }

    /// The best type that an `Accept` header allows, JSON without a header. `None` if it allows none.
    pub(in crate::server) fn accepted(accept: Option<&str>) -> Option<Self> {
        let Some(accept) = accept else { return Some(Self::Json) };
        let ranges: Vec<Range> = accept.split(',').filter_map(Range::parse).collect();
        // Ordered by preference, if the client has none.
        let offers = [(Self::Json, "json"), (Self::GraphqlResponse, "graphql-response+json")];
        let weigh = |subtype| {
            ranges
                .iter()
                .filter_map(|range| range.matches(subtype))
                .max_by_key(|(specificity, _)| *specificity)
        };
        let mut best: Option<(Self, (u8, u16))> = None;
        for (offer, subtype) in offers {
            let Some((specificity, quality)) = weigh(subtype).filter(|(_, quality)| *quality > 0) else {
                continue;
            };
            let rank = (specificity, quality);
            if best.is_none_or(|(_, (s, q))| (quality, specificity) > (q, s)) {
                best = Some((offer, rank));
            }
        }
        let stream = accept.split(',').filter_map(stream_quality).max().filter(|quality| *quality > 0);
        match best {
            Some((offer, (_, quality))) if stream.is_none_or(|stream| quality > stream) => Some(offer),
            _ => stream.map(|_| Self::EventStream).or(best.map(|(offer, _)| offer)),
        }
    }
}

/// One media range of the header.
struct Range<'a> {
    subtype: &'a str,
    any_type: bool,
    /// In thousandths.
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let any_type = kind == "*";
        if !any_type && !kind.eq_ignore_ascii_case("application") {
            return None;
        }
        let mut quality = 1000;
        for parameter in parts {
            let (name, value) = parameter.split_once('=')?;
            match name.trim().to_ascii_lowercase().as_str() {
                "q" => quality = parse_quality(value.trim())?,
                "charset" if !value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8") => return None,
                _ => {}
            }
        }
        Some(Self { subtype, any_type, quality })
    }

    /// How specifically it matches `application/subtype`, and its quality.
    fn matches(&self, subtype: &str) -> Option<(u8, u16)> {
        let specificity = match (self.any_type, self.subtype) {
            (true, "*") => 0,
            (false, "*") => 1,
            (false, named) if named.eq_ignore_ascii_case(subtype) => 2,
            _ => return None,
        };
        Some((specificity, self.quality))
    }
}

/// The quality of `text/event-stream`, if a media range names it.
fn stream_quality(range: &str) -> Option<u16> {
    let mut parts = range.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case("text/event-stream") {
        return None;
    }
    let quality = parts.find_map(|parameter| parameter.strip_prefix("q="));
    quality.map_or(Some(1000), parse_quality)
}

fn parse_quality(text: &str) -> Option<u16> {
    let quality: f32 = text.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
    (0.0..=1.0).contains(&quality).then_some((quality * 1000.0) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_acceptable_type_is_chosen() {
        use MediaType::{EventStream, GraphqlResponse, Json};
        let cases = [
            (None, Some(Json)),
            (Some("*/*"), Some(Json)),
            (Some("application/*"), Some(Json)),
            (Some("application/json"), Some(Json)),
            (Some("application/graphql-response+json"), Some(GraphqlResponse)),
            (Some("application/graphql-response+json, application/json;q=0.9"), Some(GraphqlResponse)),
            (Some("application/graphql-response+json;q=0.5, application/json"), Some(Json)),
            (Some("application/json;q=0, */*;q=0.1"), Some(GraphqlResponse)),
            (Some("APPLICATION/JSON; charset=UTF-8"), Some(Json)),
            (Some("application/json; charset=iso-8859-1"), None),
            (Some("text/html"), None),
            (Some("application/json;q=0"), None),
            (Some("nonsense"), None),
            (Some("text/event-stream"), Some(EventStream)),
            (Some("text/event-stream, */*;q=0.1"), Some(EventStream)),
            (Some("application/json, text/event-stream;q=0.5"), Some(Json)),
            (Some("text/event-stream;q=0"), None),
        ];
        for (accept, expected) in cases {
            assert_eq!(MediaType::accepted(accept), expected, "{accept:?}");
        }
    }
}
