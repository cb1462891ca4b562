use super::blocklist::weakness;
use super::*;
use proptest::prelude::*;

fn password(text: &str) -> Password {
    Password::presented("/password", text.to_owned()).unwrap()
}

fn accepted(text: &str, fewest: usize) -> bool {
    let context = Context::of(["Acme Rockets GmbH"], "ada.lovelace@engines.example.com");
    password(text).must_be_acceptable("/password", fewest, &context).is_ok()
}

#[test]
fn length_is_counted_in_characters_and_nothing_is_cut() {
    let fine = "horse battery staple";
    let cut = |length: usize| fine.chars().cycle().take(length).collect::<String>();
    for (length, alone, with) in [(7, false, false), (8, false, true), (14, false, true), (15, true, true)] {
        assert_eq!((accepted(&cut(length), MIN_ALONE), accepted(&cut(length), MIN_WITH_SECOND_FACTOR)), (alone, with));
    }
    let long: String = (0..)
        .map(|number| format!("word{number} "))
        .flat_map(|word| word.chars().collect::<Vec<_>>())
        .take(300)
        .collect();
    for length in [64, 128, 256] {
        assert!(accepted(&long[..length], MIN_ALONE), "{length}");
    }
    for too_long in [&long[..257], &"ß".repeat(513), &"x".repeat(4_096)] {
        let error = Password::presented("/password", too_long.to_owned()).unwrap_err();
        assert!(error.to_string().contains("too long"), "{error}");
    }
    assert_ne!(password(&long[..256]).as_bytes(), password(&long[..255]).as_bytes());
}

#[test]
fn two_spellings_of_a_letter_are_one_and_blanks_count() {
    assert_eq!(password("Cafe\u{301} au lait").as_bytes(), password("Café au lait").as_bytes());
    assert_ne!(password(" staple").as_bytes(), password("staple").as_bytes());
    assert_ne!(password("staple ").as_bytes(), password("staple").as_bytes());
    assert!(accepted("  battery staple ", MIN_ALONE));
    assert!(!accepted("battery\u{0}staple horse", MIN_ALONE));
    assert_eq!(format!("{:?}", password("secret")), "Password(…)");
}

#[test]
fn what_is_guessed_first_is_refused() {
    use Weakness as W;
    let context = Context::of(["Acme Rockets GmbH", "MSP"], "ada.lovelace@engines.example.com");
    for (text, expected) in [
        ("password", W::Common),
        ("PASSWORD", W::Common),
        ("ｐａｓｓｗｏｒｄ", W::Common),
        ("Password1!", W::Common),
        ("passwordpassword", W::Common),
        ("2024 Dragon!", W::Common),
        ("Password12345678", W::Common),
        ("987654321 Dragon", W::Common),
        ("Dragon!!!!!!!!!!", W::Common),
        ("aaaaaaaaaaaaaaaa", W::Pattern),
        ("xyzxyzxyzxyzxyzx", W::Pattern),
        ("abcdefghijklmnop", W::Pattern),
        ("98765432109876543", W::Pattern),
        ("qwertyuiopasdfghj", W::Pattern),
        ("AcmeRockets2024!", W::Context),
        ("acme rockets gmbh", W::Context),
        ("Lovelace-Ada-1815", W::Context),
        ("ada.lovelace@engines.example.com", W::Context),
        ("Claviger#123456", W::Context),
    ] {
        assert_eq!(weakness(text, &context), Some(expected), "{text}");
    }
    for fine in [
        "correct horse battery staple",
        "lovelace sings to grey whales",
        "Tr0ub4dor&3 of Acme and more",
        "Dragon 7291 0358 46",
        "u7#kPq2!mZ9x",
        "Ω≈ç√∫˜µ≤≥÷åß∂",
    ] {
        assert_eq!(weakness(fine, &context), None, "{fine}");
    }
}

#[test]
fn every_line_of_the_list_is_found() {
    let lines: Vec<&str> = include_str!("../../data/common-passwords.txt").lines().collect();
    assert!(lines.len() >= 10_000 && lines.is_sorted());
    for line in lines {
        assert_eq!(weakness(line, &Context::default()), Some(Weakness::Common), "{line}");
    }
}

#[test]
fn hashes_are_read_as_they_are_written() {
    let hash = PasswordHash { cost: Cost::STANDARD, salt: vec![1; 16], tag: vec![2; 32] };
    let text = hash.to_string();
    assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
    assert!(PasswordHash::parse(&text) == Some(hash.clone()) && !hash.needs_rehash());
    assert!(hash.matches(&[2; 32]) && !hash.matches(&[2; 31]) && !hash.matches(&[3; 32]));
    assert!(PasswordHash { cost: Cost { passes: 1, ..Cost::STANDARD }, ..hash }.needs_rehash());
    for (from, to) in [
        ("argon2id", "argon2i"),
        ("v=19", "v=16"),
        ("m=19456", "m=4294967295"),
        ("m=19456", "m=1"),
        ("t=2", "t=0"),
        ("t=2,p=1", "t=2"),
        ("p=1", "p=1,x=1"),
        ("$AQ", "$!Q"),
    ] {
        assert!(PasswordHash::parse(&text.replacen(from, to, 1)).is_none(), "{to}");
    }
    assert!(PasswordHash::parse(&format!("{text}$")).is_none() && PasswordHash::parse("").is_none());
}

proptest! {
    #[test]
    fn any_text_is_answered(text in ".{0,300}", tenant in ".{0,20}", email in ".{0,20}") {
        let context = Context::of([tenant.as_str()], &email);
        if let Ok(password) = Password::presented("/password", text.clone()) {
            let _ = password.must_be_acceptable("/password", MIN_ALONE, &context);
            prop_assert!(password.as_bytes().len() <= MAX_BYTES);
        }
        prop_assert!(PasswordHash::parse(&text).is_none());
    }
}
