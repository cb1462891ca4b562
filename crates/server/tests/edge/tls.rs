//! TLS: the private CA, certificates from files, both protocols.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use claviger_server::edge::Limits;
use claviger_server::tls::{TlsReloader, certificates};
use http::Method;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::support::{
    HEALTH, Running, Scratch, TlsIo, ask, clock, handshake, http2, leaf, now, quick, read_all, request,
};

#[tokio::test]
async fn the_private_ca_is_made_once_and_serves_both_protocols() {
    let scratch = Scratch::new();
    let names = || vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "claviger.example".to_owned()];
    let tls = Arc::new(TlsReloader::private(&scratch.0, names(), clock()).unwrap());
    assert_eq!(tls.names(), names());
    assert!(!tls.covers("other.example"));
    let ca = tls.ca_file().unwrap().to_owned();
    let key_mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(scratch.0.join("ca.key")).unwrap());
    assert_eq!(key_mode & 0o777, 0o600);
    let limits = quick(|limits| limits.timers.handshake = Duration::from_millis(200));
    let running = Running::start(limits, Some(tls));

    for host in ["localhost", "127.0.0.1", "claviger.example"] {
        let mut io = handshake(&running, &ca, b"http/1.1", host).await.unwrap();
        assert!(ask(&mut io, HEALTH).await.starts_with("HTTP/1.1 204"));
    }
    assert!(handshake(&running, &ca, b"http/1.1", "other.example").await.is_err());

    let (mut client, _driver) = http2(handshake(&running, &ca, b"h2", "localhost").await.unwrap()).await;
    let answer = client.send_request(request(Method::GET, "/peer", "")).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
    let answer = client.send_request(request(Method::POST, "/body", "hello")).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "5");
    let answer = client.send_request(request(Method::GET, "/panic", "")).await.unwrap();
    assert_eq!(answer.status().as_u16(), 500);
    let mut large = request(Method::GET, "/healthz", "");
    large.headers_mut().insert("x", "v".repeat(9000).parse().unwrap());
    assert_eq!(client.send_request(large).await.unwrap().status().as_u16(), 431);

    let started = Instant::now();
    assert_eq!(read_all(&mut running.connect().await).await, "", "a stalled handshake");
    assert!((190..700).contains(&started.elapsed().as_millis()));

    let before = std::fs::read(&ca).unwrap();
    let again = TlsReloader::private(&scratch.0, names(), clock()).unwrap();
    assert_eq!(std::fs::read(&ca).unwrap(), before, "the CA is kept");
    let text = certificates(&ca).unwrap();
    assert_eq!(text, String::from_utf8(before.clone()).unwrap().replace('\r', ""));
    running.stop.send(()).unwrap();
    running.task.await.unwrap();
    let running = Running::start(Limits::default(), Some(Arc::new(again)));
    assert!(handshake(&running, &ca, b"http/1.1", "localhost").await.is_ok(), "and still trusted after a restart");
}

#[tokio::test]
async fn the_private_certificate_is_renewed_before_it_runs_out() {
    let scratch = Scratch::new();
    let time = Arc::new(AtomicI64::new(now()));
    let clock = {
        let time = Arc::clone(&time);
        Arc::new(move || time.load(Ordering::Relaxed))
    };
    let tls = TlsReloader::private(&scratch.0, vec!["localhost".to_owned()], clock).unwrap();
    assert!(!tls.refresh().unwrap());
    time.fetch_add(61 * 24 * 3600, Ordering::Relaxed);
    assert!(tls.refresh().unwrap());
    assert!(!tls.refresh().unwrap());

    let key = scratch.0.join("ca.key");
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    let refused = TlsReloader::private(&scratch.0, vec!["localhost".to_owned()], self::clock());
    assert!(refused.err().unwrap().to_string().contains("chmod 600"));
}

#[test]
fn of_a_file_only_certificates_are_shown() {
    let scratch = Scratch::new();
    let (file, other) = (scratch.0.join("ca.pem"), scratch.0.join("other.pem"));
    let made: Vec<_> = ["one", "two"].map(|name| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap()).into();
    let certificates_alone: String = made.iter().map(|made| made.cert.pem().replace('\r', "")).collect();
    let with_keys: String = made.iter().map(|made| made.signing_key.serialize_pem() + &made.cert.pem()).collect();
    std::fs::write(&file, format!("a word before\n{with_keys}and after")).unwrap();
    assert_eq!(certificates(&file).unwrap(), certificates_alone);
    let key = made[0].signing_key.serialize_pem();
    let hidden = format!("-----BEGIN CERTIFICATE-----\n{key}-----END CERTIFICATE-----\n");
    std::fs::write(&other, hidden).unwrap();
    assert!(certificates(&other).is_err(), "a key between the marks of a certificate");
    std::fs::write(&other, key).unwrap();
    assert!(certificates(&other).unwrap_err().to_string().contains("no certificate in it"));
    assert!(certificates(&scratch.0.join("none")).unwrap_err().to_string().contains("none"));
}

