//! What identity providers say of themselves, and the keys they sign with, as far as they were asked. Which providers there are
//! stands in the store alone and is read for each sign-in: people are few and slow beside machines.

use crate::live::issuers::IssuerKeys;
use claviger_domain::issuer_keys::Known;
use claviger_domain::outgoing::Target;
use claviger_domain::sso::Endpoints;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// Most providers that are remembered; beyond that all are asked anew.
const REMEMBERED_MAX: usize = 1_000;

/// All of it, by issuer: tenants whose people sign in at the same one share what is known of it.
#[derive(Debug, Default)]
pub struct Providers(Mutex<HashMap<Target, Arc<LiveProvider>>>);

/// What is known of a provider.
#[derive(Debug, Default)]
pub struct LiveProvider {
    /// Its keys.
    pub keys: Arc<IssuerKeys>,
    /// What it says of itself.
    pub described: Mutex<Described>,
    /// Held while it is asked for that, so that one does it for all.
    pub asking: tokio::sync::Mutex<()>,
}

/// What a provider says of itself.
#[derive(Clone, Debug, Default)]
pub struct Described {
    /// Where it does what.
    pub endpoints: Option<Arc<Endpoints>>,
    /// When it was asked.
    pub known: Known,
}

impl Providers {
    /// What is known of the provider of an issuer.
    pub fn of(&self, issuer: &Target) -> Arc<LiveProvider> {
        let mut all = self.0.lock();
        if let Some(known) = all.get(issuer) {
            return Arc::clone(known);
        }
        if all.len() >= REMEMBERED_MAX {
            all.clear();
        }
        Arc::clone(all.entry(issuer.clone()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_are_remembered_than_there_is_room_for() {
        let providers = Providers::default();
        let target = |number: usize| Target::parse("", &format!("https://idp-{number}.example")).unwrap();
        let first = providers.of(&target(0));
        assert!(Arc::ptr_eq(&first, &providers.of(&target(0))));
        (1..=REMEMBERED_MAX).for_each(|number| drop(providers.of(&target(number))));
        assert!(providers.0.lock().len() <= REMEMBERED_MAX);
        assert!(!Arc::ptr_eq(&first, &providers.of(&target(0))));
    }
}
