//! Identity providers: where people of a tenant sign in once for everything (OpenID Connect), which addresses lead there, and
//! what the provider's word about somebody is worth here.

mod domain;

pub use self::domain::{DOMAIN_MAX, Domain, domain_of};
use crate::claim::{check_claim, check_text, look_up};
use crate::id::{AccessLevelId, ProviderId, TenantId};
use crate::name::Name;
use crate::outgoing::{Allowance, Target};
use crate::time::Timestamp;
use crate::user::{ROLES_MAX, parse_roles};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Most identity providers of a tenant.
pub const PROVIDERS_MAX: i64 = 10;
/// Most domains of a provider.
pub const DOMAINS_MAX: usize = 50;
/// Most rules of a provider.
pub const RULES_MAX: usize = 100;
/// Most characters of the client id at a provider.
pub const CLIENT_ID_MAX: usize = 256;
/// Most characters of the client secret at a provider.
pub const CLIENT_SECRET_MAX: usize = 1_024;
/// Most scopes that are asked for.
pub const SCOPES_MAX: usize = 10;
/// Most characters of a scope.
const SCOPE_MAX: usize = 64;
/// What is asked for unless said otherwise.
pub const SCOPES_DEFAULT: [&str; 3] = ["openid", "email", "profile"];

/// Access levels for whoever the provider says something of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleRule {
    /// The claim: its name, or a JSON pointer to one within another.
    pub claim: String,
    /// It is this text, or a list with this text in it.
    pub value: String,
    /// What whoever it is said of holds then.
    pub access_level_ids: Vec<AccessLevelId>,
}

impl RoleRule {
    /// Accepts the rule at `pointer`.
    pub fn parse(pointer: &str, claim: String, value: String, access_level_ids: Vec<AccessLevelId>) -> Result<Self> {
        check_claim(&format!("{pointer}/claim"), &claim)?;
        let value = check_text(&format!("{pointer}/value"), value)?;
        let at = format!("{pointer}/access_level_ids");
        let access_level_ids = parse_roles(&at, access_level_ids)?;
        if access_level_ids.is_empty() {
            return Err(Error::invalid(&at, "the rule gives nothing", "name the access levels that it gives"));
        }
        Ok(Self { claim, value, access_level_ids })
    }

    /// Whether these claims say that.
    fn holds(&self, claims: &Map<String, Value>) -> bool {
        match look_up(claims, &self.claim) {
            Some(Value::String(text)) => *text == self.value,
            Some(Value::Array(list)) => list.iter().any(|one| one.as_str() == Some(&self.value)),
            _ => false,
        }
    }
}

/// Refuses more rules than a provider may have.
pub fn check_rules(pointer: &str, count: usize) -> Result<()> {
    if count <= RULES_MAX {
        return Ok(());
    }
    Err(Error::invalid(pointer, format!("{count} rules"), format!("give at most {RULES_MAX}")))
}

/// An identity provider as it is stored. Its client secret is not among this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityProvider {
    /// Id.
    pub id: ProviderId,
    /// The tenant whose people sign in there.
    pub tenant_id: TenantId,
    /// Name.
    pub name: String,
    /// Who signs: the `iss` of its ID tokens, to the letter.
    pub issuer: Target,
    /// What this server is called there.
    pub client_id: String,
    /// Whether there is a client secret; without one this server proves itself by PKCE alone.
    pub has_secret: bool,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Whose addresses lead there, sorted.
    pub domains: Vec<Domain>,
    /// Whether users are made of people whom nobody has invited.
    pub creates_users: bool,
    /// Which access levels its claims give. Where there are rules they decide at each sign-in what somebody holds.
    pub role_rules: Vec<RoleRule>,
    /// What everybody holds who comes from there, beside what the rules give; without rules what new users begin with.
    pub default_roles: Vec<AccessLevelId>,
    /// Whether people are sent there.
    pub enabled: bool,
    /// Whether people of the tenant with such an address can sign in by nothing else.
    pub required: bool,
    /// Counts the changes, from 1; the entity tag.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

