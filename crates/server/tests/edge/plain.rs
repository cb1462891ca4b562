//! Plain HTTP/1.1: timers, limits, caps, panics and draining.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use claviger_server::edge::{Drained, Hosts, Limits};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::support::{HEALTH, Running, ask, exchange, quick, read_all};

#[tokio::test]
async fn requests_know_their_peer_and_have_ids_of_their_own() {
    let running = Running::start(Limits::default(), None);
    let mut io = running.connect().await;
    let mut ids = HashSet::new();
    for _ in 0..3 {
        let answer = ask(&mut io, b"GET /peer HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let body = answer.split("\r\n\r\n").nth(1).unwrap();
        let (peer, id) = body.split_once(' ').unwrap();
        assert_eq!(peer, io.local_addr().unwrap().to_string());
        assert_eq!(id.len(), 32);
        ids.insert(id.to_owned());
    }
    let mut other = running.connect().await;
    ids.insert(ask(&mut other, b"GET /peer HTTP/1.1\r\nhost: a\r\n\r\n").await.rsplit(' ').next().unwrap().to_owned());
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn silence_half_a_head_and_idleness_end_a_connection() {
    let limits = quick(|limits| {
        limits.timers.first_byte = Duration::from_millis(200);
        limits.timers.headers = Duration::from_millis(400);
        limits.timers.idle = Duration::from_millis(800);
    });
    let running = Running::start(limits, None);
    let took = |started: Instant| u64::try_from(started.elapsed().as_millis()).unwrap();

    let started = Instant::now();
    assert_eq!(read_all(&mut running.connect().await).await, "");
    assert!((190..700).contains(&took(started)), "no first byte: {} ms", took(started));

    let mut io = running.connect().await;
    let started = Instant::now();
    io.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
    let (mut reader, mut writer) = io.split();
    let dribble = async {
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if writer.write_all(b"x").await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        answer = read_all(&mut reader) => assert_eq!(answer, ""),
        () = dribble => {}
    }
    assert!((390..1000).contains(&took(started)), "half a head: {} ms", took(started));

    let mut io = running.connect().await;
    assert!(ask(&mut io, HEALTH).await.starts_with("HTTP/1.1 204"));
    let started = Instant::now();
    assert_eq!(read_all(&mut io).await, "");
    assert!((790..1600).contains(&took(started)), "idle: {} ms", took(started));

    let mut io = running.connect().await;
    assert!(ask(&mut io, HEALTH).await.starts_with("HTTP/1.1 204"));
    let started = Instant::now();
    assert_eq!(exchange(&mut io, b"GET ").await, "", "half a second head");
    assert!((390..800).contains(&took(started)), "half a second head: {} ms", took(started));
    assert!(running.counted("claviger_connections_open 0"), "all slots are returned");
}

#[tokio::test]
async fn a_slow_body_and_a_slow_reader_are_cut_and_a_slow_handler_is_not() {
    let limits = quick(|limits| {
        limits.timers.window = Duration::from_millis(200);
        limits.timers.bytes_per_second = 1000;
        limits.timers.first_byte = Duration::from_millis(100);
        limits.timers.headers = Duration::from_millis(100);
    });
    let running = Running::start(limits, None);

    let mut io = running.connect().await;
    assert!(ask(&mut io, b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.starts_with("HTTP/1.1 200"));

    let mut io = running.connect().await;
    io.write_all(b"POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 4000\r\n\r\n").await.unwrap();
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(25)).await;
        io.write_all(&[b'x'; 200]).await.unwrap();
    }
    let answer = ask(&mut io, b"").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("4000"), "fast enough: {answer}");

    let mut io = running.connect().await;
    let started = Instant::now();
    let answer = exchange(&mut io, b"POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 4000\r\n\r\nx").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "the handler sees the failure: {answer}");
    assert!(started.elapsed() < Duration::from_secs(1));

    let mut io = running.connect().await;
    io.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert!(running.counted("claviger_connections_timed_out_total 1"), "a reader that does not read");
}

