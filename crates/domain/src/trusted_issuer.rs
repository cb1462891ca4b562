//! Trusted issuers: others whose signed tokens a tenant takes for proof, so that a build job or a pod needs no secret that is
//! stored anywhere. Bindings say which of those tokens stand for which application.

use crate::claim::{Condition, Draft};
use crate::foreign_key::{Algorithm, parse_set};
use crate::foreign_token::Mismatch;
use crate::id::{ApplicationId, BindingId, IssuerId, TenantId};
use crate::name::Name;
use crate::outgoing::{Allowance, Target};
use crate::time::Timestamp;
use crate::{Error, Result};
use serde_json::{Map, Value};

/// Most trusted issuers of a tenant.
pub const ISSUERS_MAX: i64 = 20;
/// Most bindings of an issuer.
pub const BINDINGS_MAX: usize = 50;
/// Most conditions of a binding.
pub const CONDITIONS_MAX: usize = 16;
/// Most keys that are given in place of being fetched.
pub const PINNED_MAX: usize = 20;
/// Most bytes of those.
pub const PINNED_BYTES_MAX: usize = 32 << 10;
/// Most characters of an audience.
pub const AUDIENCE_MAX: usize = 512;
/// Seconds that a token may be old unless said otherwise.
pub const AGE_DEFAULT: i64 = 3_600;
/// Fewest and most seconds that may be set.
pub const AGE_MIN: i64 = 60;
/// The most.
pub const AGE_MAX: i64 = 86_400;

/// Where an issuer's keys come from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeySource {
    /// From where its discovery document says (OpenID Connect Discovery 1.0).
    Discovery,
    /// From this URL.
    Fetched(Target),
    /// They were given, as the text of a set of keys.
    Pinned(String),
}

/// What ties tokens to an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Its id, made anew whenever it changes: tokens name it, and end with it.
    pub id: BindingId,
    /// What it is for.
    pub description: String,
    /// The application.
    pub application_id: ApplicationId,
    /// All of them must hold.
    pub conditions: Vec<Condition>,
}

/// How tokens of an issuer are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// Who signs: the `iss` of its tokens, to the letter.
    pub issuer: Target,
    /// The `aud` of its tokens; none for this server's own URL or the tenant's address beneath it.
    pub audience: Option<String>,
    /// Where its keys come from.
    pub keys: KeySource,
    /// By which algorithms it may sign.
    pub algorithms: Vec<Algorithm>,
    /// How old a token may be.
    pub max_age_seconds: i64,
    /// Whether a token that has an id is accepted once only.
    pub single_use: bool,
    /// Whether its tokens are accepted at all.
    pub enabled: bool,
}

/// A trusted issuer as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedIssuer {
    /// Id.
    pub id: IssuerId,
    /// The tenant that trusts it.
    pub tenant_id: TenantId,
    /// Name.
    pub name: String,
    /// How its tokens are verified.
    pub trust: Trust,
    /// What they stand for, in order.
    pub bindings: Vec<Binding>,
    /// Counts the changes, from 1; the entity tag.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// A binding that is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBinding {
    /// What it is for.
    pub description: String,
    /// The application.
    pub application_id: ApplicationId,
    /// All of them must hold.
    pub conditions: Vec<Condition>,
}

/// What is needed to trust an issuer.
#[derive(Clone, Debug)]
pub struct NewTrustedIssuer {
    /// Name.
    pub name: Name,
    /// How its tokens are verified.
    pub trust: Trust,
    /// What they stand for.
    pub bindings: Vec<NewBinding>,
}

/// A change of a trusted issuer; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct TrustedIssuerPatch {
    /// New name.
    pub name: Option<Name>,
    /// New issuer.
    pub issuer: Option<Target>,
    /// New audience.
    pub audience: Option<Option<String>>,
    /// New source of keys.
    pub keys: Option<KeySource>,
    /// New algorithms.
    pub algorithms: Option<Vec<Algorithm>>,
    /// New age.
    pub max_age_seconds: Option<i64>,
    /// Whether a token is accepted once only.
    pub single_use: Option<bool>,
    /// Whether its tokens are accepted at all.
    pub enabled: Option<bool>,
    /// New bindings, in place of all old ones.
    pub bindings: Option<Vec<NewBinding>>,
}

