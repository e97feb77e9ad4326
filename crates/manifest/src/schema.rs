//! The JSON Schema of the manifest, made from the table of keys.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::keys::{FARM, Section, Shape};

/// The JSON Schema (draft 2020-12) of a manifest, for editors. It describes every key; it is wider than the reader, which also looks at
/// what texts mean.
pub fn schema() -> Value {
    let mut definitions = BTreeMap::new();
    let mut root = object(&FARM, &mut definitions);
    root.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    root.insert("title".to_owned(), json!("farm.yaml"));
    let definitions: Map<String, Value> = definitions
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    root.insert("$defs".to_owned(), Value::Object(definitions));
    Value::Object(root)
}

/// Definitions by name; `None` while one is being made, so that `deps:` below `deps:` ends.
type Definitions = BTreeMap<&'static str, Option<Value>>;

fn object(section: &'static Section, definitions: &mut Definitions) -> Map<String, Value> {
    let mut properties = Map::new();
    for key in section.keys {
        let mut value = shape(key.shape, definitions);
        // A reference may have a description beside it since draft 2019-09.
        value.insert("description".to_owned(), json!(key.doc));
        properties.insert(key.name.to_owned(), Value::Object(value));
    }
    let required: Vec<&str> = section
        .keys
        .iter()
        .filter(|key| key.required)
        .map(|key| key.name)
        .collect();
    let mut object = Map::new();
    object.insert("type".to_owned(), json!("object"));
    object.insert("description".to_owned(), json!(section.doc));
    object.insert("properties".to_owned(), Value::Object(properties));
    object.insert("additionalProperties".to_owned(), json!(false));
    if !required.is_empty() {
        object.insert("required".to_owned(), json!(required));
    }
    object
}

fn shape(shape: &'static Shape, definitions: &mut Definitions) -> Map<String, Value> {
    let value = match shape {
        // YAML's numbers and truth values are texts to farm.
        Shape::Text => json!({ "type": ["string", "number", "boolean"] }),
        Shape::Number => json!({ "type": ["integer", "string"], "minimum": 0, "pattern": "^[0-9]+$" }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Words(words) => json!({ "enum": words }),
        Shape::List(item) => json!({ "type": "array", "items": self::shape(item, definitions) }),
        // A name with nothing behind it is a name with nothing set.
        Shape::Map(Shape::Section(section)) => {
            let value = reference(section, definitions);
            json!({ "type": "object", "additionalProperties": { "anyOf": [value, { "type": "null" }] } })
        }
        Shape::Map(value) => json!({ "type": "object", "additionalProperties": self::shape(value, definitions) }),
        Shape::Section(section) => reference(section, definitions),
        Shape::Anything => json!({}),
        Shape::Either(shapes) => {
            let shapes: Vec<Value> = shapes
                .iter()
                .map(|one| Value::Object(self::shape(one, definitions)))
                .collect();
            json!({ "anyOf": shapes })
        }
    };
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

fn reference(section: &'static Section, definitions: &mut Definitions) -> Value {
    if !definitions.contains_key(section.name) {
        definitions.insert(section.name, None);
        let made = object(section, definitions);
        definitions.insert(section.name, Some(Value::Object(made)));
    }
    json!({ "$ref": format!("#/$defs/{}", section.name) })
}
