use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;

use super::*;
use crate::TcpKeepalive;

async fn loopback() -> tokio::net::TcpListener {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap()
}

#[tokio::test]
async fn the_options_reach_the_socket() {
    let second = Duration::from_secs(1);
    let listener = loopback().await;
    let stream = TcpStream::connect(listener.local_addr().unwrap())
        .await
        .unwrap();
    TcpConfig::default().apply(&stream).unwrap();
    let socket = SockRef::from(&stream);
    assert!(socket.tcp_nodelay().unwrap());
    assert!(socket.keepalive().unwrap());

    let config = TcpConfig {
        nodelay: false,
        keepalive: Some(TcpKeepalive {
            idle: Some(60 * second),
            interval: Some(Duration::ZERO),
            probes: Some(3),
        }),
        user_timeout: Some(20 * second),
        ..TcpConfig::default()
    };
    config.apply(&stream).unwrap();
    assert!(!socket.tcp_nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    if cfg!(target_os = "linux") {
        assert_eq!(socket.tcp_keepalive_time().unwrap(), 60 * second);
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), second);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(20 * second));
    }
    let none = TcpConfig {
        keepalive: None,
        ..TcpConfig::default()
    };
    none.apply(&stream).unwrap();
    assert!(!socket.keepalive().unwrap());
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_client_connects_from_its_local_address() {
    let listener = loopback().await;
    let to = Address::Tcp(listener.local_addr().unwrap());
    let from = |address: IpAddr| {
        TcpConnector::new(TcpConfig {
            local_address: Some(address),
            ..TcpConfig::default()
        })
    };
    let here = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
    let _open = from(here).connect(&to).await.unwrap();
    assert_eq!(listener.accept().await.unwrap().1.ip(), here);

    let elsewhere = from(Ipv4Addr::new(192, 0, 2, 1).into());
    let error = elsewhere.connect(&to).await.unwrap_err().to_string();
    assert!(error.contains("local address 192.0.2.1"), "{error}");
    let other_family = from("::1".parse().unwrap());
    let error = other_family.connect(&to).await.unwrap_err().to_string();
    assert!(
        error.contains("local address ::1, of another family"),
        "{error}"
    );
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn listeners_share_a_port_only_where_all_say_so() {
    let shared = TcpConfig {
        reuse_port: true,
        ..TcpConfig::default()
    };
    let first = TcpListener::bind_with("127.0.0.1:0", shared.clone())
        .await
        .unwrap();
    let port = first.local_addr();
    let _second = TcpListener::bind_with(port, shared).await.unwrap();
    let error = TcpListener::bind(port).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}
