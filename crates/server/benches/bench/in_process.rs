//! What one verification costs without sockets, beside the two things that it cannot do without.

use crate::Outcome;
use crate::proc;
use crate::random::Random;
use crate::stores::{self, Credential};
use claviger_app::App;
use claviger_app::verify::{Audience, Presented, Wanted};
use claviger_domain::address::Origin;
use claviger_domain::grants::Verb;
use claviger_domain::secret::SecretHash;
use std::collections::HashMap;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};

/// Where the calls come from.
pub(crate) const FROM: Origin = Origin::Known(IpAddr::V4(Ipv4Addr::LOCALHOST));

/// What is asked for.
pub(crate) fn wanted(app: &App) -> Outcome<Wanted<'_>> {
    let permission = app.catalogue().find("org.audits").ok_or("no such permission")?;
    Ok(Wanted { permission, verb: Verb::Read, audience: Audience::Any })
}

/// Nanoseconds of one verification with its permission asked for, over credentials in the order given.
pub(crate) fn verify(app: &App, credentials: &[Credential]) -> Outcome<f64> {
    let wanted = wanted(app)?;
    let before = proc::own_thread()?;
    for Credential { client_id, secret } in credentials {
        let admitted = app.admit(Presented { client_id, secret }, FROM, "claviger-bench/1", wanted);
        black_box(admitted.ok_or("not in memory")?.map_err(|refused| refused.error)?);
    }
    Ok(per_item(before, proc::own_thread()?, credentials.len()))
}

/// Credentials of applications drawn uniformly from so many.
pub(crate) fn draw(random: &mut Random, applications: usize, count: usize) -> Vec<Credential> {
    (0..count).map(|_| stores::credential(random.below(applications))).collect()
}

/// A map of as many entries as there are applications.
pub(crate) struct Yardstick {
    map: HashMap<u128, u64>,
    keys: Vec<u128>,
}

impl Yardstick {
    pub(crate) fn new(random: &mut Random, entries: usize) -> Self {
        let keys: Vec<_> = (0..entries).map(|_| u128::from(random.next()) << 64 | u128::from(random.next())).collect();
        Self { map: keys.iter().zip(0..).map(|(key, value)| (*key, value)).collect(), keys }
    }

    /// Nanoseconds of one SHA-256 of 32 bytes and one look-up.
    pub(crate) fn measure(&self, random: &mut Random, count: usize) -> Outcome<f64> {
        let drawn: Vec<_> = (0..count).filter_map(|_| self.keys.get(random.below(self.keys.len())).copied()).collect();
        let text = "0123456789abcdef0123456789abcdef";
        let before = proc::own_thread()?;
        for key in &drawn {
            black_box(SecretHash::of(black_box(text)));
            black_box(self.map.get(black_box(key)));
        }
        Ok(per_item(before, proc::own_thread()?, drawn.len()))
    }
}

fn per_item(before: std::time::Duration, after: std::time::Duration, items: usize) -> f64 {
    after.saturating_sub(before).as_nanos() as f64 / items as f64
}
