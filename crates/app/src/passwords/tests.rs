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

/// Welch's t of two samples, the slowest tenth of both left out: what the machine does beside falls there.
fn welch(one: &[f64], other: &[f64]) -> f64 {
    let mut all: Vec<f64> = one.iter().chain(other).copied().collect();
    all.sort_by(f64::total_cmp);
    let slowest = all[all.len() * 9 / 10];
    let of = |sample: &[f64]| {
        let kept: Vec<f64> = sample.iter().copied().filter(|time| *time <= slowest).collect();
        let count = f64::from(u32::try_from(kept.len()).unwrap());
        let mean = kept.iter().sum::<f64>() / count;
        let variance = kept.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((mean, error), (other_mean, other_error)) = (of(one), of(other));
    (mean - other_mean) / (error + other_error).sqrt()
}

#[tokio::test]
async fn h4_a_password_of_nobody_takes_as_long_as_a_wrong_one() {
    // The same is done: cost, and lengths of everything.
    let passwords = Passwords::with(Random::seeded(1), Cost { memory_kib: 64, ..CHEAP }, 1);
    let hash = passwords.hash(&password("correct horse battery staple")).await.unwrap();
    assert_eq!((hash.cost, hash.salt.len(), hash.tag.len()), {
        let nobody = &passwords.nobody;
        (nobody.cost, nobody.salt.len(), nobody.tag.len())
    });
    let long = std::env::var("CLAVIGER_TEST_LONG").is_ok_and(|value| value == "1");
    let samples = if long { 10_000 } else { 1_000 };
    let wrong = password("correct horse battery staples");
    let mut worst = Vec::new();
    // Another process may come in between one side's measurements more often than the other's: once in a while, not always.
    for _ in 0..4 {
        let (mut known, mut unknown) = (Vec::new(), Vec::new());
        for round in 0..samples * 2 {
            // In pairs whose order changes, so that whatever drifts does so for both.
            let is_known = (round + round / 2) % 2 == 0;
            let started = std::time::Instant::now();
            assert!(!passwords.verify(&wrong, is_known.then_some(&hash)).await.unwrap());
            let took = started.elapsed().as_secs_f64();
            if is_known { known.push(took) } else { unknown.push(took) }
        }
        let t = welch(&known, &unknown).abs();
        if t < 4.5 {
            return;
        }
        worst.push(t);
    }
    panic!("|t| = {worst:?}");
}
