//! Bodies of users and their sessions, and how they are read.

use crate::kit::Fields;
use crate::native::applications::ReachWord;
use claviger_domain::Result;
use claviger_domain::application::Reach;
use claviger_domain::id::{AccessLevelId, TenantId, UserId, UserSessionId};
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use claviger_domain::user::{
    Email, NewUser, Status, User, UserFilter, UserPatch, parse_person_name, parse_phone, parse_roles, presented_key,
};
use claviger_domain::user_session::{Method, UserSession, ends_at};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Whether a user can sign in.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = UserStatus)]
pub(crate) enum StatusWord {
    /// Not yet.
    Invited,
    /// Yes.
    Active,
    /// No more.
    Disabled,
}

impl From<StatusWord> for Status {
    fn from(word: StatusWord) -> Self {
        match word {
            StatusWord::Invited => Self::Invited,
            StatusWord::Active => Self::Active,
            StatusWord::Disabled => Self::Disabled,
        }
    }
}

impl From<Status> for StatusWord {
    fn from(status: Status) -> Self {
        match status {
            Status::Invited => Self::Invited,
            Status::Active => Self::Active,
            Status::Disabled => Self::Disabled,
        }
    }
}

/// A person of a tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub(crate) struct UserBody {
    /// Id.
    #[schema(value_type = Uuid)]
    id: UserId,
    /// The tenant it belongs to.
    #[schema(value_type = Uuid)]
    tenant_id: TenantId,
    /// A number for clients that know users by one.
    number: i64,
    /// What it signs in with: one person's in the whole store.
    #[schema(example = "ada@example.com")]
    email: String,
    /// First name.
    first_name: String,
    /// Last name.
    last_name: String,
    /// Telephone number.
    phone: String,
    /// Whether it can sign in.
    status: StatusWord,
    /// How far its rights reach.
    reach: ReachWord,
    /// The access levels it holds: its rights are those of all of them.
    #[schema(value_type = Vec<Uuid>)]
    access_level_ids: Vec<AccessLevelId>,
    /// When its password was set; `null` where it has none.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    password_set_at: Option<Timestamp>,
    /// Counts the changes; the entity tag.
    version: i64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was changed last.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl From<&User> for UserBody {
    fn from(user: &User) -> Self {
        Self {
            id: user.id,
            tenant_id: user.tenant_id,
            number: user.number,
            email: user.email.clone(),
            first_name: user.first_name.clone(),
            last_name: user.last_name.clone(),
            phone: user.phone.clone(),
            status: user.status.into(),
            reach: user.reach.into(),
            access_level_ids: user.roles.clone(),
            password_set_at: user.password_set_at,
            version: user.version,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// A user to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUser)]
pub(crate) struct NewUserBody {
    /// What it signs in with.
    #[schema(max_length = 254, example = "ada@example.com")]
    email: String,
    /// First name.
    #[serde(default)]
    #[schema(max_length = 64)]
    first_name: String,
    /// Last name.
    #[serde(default)]
    #[schema(max_length = 64)]
    last_name: String,
    /// Telephone number.
    #[serde(default)]
    #[schema(max_length = 32)]
    phone: String,
    /// How far its rights reach; `beneath` if not given.
    #[serde(default)]
    reach: Option<ReachWord>,
    /// The access levels it holds, of the tenant or built-in ones.
    #[serde(default)]
    #[schema(value_type = Vec<Uuid>, max_items = 50)]
    access_level_ids: Vec<AccessLevelId>,
}

impl NewUserBody {
    pub(crate) fn parse(self) -> Result<NewUser> {
        let mut fields = Fields::new();
        let email = fields.take(Email::parse("/email", &self.email));
        let first_name = fields.take(parse_person_name("/first_name", &self.first_name));
        let last_name = fields.take(parse_person_name("/last_name", &self.last_name));
        let phone = fields.take(parse_phone("/phone", &self.phone));
        let roles = fields.take(parse_roles("/access_level_ids", self.access_level_ids));
        let reach = self.reach.map_or(Reach::Beneath, Into::into);
        let built = (|| {
            let (email, first_name, last_name) = (email?, first_name?, last_name?);
            Some(NewUser { email, first_name, last_name, phone: phone?, reach, roles: roles? })
        })();
        fields.finish(built)
    }
}

/// A change of a user.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserPatch)]
pub(crate) struct UserPatchBody {
    /// New first name; `null` empties it.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, max_length = 64)]
    first_name: Option<Option<String>>,
    /// New last name; `null` empties it.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, max_length = 64)]
    last_name: Option<Option<String>>,
    /// New telephone number; `null` empties it.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, max_length = 32)]
    phone: Option<Option<String>>,
    /// New reach.
    #[serde(default, deserialize_with = "crate::kit::not_null")]
    #[schema(nullable = false)]
    reach: Option<ReachWord>,
}

impl UserPatchBody {
    pub(crate) fn parse(self) -> Result<UserPatch> {
        let own = OwnPatchBody { first_name: self.first_name, last_name: self.last_name, phone: self.phone };
        Ok(UserPatch { reach: self.reach.map(Into::into), ..own.parse()? })
    }
}

/// A change of one's own profile.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MyProfilePatch)]
pub(crate) struct OwnPatchBody {
    /// New first name; `null` empties it.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, max_length = 64)]
    first_name: Option<Option<String>>,
    /// New last name; `null` empties it.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, max_length = 64)]
    last_name: Option<Option<String>>,
    /// New telephone number; `null` empties it.
    #[serde(default, deserialize_with = "crate::kit::given")]
    #[schema(value_type = Option<String>, max_length = 32)]
    phone: Option<Option<String>>,
}

impl OwnPatchBody {
    pub(crate) fn parse(self) -> Result<UserPatch> {
        let mut fields = Fields::new();
        let mut take = |pointer: &str, given: Option<Option<String>>, parse: fn(&str, &str) -> Result<String>| {
            given.map(Option::unwrap_or_default).and_then(|text| fields.take(parse(pointer, &text)))
        };
        let first_name = take("/first_name", self.first_name, parse_person_name);
        let last_name = take("/last_name", self.last_name, parse_person_name);
        let phone = take("/phone", self.phone, parse_phone);
        fields.finish(Some(UserPatch { first_name, last_name, phone, reach: None }))
    }
}

/// The roles that a user is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = UserRoles)]
pub(crate) struct RolesBody {
    /// Access levels of the tenant, or built-in ones, in place of all that it had.
    #[schema(value_type = Vec<Uuid>, max_items = 50)]
    access_level_ids: Vec<AccessLevelId>,
}

impl RolesBody {
    pub(crate) fn parse(self) -> Result<Vec<AccessLevelId>> {
        parse_roles("/access_level_ids", self.access_level_ids)
    }
}

/// What narrows the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsersQuery {
    /// Only users whose address, or a word of whose names, begins with this; they come in the order of those words.
    #[param(min_length = 1, max_length = 254)]
    q: Option<String>,
    /// Only users of this status.
    status: Option<StatusWord>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl UsersQuery {
    pub(crate) fn parse(&self) -> Result<(UserFilter, PageRequest)> {
        let prefix = self.q.as_deref().map(presented_key).filter(|prefix| !prefix.is_empty());
        let filter = UserFilter { prefix, status: self.status.map(Into::into) };
        Ok((filter, PageRequest::parse(self.limit, self.cursor.as_deref())?))
    }
}

/// What becomes of what a user leaves behind.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SuccessorQuery {
    /// The user of the same tenant who answers for its applications afterwards.
    #[param(value_type = Option<Uuid>)]
    pub(crate) successor_id: Option<UserId>,
}

/// A person's session in one browser.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserSession)]
pub(crate) struct UserSessionBody {
    /// Id.
    #[schema(value_type = Uuid)]
    id: UserSessionId,
    /// Whether it is the one that this request was made with.
    current: bool,
    /// What proved the person: `pwd`, `otp`, `mail`, `hwk`, `rec`, `sso`, `link`.
    #[schema(value_type = Vec<String>, example = json!(["pwd", "otp"]))]
    methods: Vec<&'static str>,
    /// When the person signed in.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was used last, to the minute.
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
    /// When it ends if it is not used any more.
    #[schema(value_type = String, format = DateTime)]
    ends_at: Timestamp,
    /// When the person last proved anew who it is; `null` if never.
    #[schema(required = true, value_type = Option<String>, format = DateTime)]
    stepped_up_at: Option<Timestamp>,
    /// From where; `null` if a proxy did not say.
    #[schema(required = true)]
    address: Option<String>,
    /// What the browser calls itself.
    user_agent: String,
}

impl UserSessionBody {
    pub(crate) fn of(session: &UserSession, current: Option<UserSessionId>) -> Self {
        Self {
            id: session.id,
            current: current == Some(session.id),
            methods: session.methods.iter().map(|method: &Method| method.as_str()).collect(),
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            ends_at: ends_at(session.stage, session.created_at, session.last_seen_at),
            stepped_up_at: session.stepped_up_at,
            address: session.address.map(|address| address.to_string()),
            user_agent: session.user_agent.clone(),
        }
    }
}

/// Sessions, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UserSessions)]
pub(crate) struct UserSessionsBody {
    items: Vec<UserSessionBody>,
}

impl UserSessionsBody {
    pub(crate) fn of(sessions: &[UserSession], current: Option<UserSessionId>) -> Self {
        Self { items: sessions.iter().map(|session| UserSessionBody::of(session, current)).collect() }
    }
}

/// How many sessions were ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EndedSessions)]
pub(crate) struct EndedBody {
    pub(crate) ended: u64,
}
