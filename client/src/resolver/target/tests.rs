use super::*;

fn name(host: &str, port: u16) -> Endpoint {
    Endpoint::Name {
        host: host.to_owned(),
        port,
    }
}

fn tcp(texts: &[&str]) -> Endpoint {
    let parse = |text: &&str| Address::Tcp(text.parse().expect("an address"));
    Endpoint::Addresses(texts.iter().map(parse).collect())
}

#[cfg(unix)]
fn unix() -> Vec<(&'static str, Endpoint, &'static str)> {
    let table = [
        ("unix:/run/a.sock", "/run/a.sock"),
        ("unix:///run/a.sock", "/run/a.sock"),
        ("unix:a/b.sock", "a/b.sock"),
        ("UNIX:./a b%20c:5.sock", "./a b%20c:5.sock"),
    ];
    let each = table.map(|(text, path)| (text, Address::Unix(std::path::Path::new(path).into())));
    let mut all: Vec<_> = each.into();
    if cfg!(target_os = "linux") {
        let names = [
            ("unix-abstract:a name", "a name"),
            ("unix-abstract:nul\0inside", "nul\0inside"),
            ("unix-abstract:///name", "/name"),
        ];
        all.extend(names.map(|(text, name)| (text, Address::UnixAbstract(name.as_bytes().into()))));
    }
    all.into_iter()
        .map(|(text, address)| (text, Endpoint::Addresses(vec![address]), "localhost"))
        .collect()
}

#[cfg(not(unix))]
fn unix() -> Vec<(&'static str, Endpoint, &'static str)> {
    Vec::new()
}

#[test]
#[cfg(unix)]
fn faults_of_unix_targets_are_named() {
    let long = format!("unix:/{}", "x".repeat(107));
    let mut table = vec![
        ("unix:", "the name of the Unix socket is empty"),
        ("unix://", "the name of the Unix socket is empty"),
        (
            "unix://run/a.sock",
            "no host \"run\"; write unix:///absolute/path",
        ),
        ("unix:a\0b", "holds a NUL byte"),
        (&long, "is 108 bytes long"),
    ];
    let long = format!("unix-abstract:{}", "x".repeat(108));
    if cfg!(target_os = "linux") {
        table.push(("unix-abstract:", "is empty"));
        table.push((&long, "is 108 bytes long; the system takes at most 107"));
    }
    for (text, fault) in table {
        let error = Target::parse(text).expect_err(text);
        assert!(error.to_string().contains(fault), "{text}: {error}");
    }
}

#[test]
fn every_form_of_target() {
    let table = [
        ("example.com", name("example.com", 443), "example.com"),
        ("example.com:80", name("example.com", 80), "example.com:80"),
        ("host:1", name("host", 1), "host:1"),
        ("dns:host", name("host", 443), "host"),
        ("DNS:host:5", name("host", 5), "host:5"),
        ("dns:///a_b.c:5", name("a_b.c", 5), "a_b.c:5"),
        ("dns:/host:5", name("host", 5), "host:5"),
        ("dns:///[::1]:5", tcp(&["[::1]:5"]), "[::1]:5"),
        ("127.0.0.1:5", tcp(&["127.0.0.1:5"]), "127.0.0.1:5"),
        ("127.0.0.1", tcp(&["127.0.0.1:443"]), "127.0.0.1"),
        ("[::1]:5", tcp(&["[::1]:5"]), "[::1]:5"),
        ("::1", tcp(&["[::1]:443"]), "[::1]"),
        ("[::1]", tcp(&["[::1]:443"]), "[::1]"),
        (
            "ipv4:1.2.3.4:5,6.7.8.9:10",
            tcp(&["1.2.3.4:5", "6.7.8.9:10"]),
            "1.2.3.4:5",
        ),
        (
            "ipv6:[::1]:5,[2001:db8::1]:6,::2",
            tcp(&["[::1]:5", "[2001:db8::1]:6", "[::2]:443"]),
            "[::1]:5",
        ),
        (
            "memory:test",
            Endpoint::Addresses(vec![Address::Memory("test".into())]),
            "test",
        ),
        (
            "memory:///two words",
            Endpoint::Addresses(vec![Address::Memory("two words".into())]),
            "localhost",
        ),
    ];
    for (text, endpoint, authority) in table.into_iter().chain(unix()) {
        let target = Target::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(target.endpoint, endpoint, "{text}");
        assert_eq!(target.authority.as_str(), authority, "{text}");
        assert_eq!(target.text, text);
    }
}

#[test]
fn faults_are_named() {
    let table = [
        ("", "the target is empty"),
        ("ftp://x", "scheme \"ftp\" is not known"),
        (
            "http://[::1",
            "scheme \"http\" is not known; write host:port",
        ),
        ("https://example.com", "choose plaintext on the builder"),
        ("vsock:1:2", "scheme \"vsock\" is not known; known are dns"),
        ("xds:///service", "scheme \"xds\""),
        (
            "dns://8.8.8.8/host",
            "DNS server \"8.8.8.8\" is not supported",
        ),
        ("dns://host:5", "write dns:///host:port"),
        ("dns:", "the host is empty"),
        (":5", "the host is empty"),
        ("memory:", "the host is empty"),
        ("a b:5", "\"a b\" is not a host name"),
        ("user@host:5", "is not a host name"),
        ("h\u{f6}st:5", "is not a host name"),
        ("host:port", "the port \"port\" is not a number"),
        ("host:0", "the port \"0\""),
        ("host:65536", "the port \"65536\""),
        ("host:+5", "the port \"+5\""),
        ("host:5:6", "the port \"5:6\""),
        ("host:", "the port \"\""),
        ("[::1", "malformed or not closed"),
        ("[::1]5", "malformed or not closed"),
        ("[zz]:5", "malformed or not closed"),
        (
            "ipv4:[::1]:5",
            "\"[::1]:5\" is not an address of that family",
        ),
        ("ipv4:host:5", "\"host:5\" is not an address"),
        ("ipv6:1.2.3.4:5", "is not an address of that family"),
        ("ipv4:", "the host is empty"),
        ("ipv4:1.2.3.4:5,", "the host is empty"),
    ];
    for (text, fault) in table {
        let error = Target::parse(text).expect_err(text).to_string();
        assert!(error.contains(fault), "{text}: {error}");
    }
}

#[test]
fn no_text_panics() {
    let pieces = [
        "dns",
        "unix",
        "unix-abstract",
        "ipv6",
        ":",
        "/",
        "//",
        "[",
        "]",
        "::1",
        "1",
        ",",
        "\0",
        "\u{1F600}",
        "@",
    ];
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..20_000 {
        let text: String = (0..random.usize(0..8))
            .filter_map(|_| random.choice(pieces))
            .collect();
        if let Err(error) = Target::parse(&text) {
            assert!(!error.to_string().is_empty());
        }
    }
}
