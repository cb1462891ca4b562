//! Which URLs and addresses may be called.

use super::*;
use proptest::prelude::*;

fn parse(text: &str) -> Result<Target> {
    Target::parse("/issuer", text)
}

#[test]
fn urls_are_read_in_one_way() {
    let target = parse("https://Issuer.example:8443/a/b?c=d").unwrap();
    assert_eq!((target.host(), target.port()), (&Host::Name("issuer.example".into()), 8443));
    assert_eq!((target.path_and_query().as_str(), target.authority().as_str()), ("/a/b?c=d", "issuer.example:8443"));
    assert_eq!(parse("https://a.example").unwrap().path_and_query(), "/");
    assert_eq!(parse("https://a.example?x").unwrap().path_and_query(), "/?x");
    assert_eq!(parse("https://[2001:db8::1]/").unwrap().authority(), "[2001:db8::1]");
    assert!(
        parse("http://127.0.0.1:8080/").is_ok() && parse("http://localhost/").is_ok() && parse("http://[::1]/").is_ok()
    );
    for bad in [
        "",
        "issuer.example",
        "http://issuer.example/",
        "ftp://a.example/",
        "file:///etc/passwd",
        "gopher://a/",
        "https://",
        "https:///x",
        "https://a@b.example/",
        "https://good@10.0.0.1/",
        "https://good#@bad/",
        "https://a.example\\@b/",
        "https://a.example/#x",
        "https://a b/",
        "https://a\tb/",
        "https://a.example\n/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://localhost./",
        "https://127。0。0。1/",
        "https://①②⑦.0.0.1/",
        "https://1.2.3.4.5/",
        "https://a..b/",
        "https://-a.example/",
        "https://a.example:0/",
        "https://a.example:65536/",
        "https://a.example:+1/",
        "https://a.example:01/",
        "https://a.example:/",
        "https://[::1/",
        "https://[::1]x/",
        "https://[fe80::1%25eth0]/",
        "https://%31.example/",
        "https://é.example/",
        "HTTPS://a.example/",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    assert!(parse(&format!("https://a.example/{}", "x".repeat(URL_MAX))).is_err());
}

#[test]
fn no_address_of_ours_is_public() {
    for private in [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "192.88.99.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "ff02::1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001::1",
        "2001:db8::1",
        "3fff::1",
        "5f00::1",
        "100::1",
    ] {
        assert!(!is_public(private.parse().unwrap()), "{private}");
    }
    for public in [
        "1.1.1.1",
        "100.63.0.1",
        "100.128.0.1",
        "172.15.0.1",
        "172.32.0.1",
        "192.0.1.1",
        "223.255.255.1",
        "2606:4700::1",
        "2a00::1",
        "2001:4860::8888",
    ] {
        assert!(is_public(public.parse().unwrap()), "{public}");
    }
}

#[test]
fn the_operator_may_allow_more() {
    let nothing = Allowance::default();
    let loopback = Allowance { networks: vec!["127.0.0.0/8".parse().unwrap()] };
    let here = "127.0.0.1".parse().unwrap();
    assert!(!nothing.admits(here, 443) && loopback.admits(here, 4321));
    assert!(loopback.admits("::ffff:127.0.0.1".parse().unwrap(), 1), "the same address");
    let public = "1.1.1.1".parse().unwrap();
    assert!(nothing.admits(public, 443) && !nothing.admits(public, 22) && !nothing.admits(public, 6379));
    for url in
        ["https://127.0.0.1/", "http://localhost/", "https://10.0.0.1/", "https://a.example:22/", "https://[::1]/"]
    {
        assert!(nothing.check("/x", &parse(url).unwrap()).is_err(), "{url}");
    }
    assert!(loopback.check("/x", &parse("http://127.0.0.1:99/").unwrap()).is_ok());
    assert!(loopback.check("/x", &parse("http://localhost:99/").unwrap()).is_ok());
    assert!(loopback.check("/x", &parse("https://10.0.0.1/").unwrap()).is_err());
    assert!(nothing.check("/x", &parse("https://a.example/").unwrap()).is_ok());
}

proptest! {
    #[test]
    fn what_is_read_is_written_again(host in "[a-z]{1,9}(\\.[a-z]{1,9}){0,3}", port in 1_u16.., path in "(/[a-z0-9._~-]{0,9}){0,4}") {
        let target = parse(&format!("https://{host}:{port}{path}")).unwrap();
        prop_assert_eq!(target.host(), &Host::Name(host));
        prop_assert_eq!(target.port(), port);
        prop_assert!(target.path_and_query().starts_with('/') && target.path_and_query().ends_with(&path));
    }

    #[test]
    fn any_text_is_answered(text in "https?://\\PC{0,60}|\\PC{0,60}") {
        if let Ok(target) = parse(&text) {
            let _ = Allowance::default().check("/x", &target);
            prop_assert!(!target.authority().contains(['@', '/', ' ']));
        }
    }
}
