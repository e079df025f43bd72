//! grpc-java's interop programs, and the certificates that they are tested with.

use super::{TestCertificates, cache};
use crate::{outcome, process};
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// The newest release that has each of [`LIBRARIES`].
pub(crate) const GRPC_JAVA: &str = "1.82.2";

/// The interop programs themselves: the newest release that was published of them before that.
const PROGRAMS: &str = "1.79.0";

/// What does the work beneath the programs.
const LIBRARIES: &[&str] = &[
    "alts",
    "api",
    "auth",
    "context",
    "core",
    "googleapis",
    "grpclb",
    "inprocess",
    "netty",
    "netty-shaded",
    "okhttp",
    "opentelemetry",
    "protobuf",
    "protobuf-lite",
    "rls",
    "services",
    "stub",
    "util",
    "xds",
];

/// Maven's plugin that fetches what a project depends on.
const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1";

/// About a hundred files, 60 MB.
const INSTALL_BOUND: Duration = Duration::from_secs(900);

/// Written when everything is there.
const COMPLETE: &str = "complete";

/// Where everything of grpc-java is.
pub(crate) struct GrpcJava {
    /// With the folder `lib`, all jars.
    pub(crate) folder: PathBuf,
}

impl GrpcJava {
    pub(crate) fn is_installed() -> bool {
        folder().join(COMPLETE).is_file()
    }

    /// Fetches it by pinned versions if it is not there yet.
    ///
    /// Errors: no Java to run it with, no Maven to fetch it with, or that failed.
    pub(crate) fn install() -> Result<Self, String> {
        let folder = folder();
        bring();
        if !process::exists("java", "-version") {
            return Err(format!("no Java to run grpc-java {GRPC_JAVA} with"));
        }
        if !Self::is_installed() {
            if !process::exists("mvn", "-version") {
                return Err(format!("no Maven to fetch grpc-java {GRPC_JAVA} with"));
            }
            println!("fetching grpc-java {GRPC_JAVA}, once");
            fetch(&folder)?;
        }
        Ok(Self { folder })
    }

    /// Those of its own tests; they are the same as grpc-go's.
    pub(crate) fn certificates(&self) -> Result<TestCertificates, String> {
        let folder = self.folder.join("certs");
        TestCertificates::of(&folder)
            .ok_or_else(|| format!("no certificates in {}", folder.display()))
    }
}

/// Java and Maven, brought by apt where everything has to be there. A failure shows in what is missing then.
fn bring() {
    let missing = || !process::exists("java", "-version") || !process::exists("mvn", "-version");
    if outcome::is_ci() && missing() {
        for arguments in [
            &["-q", "update"][..],
            &["-q", "-y", "install", "maven", "default-jre-headless"],
        ] {
            let _ = process::run(Command::new("apt-get").args(arguments), INSTALL_BOUND);
        }
    }
}

fn folder() -> PathBuf {
    cache().join(format!("grpc-java-{GRPC_JAVA}"))
}

fn fetch(folder: &PathBuf) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("{}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(fail)?;
    fs::write(folder.join("pom.xml"), project()).map_err(fail)?;
    let mut jars = Command::new("mvn");
    jars.current_dir(folder)
        .args(["-B", "-q"])
        .arg(format!("{PLUGIN}:copy-dependencies"))
        .args(["-DoutputDirectory=lib", "-DincludeScope=runtime"]);
    process::run(&mut jars, INSTALL_BOUND)?;
    let mut certificates = Command::new("mvn");
    certificates
        .current_dir(folder)
        .args(["-B", "-q"])
        .arg(format!("{PLUGIN}:unpack-dependencies"))
        .args([
            "-DincludeArtifactIds=grpc-testing",
            "-Dmdep.unpack.includes=certs/*",
        ])
        .arg("-DoutputDirectory=.");
    process::run(&mut certificates, INSTALL_BOUND)?;
    fs::write(folder.join(COMPLETE), "").map_err(fail)
}

/// A Maven project that depends on the programs. Its protobuf for small devices has the class names of the other one.
fn project() -> String {
    let mut managed = String::new();
    for library in LIBRARIES {
        let _ = writeln!(
            managed,
            "<dependency><groupId>io.grpc</groupId><artifactId>grpc-{library}</artifactId><version>{GRPC_JAVA}</version></dependency>"
        );
    }
    format!(
        r"<project>
<modelVersion>4.0.0</modelVersion>
<groupId>peers</groupId><artifactId>grpc-java</artifactId><version>1</version><packaging>pom</packaging>
<dependencyManagement><dependencies>
{managed}</dependencies></dependencyManagement>
<dependencies><dependency>
<groupId>io.grpc</groupId><artifactId>grpc-interop-testing</artifactId><version>{PROGRAMS}</version>
<exclusions><exclusion><groupId>com.google.protobuf</groupId><artifactId>protobuf-javalite</artifactId></exclusion></exclusions>
</dependency></dependencies>
</project>
"
    )
}
