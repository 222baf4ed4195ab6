//! The SDL of the subgraph.

use apollo_compiler::ast::{Argument, Definition, Directive, Document, Value};
use apollo_compiler::{Node, name};

/// The directives that the SDL uses.
const LINK: &str = r#"extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])"#;

/// The types that other subgraphs can refer to: those of `_Entity`.
const ENTITIES: [&str; 4] = ["Conversation", "Message", "Attachment", "Viewer"];

/// The types that other subgraphs may have too, with the same fields: that of Relay.
const SHAREABLE: [&str; 1] = ["PageInfo"];

/// The SDL with the directives of Apollo Federation, and without the fields that every subgraph has.
///
/// # Panics
/// The SDL cannot be parsed. It is part of the program.
pub(in crate::graphql) fn subgraph_sdl(sdl: &str) -> String {
    let mut document = match Document::parse(sdl, "schema.graphql") {
        Ok(document) => document,
        Err(invalid) => panic!("the schema of the API cannot be parsed: {}", invalid.errors),
    };
    for definition in &mut document.definitions {
        let Definition::ObjectTypeDefinition(object) = definition else { continue };
        if ENTITIES.contains(&object.name.as_str()) {
            let fields = Argument { name: name!("fields"), value: Node::new(Value::String("id".into())) };
            let key = Directive { name: name!("key"), arguments: vec![Node::new(fields)] };
            object.make_mut().directives.0.push(Node::new(key));
        } else if SHAREABLE.contains(&object.name.as_str()) {
            let shareable = Directive { name: name!("shareable"), arguments: Vec::new() };
            object.make_mut().directives.0.push(Node::new(shareable));
        }
    }
    format!("{LINK}\n\n{document}")
}
