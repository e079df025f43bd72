//! What the code generator is asked and what it answers, for the targets about it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use prost::Message;
use prost_types::compiler::{CodeGeneratorRequest, CodeGeneratorResponse};
use trunkline_codegen::Error;

/// A folder for the files of one input, removed with it.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("trunkline-fuzz-{}-{number}", std::process::id());
        let memory = Path::new("/dev/shm");
        let base = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        let folder = base.join(name);
        fs::create_dir_all(folder.join("out")).expect("a folder for temporary files");
        Self(folder)
    }

    pub(super) fn write(&self, name: &str, text: &[u8]) {
        fs::write(self.0.join(name), text).expect("a temporary file");
    }

    /// Compiles files of this folder as a build script does; what was written.
    pub(super) fn compile(&self, names: &[&str]) -> Result<Vec<(String, String)>, Error> {
        let protos: Vec<PathBuf> = names.iter().map(|name| self.0.join(name)).collect();
        trunkline_codegen::configure()
            .out_dir(self.0.join("out"))
            .descriptor_set("all.binpb")
            .compile(&protos, &[&self.0])?;
        let written = fs::read_dir(self.0.join("out")).expect("it is there");
        let mut files = Vec::new();
        for entry in written.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".rs") {
                let text = fs::read_to_string(entry.path()).expect("Rust is UTF-8");
                files.push((name, text));
            }
        }
        Ok(files)
    }

    /// What protox, by itself, thinks of the same files.
    pub(super) fn protox(&self, names: &[&str]) -> Result<prost_types::FileDescriptorSet, String> {
        let mut compiler = protox::Compiler::new([&self.0]).map_err(|error| error.to_string())?;
        compiler.include_imports(true).include_source_info(true);
        for name in names {
            compiler
                .open_file(name)
                .map_err(|error| error.to_string())?;
        }
        Ok(compiler.file_descriptor_set())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Asserts that these files are Rust.
pub(super) fn assert_rust(files: &[(String, String)]) {
    for (name, text) in files {
        if let Err(error) = syn::parse_file(text) {
            panic!("{name} is no Rust: {error} at {:?}", error.span());
        }
    }
}

/// Asserts that an error says something, and is none that never should be.
pub(super) fn assert_explained(error: &Error, valid: bool) {
    assert!(!error.to_string().is_empty());
    match error {
        Error::Syntax { problems } => {
            assert!(!valid, "protox takes it: {error}");
            assert!(!problems.is_empty(), "no problem");
        }
        Error::Unsupported { problems } => assert!(!problems.is_empty(), "no problem"),
        Error::Generator { .. } => panic!("{error}"),
        _ => {}
    }
}

/// Asks the plugin.
pub(super) fn plugin(request: &CodeGeneratorRequest) -> CodeGeneratorResponse {
    let response = trunkline_codegen::plugin_response(&request.encode_to_vec());
    let response = response.expect("the request is well-formed");
    CodeGeneratorResponse::decode(response.bytes.as_slice()).expect("so is the response")
}