impl IdentityProvider {
    /// Every access level that somebody can come to by it, sorted.
    pub fn all_roles(&self) -> Vec<AccessLevelId> {
        let of_rules = self.role_rules.iter().flat_map(|rule| &rule.access_level_ids);
        let mut all: Vec<_> = self.default_roles.iter().chain(of_rules).copied().collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Where an access level is named first, as a pointer into what was given.
    pub fn place_of(&self, level: AccessLevelId) -> String {
        let within = |levels: &[AccessLevelId]| levels.iter().position(|one| *one == level);
        let in_rule = |(index, rule): (usize, &RoleRule)| {
            within(&rule.access_level_ids).map(|at| format!("/role_mapping/{index}/access_level_ids/{at}"))
        };
        match within(&self.default_roles) {
            Some(at) => format!("/default_access_level_ids/{at}"),
            None => self.role_rules.iter().enumerate().find_map(in_rule).unwrap_or_else(|| "/role_mapping".into()),
        }
    }

    /// Refuses more access levels in all than a user can hold.
    pub fn check_roles(&self) -> Result<()> {
        let count = self.all_roles().len();
        if count <= ROLES_MAX {
            return Ok(());
        }
        let fix = format!("name at most {ROLES_MAX} in all: a user can hold no more");
        Err(Error::invalid("/role_mapping", format!("{count} access levels"), fix))
    }

    /// What somebody holds of whom these claims speak, sorted.
    pub fn roles_of(&self, claims: &Map<String, Value>) -> Vec<AccessLevelId> {
        let fitting = self.role_rules.iter().filter(|rule| rule.holds(claims)).flat_map(|rule| &rule.access_level_ids);
        let mut roles: Vec<_> = self.default_roles.iter().chain(fitting).copied().collect();
        roles.sort_unstable();
        roles.dedup();
        roles
    }

    /// Whether these claims hold everything that is asked of them.
    pub fn is_told_enough(&self, claims: &Map<String, Value>) -> bool {
        claims.contains_key("email") && self.role_rules.iter().all(|rule| look_up(claims, &rule.claim).is_some())
    }

    /// Whether the roles of people are set anew at each sign-in.
    pub fn maps_roles(&self) -> bool {
        !self.role_rules.is_empty()
    }

    /// Whether an address of this key leads there.
    pub fn serves(&self, email_key: &str) -> bool {
        domain_of(email_key).is_some_and(|domain| self.domains.iter().any(|one| one.as_str() == domain))
    }

    /// Where the discovery document lies (OpenID Connect Discovery 1.0, 4).
    pub fn discovery(&self) -> Result<Target> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer.as_str().trim_end_matches('/'));
        Target::parse("/issuer", &url)
    }

    /// The provider after a change.
    pub fn patched(&self, patch: IdentityProviderPatch, now: Timestamp) -> Self {
        let before = self.clone();
        let has_secret = patch.client_secret.as_ref().map_or(before.has_secret, Option::is_some);
        Self {
            name: patch.name.map_or(before.name, |name| name.as_str().to_owned()),
            issuer: patch.issuer.unwrap_or(before.issuer),
            client_id: patch.client_id.unwrap_or(before.client_id),
            has_secret,
            scopes: patch.scopes.unwrap_or(before.scopes),
            domains: patch.domains.unwrap_or(before.domains),
            creates_users: patch.creates_users.unwrap_or(before.creates_users),
            role_rules: patch.role_rules.unwrap_or(before.role_rules),
            default_roles: patch.default_roles.unwrap_or(before.default_roles),
            enabled: patch.enabled.unwrap_or(before.enabled),
            required: patch.required.unwrap_or(before.required),
            version: before.version + 1,
            updated_at: now,
            ..before
        }
    }
}

/// The account at a provider that a user is pinned to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserIdentity {
    /// The provider.
    pub provider_id: ProviderId,
    /// What it calls the user.
    pub subject: String,
    /// When the user came from there first.
    pub linked_at: Timestamp,
    /// When it did so last.
    pub last_used_at: Timestamp,
}

/// A client secret on its way to being sealed. It is never told again.
#[derive(Clone)]
pub struct ClientSecret(String);

impl ClientSecret {
    /// Accepts the secret at `pointer`.
    pub fn parse(pointer: &str, text: String) -> Result<Self> {
        let length = text.chars().count();
        if (1..=CLIENT_SECRET_MAX).contains(&length) && !text.chars().any(char::is_control) {
            return Ok(Self(text));
        }
        let fix = format!("give the 1 to {CLIENT_SECRET_MAX} characters that the provider has shown");
        Err(Error::invalid(pointer, format!("a secret of {length} characters"), fix))
    }

    /// What is sealed.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl std::fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClientSecret(…)")
    }
}

