//! Emits a service's server: the trait to implement, the type to register, and the glue of each RPC.

use crate::format::Writer;
use crate::model::{Method, Service, Shape};

/// Writes `pub trait Greeter`, `pub struct GreeterServer` and an `impl Serve` for each marker.
pub(crate) fn emit(service: &Service, out: &mut Writer) {
    handler(service, out);
    registration(service, out);
    for method in &service.methods {
        glue(service, method, out);
    }
}

fn handler(service: &Service, out: &mut Writer) {
    out.docs(&service.docs_with(format!(
        "Handler of the service `{}`: implement it with plain `async fn`s.",
        service.full_name
    )));
    for attribute in &service.attributes.handler {
        out.add(attribute);
    }
    out.add(&format!(
        "pub trait {}: ::core::marker::Send + ::core::marker::Sync + 'static {{",
        service.names.handler
    ));
    for (index, method) in service.methods.iter().enumerate() {
        if index > 0 {
            out.add("\n");
        }
        signature(service, method, out);
    }
    out.add("}\n\n");
}

fn signature(service: &Service, method: &Method, out: &mut Writer) {
    let rt = &service.runtime;
    let (request, response) = (&method.request, &method.response);
    let one = format!("request: {request},");
    let many = format!("requests: {rt}::server::Receiver<{request}>,");
    let sink = format!("\nresponses: {rt}::server::Sender<{response}>,");
    let reply = format!("{rt}::Response<{response}>");
    let (input, output, value) = match method.shape {
        Shape::Unary => (one, String::new(), reply),
        Shape::ClientStreaming => (many, String::new(), reply),
        Shape::ServerStreaming => (one, sink, "()".to_owned()),
        Shape::Bidi => (many, sink, "()".to_owned()),
    };
    out.docs(&service.docs_of(method));
    if method.deprecated {
        out.add(&service.deprecation());
    }
    out.add(&format!(
        "fn {}(
         &self,
         cx: &{rt}::server::RequestContext,
         {input}{output}
         ) -> impl ::core::future::Future<
         Output = ::core::result::Result<{value}, {rt}::Status>,
         > + ::core::marker::Send;",
        method.name
    ));
}

fn registration(service: &Service, out: &mut Writer) {
    let rt = &service.runtime;
    let server = &service.names.server;
    let handler = &service.names.handler;
    let module = &service.names.module;
    let full_name = &service.full_name;
    let deprecation = if service.deprecated {
        format!("\n{}", service.deprecation())
    } else {
        String::new()
    };
    out.docs(&[
        format!(
            "Registers a [`{handler}`] with a server, as the service `{}`.",
            service.full_name
        ),
        String::new(),
        "Clones share the handler.".to_owned(),
    ]);
    for attribute in &service.attributes.server {
        out.add(attribute);
    }
    out.add(&format!(
        "pub struct {server}<T>(::std::sync::Arc<T>);

         impl {server}<()> {{
         /// The service's name, `{full_name}`: what a health reporter asks for.
         pub const NAME: &'static str = {full_name:?};
         }}

         impl<T: {handler}> {server}<T> {{
         /// Serves `service`.{deprecation}
         #[must_use]
         pub fn new(service: T) -> Self {{
         Self(::std::sync::Arc::new(service))
         }}

         /// Serves a handler that others hold too.{deprecation}
         #[must_use]
         pub fn from_arc(service: ::std::sync::Arc<T>) -> Self {{
         Self(service)
         }}

         /// Erases the type: for lists of services, and for layers of tower around this one.
         #[must_use]
         pub fn boxed(self) -> {rt}::server::BoxService {{
         {rt}::server::GrpcService::boxed(self)
         }}

         /// Surrounds every RPC of this service by an interceptor; the first one added is the outermost.
         #[must_use]
         pub fn intercept(self, interceptor: impl {rt}::server::Interceptor) -> {rt}::server::BoxService {{
         self.boxed().intercept(interceptor)
         }}

         /// Surrounds every RPC of this service by interceptors from a list that was made at run time.
         #[must_use]
         pub fn intercept_all(
         self,
         list: impl ::core::iter::IntoIterator<Item = {rt}::server::BoxInterceptor>,
         ) -> {rt}::server::BoxService {{
         self.boxed().intercept_all(list)
         }}

         /// Lets the handler of one method run to completion when its client gives up, instead of dropping it.
         #[must_use]
         pub fn run_to_completion<M: {rt}::Method>(self) -> {rt}::server::BoxService {{
         self.boxed().run_to_completion::<M>()
         }}

         /// Begins the handler of one method on the task of its connection: dangerous, see [`start_inline`]({rt}::server::BoxService::start_inline).
         #[must_use]
         pub fn start_inline<M: {rt}::Method>(self) -> {rt}::server::BoxService {{
         self.boxed().start_inline::<M>()
         }}

         /// Gives the messages of one method limits of their own.
         #[must_use]
         pub fn method_limits<M: {rt}::Method>(self, limits: {rt}::server::MethodLimits) -> {rt}::server::BoxService {{
         self.boxed().method_limits::<M>(limits)
         }}
         }}

         impl<T> ::core::clone::Clone for {server}<T> {{
         fn clone(&self) -> Self {{
         Self(::std::sync::Arc::clone(&self.0))
         }}
         }}

         impl<T> ::core::fmt::Debug for {server}<T> {{
         fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{
         f.debug_struct({server:?}).finish_non_exhaustive()
         }}
         }}

         impl<T: {handler}> {rt}::server::GrpcService for {server}<T> {{
         fn descriptor(&self) -> &'static {rt}::ServiceDescriptor {{
         &{module}::SERVICE
         }}

         fn register(self, methods: &mut {rt}::server::MethodTable) {{"
    ));
    if service.methods.is_empty() {
        out.add("let _ = methods;");
    }
    for method in &service.methods {
        out.add(&format!(
            "methods.add::<{module}::{}, T>(&self.0);",
            method.marker
        ));
    }
    out.add("}\n");
    if let Some(file) = &service.described {
        out.add(&format!(
            "\nfn file_descriptor(&self) -> ::core::option::Option<&'static {rt}::FileDescriptor> {{
             ::core::option::Option::Some(&{file})
             }}"
        ));
    }
    out.add("}\n\n");
}

