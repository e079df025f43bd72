//! The checked-in code of the server's standard services is what their `.proto` files give.
//!
//! `cargo xtask codegen` writes it anew.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use trunkline_codegen::{Builder, configure};

#[test]
fn health() {
    check("health", &["grpc/health/v1/health.proto"], base());
}

/// Both versions have the same messages, so that one handler serves both.
#[test]
fn reflection() {
    const V1: &str = "crate::services::reflection::generated::grpc::reflection::v1";
    let same = ["ServerReflectionRequest", "ServerReflectionResponse"];
    let same = same.into_iter().chain([
        "ErrorResponse",
        "ExtensionNumberResponse",
        "ExtensionRequest",
        "FileDescriptorResponse",
        "ListServiceResponse",
        "ServiceResponse",
    ]);
    let options = same.fold(base().bytes(["."]), |options, name| {
        let proto = format!(".grpc.reflection.v1alpha.{name}");
        options.extern_path(proto, format!("{V1}::{name}"))
    });
    let protos = [
        "grpc/reflection/v1/reflection.proto",
        "grpc/reflection/v1alpha/reflection.proto",
    ];
    check("reflection", &protos, options);
}

/// Whoever wants no trace of the `.proto` files in the program says so.
#[test]
fn servers_have_no_descriptors_where_that_is_said() {
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("services/bare");
    let protos = ["grpc/health/v1/health.proto"];
    base()
        .build_descriptors(false)
        .out_dir(&fresh)
        .compile(&protos, &[protos_of_server()])
        .expect("the services' protos compile");
    let text = &files(&fresh)[Path::new("grpc.health.v1.rs")];
    assert!(text.contains("impl HealthServer<()>"));
    assert!(!text.contains("FileDescriptor"), "{text}");
}

fn base() -> Builder {
    configure().build_client(false).runtime_path("crate")
}

fn protos_of_server() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/proto")
}

fn check(service: &str, protos: &[&str], options: Builder) {
    let services = protos_of_server().join("../src/services");
    let checked_in = services.join(service).join("generated");
    let fresh = if env::var_os("TRUNKLINE_BLESS").is_some() {
        checked_in.clone()
    } else {
        Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("services")
            .join(service)
    };
    let _ = fs::remove_dir_all(&fresh);
    options
        .out_dir(&fresh)
        .compile(protos, &[protos_of_server()])
        .expect("the services' protos compile");
    assert!(
        files(&fresh) == files(&checked_in),
        "{} is not what its .proto files give: `cargo xtask codegen` writes it anew",
        checked_in.display()
    );
}

fn files(folder: &Path) -> BTreeMap<PathBuf, String> {
    fs::read_dir(folder)
        .expect("a folder of generated files; `cargo xtask codegen` makes it")
        .map(|entry| entry.expect("an entry").path())
        .map(|path| {
            let name = PathBuf::from(path.file_name().expect("a name"));
            (name, fs::read_to_string(path).expect("text"))
        })
        .collect()
}