#[tokio::test]
async fn heads_and_bodies_have_limits() {
    let running = Running::start(Limits::default(), None);
    let head = |more: &str| format!("GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{more}\r\n");
    let many = |count: usize| (0..count).map(|n| format!("h{n}: v\r\n")).collect::<String>();
    let cases = [
        (head(&many(62)), "HTTP/1.1 204"),
        (head(&many(63)), "HTTP/1.1 431"),
        (head(&many(1000)), "HTTP/1.1 431"),
        (head(&format!("x: {}\r\n", "v".repeat(8000))), "HTTP/1.1 204"),
        (head(&format!("x: {}\r\n", "v".repeat(8200))), "HTTP/1.1 431"),
        (head(&format!("x: {}\r\n", "v".repeat(1 << 20))), "HTTP/1.1 431"),
        (head(&(0..5).map(|n| format!("x{n}: {}\r\n", "v".repeat(7000))).collect::<String>()), "HTTP/1.1 431"),
        (format!("GET /{} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n", "a".repeat(9000)), "HTTP/1.1 414"),
        (format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "a".repeat(64 << 10)), "HTTP/1.1 431"),
        ("POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 1048577\r\n\r\n".to_owned(), "HTTP/1.1 413"),
        (format!("POST /body HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{}", chunks(17)), "HTTP/1.1 413"),
        (
            format!(
                "POST /body HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 1048576\r\n\r\n{}",
                "x".repeat(1 << 20)
            ),
            "HTTP/1.1 200",
        ),
        (
            "POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nx".to_owned(),
            "HTTP/1.1 400",
        ),
        ("POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: +5\r\n\r\nxxxxx".to_owned(), "HTTP/1.1 400"),
        ("POST /body HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n".to_owned(), "HTTP/1.1 400"),
        ("TRACE /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_owned(), "HTTP/1.1 405"),
        ("BREW /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_owned(), "HTTP/1.1 405"),
        ("CONNECT b:443 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_owned(), "HTTP/1.1 404"),
        ("OPTIONS * HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n".to_owned(), "HTTP/1.1 404"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), ""),
        ("GET /healthz HTTP/1.1\r\nhost: a\r\n folded: 1\r\n\r\n".to_owned(), "HTTP/1.1 400"),
    ];
    for (request, expected) in cases {
        let mut io = running.connect().await;
        let answer = exchange(&mut io, request.as_bytes()).await;
        let start = &request[..request.len().min(120)];
        assert!(answer.starts_with(expected), "{start:?}\nexpected {expected}, got {answer:?}");
    }
    let mut io = running.connect().await;
    let answer = ask(&mut io, head(&many(100)).as_bytes()).await;
    assert!(answer.contains("application/problem+json") || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn only_listed_hosts_are_answered_where_some_are() {
    let hosts = Hosts::new(["claviger.example".to_owned()], None);
    let running = Running::start(Limits { hosts: Some(hosts), ..Limits::default() }, None);
    let peer = |host: &str| format!("GET /peer HTTP/1.1\r\n{host}connection: close\r\n\r\n");
    for (request, expected) in [
        (peer("host: claviger.example\r\n"), "HTTP/1.1 200"),
        (peer("host: CLAVIGER.example:8443\r\n"), "HTTP/1.1 200"),
        (peer("host: evil.example\r\n"), "HTTP/1.1 421"),
        (peer("host: evil.example\r\nx-forwarded-host: claviger.example\r\n"), "HTTP/1.1 421"),
        (peer("host: claviger.example\r\nhost: evil.example\r\n"), "HTTP/1.1 4"),
        (peer(""), "HTTP/1.1 4"),
        ("GET http://evil.example/peer HTTP/1.1\r\nhost: claviger.example\r\n\r\n".to_owned(), "HTTP/1.1 421"),
        ("GET /express HTTP/1.1\r\nhost: evil.example\r\n\r\n".to_owned(), "HTTP/1.1 421"),
        ("GET /healthz HTTP/1.1\r\nhost: 10.1.2.3\r\nconnection: close\r\n\r\n".to_owned(), "HTTP/1.1 204"),
    ] {
        let answer = exchange(&mut running.connect().await, request.as_bytes()).await;
        assert!(answer.starts_with(expected), "{request:?}\nexpected {expected}, got {answer:?}");
    }
    let answer = exchange(&mut running.connect().await, peer("host: evil.example\r\n").as_bytes()).await;
    assert!(answer.contains(r#""code":"misdirected""#), "{answer}");
}

fn chunks(count: usize) -> String {
    let chunk = format!("{:x}\r\n{}\r\n", 64 << 10, "x".repeat(64 << 10));
    format!("{}0\r\n\r\n", chunk.repeat(count))
}

#[tokio::test]
async fn an_answer_does_not_wait_for_the_rest_of_the_next_request() {
    let running = Running::start(Limits::default(), None);
    let mut io = running.connect().await;
    let answer = ask(&mut io, &[HEALTH, b"GET /hea"].concat()).await;
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    let answer = ask(&mut io, b"lthz HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
}

#[tokio::test]
async fn a_refused_upload_still_reads_its_answer() {
    let running = Running::start(Limits::default(), None);
    let mut io = running.connect().await;
    let mut request = b"POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 3145728\r\n\r\n".to_vec();
    request.resize(request.len() + (3 << 20), b'x');
    let answer = exchange(&mut io, &request).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer:?}");
    assert!(answer.contains("connection: close") && answer.contains(r#""code":"body_too_large""#), "{answer}");
}

#[tokio::test]
async fn one_peer_gets_its_share_and_a_full_house_sheds_the_idle() {
    let running = Running::start(quick(|limits| limits.connections_per_peer = 3), None);
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut io = running.connect().await;
        assert!(ask(&mut io, HEALTH).await.starts_with("HTTP/1.1 204"));
        held.push(io);
    }
    assert_eq!(exchange(&mut running.connect().await, HEALTH).await, "", "the fourth is closed");
    assert!(running.counted("claviger_connections_refused_total{cap=\"peer\"} 1"));
    held.pop();
    let retry = async {
        loop {
            let mut io = running.connect().await;
            if !exchange(&mut io, b"GET /healthz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.is_empty() {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), retry).await.expect("a slot is returned");

    let running = Running::start(quick(|limits| limits.connections = 2), None);
    let mut held = Vec::new();
    for _ in 0..6 {
        let mut io = running.connect().await;
        assert!(ask(&mut io, HEALTH).await.starts_with("HTTP/1.1 204"), "the health route answers in a full house");
        held.push(io);
    }
    assert!(running.counters.open() <= 3, "{} open", running.counters.open());
    assert_eq!(read_all(&mut held[0]).await, "", "the oldest idle connection made room");
}

#[tokio::test]
async fn a_panic_costs_one_request() {
    let running = Running::start(Limits::default(), None);
    let mut io = running.connect().await;
    for path in ["/panic", "/express/panic", "/whole/panic"] {
        let answer = ask(&mut io, format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
        assert!(answer.contains("content-type: application/problem+json"), "{answer}");
        assert!(
            answer
                .contains(r#"{"type":"/v1/problems/internal","title":"Internal error","status":500,"code":"internal""#)
        );
        assert!(!answer.contains("on purpose"));
        assert!(ask(&mut io, HEALTH).await.starts_with("HTTP/1.1 204"), "the same connection goes on");
    }
    assert!(running.counted("claviger_panics_total 3"));
}

#[tokio::test]
async fn express_takes_what_has_no_body_and_leaves_the_rest_to_the_router() {
    let running = Running::start(Limits::default(), None);
    let mut io = running.connect().await;
    let answer = ask(&mut io, b"GET /express HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(answer.ends_with(&io.local_addr().unwrap().to_string()), "{answer}");
    let answer = ask(&mut io, b"POST /express HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\n\r\nx").await;
    assert!(answer.ends_with("routed"), "{answer}");
    let answer = ask(&mut io, b"POST /whole HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc").await;
    assert!(answer.ends_with(&format!("{} 3", io.local_addr().unwrap())), "{answer}");
    assert!(ask(&mut io, HEALTH).await.starts_with("HTTP/1.1 204"), "the connection goes on");
    let line = format!("GET /express HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(9_000));
    assert!(ask(&mut io, line.as_bytes()).await.starts_with("HTTP/1.1 431"), "limits come first");
}

#[tokio::test]
async fn draining_finishes_what_is_in_flight() {
    let running = Running::start(Limits::default(), None);
    let (mut busy, mut idle) = (running.connect().await, running.connect().await);
    assert!(ask(&mut idle, HEALTH).await.starts_with("HTTP/1.1 204"));
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    running.stop.send(()).unwrap();
    assert_eq!(read_all(&mut idle).await, "");
    assert!(started.elapsed() < Duration::from_millis(150), "idle connections close at once");
    let answer = read_all(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("connection: close"), "{answer}");
    assert_eq!(running.task.await.unwrap(), Drained { cut: 0 });
    assert!(TcpStream::connect(running.address).await.is_err(), "nobody listens any more");

    let running = Running::start(quick(|limits| limits.timers.drain = Duration::from_millis(50)), None);
    let mut busy = running.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    running.stop.send(()).unwrap();
    assert_eq!(running.task.await.unwrap(), Drained { cut: 1 });
}
