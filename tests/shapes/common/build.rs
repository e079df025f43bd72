//! Generates messages that other crates use, and tells them so.

fn main() -> Result<(), trunkline_codegen::Error> {
    trunkline_codegen::configure()
        .export_protos("::trunkline_shared_protos::pb")
        .compile(
            &[
                "proto/common/money.proto",
                "proto/common/type/unit.proto",
                "proto/nameless.proto",
            ],
            &["proto"],
        )
}
