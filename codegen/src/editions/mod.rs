//! Editions: files that say by features what proto2 and proto3 say by their syntax.
//!
//! Neither protox nor prost knows them. A file's text is read as proto3, whose grammar is almost that of
//! editions (see `text`); its features come out as the options they are. Then each file is lowered to proto3 with the same meaning: presence becomes `optional`, `LEGACY_REQUIRED` a label,
//! `DELIMITED` a group, the encoding of repeated fields the option `packed`.
//!
//! Source: descriptor.proto, `FeatureSet` and the defaults of each edition, the same for 2023 and 2024.

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, OneofDescriptorProto,
};

use crate::check::is_map_entry;
use crate::survey;

mod text;

pub(crate) use text::{Statement, statement, take_defaults};

/// `google.protobuf.Edition`: the first that generated code can be made for, and the last.
pub(crate) const MINIMUM: i32 = 998;
/// Edition 2024.
pub(crate) const MAXIMUM: i32 = 1001;

/// What a file says by its features; read from the bytes, as prost-types knows no editions.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct FileFeatures {
    #[prost(message, repeated, tag = "4")]
    messages: Vec<MessageFeatures>,
    #[prost(message, optional, tag = "8")]
    options: Option<FileOptions>,
    #[prost(int32, optional, tag = "14")]
    pub(crate) edition: Option<i32>,
}

#[derive(Clone, PartialEq, Message)]
struct MessageFeatures {
    #[prost(message, repeated, tag = "2")]
    fields: Vec<FieldFeatures>,
    #[prost(message, repeated, tag = "3")]
    nested: Vec<Self>,
    #[prost(message, optional, tag = "7")]
    options: Option<MessageOptions>,
    #[prost(message, repeated, tag = "8")]
    oneofs: Vec<OneofFeatures>,
}

#[derive(Clone, PartialEq, Message)]
struct FieldFeatures {
    #[prost(message, optional, tag = "8")]
    options: Option<FieldOptions>,
}

#[derive(Clone, PartialEq, Message)]
struct OneofFeatures {
    #[prost(message, optional, tag = "2")]
    options: Option<OneofOptions>,
}

#[derive(Clone, PartialEq, Message)]
struct FileOptions {
    #[prost(message, optional, tag = "50")]
    features: Option<Features>,
}

#[derive(Clone, PartialEq, Message)]
struct MessageOptions {
    #[prost(message, optional, tag = "12")]
    features: Option<Features>,
}

#[derive(Clone, PartialEq, Message)]
struct FieldOptions {
    #[prost(message, optional, tag = "21")]
    features: Option<Features>,
}

#[derive(Clone, PartialEq, Message)]
struct OneofOptions {
    #[prost(message, optional, tag = "1")]
    features: Option<Features>,
}

/// The features that change what is generated; UTF-8 checks, JSON and the openness of enums do not.
#[derive(Clone, Copy, PartialEq, Message)]
struct Features {
    #[prost(int32, optional, tag = "1")]
    presence: Option<i32>,
    #[prost(int32, optional, tag = "3")]
    repeated: Option<i32>,
    #[prost(int32, optional, tag = "5")]
    encoding: Option<i32>,
}

const IMPLICIT: i32 = 2;
const LEGACY_REQUIRED: i32 = 3;
const EXPANDED: i32 = 2;
const DELIMITED: i32 = 2;

impl Features {
    /// These, with what `inner` says instead.
    fn with(self, inner: Option<Self>) -> Self {
        let inner = inner.unwrap_or_default();
        Self {
            presence: inner.presence.or(self.presence),
            repeated: inner.repeated.or(self.repeated),
            encoding: inner.encoding.or(self.encoding),
        }
    }
}

/// Lowers a file to proto3 with the same meaning.
pub(crate) fn lower(file: &mut FileDescriptorProto, features: &FileFeatures) {
    file.syntax = Some("proto3".to_owned());
    let options = features.options.as_ref();
    let inherited = Features::default().with(options.and_then(|o| o.features));
    let scope = survey::scope(file);
    for (message, own) in file.message_type.iter_mut().zip(&features.messages) {
        lower_message(message, &scope, own, inherited);
    }
}

fn lower_message(
    message: &mut DescriptorProto,
    scope: &str,
    features: &MessageFeatures,
    inherited: Features,
) {
    let full_name = format!("{scope}.{}", message.name());
    let options = features.options.as_ref();
    let here = inherited.with(options.and_then(|o| o.features));
    let maps: Vec<String> = message
        .nested_type
        .iter()
        .filter(|nested| is_map_entry(nested))
        .map(|nested| format!("{full_name}.{}", nested.name()))
        .collect();
    let mut optional = Vec::new();
    for (at, (field, own)) in message.field.iter_mut().zip(&features.fields).enumerate() {
        let oneof = field.oneof_index.and_then(|i| usize::try_from(i).ok());
        let oneof = oneof.and_then(|index| features.oneofs.get(index));
        let around = here.with(oneof.and_then(|o| o.options.as_ref()?.features));
        let features = around.with(own.options.as_ref().and_then(|o| o.features));
        let is_map = maps.iter().any(|map| field.type_name() == map);
        if lower_field(field, features, is_map) {
            optional.push(at);
        }
    }
    // A field with presence has a oneof of its own in proto3, behind all others.
    for at in optional {
        let index = i32::try_from(message.oneof_decl.len()).ok();
        if let Some(field) = message.field.get_mut(at) {
            field.proto3_optional = Some(true);
            field.oneof_index = index;
            message.oneof_decl.push(OneofDescriptorProto {
                name: Some(format!("_{}", field.name())),
                options: None,
            });
        }
    }
    for (nested, own) in message.nested_type.iter_mut().zip(&features.nested) {
        if !is_map_entry(nested) {
            lower_message(nested, &full_name, own, here);
        }
    }
}

/// Lowers a field; whether it has to be `optional`.
fn lower_field(field: &mut FieldDescriptorProto, features: Features, is_map: bool) -> bool {
    if features.encoding == Some(DELIMITED) && field.r#type() == Type::Message && !is_map {
        field.set_type(Type::Group);
    }
    let is_group = field.r#type() == Type::Group;
    let is_message = is_group || field.r#type() == Type::Message;
    if field.label() == Label::Repeated {
        let packable = !is_message && !matches!(field.r#type(), Type::String | Type::Bytes);
        if packable && field.options.as_ref().is_none_or(|o| o.packed.is_none()) {
            let packed = features.repeated != Some(EXPANDED);
            field.options.get_or_insert_default().packed = Some(packed);
        }
        return false;
    }
    match features.presence {
        Some(LEGACY_REQUIRED) => {
            field.set_label(Label::Required);
            false
        }
        // prost-build knows of messages that they have presence, of groups only in proto2.
        Some(IMPLICIT) => is_group && field.oneof_index.is_none(),
        _ => (is_group || !is_message) && field.oneof_index.is_none(),
    }
}
