//! Tenants as they are sent and shown.

mod words;

pub(crate) use self::words::{KindWord, MfaWord, NewStatusWord, StageWord, StatusWord};

use crate::kit::Fields;
use claviger_domain::id::TenantId;
use claviger_domain::tenant::details::{
    ENDPOINT_LIMIT_MAX, USER_LIMIT_MAX, parse_contact, parse_external_id, parse_limit, parse_line, parse_short_name,
    parse_trial_end,
};
use claviger_domain::tenant::naming::parse_name;
use claviger_domain::tenant::{DetailsPatch, NewTenant, Tenant, TenantPatch, parse_application_limit};
use claviger_domain::time::Timestamp;
use claviger_domain::{Result, country};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// An address.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
#[schema(as = Address)]
pub(crate) struct AddressBody {
    /// Street and number.
    #[schema(required = true)]
    street: Option<String>,
    /// Postal code.
    #[schema(required = true)]
    postal: Option<String>,
    /// City.
    #[schema(required = true)]
    city: Option<String>,
    /// State, province or canton.
    #[schema(required = true)]
    state: Option<String>,
}

/// An address or a part of one; what is absent stays, `null` clears.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AddressPatch)]
pub(crate) struct AddressPatchBody {
    /// Street and number.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    street: Option<Option<String>>,
    /// Postal code.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    postal: Option<Option<String>>,
    /// City.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    city: Option<Option<String>>,
    /// State, province or canton.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    state: Option<Option<String>>,
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tenant)]
pub(crate) struct TenantBody {
    /// Id.
    #[schema(value_type = Uuid)]
    pub(crate) id: TenantId,
    /// Key in the paths of Carbon Black clients.
    #[schema(example = "7DESJ9GN")]
    org_key: String,
    /// Name, unique beneath its parent.
    name: String,
    /// Kind.
    kind: KindWord,
    /// The tenant above; `null` for the operator.
    #[schema(required = true, value_type = Option<Uuid>)]
    parent_id: Option<TenantId>,
    /// Status of its own; it is not served either while one above is suspended.
    status: StatusWord,
    /// When it is gone for good; `null` unless it is being deleted.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    purge_at: Option<Timestamp>,
    /// How far its provisioning is; `null` where that is complete, or there was none.
    #[schema(required = true)]
    provisioning: Option<StageWord>,
    /// Applications it may have.
    application_limit: i64,
    /// Users it may have; `null` for as many as it likes.
    #[schema(required = true)]
    user_limit: Option<i64>,
    /// Endpoints it is to have at most; `null` for as many as it likes. Told, not enforced.
    #[schema(required = true)]
    endpoint_limit: Option<i64>,
    /// What the tenant above calls it in its own books.
    #[schema(required = true)]
    external_id: Option<String>,
    /// A name for where there is little room.
    #[schema(required = true)]
    short_name: Option<String>,
    /// Whom to write to.
    #[schema(required = true)]
    email: Option<String>,
    /// Address.
    address: AddressBody,
    /// Country, by two letters of ISO 3166-1.
    #[schema(required = true, example = "CH")]
    country: Option<String>,
    /// The key that installers of agents take.
    #[schema(required = true)]
    agent_key: Option<String>,
    /// Its id in another system.
    #[schema(required = true)]
    foreign_tenant_id: Option<String>,
    /// Whether it is on trial.
    trial: bool,
    /// When the trial is meant to end.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    trial_ends_at: Option<Timestamp>,
    /// What its people must sign in with besides their password.
    mfa_required: MfaWord,
    /// Whatever is kept with it.
    #[schema(value_type = Object)]
    settings: Map<String, Value>,
    /// Counts the changes; the entity tag.
    version: i64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// A body with the members that a tenant can be made and changed with.
macro_rules! with_details {
    ($(#[$meta:meta])* struct $name:ident { $($own:tt)* }) => {
        #[derive(Debug, Deserialize, ToSchema)]
        $(#[$meta])*
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $($own)*
            /// Applications it may have; 10 if nothing is said when it is made.
            #[serde(default, deserialize_with = "crate::kit::not_null")]
            #[schema(minimum = 0, maximum = 10000000, nullable = false)]
            application_limit: Option<i64>,
            /// Users it may have; `null` for as many as it likes.
            #[serde(default, deserialize_with = "crate::kit::given")]
            #[schema(value_type = Option<i64>, minimum = 0, maximum = 10000000)]
            user_limit: Option<Option<i64>>,
            /// Endpoints it is to have at most; `null` for as many as it likes. Told, not enforced.
            #[serde(default, deserialize_with = "crate::kit::given")]
            #[schema(value_type = Option<i64>, minimum = 0, maximum = 1000000000)]
            endpoint_limit: Option<Option<i64>>,
            /// What the tenant above calls it in its own books, unique beneath that.
            #[serde(default, deserialize_with = "crate::kit::given")]
            #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
            external_id: Option<Option<String>>,
            /// A name for where there is little room.
            #[serde(default, deserialize_with = "crate::kit::given")]
            #[schema(value_type = Option<String>, min_length = 1, max_length = 70)]
            short_name: Option<Option<String>>,
            /// Whom to write to.
            #[serde(default, deserialize_with = "crate::kit::given")]
            #[schema(value_type = Option<String>, max_length = 254)]
            email: Option<Option<String>>,
            /// Address; `null` clears all of it.
            #[serde(default, deserialize_with = "crate::kit::given")]
            #[schema(value_type = Option<AddressPatchBody>)]
            address: Option<Option<AddressPatchBody>>,
            /// Country of ISO 3166-1: two or three letters, number or English name.
            #[serde(default, deserialize_with = "crate::kit::given")]
            #[schema(value_type = Option<String>, max_length = 64)]
            country: Option<Option<String>>,
            /// Its id in another system.
            #[serde(default, deserialize_with = "crate::kit::given")]
            #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
            foreign_tenant_id: Option<Option<String>>,
            /// When the trial is meant to end.
            #[serde(default, deserialize_with = "crate::kit::given")]
            #[schema(value_type = Option<String>, format = DateTime)]
            trial_ends_at: Option<Option<Timestamp>>,
            /// What its people must sign in with besides their password.
            #[serde(default, deserialize_with = "crate::kit::not_null")]
            #[schema(nullable = false)]
            mfa_required: Option<MfaWord>,
            /// Whatever is to be kept with it: at most 8 KiB of JSON in 8 levels. Merged; `null` clears.
            #[serde(default, deserialize_with = "crate::kit::given")]
            #[schema(value_type = Option<Object>)]
            settings: Option<Option<Map<String, Value>>>,
        }

        impl $name {
            /// The limit of applications and the other details, with notes of what is wrong with them.
            fn details(&mut self, fields: &mut Fields, now: Timestamp) -> (Option<i64>, DetailsPatch) {
                let address = match self.address.take() {
                    Some(None) => AddressPatchBody::cleared(),
                    Some(Some(address)) => address,
                    None => AddressPatchBody::default(),
                };
                let line = |fields: &mut Fields, pointer: &str, given: Option<Option<String>>| {
                    each(fields, given, |text: String| parse_line(pointer, &text))
                };
                let limit = self.application_limit;
                let limit = limit.and_then(|limit| fields.take(parse_application_limit("/application_limit", limit)));
                let users = |limit| parse_limit("/user_limit", limit, USER_LIMIT_MAX);
                let endpoints = |limit| parse_limit("/endpoint_limit", limit, ENDPOINT_LIMIT_MAX);
                let external_id = |text: String| parse_external_id("/external_id", &text);
                let short_name = |text: String| parse_short_name("/short_name", &text);
                let trial_end = |end| parse_trial_end("/trial_ends_at", end, now);
                let details = DetailsPatch {
                    external_id: each(fields, self.external_id.take(), external_id),
                    short_name: each(fields, self.short_name.take(), short_name),
                    email: each(fields, self.email.take(), |text: String| parse_contact("/email", &text)),
                    street: line(fields, "/address/street", address.street),
                    postal: line(fields, "/address/postal", address.postal),
                    city: line(fields, "/address/city", address.city),
                    state: line(fields, "/address/state", address.state),
                    country: each(fields, self.country.take(), |text: String| country::parse("/country", &text)),
                    foreign_tenant_id: line(fields, "/foreign_tenant_id", self.foreign_tenant_id.take()),
                    trial: None,
                    trial_ends_at: each(fields, self.trial_ends_at.take(), trial_end),
                    user_limit: each(fields, self.user_limit.take(), users),
                    endpoint_limit: each(fields, self.endpoint_limit.take(), endpoints),
                    mfa_required: self.mfa_required.map(Into::into),
                    settings: self.settings.take(),
                };
                (limit, details)
            }
        }
    };
}

impl AddressPatchBody {
    /// Nothing is left of it.
    fn cleared() -> Self {
        Self { street: Some(None), postal: Some(None), city: Some(None), state: Some(None) }
    }
}

fn each<T, U>(fields: &mut Fields, given: Option<Option<T>>, parse: impl FnOnce(T) -> Result<U>) -> Option<Option<U>> {
    given.map(|given| given.and_then(|value| fields.take(parse(value))))
}

with_details! {
    /// A tenant to be made.
    #[schema(as = NewTenant)]
    struct NewTenantBody {
        /// Name, unique beneath its parent.
        #[schema(min_length = 1, max_length = 128)]
        name: String,
        /// Kind.
        kind: KindWord,
        /// The tenant above.
        #[schema(value_type = Uuid)]
        parent_id: TenantId,
        /// Whether it is on trial: an instance only.
        #[serde(default, deserialize_with = "crate::kit::not_null")]
        #[schema(nullable = false, default = false)]
        trial: Option<bool>,
    }
}

with_details! {
    /// A tenant to be provisioned beneath the one that the path names.
    #[schema(as = ProvisionedTenant)]
    struct ProvisionedTenantBody {
        /// Name, unique beneath its parent.
        #[schema(min_length = 1, max_length = 128)]
        name: String,
        /// Kind.
        kind: KindWord,
        /// Whether it is on trial: an instance only.
        #[serde(default, deserialize_with = "crate::kit::not_null")]
        #[schema(nullable = false, default = false)]
        trial: Option<bool>,
    }
}

with_details! {
    /// A change of a tenant. Status, limits, external id and the end of a trial are set from above. A tenant stays under the
    /// parent it was made under, and what it is; a trial ends by `POST …/convert`.
    #[schema(as = TenantPatch)]
    struct TenantPatchBody {
        /// New name.
        #[serde(default, deserialize_with = "crate::kit::not_null")]
        #[schema(min_length = 1, max_length = 128, nullable = false)]
        name: Option<String>,
        /// New status.
        #[serde(default, deserialize_with = "crate::kit::not_null")]
        #[schema(nullable = false)]
        status: Option<NewStatusWord>,
        /// Refused: a tenant is not moved.
        #[serde(default)]
        #[schema(ignore)]
        parent_id: Option<Value>,
        /// Refused: a trial ends by a call of its own.
        #[serde(default)]
        #[schema(ignore)]
        trial: Option<Value>,
    }
}

impl From<&Tenant> for TenantBody {
    fn from(tenant: &Tenant) -> Self {
        let details = tenant.details.clone();
        let address = details.address;
        Self {
            id: tenant.id,
            org_key: tenant.org_key.to_string(),
            name: tenant.name.clone(),
            kind: tenant.kind.into(),
            parent_id: tenant.parent_id,
            status: tenant.status.into(),
            purge_at: tenant.purge_at,
            provisioning: tenant.provisioning.map(Into::into),
            application_limit: tenant.application_limit,
            user_limit: details.user_limit,
            endpoint_limit: details.endpoint_limit,
            external_id: details.external_id,
            short_name: details.short_name,
            email: details.email,
            address: AddressBody {
                street: address.street,
                postal: address.postal,
                city: address.city,
                state: address.state,
            },
            country: details.country,
            agent_key: details.agent_key,
            foreign_tenant_id: details.foreign_tenant_id,
            trial: details.trial,
            trial_ends_at: details.trial_ends_at,
            mfa_required: details.mfa_required.into(),
            settings: details.settings,
            version: tenant.version,
            created_at: tenant.created_at,
            updated_at: tenant.updated_at,
        }
    }
}

impl NewTenantBody {
    pub(crate) fn parse(mut self, now: Timestamp) -> Result<NewTenant> {
        let mut fields = Fields::new();
        let name = fields.take(parse_name("/name", &self.name));
        let (application_limit, details) = self.details(&mut fields, now);
        let (kind, parent_id) = (self.kind.into(), self.parent_id);
        let details = DetailsPatch { trial: self.trial, ..details };
        fields.finish(name.map(|name| NewTenant { name, kind, parent_id, application_limit, details }))
    }
}

impl ProvisionedTenantBody {
    pub(crate) fn parse(mut self, parent_id: TenantId, now: Timestamp) -> Result<NewTenant> {
        let mut fields = Fields::new();
        let name = fields.take(parse_name("/name", &self.name));
        let (application_limit, details) = self.details(&mut fields, now);
        let (kind, details) = (self.kind.into(), DetailsPatch { trial: self.trial, ..details });
        fields.finish(name.map(|name| NewTenant { name, kind, parent_id, application_limit, details }))
    }
}

impl TenantPatchBody {
    pub(crate) fn parse(mut self, now: Timestamp) -> Result<TenantPatch> {
        let mut fields = Fields::new();
        let name = self.name.take().and_then(|name| fields.take(parse_name("/name", &name)));
        if self.parent_id.is_some() {
            fields.refuse("/parent_id", "a tenant stays where it was made", "make another there, and delete this one");
        }
        if self.trial.is_some() {
            fields.refuse("/trial", "a trial does not begin later", "end it with POST /v1/tenants/{tenant_id}/convert");
        }
        let (application_limit, details) = self.details(&mut fields, now);
        let status = self.status.map(Into::into);
        fields.finish(Some(TenantPatch { name, status, application_limit, details }))
    }
}
