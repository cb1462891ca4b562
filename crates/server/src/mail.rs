//! How mails leave this server, by its configuration.

use crate::commands::Failure;
use crate::config::{Config, MailTls, MailTransport, PublicUrl};
use claviger_app::mail::carrier::{Carrier, Security, SmtpServer};
use claviger_domain::mail::Sender;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use std::net::IpAddr;
use zeroize::Zeroizing;

/// Name of the folder of mails in the data directory.
pub(crate) const FOLDER: &str = "mail";

/// Who mails come from, and who carries them.
///
/// # Errors
/// In words for the operator.
pub(crate) fn open(config: &Config) -> Result<(Sender, Carrier), Failure> {
    let mail = &config.mail;
    let host = config.public_url.as_ref().map(PublicUrl::host).filter(|host| host.parse::<IpAddr>().is_err());
    let sender = match &mail.from {
        Some(from) => from.0.clone(),
        None => {
            let mailbox = format!("noreply@{}", host.as_deref().unwrap_or("localhost"));
            Sender { name: "Claviger".into(), mailbox }
        }
    };
    if mail.transport == MailTransport::Maildir {
        return Ok((sender, Carrier::maildir(config.data_dir.join(FOLDER))));
    }
    let server = SmtpServer {
        host: mail.host.as_ref().map(|host| host.0.clone()).unwrap_or_default(),
        port: mail.port,
        security: match mail.tls {
            MailTls::Implicit => Security::Implicit,
            MailTls::StartTls => Security::StartTls,
            MailTls::None => Security::Plain,
        },
        credentials: credentials(config)?,
        hello: host,
        authorities: authorities(config)?,
    };
    Ok((sender, Carrier::smtp(server).map_err(Failure::from)?))
}

fn credentials(config: &Config) -> Result<Option<(String, Zeroizing<String>)>, Failure> {
    let (Some(user), Some(path)) = (&config.mail.user, &config.mail.password_file) else { return Ok(None) };
    let text = std::fs::read_to_string(path).map_err(|error| Failure::at(path, error))?;
    let text = Zeroizing::new(text);
    let password = text.lines().next().unwrap_or_default();
    if password.is_empty() {
        return Err(Failure::at(path, "the first line is to be the password of mail.user, and is empty"));
    }
    Ok(Some((user.0.clone(), Zeroizing::new(password.to_owned()))))
}

fn authorities(config: &Config) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let Some(path) = &config.mail.ca_file else { return Ok(Vec::new()) };
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    read.map_err(|error| Failure(format!("mail.ca_file: {}: {error}", path.display())))
}
