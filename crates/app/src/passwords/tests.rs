use super::*;

const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

fn password(text: &str) -> Password {
    Password::presented("/password", text.to_owned()).unwrap()
}

#[tokio::test]
async fn passwords_are_recognised() {
    let passwords = Passwords::with(Random::seeded(1), Cost::STANDARD, 1);
    let hash = passwords.hash(&password("correct horse battery staple")).await.unwrap();
    let again = passwords.hash(&password("correct horse battery staple")).await.unwrap();
    assert!(hash.salt != again.salt && hash.tag != again.tag && !hash.needs_rehash());
    let stored = PasswordHash::parse(&hash.to_string()).unwrap();
    assert!(passwords.verify(&password("correct horse battery staple"), Some(&stored)).await.unwrap());
    assert!(!passwords.verify(&password("correct horse battery staples"), Some(&stored)).await.unwrap());
    assert!(!passwords.verify(&password("correct horse battery staple"), None).await.unwrap());
}

#[tokio::test]
async fn the_reference_vector_holds() {
    // RFC 9106 has vectors with a secret and associated data only; this one is of the reference implementation's tests.
    let cost = Cost { memory_kib: 65_536, passes: 2, lanes: 1 };
    let text = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let hash = PasswordHash::parse(text).unwrap();
    let passwords = Passwords::with(Random::seeded(1), CHEAP, 1);
    assert!(hash.cost == cost && passwords.needs_rehash(&hash));
    assert!(passwords.verify(&password("password"), Some(&hash)).await.unwrap());
    assert!(!passwords.verify(&password("differentpassword"), Some(&hash)).await.unwrap());
}

#[tokio::test]
async fn overflow_is_told_at_once_and_the_queue_empties() {
    let passwords = Arc::new(Passwords::with(Random::seeded(1), CHEAP, 1));
    let taken = Arc::clone(&passwords.places).acquire_owned().await.unwrap();
    let verify = || {
        let passwords = Arc::clone(&passwords);
        tokio::spawn(async move { passwords.verify(&password("anything"), None).await })
    };
    let waiting: Vec<_> = (0..QUEUE_EACH).map(|_| verify()).collect();
    while passwords.waiting.load(Ordering::Relaxed) < QUEUE_EACH {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        assert!(matches!(verify().await.unwrap(), Err(Error::Unavailable(_))));
    }
    drop(taken);
    for one in waiting {
        assert!(!one.await.unwrap().unwrap());
    }
    assert_eq!(passwords.waiting.load(Ordering::Relaxed), 0);
    // Whoever goes away leaves the queue.
    let taken = Arc::clone(&passwords.places).acquire_owned().await.unwrap();
    let gone = verify();
    while passwords.waiting.load(Ordering::Relaxed) < 1 {
        tokio::task::yield_now().await;
    }
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    assert_eq!(passwords.waiting.load(Ordering::Relaxed), 0);
    drop(taken);
}
