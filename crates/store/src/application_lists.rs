//! Lists of a tenant's applications for whoever looks through them: filtered, in an order, each with what is known of its secrets.
//! A page reads a piece of an index, but where it is ordered by last use, or searched.

use crate::applications::ApplicationRow;
use crate::engine::Store;
use crate::sql::{args, row};
use claviger_domain::application::Application;
use claviger_domain::id::{AccessLevelId, TenantId};
use claviger_domain::name::key_of;
use claviger_domain::page::PageRequest;
use claviger_domain::time::Timestamp;
use claviger_domain::{Error, Result};

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApplicationOrder {
    /// By name.
    #[default]
    Name,
    /// The newest first.
    Newest,
    /// The oldest first.
    Oldest,
    /// Those that end first by an end of their own, then those without one.
    Ends,
    /// Those that were used last, then those that never were.
    LastUsed,
}

/// Which state is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplicationState {
    /// Enabled, and not ended.
    Active,
    /// Disabled.
    Disabled,
    /// Ended.
    Ended,
}

/// Which applications are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApplicationFilter {
    /// With this in their name, client id or owner.
    pub text: Option<String>,
    /// In this state.
    pub state: Option<ApplicationState>,
    /// With this access level.
    pub level: Option<AccessLevelId>,
}

/// An application as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedApplication {
    /// The application.
    pub application: Application,
    /// Name of its access level, if that is one of its tenant.
    pub level: Option<String>,
    /// Secrets whose end, if they have one, has not come.
    pub secrets: i64,
    /// What is shown of the newest secret.
    pub hint: Option<String>,
    /// When any of its secrets was used last.
    pub used_at: Option<Timestamp>,
    /// From where.
    pub used_from: Option<String>,
    /// Notices that were not put away.
    pub notices: i64,
}

struct ListedRow {
    application: ApplicationRow,
    more: MoreRow,
}

row! {
    struct MoreRow {
        level_name: Option<String>,
        secrets: i64,
        hint: Option<String>,
        used_at: Option<i64>,
        used_from: Option<String>,
        notices: i64,
    }
}

macro_rules! listed_row {
    ($row:ty) => {
        impl<'r> sqlx::FromRow<'r, $row> for ListedRow {
            fn from_row(row: &'r $row) -> sqlx::Result<Self> {
                Ok(Self { application: sqlx::FromRow::from_row(row)?, more: sqlx::FromRow::from_row(row)? })
            }
        }
    };
}
listed_row!(sqlx::sqlite::SqliteRow);
listed_row!(sqlx::postgres::PgRow);

impl ListedRow {
    fn read(self) -> Result<ListedApplication> {
        let MoreRow { level_name, secrets, hint, used_at, used_from, notices } = self.more;
        Ok(ListedApplication {
            application: self.application.read()?,
            level: level_name,
            secrets,
            hint,
            used_at: used_at.map(Timestamp::from_micros),
            used_from,
            notices,
        })
    }
}

/// A list with its order. `$1` is the tenant, `$2` now, `$3` the searched text as a pattern, `$4` the level, `$5` whether only enabled or
/// only disabled ones are wanted, `$6` whether only ended ones or only others, `$7` how many; the position comes behind.
macro_rules! list {
    ($rest:literal) => {
        concat!(
            "select a.tenant_id, a.id, a.client_id, a.name, a.description, a.owner, a.owner_id, a.access_level_id, a.grants, \
             a.reach, a.allowed_networks, a.expires_at, a.enabled, a.rate_requests, a.rate_window_seconds, a.version, \
             a.created_at, a.updated_at, a.key_type, a.dpop_bound, \
             (select l.name from access_levels l where l.tenant_id = a.tenant_id and l.id = a.access_level_id) as level_name, \
             (select count(*) from secrets s where s.tenant_id = a.tenant_id and s.application_id = a.id \
             and (s.expires_at is null or s.expires_at > $2)) as secrets, \
             (select s.hint from secrets s where s.tenant_id = a.tenant_id and s.application_id = a.id \
             order by s.id desc limit 1) as hint, \
             (select u.at from secret_uses u where u.tenant_id = a.tenant_id and u.application_id = a.id \
             order by u.at desc limit 1) as used_at, \
             (select u.address from secret_uses u where u.tenant_id = a.tenant_id and u.application_id = a.id \
             order by u.at desc limit 1) as used_from, \
             (select count(*) from notices n where n.tenant_id = a.tenant_id and n.application_id = a.id \
             and n.dismissed_at is null) as notices \
             from applications a where a.tenant_id = $1 \
             and ($3 is null or a.name_key like $3 escape '!' or lower(a.client_id) like $3 escape '!' \
             or lower(coalesce(a.owner, '')) like $3 escape '!') \
             and ($4 is null or a.access_level_id = $4) \
             and ($5 is null or a.enabled = ($5 = 1)) \
             and ($6 is null or (a.expires_at is not null and a.expires_at <= $2) = ($6 = 1)) ",
            $rest
        )
    };
}

