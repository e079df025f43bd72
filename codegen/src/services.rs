//! Services from prost-build, which knows the Rust path of every message, to the emitters.

use std::collections::HashMap;
use std::rc::Rc;

use prost_build::{Module, ServiceGenerator};
use prost_types::FileDescriptorProto;
use prost_types::method_options::IdempotencyLevel;

use crate::docs::Docs;
use crate::format::Writer;
use crate::model::{Attributes, Idempotency, Method, Service, ServiceNames, Shape, TypePath};
use crate::names::{Scope, prost_snake, snake, upper_camel};
use crate::options::{Options, Target, matches};
use crate::{client, descriptor, server};

/// The type parameter of servers, which would hide a trait of this name.
const HANDLER_PARAMETER: &str = "T";

/// Settles what every service's items are called, so that they collide with nothing in their module.
pub(crate) fn service_names(files: &[FileDescriptorProto]) -> HashMap<String, ServiceNames> {
    let mut scopes: HashMap<Vec<String>, (Scope, Scope)> = HashMap::new();
    for file in files {
        let path = module_path(file);
        let (types, modules) = scopes.entry(path.clone()).or_default();
        types.reserve(HANDLER_PARAMETER);
        for name in file.message_type.iter().map(|m| m.name()) {
            types.reserve(&upper_camel(name));
            modules.reserve(&prost_snake(name));
        }
        for name in file.enum_type.iter().map(|e| e.name()) {
            types.reserve(&upper_camel(name));
        }
        for depth in 0..path.len() {
            let (parent, child) = path.split_at(depth);
            if let Some(child) = child.first() {
                scopes.entry(parent.to_vec()).or_default().1.reserve(child);
            }
        }
    }
    let mut names = HashMap::new();
    let services = |file: &FileDescriptorProto| {
        let services = file.service.iter().map(|s| s.name().to_owned());
        services.collect::<Vec<_>>()
    };
    for file in files {
        let (types, modules) = scopes.entry(module_path(file)).or_default();
        for name in services(file) {
            let handler = types.claim(&upper_camel(&name));
            // They are alike if the name begins with a digit.
            modules.reserve(&handler);
            let module = modules.claim(&snake(&name));
            let (client, server) = (String::new(), String::new());
            let settled = ServiceNames {
                handler,
                module,
                client,
                server,
            };
            names.insert(full_name(file.package(), &name), settled);
        }
    }
    // After all handlers: a service `FooClient` keeps its name, the client of `Foo` gives way.
    for file in files {
        let (types, _) = scopes.entry(module_path(file)).or_default();
        for name in services(file) {
            if let Some(settled) = names.get_mut(&full_name(file.package(), &name)) {
                let name = upper_camel(&name);
                settled.client = types.claim(&format!("{name}Client"));
                settled.server = types.claim(&format!("{name}Server"));
            }
        }
    }
    names
}

fn module_path(file: &FileDescriptorProto) -> Vec<String> {
    Module::from_protobuf_package_name(file.package())
        .parts()
        .map(str::to_owned)
        .collect()
}

pub(crate) fn full_name(package: &str, service: &str) -> String {
    if package.is_empty() {
        service.to_owned()
    } else {
        format!("{package}.{service}")
    }
}

/// What prost-build calls for each service.
pub(crate) struct Services {
    pub(crate) options: Options,
    pub(crate) names: HashMap<String, ServiceNames>,
    /// The constants with the descriptors of their files.
    pub(crate) described: HashMap<String, String>,
    pub(crate) docs: Rc<Docs>,
}

impl ServiceGenerator for Services {
    fn generate(&mut self, service: prost_build::Service, buf: &mut String) {
        let Some(service) = self.model(service) else {
            return;
        };
        let mut out = Writer::default();
        descriptor::emit(&service, &mut out);
        if self.options.server {
            server::emit(&service, &mut out);
        }
        if self.options.client {
            client::emit(&service, &mut out);
        }
        buf.push_str(&out.finish());
    }
}

impl Services {
    fn attributes(&self, target: Target, service: &str) -> Vec<String> {
        let full_name = format!(".{service}");
        self.options
            .attributes_of(target)
            .filter(|(path, _)| matches(path, &full_name))
            .map(|(_, text)| text.to_owned())
            .collect()
    }

    fn model(&self, service: prost_build::Service) -> Option<Service> {
        let full_name = full_name(&service.package, &service.proto_name);
        let mut methods = Scope::of_methods();
        let mut markers = Scope::default();
        Some(Service {
            runtime: format!("{}::codegen", self.options.runtime),
            attributes: Attributes {
                handler: self.attributes(Target::Trait, &full_name),
                client: self.attributes(Target::Client, &full_name),
                server: self.attributes(Target::Server, &full_name),
            },
            names: self.names.get(&full_name)?.clone(),
            described: self.described.get(&full_name).cloned(),
            docs: self.docs.resolve(&service.comments.leading),
            deprecated: service.options.deprecated(),
            methods: service
                .methods
                .into_iter()
                .map(|method| Method {
                    name: methods.claim(&snake(&method.proto_name)),
                    marker: markers.claim(&upper_camel(&method.proto_name)),
                    docs: self.docs.resolve(&method.comments.leading),
                    deprecated: method.options.deprecated(),
                    shape: shape(method.client_streaming, method.server_streaming),
                    idempotency: match method.options.idempotency_level() {
                        IdempotencyLevel::IdempotencyUnknown => Idempotency::Unknown,
                        IdempotencyLevel::NoSideEffects => Idempotency::NoSideEffects,
                        IdempotencyLevel::Idempotent => Idempotency::Idempotent,
                    },
                    request: TypePath(method.input_type),
                    response: TypePath(method.output_type),
                    wire_name: method.proto_name,
                })
                .collect(),
            full_name,
        })
    }
}

fn shape(client_streaming: bool, server_streaming: bool) -> Shape {
    match (client_streaming, server_streaming) {
        (false, false) => Shape::Unary,
        (true, false) => Shape::ClientStreaming,
        (false, true) => Shape::ServerStreaming,
        (true, true) => Shape::Bidi,
    }
}
