//! Emits a service's client: a stub over a channel, one method for each RPC.

use crate::format::Writer;
use crate::model::{Method, Service, Shape};

/// Writes `pub struct GreeterClient` and its methods.
pub(crate) fn emit(service: &Service, out: &mut Writer) {
    let rt = &service.runtime;
    let client = &service.names.client;
    out.docs(&service.docs_with(format!(
        "Client of the service `{}`: cheap to clone, and every method takes `&self`.",
        service.full_name
    )));
    for attribute in &service.attributes.client {
        out.add(attribute);
    }
    out.add(&format!(
        "#[derive(Clone, Debug)]
         pub struct {client} {{
         channel: {rt}::client::Channel,
         }}

         impl {client} {{
         /// Makes a client whose calls go over `channel`; any number of clients may share one."
    ));
    if service.deprecated {
        out.add(&service.deprecation());
    }
    out.add(&format!(
        "#[must_use]
         pub fn new(channel: {rt}::client::Channel) -> Self {{
         Self {{ channel }}
         }}"
    ));
    for method in &service.methods {
        call(service, method, out);
    }
    out.add("}\n\n");
}

fn call(service: &Service, method: &Method, out: &mut Writer) {
    let rt = &service.runtime;
    let name = &method.name;
    let request = &method.request;
    let (parameter, start) = match method.shape {
        Shape::Unary => (format!("\nrequest: {request},"), "unary(request)"),
        Shape::ServerStreaming => (
            format!("\nrequest: {request},"),
            "server_streaming(request)",
        ),
        Shape::ClientStreaming => (String::new(), "client_streaming()"),
        Shape::Bidi => (String::new(), "bidi()"),
    };
    out.add("\n");
    out.docs(&service.docs_of(method));
    if method.deprecated {
        out.add(&service.deprecation());
    }
    out.add(&format!(
        "pub fn {name}(
         &self,{parameter}
         ) -> {rt}::client::Call<'_, {}::{}, {rt}::client::{}> {{
         self.channel.{start}
         }}",
        service.names.module,
        method.marker,
        method.shape.variant(),
    ));
}
