//! Emits the module of a service's markers: one zero-sized type for each RPC, and the service's table.

use crate::format::Writer;
use crate::model::{Idempotency, Method, Service};

/// Writes `pub mod greeter { … }`.
pub(crate) fn emit(service: &Service, out: &mut Writer) {
    let rt = &service.runtime;
    let full_name = &service.full_name;
    out.add(&format!(
        "/// The methods of the service `{full_name}`, one marker type each.
         pub mod {} {{",
        service.names.module
    ));
    for method in &service.methods {
        marker(service, method, out);
    }
    out.add(&format!(
        "/// The service `{full_name}`: its name and its methods.
         pub const SERVICE: {rt}::ServiceDescriptor = {rt}::ServiceDescriptor::new(
         {full_name:?},
         &["
    ));
    for method in &service.methods {
        let marker = &method.marker;
        out.add(&format!("<{marker} as {rt}::Method>::DESCRIPTOR,"));
    }
    out.add("],\n);\n}\n\n");
}

fn marker(service: &Service, method: &Method, out: &mut Writer) {
    let rt = &service.runtime;
    let Method {
        wire_name,
        marker,
        request,
        response,
        ..
    } = method;
    let full_name = &service.full_name;
    let path = service.path_of(method);
    let shape = method.shape.variant();
    let idempotency = match method.idempotency {
        Idempotency::Unknown => "",
        Idempotency::NoSideEffects => "NoSideEffects",
        Idempotency::Idempotent => "Idempotent",
    };
    let suffix = if idempotency.is_empty() {
        String::new()
    } else {
        format!("\n.with_idempotency({rt}::Idempotency::{idempotency})")
    };
    out.docs(&[format!("Marks the RPC `{path}`.")]);
    out.add(&format!(
        "#[derive(Clone, Copy, Debug)]
         pub struct {marker};

         impl {rt}::Method for {marker} {{
         type Request = {};
         type Response = {};
         type Codec = {rt}::ProstCodec;
         const DESCRIPTOR: &'static {rt}::MethodDescriptor = &{rt}::MethodDescriptor::new(
         {full_name:?},
         {wire_name:?},
         {path:?},
         {rt}::Shape::{shape},
         ){suffix};
         }}

         ",
        request.one_module_down(),
        response.one_module_down(),
    ));
}