fn glue(service: &Service, method: &Method, out: &mut Writer) {
    let rt = &service.runtime;
    let handler = &service.names.handler;
    // Called by its full path: the handler's type may have other methods of the same name.
    let call = format!("{handler}::{}(service, cx, ", method.name);
    // Streams are there at once, so that the handler's future is all that waits: an `async fn`
    // would hold what it was given beside what it made of it.
    let (signature, body) = match method.shape {
        Shape::Unary => (
            in_steps(rt),
            format!(
                "match call.only().await {{
                 Ok((request, call)) => call.reply({call}request)).await,
                 Err(outcome) => outcome,
                 }}"
            ),
        ),
        Shape::ServerStreaming => (
            in_steps(rt),
            format!(
                "match call.only().await {{
                 Ok((request, call)) => {{
                 let (responses, rest) = call.responses();
                 rest.finish({call}request, responses)).await
                 }}
                 Err(outcome) => outcome,
                 }}"
            ),
        ),
        Shape::ClientStreaming => (
            at_once(rt),
            format!(
                "let (requests, call) = call.requests();
                 call.reply({call}requests))"
            ),
        ),
        Shape::Bidi => (
            at_once(rt),
            format!(
                "let (requests, responses, rest) = call.split();
                 rest.finish({call}requests, responses))"
            ),
        ),
    };
    let allow = if method.deprecated {
        "#[allow(deprecated, reason = \"deprecated methods are still served\")]\n"
    } else {
        ""
    };
    let (keyword, output) = signature;
    out.add(&format!(
        "{allow}impl<T: {handler}> {rt}::server::Serve<T> for {}::{} {{
         {keyword} serve(
         service: &T,
         cx: &{rt}::server::RequestContext,
         call: {rt}::server::Incoming<Self>,
         ) -> {output} {{
         {body}
         }}
         }}

         ",
        service.names.module, method.marker,
    ));
}

/// How a function begins that waits for the only request, and what it returns.
fn in_steps(rt: &str) -> (&'static str, String) {
    ("async fn", format!("{rt}::server::Outcome"))
}

/// ... and one that gives its handler everything at once.
fn at_once(rt: &str) -> (&'static str, String) {
    (
        "fn",
        format!(
            "impl ::core::future::Future<
             Output = {rt}::server::Outcome,
             > + ::core::marker::Send"
        ),
    )
}
