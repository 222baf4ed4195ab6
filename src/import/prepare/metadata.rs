//! The metadata of what is imported: where it comes from, and what Scrollback has no place for.

use super::target::Target;
use crate::import::format::Format;
use crate::import::losses::Losses;
use crate::import::parsed::Dropped;
use crate::import::rejection::Rejection;
use crate::model::{Json, JsonObject, JsonValue};

const TOO_LARGE: &str = "metadata would be larger than `limits.metadata_bytes`";
const NOT_STORED: &str = "it nests deeper than 200 levels or contains U+0000";

/// `{"source": the format, "sourceId": the id at the source, the format: {…}}`.
pub(super) fn of_conversation(
    format: Format,
    origin: &str,
    rest: JsonObject,
    target: &Target,
    (losses, dropped): (&mut Losses, &mut Dropped),
) -> Result<Json, Rejection> {
    let known = JsonObject::from([
        ("source".to_owned(), JsonValue::from(format.name())),
        ("sourceId".to_owned(), JsonValue::from(origin)),
    ]);
    metadata(format, "conversation", known, rest, target, (losses, dropped))
        .ok_or_else(|| Rejection::from("its id is too long or contains U+0000"))
}

/// `{"hidden": true, the format: {…}}`, or an empty object.
pub(super) fn of_message(
    format: Format,
    hidden: bool,
    rest: JsonObject,
    target: &Target,
    (losses, dropped): (&mut Losses, &mut Dropped),
) -> Json {
    let known = hidden.then(|| ("hidden".to_owned(), JsonValue::Boolean(true)));
    metadata(format, "message", known.into_iter().collect(), rest, target, (losses, dropped))
        .unwrap_or_else(Json::empty_object)
}

/// The known fields and, under the name of the format, as many of the others as fit, the smallest first.
fn metadata(
    format: Format,
    of: &str,
    known: JsonObject,
    rest: JsonObject,
    target: &Target,
    (losses, dropped): (&mut Losses, &mut Dropped),
) -> Option<Json> {
    let most = target.limits.metadata_bytes;
    let mut fields = Vec::with_capacity(rest.len());
    for (name, value) in rest {
        // The name of a field that is too strange to store is too strange to report.
        match Json::within(
            "metadata",
            JsonValue::Object([(name.clone(), value.clone())].into()).to_string(),
            most,
        ) {
            Ok(json) => fields.push((json.as_str().len(), name, value)),
            Err(_) if value.to_string().len() > most => dropped.add(format!("{of} {name}"), TOO_LARGE),
            Err(_) => dropped.add(format!("{of} {}", name.replace('\0', "")), NOT_STORED),
        }
    }
    let mut order: Vec<usize> = (0..fields.len()).collect();
    order.sort_by_key(|at| fields[*at].0);
    // The braces and names around them.
    let mut size = JsonValue::Object(known.clone()).to_string().len() + format.name().len() + 8;
    let mut fits = vec![false; fields.len()];
    for at in order {
        size += fields[at].0;
        fits[at] = size <= most;
    }
    let mut kept = JsonObject::new();
    for ((_, name, value), fits) in fields.into_iter().zip(fits) {
        if fits {
            losses.kept(&format!("{of} {name}"));
            kept.insert(name, value);
        } else {
            dropped.add(format!("{of} {name}"), TOO_LARGE);
        }
    }
    let mut all = known;
    if !kept.is_empty() {
        all.insert(format.name().to_owned(), JsonValue::Object(kept));
    }
    if all.is_empty() {
        return Some(Json::empty_object());
    }
    Json::within("metadata", JsonValue::Object(all).to_string(), most).ok()
}