#[tokio::test]
async fn certificates_from_files_are_followed() {
    let scratch = Scratch::new();
    let (chain, key) = (scratch.0.join("chain.pem"), scratch.0.join("key.pem"));
    let write = |names: &[&str]| {
        let made = rcgen::generate_simple_self_signed(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        let made = made.unwrap();
        std::fs::write(&chain, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    };
    write(&["one.example"]);
    let names = vec!["one.example".to_owned(), "two.example".to_owned()];
    let tls = Arc::new(TlsReloader::from_files(&chain, &key, names, clock()).unwrap());
    assert_eq!((tls.names(), tls.ca_file()), (vec!["one.example".to_owned()], None));
    let running = Running::start(Limits::default(), Some(Arc::clone(&tls)));
    let watcher = tokio::spawn(Arc::clone(&tls).watch(Duration::from_millis(20)));
    let first = leaf(&handshake(&running, &chain, b"http/1.1", "one.example").await.unwrap());
    let old = scratch.0.join("old.pem");
    std::fs::copy(&chain, &old).unwrap();

    std::fs::write(&chain, "rubbish").unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(leaf(&handshake(&running, &old, b"http/1.1", "one.example").await.unwrap()), first, "the old one stays");

    write(&["two.example"]);
    tokio::time::timeout(Duration::from_secs(5), async {
        while !tls.covers("two.example") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("the new pair is taken");
    assert_ne!(leaf(&handshake(&running, &chain, b"http/1.1", "two.example").await.unwrap()), first);
    watcher.abort();

    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o604)).unwrap();
    let refused = TlsReloader::from_files(&chain, &key, Vec::new(), clock()).err().unwrap();
    assert!(refused.to_string().contains("others may read"), "{refused}");
}

#[tokio::test]
async fn an_http2_connection_idles_and_drains() {
    let scratch = Scratch::new();
    let tls = Arc::new(TlsReloader::private(&scratch.0, vec!["localhost".to_owned()], clock()).unwrap());
    let ca = tls.ca_file().unwrap().to_owned();
    let limits = quick(|limits| {
        limits.timers.headers = Duration::from_millis(100);
        limits.timers.idle = Duration::from_millis(400);
    });
    let running = Running::start(limits, Some(tls));
    let io = handshake(&running, &ca, b"h2", "localhost").await.unwrap();
    let (mut sender, connection) = http2(io).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(
        sender.send_request(request(Method::GET, "/slow", "")).await.unwrap().status().as_u16(),
        200,
        "idle is not half a head"
    );
    let started = Instant::now();
    tokio::time::timeout(Duration::from_secs(5), connection).await.unwrap().unwrap().unwrap();
    assert!(started.elapsed() > Duration::from_millis(350), "{:?}", started.elapsed());
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u8, body: &[u8]) -> Vec<u8> {
    let mut text = vec![0, 0, u8::try_from(body.len()).unwrap(), kind, flags, 0, 0, 0, stream];
    text.extend_from_slice(body);
    text
}

/// Reads frames until an answer on that stream is whole; the kinds of all frames on streams.
async fn frames_until_answered(io: &mut TlsIo, stream: u8) -> Vec<(u8, u8)> {
    let mut seen = Vec::new();
    loop {
        let mut head = [0; 9];
        tokio::time::timeout(Duration::from_secs(10), io.read_exact(&mut head)).await.unwrap().unwrap();
        let length = usize::from(head[1]) * 256 + usize::from(head[2]);
        io.read_exact(&mut vec![0; length]).await.unwrap();
        let (kind, flags, of) = (head[3], head[4], head[8]);
        if of != 0 {
            seen.push((kind, of));
        }
        // Data or headers that end the stream.
        if of == stream && kind <= 1 && flags & 1 == 1 {
            return seen;
        }
    }
}

#[tokio::test]
async fn an_early_answer_resets_no_stream() {
    let scratch = Scratch::new();
    let tls = Arc::new(TlsReloader::private(&scratch.0, vec!["localhost".to_owned()], clock()).unwrap());
    let ca = tls.ca_file().unwrap().to_owned();
    let running = Running::start(quick(|_| {}), Some(tls));
    let mut io = handshake(&running, &ca, b"h2", "localhost").await.unwrap();
    // POST https://localhost/nowhere
    let head = [b"\x83\x87\x04\x08/nowhere".as_slice(), b"\x01\x09localhost"].concat();
    let begun = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, b""), frame(1, 4, 1, &head)].concat();
    io.write_all(&begun).await.unwrap();
    let mut seen = frames_until_answered(&mut io, 1).await;
    // The body comes when the answer is there already, and after it another request.
    io.write_all(&[frame(0, 1, 1, b"late"), frame(1, 5, 3, &head)].concat()).await.unwrap();
    seen.extend(frames_until_answered(&mut io, 3).await);
    assert!(seen.iter().all(|(kind, _)| *kind != 3), "a reset among kinds and streams: {seen:?}");
}
