//! Messages as items: their authors and contents.

use super::content::{self, text_type};
use super::file_urls::FileUrls;
use super::json::{drop_default, object, set_default, text};
use crate::model::{Invalid, JsonObject, JsonValue, MessageStatus, Part, Role};

/// The roles of OpenAI. The first one for each role of Scrollback is the one that is not stored.
const ROLES: [(&str, Role); 8] = [
    ("user", Role::User),
    ("assistant", Role::Assistant),
    ("system", Role::System),
    ("tool", Role::Tool),
    ("developer", Role::System),
    ("unknown", Role::Assistant),
    ("critic", Role::Assistant),
    ("discriminator", Role::Assistant),
];

fn role_name(role: Role) -> &'static str {
    ROLES.iter().find(|(_, other)| *other == role).map_or("user", |(name, _)| name)
}

/// The role of an item.
pub(super) fn role_of(item: &JsonObject) -> Option<Role> {
    let name = text(item, "role")?;
    ROLES.iter().find(|(known, _)| *known == name).map(|(_, role)| *role)
}

/// Checks an item of a client, and sets the fields that OpenAI sets in its answers.
pub(super) fn complete(argument: &str, item: &mut JsonObject) -> Result<Role, Invalid> {
    let role = role_of(item).ok_or_else(|| {
        Invalid::new(format!("{argument}.role"), "must be one of user, assistant, system, developer, tool")
    })?;
    let path = format!("{argument}.content");
    let mut contents = match item.shift_remove("content") {
        Some(JsonValue::String(text)) => {
            vec![JsonValue::Object(object([("type", text_type(role).into()), ("text", text.into())]))]
        }
        Some(JsonValue::Array(contents)) => contents,
        _ => return Err(Invalid::new(path, "must be a string or a list")),
    };
    for (at, content) in contents.iter_mut().enumerate() {
        let path = format!("{path}[{at}]");
        let JsonValue::Object(fields) = content else { return Err(Invalid::new(path, "must be an object")) };
        content::check(&path, fields)?;
        content::complete(fields);
    }
    item.insert("content".to_owned(), JsonValue::Array(contents));
    Ok(role)
}

/// The parts that store an item, and its other fields.
pub(super) fn parts(
    argument: &str,
    role: Role,
    item: &JsonObject,
) -> Result<(Vec<Part>, JsonObject), Invalid> {
    let mut rest = item.clone();
    let contents = rest.shift_remove("content");
    let contents = contents.as_ref().and_then(JsonValue::as_array).unwrap_or_default();
    let part = |(at, content): (usize, &JsonValue)| {
        let fields = content.as_object().cloned().unwrap_or_default();
        content::part(&format!("{argument}.content[{at}]"), role, &fields)
    };
    let parts = contents.iter().enumerate().map(part).collect::<Result<_, _>>()?;
    rest.shift_remove("type");
    drop_default(&mut rest, "role", role_name(role));
    drop_default(&mut rest, "status", "completed");
    Ok((parts, rest))
}

/// The item of these parts, with its other fields.
pub(super) fn of_parts<'p>(
    (role, status): (Role, MessageStatus),
    parts: impl Iterator<Item = &'p Part>,
    urls: &FileUrls,
    other: JsonObject,
) -> JsonObject {
    let mut contents: Vec<JsonObject> = Vec::new();
    for part in parts {
        if let Part::Source(source) = part {
            let Some(last) = contents.last_mut() else { continue };
            let end = text(last, "text").map_or(0, |text| text.chars().count());
            if let Some(JsonValue::Array(annotations)) = last.get_mut("annotations") {
                annotations.push(content::annotation(source, end, end));
            }
        } else {
            contents.extend(content::of_part(role, part, urls));
        }
    }
    let status = match status {
        MessageStatus::Streaming => "in_progress",
        MessageStatus::Complete => "completed",
        MessageStatus::Interrupted | MessageStatus::Failed => "incomplete",
    };
    let contents = contents.into_iter().map(JsonValue::Object).collect();
    let mut item = object([("type", "message".into())]);
    item.extend(other);
    set_default(&mut item, "status", status.into());
    set_default(&mut item, "role", role_name(role).into());
    item.insert("content".to_owned(), JsonValue::Array(contents));
    item
}
