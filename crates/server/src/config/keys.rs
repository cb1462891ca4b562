//! The list of all keys: what each is called, which field it sets and how it is shown.

use toml::Value;

use super::Config;
use super::value::Setting;

/// What a value is given as.
pub(crate) enum Given<'a> {
    /// A value of a TOML file.
    Toml(&'a Value),
    /// The text of a variable or flag.
    Text(&'a str),
}

/// One key.
pub(crate) struct Key {
    /// Its name, with a dot after the section.
    pub(crate) name: &'static str,
    /// Sets it, or tells what is allowed.
    pub(crate) set: fn(&mut Config, &Given<'_>) -> Result<(), &'static str>,
    /// Its value in TOML, secrets masked.
    pub(crate) show: fn(&Config) -> Option<String>,
}

fn read<T: Setting>(field: &mut T, given: &Given<'_>) -> Result<(), &'static str> {
    let value = match given {
        Given::Toml(value) => T::from_toml(value),
        Given::Text(text) => T::from_text(text),
    };
    *field = value.ok_or(T::ALLOWED)?;
    Ok(())
}

macro_rules! keys {
    ($($name:literal => $($field:ident).+;)*) => {
        /// All keys, in the order of the default file.
        pub(crate) const KEYS: &[Key] = &[$(Key {
            name: $name,
            set: |config, given| read(&mut config.$($field).+, given),
            show: |config| config.$($field).+.show(),
        },)*];
    };
}

keys! {
    "listen" => listen;
    "data_dir" => data_dir;
    "database" => database;
    "accept_data_loss" => accept_data_loss;
    "credentials_file" => credentials_file;
    "public_url" => public_url;
    "instance_host_suffix" => instance_host_suffix;
    "tls" => tls;
    "tls_certificate" => tls_certificate;
    "tls_key" => tls_key;
    "tls_ca_file" => tls_ca_file;
    "public_names" => public_names;
    "hosts" => hosts;
    "trusted_proxies" => trusted_proxies;
    "catalogue_dirs" => catalogue_dirs;
    "metrics_listen" => metrics_listen;
    "metrics_anywhere" => metrics_anywhere;
    "root_key" => root_key;
    "limits.connections" => limits.connections;
    "limits.connections_per_peer" => limits.connections_per_peer;
    "limits.header_count" => limits.header_count;
    "limits.header" => limits.header;
    "limits.head" => limits.head;
    "limits.url" => limits.url;
    "limits.body" => limits.body;
    "limits.streams" => limits.streams;
    "timers.handshake" => timers.handshake;
    "timers.first_byte" => timers.first_byte;
    "timers.headers" => timers.headers;
    "timers.idle" => timers.idle;
    "timers.window" => timers.window;
    "timers.bytes_per_second" => timers.bytes_per_second;
    "timers.drain" => timers.drain;
    "logs.format" => logs.format;
    "logs.level" => logs.level;
    "logs.access" => logs.access;
    "tokens.signing_days" => tokens.signing_days;
    "tokens.publish_lead" => tokens.publish_lead;
    "outgoing.allowed_networks" => outgoing.allowed_networks;
    "outgoing.ca_file" => outgoing.ca_file;
    "mail.transport" => mail.transport;
    "mail.from" => mail.from;
    "mail.host" => mail.host;
    "mail.port" => mail.port;
    "mail.tls" => mail.tls;
    "mail.user" => mail.user;
    "mail.password_file" => mail.password_file;
    "mail.ca_file" => mail.ca_file;
}

/// The known name closest to an unknown one, if one is close.
pub(crate) fn nearest<'a>(unknown: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let (distance, name) = known.map(|name| (distance(unknown, name), name)).min()?;
    (distance <= unknown.len().max(3) / 2).then_some(name)
}

/// How many letters must be changed, added or taken away.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (line, a) in from.chars().enumerate() {
        let mut left = line + 1;
        let mut next = vec![left];
        for (pair, b) in row.windows(2).zip(to.chars()) {
            if let [diagonal, above] = pair {
                left = (diagonal + usize::from(a != b)).min(above + 1).min(left + 1);
                next.push(left);
            }
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}
