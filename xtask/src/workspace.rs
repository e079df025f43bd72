//! Where the repository is and what cargo says about its packages.

use crate::process;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

const METADATA_BOUND: Duration = Duration::from_secs(60);

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    here.parent()
        .map_or_else(|| here.clone(), Path::to_path_buf)
}

/// One package of `cargo metadata`, as far as the gates look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) manifest: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    /// Its manifest does not say `publish = false`.
    pub(crate) is_published: bool,
}

/// One line of a package's dependency tables.
#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

/// The table that the line stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

/// The packages of this workspace; needs no network.
pub(crate) fn members() -> Result<Vec<Package>, String> {
    let metadata = metadata(&root().join("Cargo.toml"))?;
    let list = metadata.get("packages").and_then(Value::as_array);
    Ok(list.into_iter().flatten().map(package).collect())
}

/// The target folder of the workspace that `manifest` belongs to.
pub(crate) fn target_directory(manifest: &Path) -> Result<PathBuf, String> {
    let metadata = metadata(manifest)?;
    metadata
        .get("target_directory")
        .and_then(Value::as_str)
        .map(PathBuf::from)
        .ok_or_else(|| "cargo metadata names no target_directory".to_owned())
}

fn metadata(manifest: &Path) -> Result<Value, String> {
    let mut command = process::cargo();
    command
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
            "--manifest-path",
        ])
        .arg(manifest);
    let captured = process::capture(&mut command, METADATA_BOUND)
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !captured.succeeded() {
        return Err(format!(
            "cargo metadata: {}\n{}",
            captured.ending(),
            captured.stderr
        ));
    }
    serde_json::from_str(&captured.stdout).map_err(|error| format!("cargo metadata: {error}"))
}

fn package(value: &Value) -> Package {
    let dependencies = value.get("dependencies").and_then(Value::as_array);
    Package {
        name: text(value, "name").unwrap_or_default(),
        version: text(value, "version").unwrap_or_default(),
        manifest: text(value, "manifest_path").unwrap_or_default().into(),
        dependencies: dependencies.into_iter().flatten().map(dependency).collect(),
        // `null` is any registry, an empty list is none.
        is_published: value.get("publish").is_none_or(Value::is_null),
    }
}

fn dependency(value: &Value) -> Dependency {
    let kind = match text(value, "kind").as_deref() {
        Some("dev") => Kind::Dev,
        Some("build") => Kind::Build,
        _ => Kind::Normal,
    };
    Dependency {
        name: text(value, "name").unwrap_or_default(),
        kind,
    }
}

fn text(value: &Value, key: &str) -> Option<String> {
    value.get(key).and_then(Value::as_str).map(str::to_owned)
}
