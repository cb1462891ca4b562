//! Simulation: what a call would come to, without making it.

use crate::App;
use crate::caller::Caller;
use claviger_domain::application::Rights;
use claviger_domain::grants::{GrantSet, Verb};
use claviger_domain::id::{ApplicationId, TenantId};
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
        let store = &self.state.store;
        let found = store.find_application(node.id, application).await?.ok_or(Error::NotFound("application"))?;
        let catalogue = &self.state.catalogue;
        let grants = match &found.rights {
            Rights::Inline(grants) => GrantSet::compile(grants, catalogue),
            Rights::Legacy(kind) => catalogue.legacy_grants(*kind),
            Rights::Level(id) => match catalogue.level(*id) {
                Some(level) => GrantSet::compile(&level.grants, catalogue),
                None => {
                    let level = store.find_access_level(node.id, *id).await?.ok_or(Error::NotFound("access level"))?;
                    GrantSet::compile(&level.grants, catalogue)
                }
            },
        };
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
}
