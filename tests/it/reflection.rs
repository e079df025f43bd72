//! Server reflection: a server that says so tells what it serves, from what generated servers bring.

use std::time::Duration;

use trunkline::client::{Receiver, Sender};
use trunkline::codegen::prost::Message;
use trunkline::codegen::prost_types::FileDescriptorProto;
use trunkline::server::{
    HealthReporter, Interceptor, Next, Reflection, RequestContext, ServerBuilder,
};
use trunkline::{Code, Response, Server, Status, Trailers};
use trunkline_test_protos::catalog::{Catalog, CatalogServer, Found, Lending, LendingServer};
use trunkline_test_protos::echo::EchoServer;
use trunkline_test_protos::reflection::v1::server_reflection_request::MessageRequest as Ask;
use trunkline_test_protos::reflection::v1::server_reflection_response::MessageResponse as Answer;
use trunkline_test_protos::reflection::v1::{
    ExtensionRequest, ServerReflectionClient, ServerReflectionRequest, ServerReflectionResponse,
};
use trunkline_test_protos::reflection::v1alpha;

use crate::handlers::{Scripted, plain};
use crate::world::{World, soon};

const SECOND: Duration = Duration::from_secs(1);

/// Serves the catalogue; nobody calls it.
struct Shop;

impl Catalog for Shop {
    async fn find(
        &self,
        _: &RequestContext,
        _: trunkline_test_protos::catalog::modern::Query,
    ) -> Result<Response<Found>, Status> {
        Ok(Found::default().into())
    }

    async fn since(
        &self,
        _: &RequestContext,
        _: trunkline::codegen::prost_types::Timestamp,
        _: trunkline::server::Sender<Found>,
    ) -> Result<(), Status> {
        Ok(())
    }
}

impl Lending for Shop {
    async fn lend(&self, _: &RequestContext, request: Found) -> Result<Response<Found>, Status> {
        Ok(request.into())
    }
}

fn shop() -> ServerBuilder {
    Server::insecure()
        .add_service(CatalogServer::new(Shop))
        .reflection()
        .add_service(LendingServer::new(Shop).boxed())
}

/// One stream of questions.
struct Talk {
    questions: Sender<ServerReflectionRequest>,
    answers: Receiver<ServerReflectionResponse>,
}

impl Talk {
    async fn with(world: &World) -> Self {
        let client = ServerReflectionClient::new(world.channel.clone());
        let (questions, answers) = client.server_reflection_info().await.unwrap();
        Self { questions, answers }
    }

    async fn send(&mut self, ask: Option<Ask>) {
        let request = ServerReflectionRequest {
            host: "a host".to_owned(),
            message_request: ask,
        };
        soon(self.questions.send(&request)).await.unwrap();
    }

    async fn ask(&mut self, ask: Ask) -> Answer {
        self.send(Some(ask.clone())).await;
        let response = soon(self.answers.recv()).await.unwrap().unwrap();
        assert_eq!(response.valid_host, "a host");
        let original = response.original_request.unwrap();
        assert_eq!(original.message_request, Some(ask));
        response.message_response.unwrap()
    }

    async fn list(&mut self) -> Vec<String> {
        let Answer::ListServicesResponse(list) = self.ask(Ask::ListServices("*".into())).await
        else {
            panic!("no list");
        };
        list.service.into_iter().map(|each| each.name).collect()
    }

    /// The files of an answer, by name.
    async fn files(&mut self, ask: Ask) -> Vec<String> {
        let answer = self.ask(ask).await;
        let names = raw(answer).into_iter().map(|bytes| {
            let file = FileDescriptorProto::decode(bytes.as_slice()).unwrap();
            file.name().to_owned()
        });
        names.collect()
    }

    async fn symbol(&mut self, name: &str) -> Vec<String> {
        self.files(Ask::FileContainingSymbol(name.to_owned())).await
    }

