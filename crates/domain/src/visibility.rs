//! Secret visibility: whether a tenant's administrators may read a secret again, and the way there is no way back from.
//!
//! A tenant shows secrets once unless an operator makes it a retaining one. Removing turns it into show-once for ever: it
//! goes through *removing*, in which nothing is kept or read any more while what was kept is being destroyed.

use crate::tenant::Kind;
use crate::time::Timestamp;
use crate::{Error, Result};

/// What becomes of the text of a new secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Visibility {
    /// It is shown once and kept nowhere.
    ShowOnce,
    /// It is kept sealed besides, and can be read again.
    Retaining,
}

impl Visibility {
    /// The word on the wire and in signed heads.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ShowOnce => "show_once",
            Self::Retaining => "retaining",
        }
    }

    /// The visibility that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::ShowOnce, Self::Retaining].into_iter().find(|visibility| visibility.as_str() == text)
    }
}

/// Where a tenant stands that has been more than a tenant which shows once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Stage {
    /// Texts are kept and can be read.
    Retaining,
    /// Texts are neither kept nor read; those that were kept are being destroyed.
    Removing,
    /// Texts are neither kept nor read, for ever, and none is left.
    Removed,
}

impl Stage {
    /// The word in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retaining => "retaining",
            Self::Removing => "removing",
            Self::Removed => "removed",
        }
    }

    /// The stage that a word names.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Retaining, Self::Removing, Self::Removed].into_iter().find(|stage| stage.as_str() == text)
    }

    /// What it means for secrets.
    pub const fn visibility(self) -> Visibility {
        match self {
            Self::Retaining => Visibility::Retaining,
            Self::Removing | Self::Removed => Visibility::ShowOnce,
        }
    }
}

/// A tenant's visibility as it is stored. A tenant without one shows secrets once, and has always done so.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VisibilityState {
    /// Where it stands.
    pub stage: Stage,
    /// Since when.
    pub since: Timestamp,
}

/// Whether a tenant at `stage` still has to be made retaining; refused for one that was made show-once for ever.
pub fn check_retaining(stage: Option<Stage>) -> Result<bool> {
    match stage {
        None => Ok(true),
        Some(Stage::Retaining) => Ok(false),
        Some(Stage::Removing | Stage::Removed) => Err(made_final()),
    }
}

/// Whether a tenant at `stage` still has to be made show-once for ever.
pub fn check_removal(stage: Option<Stage>) -> bool {
    matches!(stage, None | Some(Stage::Retaining))
}

/// Refuses a removal, which nothing undoes, without a word that says it is meant.
pub fn check_confirmed(confirm: bool) -> Result<()> {
    if confirm {
        return Ok(());
    }
    Err(Error::invalid(
        "/confirm",
        "the texts of all secrets would be destroyed, and the tenant would show secrets once for ever",
        "repeat the request with \"confirm\": true if that is meant; the secrets themselves go on working",
    ))
}

/// Refuses to read a text where the tenant does not retain any.
pub fn check_readable(stage: Option<Stage>) -> Result<()> {
    match stage {
        Some(Stage::Retaining) => Ok(()),
        Some(Stage::Removing | Stage::Removed) => Err(made_final()),
        None => Err(Error::conflict(
            "secrets_shown_once",
            "the tenant shows a secret once, when it is made; regenerate or rotate it for a new one",
        )),
    }
}

/// Refuses a partner the texts of the tenants beneath it: it runs them, and does not call as their integrations do.
pub fn check_reader(reader: Kind, is_own_tenant: bool) -> Result<()> {
    if reader != Kind::Partner || is_own_tenant {
        return Ok(());
    }
    let detail = "a partner cannot read the secrets of the tenants beneath it; rotate or regenerate one where a new one is \
                  needed";
    Err(Error::Forbidden { missing: None, detail: detail.into() })
}

/// What everybody is told who would have a tenant retain or show what it has destroyed.
pub fn made_final() -> Error {
    let detail = "the texts of this tenant's secrets were removed, and it shows secrets once for ever; nothing turns that \
                  back. Regenerate or rotate a secret for a new one";
    Error::conflict("secret_visibility_final", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_name_what_they_came_from() {
        for stage in [Stage::Retaining, Stage::Removing, Stage::Removed] {
            assert_eq!(Stage::parse(stage.as_str()), Some(stage));
        }
        for visibility in [Visibility::ShowOnce, Visibility::Retaining] {
            assert_eq!(Visibility::parse(visibility.as_str()), Some(visibility));
        }
        assert_eq!((Stage::parse("show_once"), Visibility::parse("removed")), (None, None));
    }

    #[test]
    fn partners_read_their_own_alone() {
        assert!(check_reader(Kind::Partner, false).is_err() && check_reader(Kind::Partner, true).is_ok());
        assert!(check_reader(Kind::Operator, false).is_ok() && check_reader(Kind::Organization, false).is_ok());
    }

    #[test]
    fn a_removal_is_meant() {
        assert!(check_confirmed(true).is_ok());
        assert!(matches!(check_confirmed(false), Err(Error::Invalid(fields)) if fields[0].pointer == "/confirm"));
    }

    proptest! {
        /// Whatever is asked for in whatever order, after a removal nothing is kept and nothing is read.
        #[test]
        fn there_is_no_way_back(wishes in proptest::collection::vec(0..3_u8, 1..40)) {
            let (mut stage, mut removed) = (None, false);
            for wish in wishes {
                match wish {
                    0 => match check_retaining(stage) {
                        Ok(due) => {
                            prop_assert!(!removed);
                            prop_assert_eq!(due, stage.is_none());
                            stage = Some(Stage::Retaining);
                        }
                        Err(_) => prop_assert!(removed),
                    },
                    1 => {
                        if check_removal(stage) {
                            stage = Some(Stage::Removing);
                        }
                        removed = true;
                    }
                    _ if stage == Some(Stage::Removing) => stage = Some(Stage::Removed),
                    _ => {}
                }
                prop_assert_eq!(check_readable(stage).is_ok(), stage == Some(Stage::Retaining));
                prop_assert!(!removed || check_readable(stage).is_err());
                prop_assert!(!removed || stage.is_some_and(|stage| stage.visibility() == Visibility::ShowOnce));
            }
        }
    }
}
