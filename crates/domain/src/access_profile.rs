//! Access profiles: access levels that a user holds under conditions, and only while these hold. What a profile says narrows;
//! nothing in it widens what its levels grant.

use crate::application::Reach;
use crate::id::{AccessLevelId, AccessProfileId};
use crate::network::Network;
use crate::time::Timestamp;
use crate::user::ROLES_MAX;
use crate::{Error, Result};
use std::net::IpAddr;

/// Most profiles of one user.
pub const PROFILES_MAX: usize = 50;

/// When a profile counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// From where; none for anywhere. From an empty list nobody comes.
    pub networks: Option<Vec<Network>>,
    /// Until when; none for ever.
    pub expires_at: Option<Timestamp>,
    /// Whether it is switched off.
    pub disabled: bool,
}

impl Conditions {
    /// Whether they hold for somebody who comes from `address` at `now`. An address that is not known is in no network.
    pub fn hold(&self, now: Timestamp, address: Option<IpAddr>) -> bool {
        let from_here = |networks: &Vec<Network>| {
            address.is_some_and(|address| networks.iter().any(|network| network.contains(address)))
        };
        !self.disabled && self.expires_at.is_none_or(|end| now < end) && self.networks.as_ref().is_none_or(from_here)
    }
}

/// A profile as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessProfile {
    /// Id.
    pub id: AccessProfileId,
    /// How far it reaches.
    pub reach: Reach,
    /// Its access levels, by id.
    pub roles: Vec<AccessLevelId>,
    /// When it counts.
    pub conditions: Conditions,
}

/// Who gave a user its access, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantStamp {
    /// Who began it.
    pub created_by: String,
    /// Who changed it last.
    pub updated_by: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// Accepts the profiles of one user at `pointer`. All reach equally far: a person who calls has one reach, and whoever had a
/// profile for the tenant alone beside one for what is beneath it would have more than either says.
pub fn check_profiles(pointer: &str, profiles: &[AccessProfile]) -> Result<()> {
    if profiles.len() > PROFILES_MAX {
        let message = format!("{} profiles", profiles.len());
        return Err(Error::invalid(pointer, message, format!("give at most {PROFILES_MAX}")));
    }
    for (index, profile) in profiles.iter().enumerate() {
        let at = format!("{pointer}/{index}");
        if profile.roles.is_empty() {
            return Err(Error::invalid(&at, "the profile has no role", "name at least one"));
        }
        if profile.roles.len() > ROLES_MAX {
            let message = format!("the profile has {} roles", profile.roles.len());
            return Err(Error::invalid(&at, message, format!("give at most {ROLES_MAX}")));
        }
    }
    let mut reaches = profiles.iter().map(|profile| profile.reach);
    if let Some(first) = reaches.next()
        && reaches.any(|reach| reach != first)
    {
        let fix = "give all profiles of a user the same organizations; somebody who needs both gets two users";
        return Err(Error::invalid(pointer, "the profiles do not reach equally far", fix));
    }
    Ok(())
}

/// How far somebody reaches whose profiles these are, where `own` is what is said of the user: the nearest of all.
pub fn narrowest_reach<'a>(own: Reach, profiles: impl IntoIterator<Item = &'a Reach>) -> Reach {
    match profiles.into_iter().any(|reach| *reach == Reach::Own) {
        true => Reach::Own,
        false => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn conditions(networks: Option<&[&str]>, expires_at: Option<i64>, disabled: bool) -> Conditions {
        let parse = |texts: &[&str]| texts.iter().map(|text| Network::parse("", text).unwrap()).collect();
        Conditions { networks: networks.map(parse), expires_at: expires_at.map(Timestamp::from_micros), disabled }
    }

    fn profile(reach: Reach, roles: usize) -> AccessProfile {
        let roles = (0..roles as u128).map(AccessLevelId::from_u128).collect();
        AccessProfile { id: AccessProfileId::from_u128(1), reach, roles, conditions: Conditions::default() }
    }

    #[test]
    fn every_condition_must_hold() {
        let here = Some("192.0.2.7".parse().unwrap());
        let now = Timestamp::from_micros(10);
        assert!(Conditions::default().hold(now, None));
        assert!(conditions(Some(&["192.0.2.0/24"]), Some(11), false).hold(now, here));
        assert!(!conditions(Some(&["192.0.2.0/24"]), Some(10), false).hold(now, here), "its end does not belong to it");
        assert!(!conditions(Some(&["192.0.2.0/24"]), None, true).hold(now, here));
        assert!(!conditions(Some(&["198.51.100.0/24"]), None, false).hold(now, here));
        assert!(!conditions(Some(&["0.0.0.0/0", "::/0"]), None, false).hold(now, None), "from nowhere known");
        assert!(!conditions(Some(&[]), None, false).hold(now, here));
        let mapped = Some("::ffff:192.0.2.7".parse().unwrap());
        assert!(conditions(Some(&["192.0.2.0/24"]), None, false).hold(now, mapped));
    }

    #[test]
    fn profiles_are_bounded_and_reach_equally_far() {
        assert!(check_profiles("/profiles", &[]).is_ok());
        assert!(check_profiles("/profiles", &[profile(Reach::Own, 1), profile(Reach::Own, 2)]).is_ok());
        assert!(check_profiles("/profiles", &[profile(Reach::Own, 1), profile(Reach::Beneath, 1)]).is_err());
        assert!(check_profiles("/profiles", &[profile(Reach::Own, 0)]).is_err());
        assert!(check_profiles("/profiles", &[profile(Reach::Own, ROLES_MAX + 1)]).is_err());
        assert!(check_profiles("/profiles", &vec![profile(Reach::Own, 1); PROFILES_MAX + 1]).is_err());
        assert_eq!(narrowest_reach(Reach::Beneath, &[Reach::Beneath]), Reach::Beneath);
        assert_eq!(narrowest_reach(Reach::Beneath, &[Reach::Own]), Reach::Own);
        assert_eq!(narrowest_reach(Reach::Own, &[Reach::Beneath]), Reach::Own);
        assert_eq!(narrowest_reach(Reach::Beneath, &[]), Reach::Beneath);
    }

    proptest! {
        #[test]
        fn a_further_condition_never_lets_in(now in 0_i64..100, end in proptest::option::of(0_i64..100), off: bool, host: u8) {
            let (now, address) = (Timestamp::from_micros(now), Some(IpAddr::from([192, 0, 2, host])));
            let wide = conditions(None, end, off);
            let narrow = conditions(Some(&["192.0.2.0/25"]), end, off);
            prop_assert!(!narrow.hold(now, address) || wide.hold(now, address));
            prop_assert!(!wide.hold(now, address) || conditions(None, None, false).hold(now, address));
        }
    }
}
