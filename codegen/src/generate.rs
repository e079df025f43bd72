//! Descriptors in, Rust text out: messages by prost-build, services by our emitters.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use prost_build::{Config, Module, ServiceGenerator};
use prost_types::FileDescriptorProto;
use prost_types::method_options::IdempotencyLevel;

use crate::builder::Options;
use crate::docs::Docs;
use crate::error::Error;
use crate::format::{self, RUNTIME, Writer};
use crate::model::{Idempotency, Method, Service, ServiceNames, Shape, TypePath};
use crate::names::{Scope, snake, upper_camel};
use crate::{client, descriptor, server};

/// One package that has something to generate.
#[derive(Debug)]
pub(crate) struct Package {
    /// The modules that lead to it, none for the nameless package.
    pub(crate) path: Vec<String>,
    /// The file that its text goes to.
    pub(crate) file_name: String,
    pub(crate) text: String,
}

/// Generates one text for each package, in the order of the module tree.
pub(crate) fn packages(
    options: &Options,
    mut files: Vec<FileDescriptorProto>,
) -> Result<Vec<Package>, Error> {
    let mut docs = Docs::default();
    for file in &mut files {
        docs.take(file);
    }
    let docs = Rc::new(docs);
    let mut config = prost_config(options);
    config.service_generator(Box::new(Services {
        client: options.client,
        server: options.server,
        names: service_names(&files),
        docs: Rc::clone(&docs),
    }));
    let requests = files
        .into_iter()
        .map(|file| (Module::from_protobuf_package_name(file.package()), file))
        .collect();
    let modules: BTreeMap<Module, String> = config
        .generate(requests)
        .map_err(|source| Error::Option { source })?
        .into_iter()
        .collect();
    Ok(modules
        .into_iter()
        .map(|(module, raw)| Package {
            path: module.parts().map(str::to_owned).collect(),
            file_name: module.to_file_name_or("_"),
            text: format::finish(&raw, &docs),
        })
        .collect())
}

fn prost_config(options: &Options) -> Config {
    let mut config = Config::new();
    config.prost_path(format!("{RUNTIME}::prost"));
    config.prost_types_path(format!("{RUNTIME}::prost_types"));
    for (path, attribute) in &options.type_attributes {
        config.type_attribute(path, attribute);
    }
    for (path, attribute) in &options.field_attributes {
        config.field_attribute(path, attribute);
    }
    config.bytes(&options.bytes);
    config
}

/// Settles what every service's items are called, so that they collide with nothing in their module.
fn service_names(files: &[FileDescriptorProto]) -> HashMap<String, ServiceNames> {
    let mut scopes: HashMap<Vec<String>, (Scope, Scope)> = HashMap::new();
    for file in files {
        let path = module_path(file);
        let (types, modules) = scopes.entry(path.clone()).or_default();
        for name in file.message_type.iter().map(|m| m.name()) {
            types.reserve(&upper_camel(name));
            modules.reserve(&snake(name));
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

fn full_name(package: &str, service: &str) -> String {
    if package.is_empty() {
        service.to_owned()
    } else {
        format!("{package}.{service}")
    }
}

/// Takes services from prost-build, which knows the Rust path of every message, to the emitters.
struct Services {
    client: bool,
    server: bool,
    names: HashMap<String, ServiceNames>,
    docs: Rc<Docs>,
}

impl ServiceGenerator for Services {
    fn generate(&mut self, service: prost_build::Service, buf: &mut String) {
        let Some(service) = self.model(service) else {
            return;
        };
        let mut out = Writer::default();
        descriptor::emit(&service, &mut out);
        if self.server {
            server::emit(&service, &mut out);
        }
        if self.client {
            client::emit(&service, &mut out);
        }
        buf.push_str(&out.finish());
    }
}

impl Services {
    fn model(&self, service: prost_build::Service) -> Option<Service> {
        let full_name = full_name(&service.package, &service.proto_name);
        let mut methods = Scope::of_methods();
        let mut markers = Scope::default();
        Some(Service {
            names: self.names.get(&full_name)?.clone(),
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
