//! Simulation: what a call would come to, without making it.

use crate::App;
use crate::caller::Caller;
use claviger_domain::application::{NewApplication, Rights};
use claviger_domain::grants::{GrantSet, Verb};
use claviger_domain::id::{ApplicationId, ClientId, TenantId};
use claviger_domain::simulation::{Circumstances, Obstacle, Question, obstacles};
use claviger_domain::{Error, Result};

const PERMISSION: &str = "applications";

impl App {
    /// What would stand in the way of a call by an application; empty if it would pass. Rate limits are left out of account.
    /// Needs `applications:READ`.
    pub async fn simulate(
        &self,
        caller: &Caller,
        tenant: TenantId,
        application: ApplicationId,
        question: &Question,
    ) -> Result<Vec<Obstacle>> {
        let node = caller.reach(tenant)?;
        caller.allow(PERMISSION, Verb::Read)?;
        let (store, catalogue) = (&self.state.store, &self.state.catalogue);
        let found = store.find_application(node.id, application).await?.ok_or(Error::NotFound("application"))?;
        let grants = self.simulated_grants(node.id, &found.rights).await?;
        let index = catalogue.find(&question.right.permission).map(|permission| permission.index);
        let forbidden = node.bounds().is_some_and(|bounds| bounds.secrets_forbidden);
        let mut ends: Vec<_> = self
            .state
            .ended_secrets(node.id, store.list_secrets(node.id, application).await?)
            .into_iter()
            .filter(|secret| !forbidden && !secret.temporary)
            .map(|secret| secret.ends_at)
            .collect();
        ends.extend(store.list_public_keys(node.id, application).await?.into_iter().map(|key| key.expires_at));
        // A binding to tokens of a trusted issuer has no end of its own.
        ends.extend(self.state.issuers.binds(application).then_some(None));
        let around = Circumstances {
            served: node.is_served(),
            legacy: found.rights.legacy().and_then(|kind| node.legacy_rule(kind)),
            holds: Circumstances::holds(&grants, index, &question.right),
            secrets: ends,
        };
        let found = self.state.ended(found);
        Ok(obstacles(&found, &around, question))
    }

    /// The same for an application that is not made yet. Needs `applications:CREATE`.
    pub async fn simulate_new(
        &self,
        caller: &Caller,
        tenant: TenantId,
        new: NewApplication,
        question: &Question,
    ) -> Result<Vec<Obstacle>> {
        let node = caller.reach(tenant)?;
        caller.allow(PERMISSION, Verb::Create)?;
        let grants = self.simulated_grants(node.id, &new.rights).await?;
        let index = self.state.catalogue.find(&question.right.permission).map(|permission| permission.index);
        let forbidden = node.bounds().is_some_and(|bounds| bounds.secrets_forbidden);
        let around = Circumstances {
            served: node.is_served(),
            legacy: new.rights.legacy().and_then(|kind| node.legacy_rule(kind)),
            holds: Circumstances::holds(&grants, index, &question.right),
            secrets: if forbidden { Vec::new() } else { vec![new.secret_expires_at] },
        };
        let now = self.state.clock.now();
        let id = ApplicationId::new(now, self.state.random.bytes()?);
        let imagined = self.state.ended(new.into_application(node.id, id, ClientId::of(id), now));
        Ok(obstacles(&imagined, &around, question))
    }

    async fn simulated_grants(&self, tenant: TenantId, rights: &Rights) -> Result<GrantSet> {
        let catalogue = &self.state.catalogue;
        Ok(match rights {
            Rights::Inline(grants) => GrantSet::compile(grants, catalogue),
            Rights::Legacy(kind) => catalogue.legacy_grants(*kind),
            Rights::Level(id) => match catalogue.level(*id) {
                Some(level) => GrantSet::compile(&level.grants, catalogue),
                None => {
                    let level = self.state.store.find_access_level(tenant, *id).await?;
                    GrantSet::compile(&level.ok_or(Error::NotFound("access level"))?.grants, catalogue)
                }
            },
        })
    }
}
