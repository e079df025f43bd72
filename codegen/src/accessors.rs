//! The methods that prost derives for a message's fields. They are named after the fields, and the names of
//! two fields that differ may lead to one method.

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto};

use crate::check::is_map_entry;
use crate::names::prost_snake;

/// What prost derives for one field.
#[derive(Debug, PartialEq)]
pub(crate) enum Accessors {
    /// Methods of these names; often none.
    Named(Vec<String>),
    /// Two, for a map with enums for values, whose names prost cannot write: the field is a keyword.
    Unnameable,
}

/// The accessors of a field of `message`, whose full name is `scope`. `explicit`: without a label, proto2
/// knows whether a field was set, and proto3 does not.
pub(crate) fn of(
    field: &FieldDescriptorProto,
    message: &DescriptorProto,
    scope: &str,
    explicit: bool,
) -> Accessors {
    let name = prost_snake(field.name());
    let plain = name.trim_start_matches("r#");
    let named = |prefixes: &[&str]| {
        let names = prefixes.iter().map(|prefix| format!("{prefix}{plain}"));
        Accessors::Named(names.collect())
    };
    if field.oneof_index.is_some() && !field.proto3_optional() {
        return named(&[]);
    }
    let repeated = field.label() == Label::Repeated;
    match field.r#type() {
        Type::Enum if repeated => named(&["", "push_"]),
        Type::Enum => named(&["", "set_"]),
        Type::Message if repeated && is_map_of_enums(field, message, scope) => {
            if name == plain {
                named(&["get_", "insert_"])
            } else {
                Accessors::Unnameable
            }
        }
        Type::Message | Type::Group => named(&[]),
        _ if field.proto3_optional() || (explicit && field.label() == Label::Optional) => {
            named(&[""])
        }
        _ => named(&[]),
    }
}

fn is_map_of_enums(field: &FieldDescriptorProto, message: &DescriptorProto, scope: &str) -> bool {
    let entry = message.nested_type.iter().find(|nested| {
        is_map_entry(nested) && field.type_name() == format!("{scope}.{}", nested.name())
    });
    let mut fields = entry.into_iter().flat_map(|entry| &entry.field);
    fields.any(|value| value.number() == 2 && value.r#type() == Type::Enum)
}
