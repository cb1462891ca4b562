//! The first person of the operator: nobody could invite them, so the server prints a link, which is used once.

use crate::App;
use crate::unit::to_the_end;
use claviger_domain::address::Origin;
use claviger_domain::application::Reach;
use claviger_domain::audit::{Actor, NewEntry};
use claviger_domain::id::UserId;
use claviger_domain::password::Password;
use claviger_domain::time::Timestamp;
use claviger_domain::user::{Email, NewUser, Status, User};
use claviger_domain::user_session::{Cookie, PlainCookie, recognise};
use claviger_domain::{Error, Result};
use claviger_store::journal::JournalEntry;
use serde_json::json;
use std::sync::Arc;

/// How long the link of a first start can be used, in seconds.
pub const FIRST_START_SECONDS: i64 = 86_400;
/// How long the link of a demo can be used, in seconds.
pub const DEMO_SECONDS: i64 = 600;

/// The link, which exists nowhere else.
#[derive(Debug)]
pub struct FirstPersonLink {
    /// What lets the first person in.
    pub token: PlainCookie,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Who comes in first.
#[derive(Debug)]
pub struct FirstPerson {
    /// What it will sign in with.
    pub email: Email,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Password.
    pub password: Password,
    /// From where.
    pub origin: Origin,
    /// The request, as the audit record names it.
    pub request: (String, String),
}

impl App {
    /// Makes the link for so many seconds, in place of the one before; none where the operator has people.
    pub async fn create_first_person_link(&self, seconds: i64) -> Result<Option<FirstPersonLink>> {
        let Some(operator) = self.state.operator.get().copied() else { return Ok(None) };
        let token = PlainCookie::mint(Cookie::FirstPerson, self.state.random.bytes()?);
        let expires_at = self.state.shared_now().plus_seconds(seconds);
        let mut tx = self.state.store.begin().await?;
        if tx.count_users(operator).await? > 0 {
            return Ok(None);
        }
        tx.put_first_person_link(&token.hash(), expires_at).await?;
        tx.commit().await?;
        Ok(Some(FirstPersonLink { token, expires_at }))
    }

    /// Uses the link: makes the first person of the operator, who holds Super Admin and can sign in when this returns.
    pub async fn accept_first_person(self: &Arc<Self>, token: &str, first: FirstPerson) -> Result<()> {
        let state = &self.state;
        state.nodes.may_answer(state.clock.boot(state.clock.monotonic()))?;
        let token = recognise(Cookie::FirstPerson, token).ok_or_else(invalid)?;
        let operator = state.operator.get().copied().ok_or_else(invalid)?;
        self.check_new_password("/password", operator, first.email.as_str(), &first.password).await?;
        let hash = state.passwords.hash(&first.password).await?.to_string();
        let app = Arc::clone(self);
        to_the_end(async move {
            let state = &app.state;
            let mut tx = state.store.begin().await?;
            tx.lock_tenant(operator).await?;
            let (now, at) = (state.shared_now(), state.clock.now());
            let until = tx.use_first_person_link(&token).await?;
            if until.is_none_or(|until| until <= now) || tx.count_users(operator).await? > 0 {
                return Err(invalid());
            }
            let id = UserId::new(at, state.random.bytes()?);
            let new = NewUser {
                email: first.email,
                first_name: first.first_name,
                last_name: first.last_name,
                phone: String::new(),
                reach: Reach::Beneath,
                roles: vec![state.owner_level()?.id],
            };
            let user = new.into_user(operator, id, tx.next_user_number().await?, at);
            let user = User { status: Status::Active, activated_at: Some(now), ..user };
            tx.insert_user(operator, &user).await?;
            tx.put_user_password(operator, id, Some(&hash), Some(now)).await?;
            let (request_id, request) = first.request;
            let entry = NewEntry {
                at,
                actor: Actor { kind: "user", id: id.to_string(), tenant_id: Some(operator) },
                action: "user.first_person_made",
                target: crate::users::target(&user),
                address: first.origin.address(),
                request_id,
                request,
                details: state.describe_user(&user),
            };
            let body = json!({
                "target": { "kind": entry.target.kind, "id": entry.target.id, "name": entry.target.name },
                "actor": entry.actor.id,
                "details": entry.details,
            });
            let journal = JournalEntry { kind: entry.action.to_owned(), body };
            tx.append_journal(operator, at, &[journal]).await?;
            tx.append_audit(operator, &entry).await?;
            tx.commit().await
        })
        .await
    }
}

fn invalid() -> Error {
    let detail = "the link was used, or is too old, or the operator has people already";
    Error::conflict("first_person_link_invalid", detail)
}
