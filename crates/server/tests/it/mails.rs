//! The mails that a server has sent, as they lie in its folder.

use crate::fixture::Fixture;

/// A mail that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
}

impl Mail {
    /// The link in it.
    pub(crate) fn link(&self) -> &str {
        self.text.lines().find(|line| line.contains("://")).unwrap_or_else(|| panic!("no link in {}", self.text))
    }

    /// The token of the link in it.
    pub(crate) fn token(&self) -> String {
        self.link().split_once('#').unwrap().1.to_owned()
    }

    /// The six digits in it.
    pub(crate) fn code(&self) -> String {
        let digits = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
        self.text.lines().find(digits).unwrap_or_else(|| panic!("no code in {}", self.text)).to_owned()
    }
}

/// All mails so far, oldest first, when everything that was asked for has been sent.
pub(crate) async fn mails(f: &Fixture) -> Vec<Mail> {
    f.app.finish_afterwards().await;
    while f.app.store().count_mails().await.unwrap().0 > 0 {
        f.app.deliver_mails().await.unwrap();
        tokio::task::yield_now().await;
    }
    let folder = f.data_dir.join("mail").join("new");
    let Ok(entries) = std::fs::read_dir(&folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| read(&std::fs::read_to_string(path).unwrap())).collect()
}

/// The mails to one mailbox.
pub(crate) async fn mails_to(f: &Fixture, email: &str) -> Vec<Mail> {
    mails(f).await.into_iter().filter(|mail| mail.to == email).collect()
}

/// The newest mail to a mailbox.
pub(crate) async fn newest(f: &Fixture, email: &str) -> Mail {
    mails_to(f, email).await.pop().unwrap_or_else(|| panic!("no mail to {email}"))
}

fn read(message: &str) -> Mail {
    let (head, text) = message.split_once("\n\n").unwrap();
    let header = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
        line.unwrap_or_else(|| panic!("no {name} in {head}")).to_owned()
    };
    assert!(header("From").starts_with("Claviger <noreply@"));
    Mail { to: header("To"), subject: header("Subject"), text: text.to_owned() }
}
