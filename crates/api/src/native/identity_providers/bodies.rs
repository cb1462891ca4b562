//! Bodies of identity providers, and how they are read.

use crate::kit::Fields;
use claviger_domain::Result;
use claviger_domain::id::{AccessLevelId, ProviderId, TenantId};
use claviger_domain::identity_provider::{
    ClientSecret, Domain, IdentityProvider, IdentityProviderPatch, NewIdentityProvider, RoleRule, SCOPES_DEFAULT,
    UserIdentity, check_rules, parse_client_id, parse_domains, parse_scopes,
};
use claviger_domain::name::Name;
use claviger_domain::time::Timestamp;
use claviger_domain::trusted_issuer::parse_issuer;
use claviger_domain::user::parse_roles;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Access levels for whoever the provider says something of.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = RoleRule)]
pub(crate) struct RoleRuleBody {
    /// The claim of the ID token: its name, or a JSON pointer such as `/realm_access/roles` to one within another.
    #[schema(min_length = 1, max_length = 128, example = "groups")]
    claim: String,
    /// It is this text, or a list with this text in it.
    #[schema(min_length = 1, max_length = 512, example = "security-admins")]
    value: String,
    /// What whoever it is said of holds then.
    #[schema(value_type = Vec<Uuid>, min_items = 1, max_items = 50)]
    access_level_ids: Vec<AccessLevelId>,
}