impl TrustedIssuer {
    /// The issuer as it is after a change; `fresh` makes an id for each binding that is not what it was. Whatever changes how
    /// tokens are verified makes new ones of all, so that nothing that was got before outlives it.
    pub fn patched(
        &self,
        patch: TrustedIssuerPatch,
        now: Timestamp,
        mut fresh: impl FnMut() -> Result<BindingId>,
    ) -> Result<Self> {
        let old = self.trust.clone();
        let trust = Trust {
            issuer: patch.issuer.unwrap_or(old.issuer),
            audience: patch.audience.unwrap_or(old.audience),
            keys: patch.keys.unwrap_or(old.keys),
            algorithms: patch.algorithms.unwrap_or(old.algorithms),
            max_age_seconds: patch.max_age_seconds.unwrap_or(old.max_age_seconds),
            single_use: patch.single_use.unwrap_or(old.single_use),
            enabled: patch.enabled.unwrap_or(old.enabled),
        };
        let wanted = match patch.bindings {
            Some(bindings) => bindings,
            None => self.bindings.iter().map(|binding| binding.clone().into()).collect(),
        };
        let stays = trust == self.trust;
        let mut left: Vec<&Binding> = if stays { self.bindings.iter().collect() } else { Vec::new() };
        let mut bindings = Vec::with_capacity(wanted.len());
        for new in wanted {
            let same = |old: &&Binding| old.application_id == new.application_id && old.conditions == new.conditions;
            let id = match left.iter().position(same) {
                Some(index) => left.swap_remove(index).id,
                None => fresh()?,
            };
            bindings.push(new.into_binding(id));
        }
        Ok(Self {
            name: patch.name.map_or_else(|| self.name.clone(), |name| name.as_str().to_owned()),
            trust,
            bindings,
            version: self.version + 1,
            updated_at: now,
            ..self.clone()
        })
    }

    /// The binding that these claims fit: to the named application, if one is named, or else to the only one there is.
    pub fn bind(&self, claims: &Map<String, Value>, named: Option<ApplicationId>) -> Result<&Binding, Mismatch> {
        let wanted = |binding: &&Binding| named.is_none_or(|named| named == binding.application_id);
        let mut fitting = self
            .bindings
            .iter()
            .filter(wanted)
            .filter(|binding| binding.conditions.iter().all(|condition| condition.holds(claims)));
        let first = fitting.next().ok_or(Mismatch::Binding)?;
        if fitting.any(|other| other.application_id != first.application_id) {
            return Err(Mismatch::Ambiguous);
        }
        Ok(first)
    }
}

impl Trust {
    /// Where the discovery document lies.
    pub fn discovery(&self) -> Result<Target> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer.as_str().trim_end_matches('/'));
        Target::parse("/issuer", &url)
    }

    /// Refuses what this server would never fetch, and itself as issuer.
    pub fn check(&self, allowance: &Allowance, ourselves: &str) -> Result<()> {
        if self.issuer.as_str().trim_end_matches('/') == ourselves {
            let fix = "give the URL of another issuer; a session token gets no other one";
            return Err(Error::invalid("/issuer", "this is the server itself", fix));
        }
        match &self.keys {
            KeySource::Discovery => allowance.check("/issuer", &self.issuer),
            KeySource::Fetched(target) => allowance.check("/jwks_uri", target),
            KeySource::Pinned(_) => Ok(()),
        }
    }
}

impl NewBinding {
    /// The binding of that id.
    pub fn into_binding(self, id: BindingId) -> Binding {
        let Self { description, application_id, conditions } = self;
        Binding { id, description, application_id, conditions }
    }
}

impl From<Binding> for NewBinding {
    fn from(binding: Binding) -> Self {
        let Binding { description, application_id, conditions, .. } = binding;
        Self { description, application_id, conditions }
    }
}