const BY_NAME: &str = list!("and a.name_key > $8 order by a.name_key limit $7");
const NEWEST: &str = list!("and a.id < $8 order by a.id desc limit $7");
const OLDEST: &str = list!("and a.id > $8 order by a.id limit $7");
const BY_END: &str = list!(
    "and (coalesce(a.expires_at, 9223372036854775807), a.id) > ($8, $9) \
     order by coalesce(a.expires_at, 9223372036854775807), a.id limit $7"
);
const BY_LAST_USE: &str = list!(
    "and a.id in (select u.application_id from secret_uses u where u.tenant_id = $1) \
     and ((select max(u.at) from secret_uses u where u.tenant_id = a.tenant_id and u.application_id = a.id), a.id) < ($8, $9) \
     order by (select max(u.at) from secret_uses u where u.tenant_id = a.tenant_id and u.application_id = a.id) desc, \
     a.id desc limit $7"
);
const NEVER_USED: &str = list!(
    "and a.id < $8 and not exists (select 1 from secret_uses u where u.tenant_id = a.tenant_id and u.application_id = a.id) \
     order by a.id desc limit $7"
);

/// Behind every text of the store.
const LAST: &str = "\u{10ffff}";
/// What stands before the position among those that were never used.
const NEVER: &str = "never|";

impl ListedApplication {
    /// Where it stands in a list of that order.
    pub fn position(&self, order: ApplicationOrder) -> String {
        let id = self.application.id;
        match order {
            ApplicationOrder::Name => key_of(&self.application.name),
            ApplicationOrder::Newest | ApplicationOrder::Oldest => id.to_string(),
            ApplicationOrder::Ends => {
                format!("{}|{id}", self.application.expires_at.map_or(i64::MAX, Timestamp::micros))
            }
            ApplicationOrder::LastUsed => match self.used_at {
                Some(at) => format!("{}|{id}", at.micros()),
                None => format!("{NEVER}{id}"),
            },
        }
    }
}

/// A text as a pattern that finds it anywhere.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for letter in key_of(text).chars() {
        if matches!(letter, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(letter);
    }
    pattern.push('%');
    pattern
}

fn numbered(position: &str) -> Result<(i64, String)> {
    let parts = position.split_once('|').and_then(|(number, id)| Some((number.parse().ok()?, id.to_owned())));
    parts.ok_or_else(|| Error::invalid("cursor", "not a cursor of this list", "begin at the first page"))
}

impl Store {
    /// How many applications a tenant has.
    pub async fn count_applications(&self, tenant: TenantId) -> Result<i64> {
        let found: Option<(i64,)> =
            self.optional("select count(*) from applications where tenant_id = $1", args![tenant]).await?;
        Ok(found.map_or(0, |(count,)| count))
    }

    /// The applications of a tenant that are wanted, with `now` deciding what has ended; positions are those of
    /// [`ListedApplication::position`].
    pub async fn list_applications_by(
        &self,
        tenant: TenantId,
        filter: &ApplicationFilter,
        order: ApplicationOrder,
        now: Timestamp,
        page: &PageRequest,
    ) -> Result<Vec<ListedApplication>> {
        let (enabled, ended) = match filter.state {
            None => (None, None),
            Some(ApplicationState::Active) => (Some(1), Some(0)),
            Some(ApplicationState::Disabled) => (Some(0), None),
            Some(ApplicationState::Ended) => (None, Some(1)),
        };
        let text = filter.text.as_deref().map(pattern);
        let level = filter.level.map(|level| level.to_string());
        let values = |limit: i64| args![tenant, now, text.clone(), level.clone(), enabled, ended, limit];
        let after = page.after.as_deref();
        let mut values_of_page = values(page.fetch());
        let statement = match order {
            ApplicationOrder::Name => {
                values_of_page.extend(args![after.unwrap_or("")]);
                BY_NAME
            }
            ApplicationOrder::Newest => {
                values_of_page.extend(args![after.unwrap_or(LAST)]);
                NEWEST
            }
            ApplicationOrder::Oldest => {
                values_of_page.extend(args![after.unwrap_or("")]);
                OLDEST
            }
            ApplicationOrder::Ends => {
                let (end, id) = after.map_or_else(|| Ok((i64::MIN, String::new())), numbered)?;
                values_of_page.extend(args![end, id]);
                BY_END
            }
            ApplicationOrder::LastUsed => {
                let never = after.and_then(|after| after.strip_prefix(NEVER));
                let mut found: Vec<ListedRow> = Vec::new();
                if never.is_none() {
                    let (at, id) = after.map_or_else(|| Ok((i64::MAX, LAST.to_owned())), numbered)?;
                    values_of_page.extend(args![at, id]);
                    found = self.all(BY_LAST_USE, values_of_page).await?;
                }
                let left = page.fetch() - i64::try_from(found.len()).unwrap_or(i64::MAX);
                if left > 0 {
                    let mut values_of_rest = values(left);
                    values_of_rest.extend(args![never.unwrap_or(LAST)]);
                    let rest: Vec<ListedRow> = self.all(NEVER_USED, values_of_rest).await?;
                    found.extend(rest);
                }
                return found.into_iter().map(ListedRow::read).collect();
            }
        };
        let found: Vec<ListedRow> = self.all(statement, values_of_page).await?;
        found.into_iter().map(ListedRow::read).collect()
    }
}
