//! The size of variables.

use async_graphql::{Value, Variables};

/// The bytes of a value without its text, in lists, objects and maps.
const VALUE: usize = 128;

/// The size of all variables.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::graphql) struct VariablesSize {
    /// The number of values: lists, objects, and everything in them.
    pub(in crate::graphql) values: usize,
    /// The bytes of texts and names.
    text: usize,
}

impl VariablesSize {
    pub(in crate::graphql) fn of(variables: &Variables) -> Self {
        let mut all = Self::default();
        for (name, value) in variables.iter() {
            all.add(value);
            all.text += name.len();
        }
        all
    }

    /// The approximate memory, in bytes.
    pub(in crate::graphql) fn bytes(&self) -> usize {
        self.values * VALUE + self.text
    }

    /// The JSON parser limits how deep it calls itself.
    fn add(&mut self, value: &Value) {
        self.values += 1;
        match value {
            Value::List(items) => items.iter().for_each(|item| self.add(item)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.text += name.len();
                    self.add(value);
                }
            }
            Value::String(text) => self.text += text.len(),
            Value::Binary(number) => self.text += number.len(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_and_bytes_are_counted() {
        let of = |variables| VariablesSize::of(&Variables::from_json(variables));
        assert_eq!(of(json!({})), VariablesSize::default());
        let variables = json!({ "one": 1, "list": [1, [], "äb"], "object": { "of": { "it": null } } });
        assert_eq!(of(variables), VariablesSize { values: 8, text: 3 + 4 + 6 + 2 + 2 + 3 });
        assert_eq!(of(json!({ "a": "b" })).bytes(), VALUE + 2);
    }
}
