use std::ffi::OsString;

use super::*;

#[test]
fn every_form_of_url() {
    let table = [
        (
            "http://proxy.example:3128",
            "http://proxy.example:3128",
            None,
        ),
        ("proxy.example:3128", "http://proxy.example:3128", None),
        ("HTTP://proxy.example/", "http://proxy.example:80", None),
        (" 10.0.0.1:8080 ", "http://10.0.0.1:8080", None),
        ("http://[::1]:8080/x?y", "http://[::1]:8080", None),
        ("http://a:b@proxy:1", "http://proxy:1", Some("a:b")),
        ("http://a@proxy:1", "http://proxy:1", Some("a:")),
        (
            "http://a%40corp:p%3A%zz@proxy:1",
            "http://proxy:1",
            Some("a@corp:p:%zz"),
        ),
        ("http://a:p@ss@proxy:1", "http://proxy:1", Some("a:p@ss")),
    ];
    for (url, shown, pair) in table {
        let proxy = Proxy::new(url).unwrap();
        assert_eq!(proxy.to_string(), shown, "{url}");
        let authorization = pair.map(|pair| format!("Basic {}", STANDARD.encode(pair)));
        assert_eq!(proxy.authorization, authorization, "{url}");
    }
}

#[test]
fn faults_are_named_without_credentials() {
    let table = [
        (
            "https://me:secret@proxy:1",
            "scheme \"https\" is not supported",
        ),
        ("socks5://proxy:1", "scheme \"socks5\""),
        ("", "\"\" is not a host"),
        ("http://", "\"\" is not a host"),
        ("http://me:secret@", "\"\" is not a host"),
        (
            "http://me:secret@proxy:port",
            "\"proxy:port\" is not a host",
        ),
        ("http://proxy:0", "\"proxy:0\" is not a host"),
        ("http://[::1", "\"[::1\" is not a host"),
        (
            "http://me:sec/secret@pr oxy:1",
            "\"pr oxy:1\" is not a host",
        ),
        ("me:secret://x@pr oxy:1", "\"pr oxy:1\" is not a host"),
        ("http://pr oxy:1", "\"pr oxy:1\" is not a host"),
    ];
    for (url, fault) in table {
        let error = Proxy::new(url).unwrap_err().to_string();
        assert!(error.contains(fault), "{url}: {error}");
        assert!(!error.contains("secret"), "{error}");
    }
    let proxy = Proxy::new("http://me:secret@proxy:1").unwrap();
    let shown = format!(
        "{proxy} {proxy:?} {:#?}",
        proxy.clone().basic_auth("me", "secret")
    );
    assert!(!shown.contains("secret"), "{shown}");
    assert!(!shown.contains(&STANDARD.encode("me:secret")), "{shown}");
}

#[test]
fn what_is_reached_without_the_proxy() {
    let table = [
        ("example.com", "example.com", true),
        ("example.com", "EXAMPLE.com.", true),
        ("example.com", "a.b.example.com", true),
        ("example.com", "badexample.com", false),
        (".example.com", "example.com", true),
        ("*.example.com", "a.example.com", true),
        ("example.com:443", "example.com", true),
        ("example.com:80", "example.com", false),
        (" a , ,example.com", "example.com", true),
        ("*", "anything", true),
        ("*", "10.1.2.3", true),
        ("10.0.0.0/8", "10.1.2.3", true),
        ("10.0.0.0/8", "11.1.2.3", false),
        ("10.0.0.0/8", "ten.example", false),
        ("0.0.0.0/0", "11.1.2.3", true),
        ("10.0.0.0/33", "10.0.0.0", false),
        ("2001:db8::/32", "2001:db8::1", true),
        ("10.1.2.3", "10.1.2.3", true),
        ("10.1.2.3:80", "10.1.2.3", false),
        ("[::1]:443", "::1", true),
        ("::1", "::1", true),
        ("10.1.2.3", "::ffff:10.1.2.3", true),
        ("0.1.2.3", "10.1.2.3", false),
        ("///,::::,[", "host", false),
        ("", "localhost", false),
    ];
    for (list, host, bypassed) in table {
        let proxy = Proxy::new("proxy:1").unwrap().bypass(list);
        assert_eq!(!proxy.carries(host, 443), bypassed, "{list:?} {host}");
    }
    let both = Proxy::new("proxy:1").unwrap().bypass("a").bypass("b");
    assert!(!both.carries("a", 1) && !both.carries("b", 1) && both.carries("c", 1));
    let unix = Address::Unix(std::path::Path::new("/x").into());
    assert!(!both.carries_address(&unix));
}

fn environment(variables: &[(&str, &str)], host: &str) -> Result<Option<String>, ProxyError> {
    let lookup = |name: &str| {
        let found = variables.iter().find(|(each, _)| *each == name)?;
        Some(OsString::from(found.1))
    };
    let proxy = environment::proxy_for(host, 443, lookup)?;
    Ok(proxy.map(|proxy| proxy.host))
}

#[test]
fn the_environment_is_read_in_its_order() {
    let all = [
        ("HTTP_PROXY", "never:1"),
        ("http_proxy", "d:1"),
        ("HTTPS_PROXY", "c:1"),
        ("https_proxy", "b:1"),
        ("grpc_proxy", "a:1"),
    ];
    for (count, expected) in [
        (1, None),
        (2, Some("d")),
        (3, Some("c")),
        (4, Some("b")),
        (5, Some("a")),
    ] {
        let chosen = environment(&all[..count], "host").unwrap();
        assert_eq!(chosen.as_deref(), expected);
    }
    let empty = [("grpc_proxy", ""), ("https_proxy", "b:1")];
    assert_eq!(environment(&empty, "host").unwrap().as_deref(), Some("b"));
}

#[test]
fn the_environment_has_exceptions_and_this_machine_is_one() {
    let set = |name, list| [("https_proxy", "p:1"), (name, list)];
    for name in ["no_grpc_proxy", "no_proxy", "NO_PROXY"] {
        assert_eq!(environment(&set(name, "host"), "a.host").unwrap(), None);
        assert!(environment(&set(name, "host"), "other").unwrap().is_some());
    }
    for host in ["localhost", "a.localhost", "127.0.0.1", "127.9.9.9", "::1"] {
        assert_eq!(environment(&set("x", ""), host).unwrap(), None, "{host}");
    }
}

#[test]
fn a_bad_variable_hurts_only_who_needs_the_proxy() {
    let bad = [
        ("https_proxy", "socks5://me:secret@p:1"),
        ("no_proxy", "inside"),
    ];
    assert_eq!(environment(&bad, "inside").unwrap(), None);
    assert_eq!(environment(&bad, "localhost").unwrap(), None);
    let error = environment(&bad, "outside").unwrap_err().to_string();
    assert!(
        error.starts_with(
            "the environment variable https_proxy: a proxy with the scheme \"socks5\""
        ),
        "{error}"
    );
    assert!(!error.contains("secret"), "{error}");
}
