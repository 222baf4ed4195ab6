//! A JSON Schema of the configuration file, made from the file with the defaults.
//!
//! It has the names, types, defaults and descriptions of all settings, which is what an editor shows. The rules of values are
//! those of [`super::load()`].

use serde_json::{Map, Value, json};
use toml::Table;

use super::{DEFAULT_FILE, names};

/// The schema, as indented JSON (<https://json-schema.org/draft/2020-12>).
pub fn schema() -> String {
    let mut root = object("Settings of Scrollback");
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    let mut section = None;
    let mut comment = Vec::new();
    // One comment can be that of several settings.
    let mut is_used = false;
    for line in DEFAULT_FILE.lines() {
        if let Some(text) = line.strip_prefix('#') {
            if std::mem::take(&mut is_used) {
                comment.clear();
            }
            comment.push(text.strip_prefix(' ').unwrap_or(text));
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            if std::mem::take(&mut is_used) {
                comment.clear();
            }
            root["properties"][name] = object(&description(&comment));
            section = Some(name);
            comment.clear();
        } else if let Ok(setting) = line.parse::<Table>() {
            let properties = match section {
                Some(section) => &mut root["properties"][section]["properties"],
                None => &mut root["properties"],
            };
            for (name, value) in setting {
                let path = section.map_or_else(|| name.clone(), |section| format!("{section}.{name}"));
                properties[&name] = property(&path, &value, &description(&comment));
                is_used = true;
            }
        }
    }
    format!("{root:#}\n")
}

fn object(description: &str) -> Value {
    let mut object = json!({ "type": "object", "additionalProperties": false, "properties": {} });
    if !description.is_empty() {
        object["description"] = json!(description);
    }
    object
}

/// A comment without its examples, which are indented.
fn description(comment: &[&str]) -> String {
    let lines = comment.iter().filter(|line| !line.starts_with(' '));
    lines.copied().collect::<Vec<_>>().join(" ").trim().to_owned()
}

fn property(path: &str, default: &toml::Value, description: &str) -> Value {
    let mut property = Map::new();
    let kind = match default {
        toml::Value::Integer(_) => "integer",
        toml::Value::Float(_) => "number",
        toml::Value::Boolean(_) => "boolean",
        toml::Value::Array(_) => "array",
        _ => "string",
    };
    property.insert("type".into(), kind.into());
    property.insert("description".into(), description.into());
    if let Some(keys) = names::table_list(path) {
        let keys = keys.iter().map(|key| ((*key).to_owned(), json!({})));
        let mut items = object("");
        items["properties"] = Value::Object(keys.collect());
        property.insert("items".into(), items);
    } else if kind == "array" {
        property.insert("items".into(), json!({ "type": "string" }));
    }
    property.insert("default".into(), json!(default));
    Value::Object(property)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_is_in_the_schema() {
        let schema: Value = serde_json::from_str(&schema()).unwrap();
        let defaults: Table = toml::from_str(DEFAULT_FILE).unwrap();
        let settings = names::leaves(&defaults, "");
        assert!(settings.len() > 100);
        for setting in settings {
            let pointer = format!("/properties/{}", setting.replace('.', "/properties/"));
            let property = schema.pointer(&pointer).unwrap_or_else(|| panic!("{setting} is missing"));
            let described = property["description"].as_str().unwrap();
            assert!(described.len() > 10 && described.ends_with(['.', ':', '"']), "{setting}: {described}");
        }
    }

    #[test]
    fn the_schema_accepts_the_defaults_and_no_other_names() {
        let schema: Value = serde_json::from_str(&schema()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let read = |text: &str| json!(toml::from_str::<Table>(text).unwrap());
        assert!(validator.is_valid(&read(DEFAULT_FILE)));
        assert!(validator.is_valid(&read("[[webhooks]]\nname = \"crm\"\nsecret = [\"a\", \"b\"]\n")));
        for wrong in [
            "lissten = \"127.0.0.1:1\"",
            "[server]\nbody_limit = \"8 MiB\"",
            "[servr]\nlisten = \"\"",
            "[[auth.issuers]]\nisuer = \"us\"",
            "[shares]\nenabled = 1",
        ] {
            assert!(!validator.is_valid(&read(wrong)), "{wrong}");
        }
    }
}
