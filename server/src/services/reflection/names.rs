//! Every full name that a file defines.

use trunkline_core::codegen::prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

/// One thing that a file defines.
pub(super) enum Defined<'a> {
    /// A name in full, without a dot in front: `shop.Order.items`.
    Symbol(String),
    /// An extension: of which message, and its number there.
    Extension(&'a str, i32),
}

/// Tells of everything that a file defines.
pub(super) fn each<'a>(file: &'a FileDescriptorProto, see: &mut impl FnMut(Defined<'a>)) {
    let package = file.package();
    for message in &file.message_type {
        messages(message, package, see);
    }
    for item in &file.enum_type {
        enums(item, package, see);
    }
    for extension in &file.extension {
        extensions(extension, package, see);
    }
    for service in &file.service {
        let name = join(package, service.name());
        for method in &service.method {
            see(Defined::Symbol(join(&name, method.name())));
        }
        see(Defined::Symbol(name));
    }
}

fn messages<'a>(message: &'a DescriptorProto, scope: &str, see: &mut impl FnMut(Defined<'a>)) {
    let name = join(scope, message.name());
    for field in &message.field {
        see(Defined::Symbol(join(&name, field.name())));
    }
    for oneof in &message.oneof_decl {
        see(Defined::Symbol(join(&name, oneof.name())));
    }
    for extension in &message.extension {
        extensions(extension, &name, see);
    }
    for item in &message.enum_type {
        enums(item, &name, see);
    }
    for nested in &message.nested_type {
        messages(nested, &name, see);
    }
    see(Defined::Symbol(name));
}

/// The values of an enum are beside it, not inside.
fn enums<'a>(item: &'a EnumDescriptorProto, scope: &str, see: &mut impl FnMut(Defined<'a>)) {
    see(Defined::Symbol(join(scope, item.name())));
    for value in &item.value {
        see(Defined::Symbol(join(scope, value.name())));
    }
}

fn extensions<'a>(
    extension: &'a FieldDescriptorProto,
    scope: &str,
    see: &mut impl FnMut(Defined<'a>),
) {
    see(Defined::Symbol(join(scope, extension.name())));
    let of = extension.extendee().trim_start_matches('.');
    see(Defined::Extension(of, extension.number()));
}

fn join(scope: &str, name: &str) -> String {
    if scope.is_empty() {
        name.to_owned()
    } else {
        format!("{scope}.{name}")
    }
}