impl Drop for ClientSecret {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

/// What is needed to have people sign in at a provider.
#[derive(Clone, Debug)]
pub struct NewIdentityProvider {
    /// Name.
    pub name: Name,
    /// Who signs.
    pub issuer: Target,
    /// What this server is called there.
    pub client_id: String,
    /// What proves it, if anything does.
    pub client_secret: Option<ClientSecret>,
    /// What is asked for.
    pub scopes: Vec<String>,
    /// Whose addresses lead there.
    pub domains: Vec<Domain>,
    /// Whether users are made of people whom nobody has invited.
    pub creates_users: bool,
    /// Which access levels its claims give.
    pub role_rules: Vec<RoleRule>,
    /// What everybody holds who comes from there.
    pub default_roles: Vec<AccessLevelId>,
    /// Whether people are sent there.
    pub enabled: bool,
    /// Whether people with such an address can sign in by nothing else.
    pub required: bool,
}

impl NewIdentityProvider {
    /// The provider that this makes.
    pub fn into_provider(self, tenant_id: TenantId, id: ProviderId, now: Timestamp) -> IdentityProvider {
        IdentityProvider {
            id,
            tenant_id,
            name: self.name.as_str().to_owned(),
            issuer: self.issuer,
            client_id: self.client_id,
            has_secret: self.client_secret.is_some(),
            scopes: self.scopes,
            domains: self.domains,
            creates_users: self.creates_users,
            role_rules: self.role_rules,
            default_roles: self.default_roles,
            enabled: self.enabled,
            required: self.required,
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }
}

/// A change of a provider; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct IdentityProviderPatch {
    /// New name.
    pub name: Option<Name>,
    /// New issuer.
    pub issuer: Option<Target>,
    /// New client id.
    pub client_id: Option<String>,
    /// New client secret, or none any more.
    pub client_secret: Option<Option<ClientSecret>>,
    /// New scopes.
    pub scopes: Option<Vec<String>>,
    /// New domains, in place of all old ones.
    pub domains: Option<Vec<Domain>>,
    /// Whether users are made.
    pub creates_users: Option<bool>,
    /// New rules, in place of all old ones.
    pub role_rules: Option<Vec<RoleRule>>,
    /// New default roles.
    pub default_roles: Option<Vec<AccessLevelId>>,
    /// Whether people are sent there.
    pub enabled: Option<bool>,
    /// Whether people can sign in by nothing else.
    pub required: Option<bool>,
}

/// Accepts the client id at `pointer`.
pub fn parse_client_id(pointer: &str, text: &str) -> Result<String> {
    if (1..=CLIENT_ID_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    let fix = format!("give the 1 to {CLIENT_ID_MAX} visible characters that the provider calls this server by");
    Err(Error::invalid(pointer, "not a client id", fix))
}

/// Accepts the scopes at `pointer`: `openid` is among them, whether it is named or not.
pub fn parse_scopes(pointer: &str, given: Vec<String>) -> Result<Vec<String>> {
    let fix = format!("give at most {SCOPES_MAX} scopes of visible characters, each once");
    let mut scopes = vec!["openid".to_owned()];
    for (index, scope) in given.into_iter().enumerate() {
        // NQCHAR of RFC 6749, 3.3.
        let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        if index >= SCOPES_MAX || !(1..=SCOPE_MAX).contains(&scope.len()) || !scope.bytes().all(plain) {
            return Err(Error::invalid(&format!("{pointer}/{index}"), "one scope too many, or none", fix));
        }
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

/// Accepts the domains at `pointer`, sorted.
pub fn parse_domains(pointer: &str, given: &[String]) -> Result<Vec<Domain>> {
    if !(1..=DOMAINS_MAX).contains(&given.len()) {
        let fix = format!("give 1 to {DOMAINS_MAX} domains");
        return Err(Error::invalid(pointer, format!("{} domains", given.len()), fix));
    }
    let parse = |(index, text): (usize, &String)| Domain::parse(&format!("{pointer}/{index}"), text);
    let mut domains = given.iter().enumerate().map(parse).collect::<Result<Vec<_>>>()?;
    domains.sort();
    domains.dedup();
    Ok(domains)
}

/// Refuses an issuer that this server would never ask, and itself.
pub fn check_issuer(issuer: &Target, allowance: &Allowance, ourselves: &str) -> Result<()> {
    if issuer.as_str().trim_end_matches('/') == ourselves {
        let fix = "give the URL of the provider at which your people sign in";
        return Err(Error::invalid("/issuer", "this is the server itself", fix));
    }
    allowance.check("/issuer", issuer)
}

#[cfg(test)]
mod tests;
