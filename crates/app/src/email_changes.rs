//! Another address to sign in with: it counts once it is confirmed by a link that was sent there, and both addresses are told.

use crate::App;
use crate::caller::Caller;
use crate::deeds::Visit;
use crate::revocations::PersonChange;
use crate::sso::stays_with_provider;
use crate::unit::{NO_RIGHT, Needs};
use claviger_domain::factor::MAILS_EACH;
use claviger_domain::letters::{self, Addressee, News};
use claviger_domain::time::Timestamp;
use claviger_domain::user::{Email, User};
use claviger_domain::user_link::LinkKind;
use claviger_domain::{Error, Result};
use serde_json::{Map, json};
use std::sync::Arc;

impl App {
    /// Asks that another address be the one to sign in with: it counts once it is confirmed from there, and until then the one before
    /// does. Until when it can be confirmed.
    pub async fn request_email_change(
        self: &Arc<Self>,
        caller: &Caller,
        email: Email,
        visit: &Visit,
    ) -> Result<Timestamp> {
        let me = self.person(caller)?;
        caller.must_step_up()?;
        if !self.may_be_mailed(&email.key(), visit).await? {
            return Err(crate::second_factors::limited(MAILS_EACH, None));
        }
        let (tenant, id) = (me.tenant.id, me.id);
        self.unit(caller, Needs { tenant, right: NO_RIGHT }, move |unit| {
            Box::pin(async move {
                let user = unit.tx.find_user(tenant, id).await?.ok_or(Error::NotFound("user"))?;
                if user.email == email.as_str() {
                    let fix = "give another address";
                    return Err(Error::invalid("/email", "this is the address you sign in with", fix));
                }
                stays_with_provider(&mut unit.tx, tenant, &user.email, email.as_str()).await?;
                let (app, now) = (Arc::clone(&unit.app), unit.app.state.shared_now());
                let (mail, expires_at) =
                    app.state.make_link(&mut unit.tx, &user, LinkKind::EmailChange, email.as_str(), now).await?;
                unit.mail(mail);
                let to = Addressee { email: &user.email, name: &user.display_name() };
                unit.mail(letters::news(to, News::EmailChangeAsked(email.as_str()), now)?);
                let details = Map::from_iter([("email".to_owned(), json!(email.as_str()))]);
                unit.record("user.email_change_requested", crate::users::target(&user), details);
                Ok(expires_at)
            })
        })
        .await
    }

    /// Confirms another address by the link that was sent there.
    pub async fn confirm_email_change(self: &Arc<Self>, token: &str, visit: &Visit) -> Result<()> {
        let (link, _, token) = self.find_link(LinkKind::EmailChange, token).await?;
        let (tenant, id) = (link.tenant, link.user);
        self.deed((tenant, id), visit, move |deed| {
            Box::pin(async move {
                let before = deed.use_link(&link, &token).await?;
                stays_with_provider(&mut deed.tx, tenant, &before.email, &link.email).await?;
                let now = deed.now;
                let after =
                    User { email: link.email.clone(), version: before.version + 1, updated_at: now, ..before.clone() };
                deed.tx.update_user(tenant, &after).await?;
                deed.tx.delete_user_links(tenant, id).await?;
                for email in [&before.email, &after.email] {
                    let to = Addressee { email, name: &after.display_name() };
                    deed.mail(letters::news(to, News::EmailChanged(&after.email), now)?);
                }
                let details = Map::from_iter([
                    ("before".to_owned(), json!(before.email)),
                    ("after".to_owned(), json!(after.email)),
                ]);
                deed.affects(PersonChange::Narrowed);
                deed.record("user.email_changed", &after.display_name(), details);
                Ok(())
            })
        })
        .await
    }
}