/// Accepts the issuer at `pointer`: a URL without a query.
pub fn parse_issuer(pointer: &str, text: &str) -> Result<Target> {
    let target = Target::parse(pointer, text)?;
    if target.has_query() {
        return Err(Error::invalid(pointer, "the issuer has a query", "give the iss of its tokens, a URL without one"));
    }
    Ok(target)
}

/// Accepts the audience at `pointer`.
pub fn parse_audience(pointer: &str, text: String) -> Result<String> {
    let length = text.chars().count();
    if (1..=AUDIENCE_MAX).contains(&length) && !text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Ok(text);
    }
    let fix = format!("give 1 to {AUDIENCE_MAX} characters without blanks, or leave it out for this server's URL");
    Err(Error::invalid(pointer, format!("an audience of {length} characters"), fix))
}

/// Accepts the algorithms at `pointer`, each once.
pub fn parse_algorithms(pointer: &str, words: &[String]) -> Result<Vec<Algorithm>> {
    let fix = "list one or more of RS256, PS256, ES256 and EdDSA, each once";
    let mut algorithms = Vec::with_capacity(words.len());
    for (index, word) in words.iter().enumerate().take(Algorithm::ALL.len() + 1) {
        match Algorithm::parse(word).filter(|one| !algorithms.contains(one)) {
            Some(algorithm) => algorithms.push(algorithm),
            None => {
                let word: String = word.chars().take(32).collect();
                return Err(Error::invalid(&format!("{pointer}/{index}"), format!("{word:?}"), fix));
            }
        }
    }
    if algorithms.is_empty() {
        return Err(Error::invalid(pointer, "no algorithm", fix));
    }
    algorithms.sort_unstable();
    Ok(algorithms)
}

/// Accepts the age at `pointer`.
pub fn parse_age(pointer: &str, seconds: i64) -> Result<i64> {
    if (AGE_MIN..=AGE_MAX).contains(&seconds) {
        return Ok(seconds);
    }
    Err(Error::invalid(pointer, format!("{seconds} seconds"), format!("give {AGE_MIN} to {AGE_MAX}")))
}

/// Accepts keys that are given in place of being fetched.
pub fn parse_pinned(pointer: &str, set: &Value) -> Result<KeySource> {
    parse_set(pointer, set, PINNED_MAX)?;
    let text = set.to_string();
    if text.len() > PINNED_BYTES_MAX {
        let fix = format!("give at most {PINNED_BYTES_MAX} bytes; certificates beside the keys are of no use here");
        return Err(Error::invalid(pointer, format!("{} bytes", text.len()), fix));
    }
    Ok(KeySource::Pinned(text))
}

/// Accepts the conditions of the binding at `pointer`; one of them must be about `sub`.
pub fn parse_conditions(pointer: &str, drafts: Vec<Draft>) -> Result<Vec<Condition>> {
    if !(1..=CONDITIONS_MAX).contains(&drafts.len()) {
        let fix = format!("give 1 to {CONDITIONS_MAX} conditions, one of them about sub");
        return Err(Error::invalid(pointer, format!("{} conditions", drafts.len()), fix));
    }
    let (mut conditions, mut errors) = (Vec::with_capacity(drafts.len()), Vec::new());
    for (index, draft) in drafts.into_iter().enumerate() {
        match Condition::parse(&format!("{pointer}/{index}"), draft) {
            Ok(condition) => conditions.push(condition),
            Err(Error::Invalid(found)) => errors.extend(found),
            Err(other) => return Err(other),
        }
    }
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    if !conditions.iter().any(Condition::is_about_subject) {
        let fix = "say with equals, matches or one_of which sub is meant: an issuer signs for everybody";
        return Err(Error::invalid(pointer, "no condition is about sub", fix));
    }
    Ok(conditions)
}

/// Refuses more bindings than an issuer may have.
pub fn check_bindings(pointer: &str, count: usize) -> Result<()> {
    if count <= BINDINGS_MAX {
        return Ok(());
    }
    Err(Error::invalid(pointer, format!("{count} bindings"), format!("give at most {BINDINGS_MAX}")))
}

#[cfg(test)]
mod tests;