/// Where people of a tenant sign in once for everything.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = IdentityProvider)]
pub(crate) struct IdentityProviderBody {
    /// Id.
    #[schema(value_type = Uuid)]
    id: ProviderId,
    /// The tenant.
    #[schema(value_type = Uuid)]
    tenant_id: TenantId,
    /// Name, unique in the tenant.
    name: String,
    /// The `iss` of its ID tokens, to the letter.
    issuer: String,
    /// What this server is called there.
    client_id: String,
    /// Whether there is a client secret, which is never shown.
    has_client_secret: bool,
    /// What is asked for.
    scopes: Vec<String>,
    /// People with addresses of these domains sign in there.
    domains: Vec<String>,
    /// Whether users are made of people whom nobody has invited.
    create_users: bool,
    /// Which access levels its claims give; where there are rules, they decide at each sign-in what somebody holds.
    role_mapping: Vec<RoleRuleBody>,
    /// What everybody holds who comes from there, beside what the rules give; without rules, what new users begin with.
    #[schema(value_type = Vec<Uuid>)]
    default_access_level_ids: Vec<AccessLevelId>,
    /// Whether people are sent there.
    enabled: bool,
    /// Whether users of the tenant with such an address cannot sign in by password.
    required: bool,
    /// Counts the changes; the entity tag.
    version: i64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

/// The account at an identity provider that a user is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserIdentity)]
pub(crate) struct UserIdentityBody {
    /// The identity provider.
    #[schema(value_type = Uuid)]
    identity_provider_id: ProviderId,
    /// What it calls the user: the `sub` of its ID tokens.
    subject: String,
    /// When the user came from there first.
    #[schema(value_type = String, format = DateTime)]
    linked_at: Timestamp,
    /// When it did so last.
    #[schema(value_type = String, format = DateTime)]
    last_used_at: Timestamp,
}

/// The accounts at identity providers that a user is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserIdentities)]
pub(crate) struct UserIdentitiesBody {
    /// One for each provider.
    items: Vec<UserIdentityBody>,
}

/// An identity provider to be used.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewIdentityProvider)]
pub(crate) struct NewIdentityProviderBody {
    /// Name, unique in the tenant.
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// The `iss` of its ID tokens, to the letter: a URL, beneath which its discovery document lies.
    #[schema(max_length = 1024, example = "https://login.example.com")]
    issuer: String,
    /// What this server is called there.
    #[schema(min_length = 1, max_length = 256)]
    client_id: String,
    /// What proves that; without one the server proves itself by PKCE alone.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 1024, write_only)]
    client_secret: Option<String>,
    /// What is asked for; `openid` always is.
    #[serde(default = "usual_scopes")]
    #[schema(max_items = 10)]
    scopes: Vec<String>,
    /// People with addresses of these domains sign in there.
    #[schema(min_items = 1, max_items = 50, example = json!(["example.com"]))]
    domains: Vec<String>,
    /// Whether users are made of people whom nobody has invited.
    #[serde(default)]
    create_users: bool,
    /// Which access levels its claims give.
    #[serde(default)]
    #[schema(max_items = 100)]
    role_mapping: Vec<RoleRuleBody>,
    /// What everybody holds who comes from there, beside what the rules give; without rules, what new users begin with.
    #[serde(default)]
    #[schema(value_type = Vec<Uuid>, max_items = 50)]
    default_access_level_ids: Vec<AccessLevelId>,
    /// Whether people are sent there.
    #[serde(default = "yes")]
    enabled: bool,
    /// Whether users of the tenant with such an address cannot sign in by password.
    #[serde(default)]
    required: bool,
}

/// A change of an identity provider.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = IdentityProviderPatch)]
pub(crate) struct IdentityProviderPatchBody {
    /// New name.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(min_length = 1, max_length = 128, nullable = false)]
    name: Option<String>,
    /// New issuer.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(max_length = 1024, nullable = false)]
    issuer: Option<String>,
    /// New client id.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(min_length = 1, max_length = 256, nullable = false)]
    client_id: Option<String>,
    /// New client secret; `null` for none.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 1024, write_only)]
    client_secret: Option<Option<String>>,
    /// New scopes.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(max_items = 10, nullable = false)]
    scopes: Option<Vec<String>>,
    /// New domains, in place of all old ones.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(min_items = 1, max_items = 50, nullable = false)]
    domains: Option<Vec<String>>,
    /// Whether users are made.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(nullable = false)]
    create_users: Option<bool>,
    /// New rules, in place of all old ones.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(max_items = 100, nullable = false)]
    role_mapping: Option<Vec<RoleRuleBody>>,
    /// New default access levels, in place of all old ones.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(value_type = Option<Vec<Uuid>>, max_items = 50, nullable = false)]
    default_access_level_ids: Option<Vec<AccessLevelId>>,
    /// Whether people are sent there.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(nullable = false)]
    enabled: Option<bool>,
    /// Whether users of the tenant with such an address cannot sign in by password.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(nullable = false)]
    required: Option<bool>,
}

impl From<Vec<UserIdentity>> for UserIdentitiesBody {
    fn from(identities: Vec<UserIdentity>) -> Self {
        let body = |identity: UserIdentity| UserIdentityBody {
            identity_provider_id: identity.provider_id,
            subject: identity.subject,
            linked_at: identity.linked_at,
            last_used_at: identity.last_used_at,
        };
        Self { items: identities.into_iter().map(body).collect() }
    }
}

fn usual_scopes() -> Vec<String> {
    SCOPES_DEFAULT.map(str::to_owned).to_vec()
}

fn yes() -> bool {
    true
}

impl From<&RoleRule> for RoleRuleBody {
    fn from(rule: &RoleRule) -> Self {
        let RoleRule { claim, value, access_level_ids } = rule.clone();
        Self { claim, value, access_level_ids }
    }
}

impl From<&IdentityProvider> for IdentityProviderBody {
    fn from(provider: &IdentityProvider) -> Self {
        Self {
            id: provider.id,
            tenant_id: provider.tenant_id,
            name: provider.name.clone(),
            issuer: provider.issuer.as_str().to_owned(),
            client_id: provider.client_id.clone(),
            has_client_secret: provider.has_secret,
            scopes: provider.scopes.clone(),
            domains: provider.domains.iter().map(Domain::as_str).map(str::to_owned).collect(),
            create_users: provider.creates_users,
            role_mapping: provider.role_rules.iter().map(RoleRuleBody::from).collect(),
            default_access_level_ids: provider.default_roles.clone(),
            enabled: provider.enabled,
            required: provider.required,
            version: provider.version,
            created_at: provider.created_at,
            updated_at: provider.updated_at,
        }
    }
}

fn parse_rules(bodies: Vec<RoleRuleBody>) -> Result<Vec<RoleRule>> {
    check_rules("/role_mapping", bodies.len())?;
    let (mut fields, mut rules) = (Fields::new(), Vec::with_capacity(bodies.len()));
    for (index, body) in bodies.into_iter().enumerate() {
        let at = format!("/role_mapping/{index}");
        rules.extend(fields.take(RoleRule::parse(&at, body.claim, body.value, body.access_level_ids)));
    }
    fields.finish(Some(rules))
}

impl NewIdentityProviderBody {
    pub(super) fn parse(self) -> Result<NewIdentityProvider> {
        let mut fields = Fields::new();
        let name = fields.take(Name::parse("/name", &self.name));
        let issuer = fields.take(parse_issuer("/issuer", &self.issuer));
        let client_id = fields.take(parse_client_id("/client_id", &self.client_id));
        let secret = self.client_secret.map(|text| ClientSecret::parse("/client_secret", text)).transpose();
        let client_secret = fields.take(secret);
        let scopes = fields.take(parse_scopes("/scopes", self.scopes));
        let domains = fields.take(parse_domains("/domains", &self.domains));
        let role_rules = fields.take(parse_rules(self.role_mapping));
        let default_roles = fields.take(parse_roles("/default_access_level_ids", self.default_access_level_ids));
        let (creates_users, enabled, required) = (self.create_users, self.enabled, self.required);
        let built = || {
            Some(NewIdentityProvider {
                name: name?,
                issuer: issuer?,
                client_id: client_id?,
                client_secret: client_secret?,
                scopes: scopes?,
                domains: domains?,
                creates_users,
                role_rules: role_rules?,
                default_roles: default_roles?,
                enabled,
                required,
            })
        };
        fields.finish(built())
    }
}

impl IdentityProviderPatchBody {
    pub(super) fn parse(self) -> Result<IdentityProviderPatch> {
        let mut fields = Fields::new();
        let secret = |text| ClientSecret::parse("/client_secret", text);
        let client_secret = self.client_secret.map(|given| given.map(secret).transpose());
        let patch = IdentityProviderPatch {
            name: self.name.and_then(|name| fields.take(Name::parse("/name", &name))),
            issuer: self.issuer.and_then(|issuer| fields.take(parse_issuer("/issuer", &issuer))),
            client_id: self.client_id.and_then(|id| fields.take(parse_client_id("/client_id", &id))),
            client_secret: client_secret.and_then(|secret| fields.take(secret)),
            scopes: self.scopes.and_then(|scopes| fields.take(parse_scopes("/scopes", scopes))),
            domains: self.domains.and_then(|domains| fields.take(parse_domains("/domains", &domains))),
            creates_users: self.create_users,
            role_rules: self.role_mapping.and_then(|rules| fields.take(parse_rules(rules))),
            default_roles: self
                .default_access_level_ids
                .and_then(|roles| fields.take(parse_roles("/default_access_level_ids", roles))),
            enabled: self.enabled,
            required: self.required,
        };
        fields.finish(Some(patch))
    }
}
