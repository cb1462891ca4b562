//! Provisioning: a tenant with what it needs at once, made step by step. Each step is done or not done, never half, and
//! whoever goes on after a fall begins with the first that is not done.

use crate::application::{Reach, Rights};
use crate::grants::{grants_from_json, grants_to_json};
use crate::id::{AccessLevelId, ApplicationId, ProvisioningId, TenantId};
use crate::name::Name;
use crate::tenant::NewTenant;
use crate::time::Timestamp;
use crate::user::Email;
use crate::{Error, Result};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// How far a provisioning is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Progress {
    /// Accepted: the tenant is there, and nothing else.
    Queued,
    /// Some steps are done.
    Running,
    /// All steps are done.
    Complete,
    /// A step cannot be done.
    Failed,
}

impl Progress {
    const ALL: [Self; 4] = [Self::Queued, Self::Running, Self::Complete, Self::Failed];

    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Failed => "failed",
        }
    }

    /// The progress that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    /// Whether nothing more will be done.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Complete | Self::Failed)
    }
}

/// What a step makes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum StepKind {
    /// The tenant.
    Tenant,
    /// Its first application, with a temporary secret.
    Application,
    /// Its first person.
    Administrator,
}

impl StepKind {
    const ALL: [Self; 3] = [Self::Tenant, Self::Application, Self::Administrator];

    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Application => "application",
            Self::Administrator => "administrator",
        }
    }

    /// The step that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// A step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Step {
    /// What it makes.
    pub kind: StepKind,
    /// How far it is.
    pub progress: Progress,
    /// The id of what it has made.
    pub made: Option<String>,
    /// When it was done, or failed.
    pub at: Option<Timestamp>,
}

impl Step {
    fn queued(kind: StepKind) -> Self {
        Self { kind, progress: Progress::Queued, made: None, at: None }
    }
}

/// The first application of a tenant to be provisioned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedApplication {
    /// Name.
    pub name: Name,
    /// Its own grants, or an access level that comes with the server: the tenant has none of its own yet.
    pub rights: Rights,
    /// Reach.
    pub reach: Reach,
}

impl WantedApplication {
    fn to_json(&self) -> Value {
        let (level, grants) = match &self.rights {
            Rights::Level(id) => (Some(id.to_string()), None),
            Rights::Inline(grants) => (None, Some(grants_to_json(grants))),
            Rights::Legacy(_) => (None, None),
        };
        json!({ "name": self.name.as_str(), "access_level_id": level, "grants": grants, "reach": self.reach.as_str() })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let rights = match text("access_level_id") {
            Some(id) => Rights::Level(AccessLevelId::parse(id)?),
            None => Rights::Inline(grants_from_json(&value.get("grants")?.to_string())),
        };
        let reach = Reach::parse(text("reach")?)?;
        Some(Self { name: Name::parse("", text("name")?).ok()?, rights, reach })
    }
}

/// The first person of a tenant to be provisioned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedAdministrator {
    /// What it signs in with.
    pub email: Email,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Access levels that come with the server.
    pub roles: Vec<AccessLevelId>,
}

impl WantedAdministrator {
    fn to_json(&self) -> Value {
        let roles: Vec<_> = self.roles.iter().map(ToString::to_string).collect();
        let (first, last) = (&self.first_name, &self.last_name);
        json!({ "email": self.email.as_str(), "first_name": first, "last_name": last, "roles": roles })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let text = |name: &str| value.get(name).and_then(Value::as_str);
        let role = |value: &Value| value.as_str().and_then(AccessLevelId::parse);
        Some(Self {
            email: Email::parse("", text("email")?).ok()?,
            first_name: text("first_name")?.to_owned(),
            last_name: text("last_name")?.to_owned(),
            roles: value.get("roles")?.as_array()?.iter().map(role).collect::<Option<_>>()?,
        })
    }
}

/// What is to be provisioned.
#[derive(Clone, Debug)]
pub struct NewProvisioning {
    /// The tenant.
    pub tenant: NewTenant,
    /// Its first application.
    pub application: Option<WantedApplication>,
    /// Its first person.
    pub administrator: Option<WantedAdministrator>,
}

impl NewProvisioning {
    /// The steps, of which the first is done with the acceptance.
    pub fn steps(&self, tenant: TenantId, now: Timestamp) -> Vec<Step> {
        let made = Step {
            kind: StepKind::Tenant,
            progress: Progress::Complete,
            made: Some(tenant.to_string()),
            at: Some(now),
        };
        let application = self.application.iter().map(|_| Step::queued(StepKind::Application));
        let administrator = self.administrator.iter().map(|_| Step::queued(StepKind::Administrator));
        std::iter::once(made).chain(application).chain(administrator).collect()
    }

    /// What the later steps need to know, to be stored.
    pub fn wanted(&self) -> Wanted {
        Wanted { application: self.application.clone(), administrator: self.administrator.clone() }
    }

    /// What two orders of the same have in common.
    pub fn fingerprint(&self) -> [u8; 32] {
        let NewTenant { name, kind, parent_id, application_limit, details } = &self.tenant;
        // Settings come sorted by name, so that the text is the same for the same order.
        let order = json!({
            "name": name.as_str(),
            "kind": kind.as_str(),
            "parent_id": parent_id,
            "application_limit": application_limit,
            "details": details,
            "rest": self.wanted().to_json(),
        });
        Sha256::digest(order.to_string().as_bytes()).into()
    }
}

/// What the steps after the first need to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The first application.
    pub application: Option<WantedApplication>,
    /// The first person.
    pub administrator: Option<WantedAdministrator>,
}

