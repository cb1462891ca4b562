//! Many applications at once: which of them are meant, and what is done to them.

use crate::id::{AccessLevelId, ApplicationId};
use crate::name::{NAME_MAX, parse_owner, parse_text};
use crate::time::Timestamp;
use crate::{Error, Result};

/// Most applications that one call deals with.
pub const BULK_MAX: usize = 5_000;
/// Most ids of a filter.
pub const IDS_MAX: usize = 1_000;
/// Longest time of disuse in days.
pub const UNUSED_DAYS_MAX: i64 = 3_650;

const DAY_SECONDS: i64 = 86_400;

/// Which applications of a tenant are meant: those that fit every part that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// This owner; `Some(None)` is no owner.
    pub owner: Option<Option<String>>,
    /// Rights from this access level.
    pub access_level_id: Option<AccessLevelId>,
    /// Not called for so many days, and as old as that.
    pub unused_days: Option<i64>,
    /// A name that begins so, letter by letter.
    pub name_prefix: Option<String>,
    /// Made before.
    pub created_before: Option<Timestamp>,
    /// One of these.
    pub ids: Option<Vec<ApplicationId>>,
}

impl Filter {
    /// Accepts a filter at `pointer`. One without any part is refused: it would mean everything.
    pub fn check(self, pointer: &str) -> Result<Self> {
        if self == Self::default() {
            let fix = "give one or more of owner, access_level_id, unused_days, name_prefix, created_before and ids";
            return Err(Error::invalid(pointer, "the filter is empty and would mean every application", fix));
        }
        if let Some(Some(owner)) = &self.owner {
            parse_owner(&format!("{pointer}/owner"), owner)?;
        }
        if let Some(days) = self.unused_days.filter(|days| !(1..=UNUSED_DAYS_MAX).contains(days)) {
            let pointer = format!("{pointer}/unused_days");
            return Err(Error::invalid(&pointer, format!("{days} days"), format!("give 1 to {UNUSED_DAYS_MAX}")));
        }
        if let Some(prefix) = &self.name_prefix {
            let pointer = format!("{pointer}/name_prefix");
            parse_text(&pointer, prefix, NAME_MAX)?;
            if prefix.is_empty() {
                return Err(Error::invalid(&pointer, "every name begins so", "give at least one character"));
            }
        }
        if let Some(ids) = self.ids.as_ref().filter(|ids| ids.is_empty() || ids.len() > IDS_MAX) {
            let pointer = format!("{pointer}/ids");
            return Err(Error::invalid(&pointer, format!("{} ids", ids.len()), format!("give 1 to {IDS_MAX}")));
        }
        Ok(self)
    }

    /// Since when those that fit have not been called.
    pub fn unused_since(&self, now: Timestamp) -> Option<Timestamp> {
        self.unused_days.map(|days| now.plus_seconds(-days * DAY_SECONDS))
    }
}

/// Accepts the owner before a transfer at `pointer`: it must be given, and `null` is no owner.
pub fn parse_from_owner(pointer: &str, owner: Option<Option<String>>) -> Result<Option<String>> {
    match owner {
        Some(Some(owner)) => parse_owner(pointer, &owner).map(Some),
        Some(None) => Ok(None),
        None => Err(Error::invalid(pointer, "the member is missing", "give the owner before, or null for none")),
    }
}

/// How applications are revoked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Revocation {
    /// They are disabled, and can be enabled again.
    Disable,
    /// Their secrets are deleted.
    DeleteSecrets,
}

impl Revocation {
    /// The word on the wire and in the record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::DeleteSecrets => "delete_secrets",
        }
    }
}

/// Whether a bulk change is done, and to how many it is expected to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resolve {
    /// Only asked.
    DryRun,
    /// Done, if it comes to so many.
    Expecting(usize),
}

impl Resolve {
    /// Accepts what a body says of it: what is not expressly meant is only asked.
    pub fn parse(dry_run: Option<bool>, expected_count: Option<i64>) -> Result<Self> {
        let fix = "repeat the dry run and give its count";
        match (dry_run.unwrap_or(true), expected_count) {
            (true, _) => Ok(Self::DryRun),
            (false, None) => Err(Error::invalid("/expected_count", "the member is missing", fix)),
            (false, Some(count)) => usize::try_from(count)
                .map(Self::Expecting)
                .map_err(|_| Error::invalid("/expected_count", format!("{count} applications"), fix)),
        }
    }

    /// Refuses where it comes to another number than expected, or to more than one call deals with.
    pub fn check(self, count: usize) -> Result<()> {
        if count > BULK_MAX {
            let detail = format!("more than {BULK_MAX} applications fit; narrow the filter");
            return Err(Error::conflict("too_many_applications", detail));
        }
        match self {
            Self::Expecting(expected) if expected != count => {
                let detail = format!("{count} applications fit, not {expected}; repeat the dry run and look at them");
                Err(Error::conflict("count_differs", detail))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(filter: Filter) -> String {
        match filter.check("/filter") {
            Err(Error::Invalid(fields)) => fields.into_iter().map(|field| field.pointer).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn an_empty_filter_means_nothing() {
        assert_eq!(refused(Filter::default()), "/filter");
        assert!(Filter { owner: Some(None), ..Filter::default() }.check("").is_ok());
    }

    #[test]
    fn parts_have_bounds() {
        let none = Filter::default;
        assert_eq!(refused(Filter { unused_days: Some(0), ..none() }), "/filter/unused_days");
        assert_eq!(refused(Filter { unused_days: Some(i64::MAX), ..none() }), "/filter/unused_days");
        assert_eq!(refused(Filter { name_prefix: Some(String::new()), ..none() }), "/filter/name_prefix");
        assert_eq!(refused(Filter { name_prefix: Some("x".repeat(129)), ..none() }), "/filter/name_prefix");
        assert_eq!(refused(Filter { ids: Some(Vec::new()), ..none() }), "/filter/ids");
        assert_eq!(refused(Filter { owner: Some(Some("x".into())), ..none() }), "/filter/owner");
        let days = Filter { unused_days: Some(2), ..none() }.check("").unwrap();
        assert_eq!(days.unused_since(Timestamp::from_micros(0)), Some(Timestamp::from_micros(-172_800_000_000)));
    }

    #[test]
    fn what_is_not_expressly_meant_is_only_asked() {
        assert_eq!(Resolve::parse(None, None).unwrap(), Resolve::DryRun);
        assert_eq!(Resolve::parse(None, Some(3)).unwrap(), Resolve::DryRun);
        assert_eq!(Resolve::parse(Some(false), Some(3)).unwrap(), Resolve::Expecting(3));
        assert!(Resolve::parse(Some(false), None).is_err() && Resolve::parse(Some(false), Some(-1)).is_err());
        assert!(Resolve::Expecting(3).check(3).is_ok() && Resolve::Expecting(3).check(4).is_err());
        assert!(Resolve::DryRun.check(BULK_MAX).is_ok() && Resolve::DryRun.check(BULK_MAX + 1).is_err());
    }
}
