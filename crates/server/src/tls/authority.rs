//! A private CA: made once, kept in the data directory, good for one level of server certificates.
//!
//! Only the CA is kept. The server's key and certificate live in memory and are made anew at each start and before they
//! run out, so nothing needs to be read back but the CA's key. The CA's name is derived from that key.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData as _,
};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::OffsetDateTime;

use super::files::{read, refuse_open_key};
use super::{TlsError, provider};

const DAY: i64 = 24 * 60 * 60;
const CA_DAYS: i64 = 20 * 365;
const SERVER_DAYS: i64 = 90;
const RENEW_DAYS: i64 = 30;

pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    ca_file: PathBuf,
    renew_at: AtomicI64,
}

impl Authority {
    /// Opens the CA in a directory, or makes it.
    pub(crate) fn open(directory: &Path, now: i64) -> Result<Self, TlsError> {
        let (key_file, ca_file) = (directory.join("ca.key"), directory.join("ca.pem"));
        fs::create_dir_all(directory).map_err(|error| TlsError::at(directory, error))?;
        if !key_file.exists() {
            let key = KeyPair::generate().map_err(|error| TlsError::at(&key_file, error))?;
            write_new(&key_file, &key.serialize_pem(), 0o600)?;
        }
        refuse_open_key(&key_file, 0o077)?;
        let pem = String::from_utf8(read(&key_file)?).map_err(|error| TlsError::at(&key_file, error))?;
        let key = KeyPair::from_pem(&pem).map_err(|error| TlsError::at(&key_file, error))?;
        let params = ca_params(&key, now)?;
        if !ca_file.exists() {
            let certificate = params.self_signed(&key).map_err(|error| TlsError::at(&ca_file, error))?;
            write_new(&ca_file, &certificate.pem(), 0o644)?;
        }
        let certificate =
            CertificateDer::from_pem_slice(&read(&ca_file)?).map_err(|error| TlsError::at(&ca_file, error))?;
        let parsed = ParsedCertificate::try_from(&certificate).map_err(|error| TlsError::at(&ca_file, error))?;
        if parsed.subject_public_key_info().as_ref() != key.subject_public_key_info() {
            return Err(TlsError::at(&ca_file, format!("is not the certificate of {}", key_file.display())));
        }
        let issuer = Issuer::new(params, key);
        Ok(Self { issuer, ca_file, renew_at: AtomicI64::new(i64::MAX) })
    }

    pub(crate) fn ca_file(&self) -> &Path {
        &self.ca_file
    }

    /// Makes a server key and a certificate for these names.
    pub(crate) fn issue(&self, names: &[String], now: i64) -> Result<CertifiedKey, TlsError> {
        let broken = |error: rcgen::Error| TlsError(format!("no certificate for {}: {error}", names.join(", ")));
        let key = KeyPair::generate().map_err(broken)?;
        let mut params = CertificateParams::new(names).map_err(broken)?;
        params.not_before = instant(now - DAY)?;
        params.not_after = instant(now + SERVER_DAYS * DAY)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "Claviger server");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).map_err(broken)?;
        let chain = vec![certificate.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let certified = CertifiedKey::from_der(chain, key, &provider())
            .map_err(|error| TlsError(format!("the certificate made is unusable: {error}")))?;
        self.renew_at.store(now + (SERVER_DAYS - RENEW_DAYS) * DAY, Relaxed);
        Ok(certified)
    }

    /// Makes the next certificate when the current one has a month left.
    pub(crate) fn renew_if_due(&self, names: &[String], now: i64) -> Result<Option<CertifiedKey>, TlsError> {
        if now < self.renew_at.load(Relaxed) { Ok(None) } else { self.issue(names, now).map(Some) }
    }
}

fn ca_params(key: &KeyPair, now: i64) -> Result<CertificateParams, TlsError> {
    let mut params = CertificateParams::default();
    let id: String = params.key_identifier(key).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    params.not_before = instant(now - DAY)?;
    params.not_after = instant(now + CA_DAYS * DAY)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("Claviger private CA {id}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn instant(seconds: i64) -> Result<OffsetDateTime, TlsError> {
    OffsetDateTime::from_unix_timestamp(seconds).map_err(|error| TlsError(format!("the clock is wrong: {error}")))
}

/// Writes a file that did not exist, whole or not at all.
fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    let draft = path.with_extension("new");
    let write = || {
        let _ = fs::remove_file(&draft);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&draft, path)
    };
    write().map_err(|error| TlsError::at(path, error))
}