impl Wanted {
    /// As it is stored.
    pub fn to_json(&self) -> Value {
        json!({
            "application": self.application.as_ref().map(WantedApplication::to_json),
            "administrator": self.administrator.as_ref().map(WantedAdministrator::to_json),
        })
    }

    /// What was stored.
    pub fn from_json(value: &Value) -> Option<Self> {
        let application = match value.get("application")? {
            Value::Null => None,
            wanted => Some(WantedApplication::from_json(wanted)?),
        };
        let administrator = match value.get("administrator")? {
            Value::Null => None,
            wanted => Some(WantedAdministrator::from_json(wanted)?),
        };
        Some(Self { application, administrator })
    }
}

/// What there is of the first secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum SecretState {
    /// None was made, or not yet.
    None,
    /// It waits to be claimed.
    Waiting,
    /// Somebody has claimed it; nobody can again.
    Claimed,
    /// It was not claimed in time.
    Lapsed,
}

impl SecretState {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Waiting => "waiting",
            Self::Claimed => "claimed",
            Self::Lapsed => "lapsed",
        }
    }
}

/// A provisioning as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provisioning {
    /// Id.
    pub id: ProvisioningId,
    /// The tenant beneath which it makes one.
    pub parent_id: TenantId,
    /// The tenant that it makes.
    pub tenant_id: TenantId,
    /// What the order has in common with another of the same.
    pub fingerprint: [u8; 32],
    /// How far it is.
    pub progress: Progress,
    /// The steps in their order.
    pub steps: Vec<Step>,
    /// What the steps need to know.
    pub wanted: Wanted,
    /// Why it failed.
    pub error: Option<String>,
    /// Until when the first secret can be claimed, once it is made.
    pub secret_until: Option<Timestamp>,
    /// When it was.
    pub claimed_at: Option<Timestamp>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When something of it was done last.
    pub updated_at: Timestamp,
}

impl Provisioning {
    /// The step that comes next.
    pub fn next_step(&self) -> Option<StepKind> {
        let open = self.steps.iter().find(|step| step.progress != Progress::Complete);
        open.filter(|_| !self.progress.is_over()).map(|step| step.kind)
    }

    /// Notes that a step is done; the rest goes on from there.
    pub fn complete(&mut self, kind: StepKind, made: String, now: Timestamp) {
        if let Some(step) = self.steps.iter_mut().find(|step| step.kind == kind) {
            *step = Step { kind, progress: Progress::Complete, made: Some(made), at: Some(now) };
        }
        let done = self.steps.iter().all(|step| step.progress == Progress::Complete);
        self.progress = if done { Progress::Complete } else { Progress::Running };
        self.updated_at = now;
    }

    /// Notes that a step cannot be done, and why.
    pub fn fail(&mut self, kind: StepKind, why: String, now: Timestamp) {
        if let Some(step) = self.steps.iter_mut().find(|step| step.kind == kind) {
            *step = Step { kind, progress: Progress::Failed, made: None, at: Some(now) };
        }
        (self.progress, self.error, self.updated_at) = (Progress::Failed, Some(why), now);
    }

    /// Takes up again what has failed: whoever orders the same once more may have mended what stood in the way.
    pub fn retry(&mut self, now: Timestamp) {
        for step in self.steps.iter_mut().filter(|step| step.progress == Progress::Failed) {
            *step = Step::queued(step.kind);
        }
        if self.progress == Progress::Failed {
            (self.progress, self.error, self.updated_at) = (Progress::Running, None, now);
        }
    }

    /// The first application, once it is made.
    pub fn application_id(&self) -> Option<ApplicationId> {
        let step = self.steps.iter().find(|step| step.kind == StepKind::Application)?;
        step.made.as_deref().and_then(ApplicationId::parse)
    }

    /// What there is of the first secret.
    pub fn secret(&self, now: Timestamp) -> SecretState {
        match (self.claimed_at, self.secret_until) {
            (Some(_), _) => SecretState::Claimed,
            (None, None) => SecretState::None,
            (None, Some(until)) if until > now => SecretState::Waiting,
            (None, Some(_)) => SecretState::Lapsed,
        }
    }

    /// Refuses to hand the first secret out where it does not wait for that.
    pub fn check_claim(&self, now: Timestamp) -> Result<()> {
        match self.secret(now) {
            SecretState::Waiting => Ok(()),
            SecretState::None => Err(Error::NotFound("secret")),
            SecretState::Claimed => {
                let detail =
                    "the secret was claimed before, and nobody can see it again; issue another temporary secret";
                Err(Error::conflict("secret_claimed", detail))
            }
            SecretState::Lapsed => {
                let detail = "the secret was not claimed in time, and works no more; issue another temporary secret";
                Err(Error::conflict("secret_lapsed", detail))
            }
        }
    }
}

/// The steps as they are stored.
pub fn steps_to_json(steps: &[Step]) -> Value {
    let step = |step: &Step| {
        json!({ "step": step.kind.as_str(), "status": step.progress.as_str(), "made": step.made,
            "at": step.at.map(Timestamp::micros) })
    };
    steps.iter().map(step).collect()
}

/// The steps that were stored.
pub fn steps_from_json(value: &Value) -> Option<Vec<Step>> {
    let step = |value: &Value| {
        let members: &Map<String, Value> = value.as_object()?;
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        Some(Step {
            kind: StepKind::parse(text("step")?)?,
            progress: Progress::parse(text("status")?)?,
            made: text("made").map(str::to_owned),
            at: members.get("at").and_then(Value::as_i64).map(Timestamp::from_micros),
        })
    };
    value.as_array()?.iter().map(step).collect()
}

#[cfg(test)]
mod tests;
