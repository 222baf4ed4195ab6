//! Hostile requests.

use serde_json::{Value, json};

/// Spreads one selection 2^`steps` times.
pub(crate) fn bomb(steps: usize) -> String {
    let step = |at: usize| format!(" fragment F{at} on Query {{ ...F{0} ...F{0} }}", at + 1);
    let steps_text: String = (0..steps).map(step).collect();
    format!("{{ ...F0 }}{steps_text} fragment F{steps} on Query {{ viewer {{ id }} }}")
}

/// The same in the words of a document that is refused for nothing else: fragments are few, and each
/// spreads the next one `width` times.
pub(crate) fn wide_bomb(steps: usize, width: usize) -> String {
    let step =
        |at: usize| format!(" fragment F{at} on Query {{ {}}}", format!("...F{} ", at + 1).repeat(width));
    let steps_text: String = (0..steps).map(step).collect();
    format!("{{ ...F0 }}{steps_text} fragment F{steps} on Query {{ viewer {{ id }} }}")
}

/// Fragments that spread each other in a circle, each the next one twice.
fn circle(steps: usize) -> String {
    let step = |at: usize| format!(" fragment F{at} on Query {{ ...F{0} ...F{0} }}", (at + 1) % steps);
    let steps_text: String = (0..steps).map(step).collect();
    format!("{{ ...F0 }}{steps_text}")
}

fn nested(open: &str, middle: &str, close: &str, times: usize) -> String {
    format!("{}{middle}{}", open.repeat(times), close.repeat(times))
}

/// A document that must be refused, its variables, and with which limit: `""` where it is for another
/// reason.
pub(crate) struct Hostile {
    pub(crate) name: &'static str,
    pub(crate) query: String,
    pub(crate) variables: Value,
    pub(crate) limit: &'static str,
}

/// Everything that fits in a request's body.
pub(crate) fn all() -> Vec<Hostile> {
    let plain = |name, limit, query: String| Hostile { name, query, variables: json!({}), limit };
    let pages = "conversations(first: 100) { nodes { messages(first: 100) { nodes { conversation {
      messages(first: 100) { nodes { id } } } } } } }";
    let chain: String =
        (0..40).map(|at| format!("fragment F{at} on Query {{ ...{{...{{...F{}}}}} }} ", at + 1)).collect();
    vec![
        plain("fragments, 2^30", "selections", bomb(30)),
        plain("fragments, 2^60 in 30 steps", "selections", wide_bomb(30, 4)),
        plain("fragments, 2^60 in 60 steps", "fragments", bomb(60)),
        plain("fragments in a circle", "", circle(40)),
        plain(
            "fragments in a chain",
            "nesting",
            format!("{{...F0}} {chain} fragment F40 on Query {{viewer{{id}}}}"),
        ),
        plain("20,000 aliases", "document_bytes", format!("{{ {} }}", "a: viewer { id } ".repeat(20_000))),
        plain("600 aliases", "aliases", format!("{{ viewer {{ {} }} }}", "a:id ".repeat(600))),
        plain("600 directives", "directives", format!("{{ viewer {{ id {} }} }}", "@a ".repeat(600))),
        plain("995 root fields", "root_fields", format!("{{ {} }}", "__typename ".repeat(995))),
        plain("8,002 tokens", "tokens", format!("{{{}}}", "a ".repeat(8000))),
        plain(
            "lists, 50,000 deep",
            "document_bytes",
            format!("{{ nodes(ids: {}) }}", nested("[", "", "]", 50_000)),
        ),
        plain("lists, 8,000 deep", "tokens", format!("{{ nodes(ids: {}) }}", nested("[", "", "]", 8000))),
        plain("lists, 900 deep", "nesting", format!("{{ nodes(ids: {}) }}", nested("[", "", "]", 900))),
        plain("types, 900 deep", "nesting", format!("query($a: {}) {{ a }}", nested("[", "Int", "]", 900))),
        plain("selections, 50,000 deep", "document_bytes", nested("{a", "", "}", 50_000)),
        plain("selections, 600 deep", "nesting", nested("{a", "", "}", 600)),
        plain("selections, 50 deep", "depth", nested("{a", "", "}", 50)),
        plain("brackets that never close", "tokens", "{".repeat(16_000)),
        plain("100,000 variables", "document_bytes", format!("query({}) {{a}}", "$a:Int".repeat(100_000))),
        plain("400 variables", "variables", format!("query({}) {{a}}", "$a:Int ".repeat(400))),
        plain("a comment of 900 KB", "document_bytes", format!("{{viewer{{id}}}}#{}", "{".repeat(900_000))),
        plain(
            "a string of 900 KB",
            "document_bytes",
            format!("{{node(id:\"{}\"){{id}}}}", "x".repeat(900_000)),
        ),
        plain("pages of pages of pages", "cost", format!("{{ {pages} }}")),
        plain(
            "the schema of the schema",
            "introspection_lists",
            format!("{{ __schema {{ types {{ {} }} }} }}", nested("fields { type { ", "name", "} } ", 6)),
        ),
    ]
}

/// The body of a request.
pub(crate) fn body(query: &str, variables: &Value) -> String {
    json!({ "query": query, "variables": variables }).to_string()
}

/// A body whose variables nest so deep that reading them must not call itself for every level.
pub(crate) fn deep_body() -> String {
    format!(r#"{{"query":"{{viewer{{id}}}}","variables":{{"a":{}}}}}"#, nested("[", "1", "]", 50_000))
}