    async fn not_found(&mut self, ask: Ask) -> String {
        match self.ask(ask).await {
            Answer::ErrorResponse(error) => {
                assert_eq!(error.error_code, 5, "{error:?}");
                error.error_message
            }
            other => panic!("{other:?}"),
        }
    }
}

fn raw(answer: Answer) -> Vec<Vec<u8>> {
    match answer {
        Answer::FileDescriptorResponse(files) => files.file_descriptor_proto,
        other => panic!("{other:?}"),
    }
}

fn extension(of: &str, number: i32) -> Ask {
    Ask::FileContainingExtension(ExtensionRequest {
        containing_type: of.to_owned(),
        extension_number: number,
    })
}

#[tokio::test(start_paused = true)]
async fn a_server_tells_nothing_until_it_says_so() {
    let world = World::memory(plain());
    let mut talk = Talk::with(&world).await;
    let refused = soon(talk.answers.recv()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented, "{refused}");
    drop(talk);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn all_services_are_listed_in_order_those_of_the_standard_too() {
    let health = HealthReporter::new();
    let server = shop()
        .add_service(health.service())
        .add_service(EchoServer::new(Scripted::default()));
    let world = World::memory(server);
    let mut talk = Talk::with(&world).await;
    let wanted = [
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "tests.catalog.Catalog",
        "tests.catalog.Lending",
        "tests.echo.Echo",
    ];
    assert_eq!(talk.list().await, wanted);
    for service in wanted {
        assert!(!talk.symbol(service).await.is_empty(), "{service}");
    }
    drop(talk);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_file_comes_first_with_what_it_imports_and_that_only_once_per_stream() {
    let world = World::memory(shop());
    let mut talk = Talk::with(&world).await;
    let catalog = || Ask::FileByFilename("catalog/catalog.proto".to_owned());
    let files = talk.files(catalog()).await;
    assert_eq!(
        files,
        [
            "catalog/catalog.proto",
            "catalog/base.proto",
            "catalog/modern.proto",
            "catalog/more.proto",
            "google/protobuf/timestamp.proto",
        ]
    );
    // What was asked for comes again, what it imports does not.
    assert_eq!(talk.files(catalog()).await, ["catalog/catalog.proto"]);
    let more = Ask::FileByFilename("catalog/more.proto".to_owned());
    assert_eq!(talk.files(more.clone()).await, ["catalog/more.proto"]);

    let mut other = Talk::with(&world).await;
    let both = ["catalog/more.proto", "catalog/base.proto"];
    assert_eq!(other.files(more).await, both);
    drop((talk, other));
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn names_of_every_kind_lead_to_their_file() {
    let world = World::memory(shop());
    for (symbol, file) in [
        ("tests.catalog.Catalog", "catalog/catalog.proto"),
        ("tests.catalog.Catalog.Find", "catalog/catalog.proto"),
        ("tests.catalog.Lending.Lend", "catalog/catalog.proto"),
        ("tests.catalog.Found", "catalog/catalog.proto"),
        ("tests.catalog.Found.items", "catalog/catalog.proto"),
        ("tests.catalog.Item.Part", "catalog/base.proto"),
        ("tests.catalog.Item.Part.what", "catalog/base.proto"),
        ("tests.catalog.Item.kind", "catalog/base.proto"),
        ("tests.catalog.Item.book", "catalog/base.proto"),
        ("tests.catalog.Item.State", "catalog/base.proto"),
        ("tests.catalog.Item.OLD", "catalog/base.proto"),
        ("tests.catalog.Shelf", "catalog/base.proto"),
        ("tests.catalog.TOP", "catalog/base.proto"),
        ("tests.catalog.colour", "catalog/base.proto"),
        ("tests.catalog.Scale.weight", "catalog/more.proto"),
        ("tests.catalog.modern.Query", "catalog/modern.proto"),
        (
            "google.protobuf.Timestamp",
            "google/protobuf/timestamp.proto",
        ),
        (
            "google.protobuf.Timestamp.nanos",
            "google/protobuf/timestamp.proto",
        ),
    ] {
        let mut talk = Talk::with(&world).await;
        let files = talk.symbol(symbol).await;
        assert_eq!(files.first().map(String::as_str), Some(file), "{symbol}");
        drop(talk);
    }
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn extensions_are_found_by_their_number() {
    let world = World::memory(shop());
    let mut talk = Talk::with(&world).await;
    let files = talk.files(extension("tests.catalog.Item", 150)).await;
    assert_eq!(files, ["catalog/more.proto", "catalog/base.proto"]);
    let files = talk.files(extension("tests.catalog.Item", 100)).await;
    assert_eq!(files, ["catalog/base.proto"]);
    for (of, numbers) in [
        ("tests.catalog.Item", vec![100, 150]),
        ("tests.catalog.Found", vec![]),
    ] {
        let ask = Ask::AllExtensionNumbersOfType(of.to_owned());
        let Answer::AllExtensionNumbersResponse(found) = talk.ask(ask).await else {
            panic!("{of}");
        };
        assert_eq!(found.base_type_name, of);
        assert_eq!(found.extension_number, numbers);
    }
    drop(talk);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_known_is_an_answer_and_the_stream_goes_on() {
    let world = World::memory(shop());
    let mut talk = Talk::with(&world).await;
    for ask in [
        Ask::FileByFilename("no.proto".to_owned()),
        Ask::FileByFilename(String::new()),
        Ask::FileContainingSymbol("tests.catalog".to_owned()),
        Ask::FileContainingSymbol("tests.catalog.Item.".to_owned()),
        // Compiled beside the catalogue, but not served here.
        Ask::FileContainingSymbol("tests.echo.Echo".to_owned()),
        extension("tests.catalog.Item", 151),
        extension("tests.catalog.Item", -1),
        extension("no.Message", 1),
        Ask::AllExtensionNumbersOfType("no.Message".to_owned()),
    ] {
        let text = talk.not_found(ask.clone()).await;
        assert!(text.ends_with("is not known here"), "{ask:?}: {text}");
    }
    // Deep and long names are names like others, and not repeated in full.
    let deep = Ask::FileContainingSymbol("a.".repeat(20_000));
    let text = talk.not_found(deep).await;
    assert!(text.len() < 300, "{text}");
    assert!(!talk.symbol("tests.catalog.Item").await.is_empty());
    drop(talk);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn requests_that_are_none_end_their_stream() {
    let world = World::memory(shop());
    let mut talk = Talk::with(&world).await;
    talk.send(None).await;
    let refused = soon(talk.answers.recv()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");

    let mut talk = Talk::with(&world).await;
    let huge = Ask::FileContainingSymbol("x".repeat(64 * 1024));
    talk.send(Some(huge)).await;
    let refused = soon(talk.answers.recv()).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    drop(talk);
    world.end().await;
}

/// protobuf's field numbers of `syntax` and `edition`.
#[derive(Clone, PartialEq, Message)]
#[prost(prost_path = "trunkline::codegen::prost")]
struct SaysEdition {
    #[prost(string, tag = "12")]
    syntax: String,
    #[prost(int32, tag = "14")]
    edition: i32,
}

/// Code is generated from what an edition's file is lowered to; tools get what was written.
#[tokio::test(start_paused = true)]
async fn a_file_of_an_edition_is_told_as_it_was_written() {
    let world = World::memory(shop());
    let mut talk = Talk::with(&world).await;
    let ask = Ask::FileByFilename("catalog/modern.proto".to_owned());
    let files = raw(talk.ask(ask).await);
    let says = SaysEdition::decode(files[0].as_slice()).unwrap();
    assert_eq!((says.syntax.as_str(), says.edition), ("editions", 1000));
    let file = FileDescriptorProto::decode(files[0].as_slice()).unwrap();
    assert!(file.source_code_info.is_none(), "comments stay at home");
    assert!(!file.message_type[0].field[0].proto3_optional());
    drop(talk);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn both_versions_give_the_same_answers() {
    let world = World::memory(shop());
    let client = v1alpha::ServerReflectionClient::new(world.channel.clone());
    let (mut questions, mut answers) = client.server_reflection_info().await.unwrap();
    let ask = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(
                "tests.catalog.Catalog".to_owned(),
            ),
        ),
    };
    questions.send(&ask).await.unwrap();
    let older = soon(answers.recv()).await.unwrap().unwrap();
    questions.finish();
    assert!(soon(answers.recv()).await.unwrap().is_none());

    let mut talk = Talk::with(&world).await;
    let ask = Ask::FileContainingSymbol("tests.catalog.Catalog".to_owned());
    let newer = raw(talk.ask(ask).await);
    let Some(v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(older)) =
        older.message_response
    else {
        panic!("{older:?}");
    };
    assert_eq!(older.file_descriptor_proto, newer);
    drop((talk, client, answers));
    world.end().await;
}

struct Doorkeeper;

impl Interceptor for Doorkeeper {
    async fn intercept(&self, cx: RequestContext, next: Next<'_>) -> Result<Trailers, Status> {
        if cx.metadata().get("token").is_none() {
            return Err(Status::unauthenticated("no token"));
        }
        next.run(cx).await
    }
}

/// It tells of internals, so it must not be what a server's own rules leave out.
#[tokio::test(start_paused = true)]
async fn what_surrounds_the_server_surrounds_reflection() {
    let world = World::memory(shop().intercept(Doorkeeper));
    let mut talk = Talk::with(&world).await;
    let refused = soon(talk.answers.recv()).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    drop(talk);
    world.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_nobody_ends_does_not_hold_up_a_stop() {
    let world = World::memory(shop());
    let mut talk = Talk::with(&world).await;
    talk.list().await;
    let report = world.handle.graceful_stop(60 * SECOND).await;
    assert_eq!(report.cut_short(), 0, "{report:?}");
    assert!(report.elapsed < SECOND, "{report:?}");
    let ended = soon(talk.answers.recv()).await.unwrap_err();
    assert_eq!(ended.code(), Code::Unavailable, "{ended}");
}

/// A set of one file, which imports these.
fn set(name: &str, imports: &[&str]) -> Vec<u8> {
    let file = FileDescriptorProto {
        name: Some(name.to_owned()),
        package: Some("extra".to_owned()),
        dependency: imports.iter().map(|&import| import.to_owned()).collect(),
        message_type: vec![trunkline::codegen::prost_types::DescriptorProto {
            name: Some("Message".to_owned()),
            ..Default::default()
        }],
        ..Default::default()
    };
    let file = file.encode_to_vec();
    // Field 1 of a set.
    let length = u8::try_from(file.len()).unwrap();
    [vec![0x0a, length], file].concat()
}

#[tokio::test(start_paused = true)]
async fn files_that_no_server_brings_can_be_added() {
    let reflection = Reflection::new().file_descriptor_set(set("extra.proto", &[]));
    let on_top = Reflection::new()
        .file_descriptor_set(set("top.proto", &["extra.proto", "catalog/base.proto"]));
    let server = shop().reflection_with(reflection).reflection_with(on_top);
    let world = World::memory(server);
    let mut talk = Talk::with(&world).await;
    assert_eq!(talk.symbol("extra.Message").await, ["extra.proto"]);
    let files = talk
        .files(Ask::FileByFilename("top.proto".to_owned()))
        .await;
    assert_eq!(files, ["top.proto", "catalog/base.proto"]);
    drop(talk);
    world.end().await;

    for (wrong, text) in [
        (
            set("top.proto", &["no.proto"]),
            "top.proto imports no.proto",
        ),
        (set("self.proto", &["self.proto"]), "imports self.proto"),
        (vec![0x0a, 0x05, 0x00], "cannot be read"),
    ] {
        let reflection = Reflection::new().file_descriptor_set(wrong);
        let server = Server::insecure().reflection_with(reflection);
        let refused = server.bind("127.0.0.1:0").await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains(text), "{refused}");
    }
}
