//! Usage added up: by period, by application, by right.

use crate::engine::Store;
use crate::sql::{args, corrupt, id_of, row};
use claviger_domain::Result;
use claviger_domain::id::{ApplicationId, TenantId};
use claviger_domain::time::Timestamp;
use claviger_domain::usage::{Grain, Outcome};

/// Which usage is added up.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Of one application, or of all of the tenant.
    pub application: Option<ApplicationId>,
    /// From the hour that holds this time.
    pub since: Timestamp,
    /// To before this time.
    pub until: Timestamp,
}

/// Calls of a period that ended in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeriodSum {
    /// Start of the period.
    pub period: Timestamp,
    /// How they ended.
    pub outcome: Outcome,
    /// How many.
    pub count: i64,
}

/// Calls of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationSum {
    /// The application.
    pub application_id: ApplicationId,
    /// Its name; none where it is gone.
    pub name: Option<String>,
    /// Calls that were let through.
    pub allowed: i64,
    /// Calls that lacked the right.
    pub denied: i64,
    /// Calls over the rate limit.
    pub limited: i64,
    /// The last of them.
    pub last_at: Timestamp,
}

/// Calls that asked for a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RightSum {
    /// `permission:VERB`.
    pub right: String,
    /// Calls that had it.
    pub allowed: i64,
    /// Calls that lacked it.
    pub denied: i64,
    /// The last of them.
    pub last_at: Timestamp,
}

row! {
    struct PeriodRow {
        period: i64,
        outcome: String,
        calls: i64,
    }
}

row! {
    struct ApplicationRow {
        application_id: String,
        name: Option<String>,
        allowed: i64,
        denied: i64,
        limited: i64,
        last_at: i64,
    }
}

row! {
    struct RightRow {
        permission: String,
        allowed: i64,
        denied: i64,
        last_at: i64,
    }
}

impl Store {
    /// Calls by period and outcome, oldest first.
    pub async fn usage_by_period(&self, tenant: TenantId, span: &Span, grain: Grain) -> Result<Vec<PeriodSum>> {
        let found: Vec<PeriodRow> = self
            .all(
                "select hour - hour % $5 as period, outcome, cast(sum(calls) as bigint) as calls from usage_hours \
                 where tenant_id = $1 and ($2 is null or application_id = $2) and hour >= $3 and hour < $4 \
                 group by hour - hour % $5, outcome order by period, outcome",
                args![tenant, span.application, span.since.hour(), span.until, grain.micros()],
            )
            .await?;
        let read = |row: PeriodRow| {
            let outcome = Outcome::parse(&row.outcome).ok_or_else(|| corrupt("outcome", &row.outcome))?;
            Ok(PeriodSum { period: Timestamp::from_micros(row.period), outcome, count: row.calls })
        };
        found.into_iter().map(read).collect()
    }

    /// The applications that called most, so many at most.
    pub async fn usage_by_application(&self, tenant: TenantId, span: &Span, most: i64) -> Result<Vec<ApplicationSum>> {
        let found: Vec<ApplicationRow> = self
            .all(
                "select u.application_id, a.name, u.allowed, u.denied, u.limited, u.last_at from ( \
                     select application_id, \
                     cast(sum(case when outcome = 'allowed' then calls else 0 end) as bigint) as allowed, \
                     cast(sum(case when outcome = 'denied' then calls else 0 end) as bigint) as denied, \
                     cast(sum(case when outcome = 'limited' then calls else 0 end) as bigint) as limited, \
                     max(last_at) as last_at, sum(calls) as calls from usage_hours \
                     where tenant_id = $1 and ($2 is null or application_id = $2) and hour >= $3 and hour < $4 \
                     group by application_id order by sum(calls) desc, application_id limit $5 \
                 ) u left join applications a on a.tenant_id = $1 and a.id = u.application_id \
                 order by u.calls desc, u.application_id",
                args![tenant, span.application, span.since.hour(), span.until, most],
            )
            .await?;
        let read = |row: ApplicationRow| {
            Ok(ApplicationSum {
                application_id: id_of!(ApplicationId, &row.application_id)?,
                name: row.name,
                allowed: row.allowed,
                denied: row.denied,
                limited: row.limited,
                last_at: Timestamp::from_micros(row.last_at),
            })
        };
        found.into_iter().map(read).collect()
    }

    /// The rights that were asked for most, so many at most.
    pub async fn usage_by_right(&self, tenant: TenantId, span: &Span, most: i64) -> Result<Vec<RightSum>> {
        let found: Vec<RightRow> = self
            .all(
                "select permission, \
                 cast(sum(case when outcome = 'allowed' then calls else 0 end) as bigint) as allowed, \
                 cast(sum(case when outcome = 'denied' then calls else 0 end) as bigint) as denied, \
                 max(last_at) as last_at from usage_hours \
                 where tenant_id = $1 and ($2 is null or application_id = $2) and hour >= $3 and hour < $4 \
                 and permission <> '' group by permission order by sum(calls) desc, permission limit $5",
                args![tenant, span.application, span.since.hour(), span.until, most],
            )
            .await?;
        let read = |row: RightRow| RightSum {
            right: row.permission,
            allowed: row.allowed,
            denied: row.denied,
            last_at: Timestamp::from_micros(row.last_at),
        };
        Ok(found.into_iter().map(read).collect())
    }
}
