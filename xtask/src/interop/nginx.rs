//! nginx between our two programs, as a proxy (`grpc_pass`): it ends TLS, multiplexes anew, and closes its
//! connections after a thousand requests.

use super::ours;
use super::peer::{BOTH, Installed, Listen, Peer, Server};
use crate::peers::{TestCertificates, apt, cache};
use crate::process;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{fs, io};

/// What Debian 12 has.
const VERSION: &str = "1.22.1";

pub(super) const PEER: Peer = Peer {
    name: "nginx",
    suite: "nginx 1.22.1 between our programs",
    install,
    clients: &[],
    servers: &[Server {
        variant: "",
        command: server,
        cases: CASES,
    }],
    securities: BOTH,
};

const PROBE_BOUND: Duration = Duration::from_secs(30);

/// Before the id of a process of ours and a port: the folder in which its nginx runs.
const RUN: &str = "run-";

const CASES: &[&str] = &[
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
    "client_compressed_unary_noprobe",
    "client_compressed_streaming_noprobe",
    "server_compressed_unary",
    "server_compressed_streaming",
    "client_compressed_unary",
    "client_compressed_streaming",
    "very_large_request",
    "pick_first_unary",
    "rpc_soak",
    "channel_soak",
    "trunkline_metadata",
    "trunkline_status_messages",
    "trunkline_status_details",
    "trunkline_early_answer",
    "trunkline_first_reply",
    "trunkline_deadlines",
    "trunkline_keepalive",
];

/// A line for the list of foreign peers.
pub(super) fn describe() -> String {
    let state = if program(&folder()).is_file() {
        "installed"
    } else {
        "missing; `cargo xtask interop` fetches it (needs apt)"
    };
    format!("nginx {VERSION}: {state}")
}

fn folder() -> PathBuf {
    cache().join(format!("nginx-{VERSION}"))
}

fn install() -> Result<Installed, String> {
    let folder = folder();
    if !program(&folder).is_file() {
        println!("fetching nginx {VERSION}, once");
        apt::unpack(&folder, &[format!("nginx={VERSION}*")])?;
    }
    remove_left(&folder);
    let asked = process::capture(Command::new(program(&folder)).arg("-v"), PROBE_BOUND);
    match asked {
        Ok(captured) if captured.succeeded() => Ok(Installed {
            folder,
            certificates: TestCertificates::find(),
        }),
        Ok(captured) => Err(format!("nginx does not start: {}", captured.stderr.trim())),
        Err(error) => Err(format!("nginx does not start: {error}")),
    }
}

/// What runs that have ended left of their configurations.
fn remove_left(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let process = name.strip_prefix(RUN).and_then(|run| run.split('-').next());
        if process.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

fn program(folder: &Path) -> PathBuf {
    folder.join("usr/sbin/nginx")
}

/// Our server on a port of its own, in plaintext, and in front of it nginx, which begins when that accepts.
fn server(folder: &Path, listen: &Listen<'_>) -> Command {
    const BOTH: &str = r#"
        backend=$1 port=$2 nginx=$3
        "$backend" --port="$port" &
        for attempt in $(seq 500); do
            if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
            sleep 0.02
        done
        exec "$nginx" -p "$4/" -c "$4/nginx.conf"
    "#;
    let run = folder.join(format!("{RUN}{}-{}", std::process::id(), listen.port));
    // Where that fails, nginx says what it misses.
    let port = prepare(&run, listen).unwrap_or_default();
    let mut command = Command::new("bash");
    command
        .args(["-c", BOTH, "nginx"])
        .arg(ours::folder().unwrap_or_default().join("interop-server"))
        .arg(port.to_string())
        .arg(program(folder))
        .arg(run);
    command
}

/// Writes the configuration; the port that it has for our server.
fn prepare(run: &Path, listen: &Listen<'_>) -> io::Result<u16> {
    let behind = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = behind.local_addr()?.port();
    fs::create_dir_all(run)?;
    fs::write(run.join("nginx.conf"), configuration(port, listen))?;
    Ok(port)
}

fn configuration(behind: u16, listen: &Listen<'_>) -> String {
    let mut server = format!("listen 127.0.0.1:{} http2", listen.port);
    if let Some(tls) = listen.tls {
        let (chain, key) = (tls.chain.display(), tls.key.display());
        let _ = write!(
            server,
            " ssl; ssl_certificate {chain}; ssl_certificate_key {key}"
        );
    }
    // What it may write to disk goes beside its configuration, though nothing of gRPC does.
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("    {name}_temp_path {name};\n"))
        .concat();
    format!(
        "daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_max_body_size 0;
{temporary}    upstream behind {{ server 127.0.0.1:{behind}; keepalive 16; }}
    server {{
        {server};
        location / {{
            grpc_pass grpc://behind;
            # Trailers of errors are longer than a page.
            grpc_buffer_size 64k;
        }}
    }}
}}
"
    )
}
