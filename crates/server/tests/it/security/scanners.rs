//! The expressions that docs/scanners.md publishes find secrets and leave near misses alone; its checksum is the one we use.

use claviger_domain::secret::{PlainSecret, is_well_formed};
use regex::Regex;

const DOCUMENT: &str = include_str!("../../../../../docs/scanners.md");

/// The code block of that language.
fn block(language: &str) -> &'static str {
    let (_, rest) = DOCUMENT.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("\n```").unwrap().0
}

fn between(text: &'static str, start: &str, end: &str) -> &'static str {
    text.split_once(start).unwrap().1.split_once(end).unwrap().0
}

/// All published expressions, and whether they refuse what goes on after a secret.
fn expressions() -> Vec<(Regex, bool)> {
    let gitleaks: toml::Table = block("toml").parse().unwrap();
    let texts = [
        (block("regex"), true),
        (gitleaks["rules"][0]["regex"].as_str().unwrap(), true),
        (between(block("yaml"), "secret: '", "'"), true),
        (block("github"), false),
    ];
    texts.into_iter().map(|(text, bounded)| (Regex::new(text).unwrap(), bounded)).collect()
}

fn secrets() -> impl Iterator<Item = String> {
    (0..=255).map(|byte| PlainSecret::mint([byte; 32]).reveal())
}

/// The checksum as the document describes it, bit by bit.
fn checksum(text: &str) -> String {
    let mut crc = u32::MAX;
    for byte in text.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
        }
    }
    let (digits, mut number) = (b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", !crc);
    let mut text = [b'0'; 6];
    for place in text.iter_mut().rev() {
        *place = digits[(number % 62) as usize];
        number /= 62;
    }
    String::from_utf8(text.to_vec()).unwrap()
}

#[test]
fn published_expressions_find_secrets() {
    for (expression, _) in expressions() {
        for secret in secrets() {
            for text in [
                secret.clone(),
                format!("TOKEN={secret}\n"),
                format!(r#"{{"a":"x\n{secret}\n"}}"#),
                format!("https://example.com/?k={secret}&b"),
                format!("{secret}/0190f3c2-a8d1-7b3e-9f00-000000000042"),
            ] {
                let found: Vec<_> = expression.find_iter(&text).map(|found| found.as_str()).collect();
                assert_eq!(found, [secret.as_str()], "{expression} in {text}");
            }
        }
    }
}

#[test]
fn published_expressions_leave_near_misses_alone() {
    for (expression, bounded) in expressions() {
        for secret in secrets() {
            let mut misses = vec![
                secret[..54].to_owned(),
                secret.to_uppercase(),
                secret.replacen("clv_a_", "clv_b_", 1),
                secret.replacen("clv_a_", "clv-a-", 1),
                format!("{}-{}", &secret[..30], &secret[31..]),
                format!("{} {}", &secret[..30], &secret[30..]),
            ];
            if bounded {
                misses.extend([format!("{secret}0"), format!("{secret}_")]);
            }
            for text in misses {
                assert!(!expression.is_match(&text), "{expression} in {text}");
            }
        }
    }
}

#[test]
fn the_described_checksum_tells_secrets_from_what_looks_like_them() {
    for secret in secrets() {
        assert_eq!(checksum(&secret[..49]), secret[49..]);
        let last = if secret.ends_with('0') { '1' } else { '0' };
        let near = format!("{}{last}", &secret[..54]);
        assert!(expressions()[0].0.is_match(&near) && !is_well_formed(&near));
    }
    let example = block("example");
    assert!(is_well_formed(example) && checksum(&example[..49]) == example[49..]);
    assert!(block("python").contains("zlib.crc32"));
}
