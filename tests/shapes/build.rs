//! Generates from files in every style, in two ways: with the defaults, and with every option used.

mod tree;

use std::path::PathBuf;

use trunkline_codegen::{configure, Builder, Error};

const SHOP: &str = "proto/shop/shop.proto";

fn main() -> Result<(), Error> {
    let crosswise = [
        "proto/a/b/one/last.proto",
        "proto/legacy/legacy.proto",
        "proto/keywords/keywords.proto",
        "proto/taken/taken.proto",
        "proto/modern/implicit.proto",
    ];
    let mut files = crosswise.to_vec();
    files.push(SHOP);
    configure()
        .import_protos("trunkline_shared_protos")
        .descriptor_set("descriptors.bin")
        .compile(&files, &["proto"])?;
    write(
        "choices",
        choices(configure().import_protos("trunkline_shared_protos")),
        &[SHOP],
    )?;
    let wkt = configure().compile_well_known_types();
    write("well_known", wkt, &["proto/taken/taken.proto", SHOP])?;
    many()
}

/// A small tree of many packages; `cargo xtask soak` compiles a large one.
fn many() -> Result<(), Error> {
    let protos = out_dir().join("many-protos");
    let size = tree::Size {
        packages: 8,
        files: 3,
    };
    let files = tree::write(&protos, size).unwrap_or_default();
    configure()
        .out_dir(out_dir().join("many"))
        .compile(&files, &[protos])
}

fn out_dir() -> PathBuf {
    std::env::var_os("OUT_DIR")
        .map(PathBuf::from)
        .unwrap_or_default()
}

/// Every option that shapes messages and services.
fn choices(builder: Builder) -> Builder {
    builder
        .extern_path(".google.protobuf.Duration", "crate::Delay")
        .bytes(["."])
        .btree_map(["."])
        .boxed(".shop.Order.card")
        .retain_enum_prefix()
        .disable_comments([".shop.Order.priority"])
        .type_names(false)
        .derive(".shop.Card", "PartialOrd, Ord")
        .message_attribute(".shop.Order", "#[must_use]")
        .enum_attribute(".shop.State", "#[doc(alias = \"condition\")]")
        .type_attribute(".shop.State", "#[non_exhaustive]")
        .field_attribute(".shop.Card.number", "#[doc(alias = \"digits\")]")
        .trait_attribute(".shop.Shop", "#[doc(alias = \"store\")]")
        .server_attribute(".shop.Shop", "#[must_use]")
}

/// Below `OUT_DIR`, in a folder of its own, as checked-in code would be.
fn write(folder: &str, builder: Builder, files: &[&str]) -> Result<(), Error> {
    builder
        .out_dir(out_dir().join(folder))
        .compile(files, &["proto", "common/proto"])
}
