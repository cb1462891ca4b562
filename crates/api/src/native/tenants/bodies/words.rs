//! The words of tenants on the wire.

use claviger_domain::tenant::details::MfaRequirement;
use claviger_domain::tenant::{Kind, Stage, Status};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a tenant is.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = TenantKind)]
pub(crate) enum KindWord {
    Operator,
    Partner,
    Organization,
    Instance,
}

/// Whether a tenant is served; neither is one beneath a suspended one.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = TenantStatus)]
pub(crate) enum StatusWord {
    Active,
    Suspended,
    /// Suspended, and gone for good at `purge_at`.
    Deleting,
}

/// A status that can be given to a tenant.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = NewTenantStatus)]
pub(crate) enum NewStatusWord {
    Active,
    Suspended,
}

/// How far the provisioning of a tenant is.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ProvisioningStage)]
pub(crate) enum StageWord {
    Queued,
    Running,
    Failed,
}

/// What people must sign in with besides their password, at least.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MfaRequirement)]
pub(crate) enum MfaWord {
    /// Nothing.
    None,
    /// A code that is sent by mail.
    Email,
    /// A code of an authenticator.
    Totp,
}

impl From<Kind> for KindWord {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Operator => Self::Operator,
            Kind::Partner => Self::Partner,
            Kind::Organization => Self::Organization,
            Kind::Instance => Self::Instance,
        }
    }
}

impl From<KindWord> for Kind {
    fn from(word: KindWord) -> Self {
        match word {
            KindWord::Operator => Self::Operator,
            KindWord::Partner => Self::Partner,
            KindWord::Organization => Self::Organization,
            KindWord::Instance => Self::Instance,
        }
    }
}

impl From<Status> for StatusWord {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self::Active,
            Status::Suspended => Self::Suspended,
            Status::Deleting => Self::Deleting,
        }
    }
}

impl From<StatusWord> for Status {
    fn from(word: StatusWord) -> Self {
        match word {
            StatusWord::Active => Self::Active,
            StatusWord::Suspended => Self::Suspended,
            StatusWord::Deleting => Self::Deleting,
        }
    }
}

impl From<NewStatusWord> for Status {
    fn from(word: NewStatusWord) -> Self {
        match word {
            NewStatusWord::Active => Self::Active,
            NewStatusWord::Suspended => Self::Suspended,
        }
    }
}

impl From<Stage> for StageWord {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Queued => Self::Queued,
            Stage::Running => Self::Running,
            Stage::Failed => Self::Failed,
        }
    }
}

impl From<MfaRequirement> for MfaWord {
    fn from(required: MfaRequirement) -> Self {
        match required {
            MfaRequirement::None => Self::None,
            MfaRequirement::Email => Self::Email,
            MfaRequirement::Totp => Self::Totp,
        }
    }
}

impl From<MfaWord> for MfaRequirement {
    fn from(word: MfaWord) -> Self {
        match word {
            MfaWord::None => Self::None,
            MfaWord::Email => Self::Email,
            MfaWord::Totp => Self::Totp,
        }
    }
}
