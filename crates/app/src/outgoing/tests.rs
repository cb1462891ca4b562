//! Calls to listeners of our own.

use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

fn loopback() -> Outgoing {
    Outgoing::new(Allowance { networks: vec!["127.0.0.0/8".parse().unwrap()] }, &[]).unwrap()
}

/// A listener that answers each connection with this; and how many there were.
async fn listener(answer: Vec<u8>) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, seen) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counter = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut head = [0; 4_096];
                let _ = socket.read(&mut head).await;
                let _ = socket.write_all(&answer).await;
                let _ = socket.shutdown().await;
            });
        }
    });
    (port, seen)
}

async fn get(outgoing: &Outgoing, url: &str) -> Result<Answer, Failed> {
    outgoing.get(&Target::parse("/x", url).unwrap()).await
}

#[tokio::test]
async fn what_is_not_allowed_is_not_dialled() {
    let (port, seen) = listener(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()).await;
    let nothing = Outgoing::new(Allowance::default(), &[]).unwrap();
    for host in ["127.0.0.1", "localhost", "[::1]"] {
        for scheme in ["http", "https"] {
            assert_eq!(
                get(&nothing, &format!("{scheme}://{host}:{port}/")).await.unwrap_err(),
                Failed::Forbidden,
                "{host}"
            );
        }
    }
    for host in ["169.254.169.254", "10.0.0.1", "[fd00:ec2::254]", "[::ffff:127.0.0.1]", "0.0.0.0"] {
        assert_eq!(get(&nothing, &format!("https://{host}/")).await.unwrap_err(), Failed::Forbidden, "{host}");
    }
    // Allowed is one network, and nothing beside it.
    let other = Outgoing::new(Allowance { networks: vec!["127.0.0.2/32".parse().unwrap()] }, &[]).unwrap();
    assert_eq!(get(&other, &format!("http://127.0.0.1:{port}/")).await.unwrap_err(), Failed::Forbidden);
    assert_eq!(seen.load(Ordering::SeqCst), 0);
    let answer = get(&loopback(), &format!("http://localhost:{port}/a?b")).await.unwrap();
    assert_eq!((&answer.body[..], seen.load(Ordering::SeqCst)), (&b"{}"[..], 1));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (inner, seen) = listener(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()).await;
    for status in [301, 302, 303, 307, 308] {
        let answer = format!("HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:{inner}/\r\ncontent-length: 0\r\n\r\n");
        let (port, _) = listener(answer.into_bytes()).await;
        assert_eq!(get(&loopback(), &format!("http://127.0.0.1:{port}/")).await.unwrap_err(), Failed::Status(status));
    }
    assert_eq!(seen.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn answers_are_bounded() {
    let fetch = async |answer: Vec<u8>| {
        let (port, _) = listener(answer).await;
        get(&loopback(), &format!("http://127.0.0.1:{port}/")).await.map(|answer| answer.body.len())
    };
    let long = |bytes: usize| [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; bytes]].concat();
    assert_eq!(fetch(long(ANSWER_MAX)).await, Ok(ANSWER_MAX));
    assert_eq!(fetch(long(ANSWER_MAX + 1)).await, Err(Failed::Long));
    let head = [b"HTTP/1.1 200 OK\r\n".to_vec(), b"x: y\r\n".repeat(20_000)].concat();
    assert_eq!(fetch(head).await, Err(Failed::Garbled));
    for garbled in [&b""[..], b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}"] {
        assert_eq!(fetch(garbled.to_vec()).await, Err(Failed::Garbled));
    }
    assert_eq!(fetch(b"HTTP/1.1 404 X\r\ncontent-length: 0\r\n\r\n".to_vec()).await, Err(Failed::Status(404)));
    assert!(get(&loopback(), "http://127.0.0.1:1/").await.is_err_and(|failed| failed == Failed::Unreachable));
}

#[tokio::test]
async fn tls_is_not_given_up() {
    let (port, _) = listener(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec()).await;
    assert_eq!(get(&loopback(), &format!("https://127.0.0.1:{port}/")).await.unwrap_err(), Failed::Tls);
}

/// What a listener hears of one request, whose answer is empty.
async fn heard(send: impl AsyncFnOnce(Outgoing, Target) -> Result<Answer, Failed>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://127.0.0.1:{}/token?tenant=7", listener.local_addr().unwrap().port());
    let hearing = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        let whole = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let (head, body) = text.split_once("\r\n\r\n")?;
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            (body.len() >= length.map_or(0, |length| length.parse().unwrap())).then_some(text)
        };
        loop {
            let mut piece = [0; 1_024];
            let read = socket.read(&mut piece).await.unwrap();
            bytes.extend_from_slice(&piece[..read]);
            if let Some(text) = whole(&bytes) {
                socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
                return text;
            }
        }
    });
    let answer = send(loopback(), Target::parse("/x", &url).unwrap()).await.unwrap();
    assert_eq!(&answer.body[..], b"{}");
    hearing.await.unwrap()
}

#[tokio::test]
async fn forms_and_tokens_are_sent_as_they_are() {
    let text = heard(async |out, target| out.post_form(&target, "a=b&c=d".into(), Some("Basic eDp5")).await).await;
    assert!(text.starts_with("POST /token?tenant=7 HTTP/1.1\r\n") && text.ends_with("\r\n\r\na=b&c=d"), "{text}");
    for line in ["authorization: Basic eDp5", "content-type: application/x-www-form-urlencoded", "content-length: 7"] {
        assert!(text.contains(&format!("\r\n{line}\r\n")), "{line} in {text}");
    }
    let text = heard(async |out, target| out.get_with_token(&target, "abc").await).await;
    assert!(text.starts_with("GET /token?tenant=7 HTTP/1.1\r\n") && text.contains("\r\nauthorization: Bearer abc\r\n"));
    let nothing = Outgoing::new(Allowance::default(), &[]).unwrap();
    let inside = Target::parse("/x", "https://10.0.0.1/token").unwrap();
    assert_eq!(nothing.post_form(&inside, "a=b".into(), None).await.unwrap_err(), Failed::Forbidden);
}
