//! The stable codes of problem documents, each with a page of its own.

use crate::kit::{Failure, Path};
use axum::body::Body;
use axum::response::Response;
use claviger_domain::Error;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

/// What there is to say about a code: the code, its title, and what to do.
struct Entry(&'static str, &'static str, &'static str);

#[rustfmt::skip]
const ENTRIES: &[Entry] = &[
    Entry("access_level_built_in", "The access level comes with the server", "Built-in access levels cannot be changed or deleted. Duplicate it and change the copy."),
    Entry("access_level_in_use", "The access level is in use", "Applications have their rights from it; referrers lists them. Give them another access level first."),
    Entry("access_level_name_taken", "The name is taken", "Another access level of the tenant has this name. Names are compared without regard to case, width and surrounding blanks."),
    Entry("application_disabled", "The application is disabled", "The credential is right, but its application was disabled. An administrator of its tenant can enable it."),
    Entry("application_in_use", "The application is in use", "Something refers to it; referrers lists what. Remove that first."),
    Entry("application_limit_reached", "The tenant has as many applications as it may", "Delete one, or ask the tenant above to raise application_limit."),
    Entry("application_name_taken", "The name is taken", "Another application of the tenant has this name. Names are compared without regard to case, width and surrounding blanks."),
    Entry("body_incomplete", "The body did not arrive", "It ended early or came too slowly. Send the request again."),
    Entry("body_too_large", "The body is too large", "A body has at most one mebibyte, and an operator may have set less. Send less at once."),
    Entry("client_id_taken", "The client id is taken", "Another application of this server has this client id."),
    Entry("count_differs", "Another number of applications", "Since the dry run something has changed, so that more or fewer applications fit than expected_count says. Repeat the dry run, look at its items, and give its count."),
    Entry("credential_ambiguous", "More than one credential", "Send X-Auth-Token or Authorization, not both, and once."),
    Entry("credential_expired", "The credential has expired", "The application or the secret has reached its end: an expires_at, or the lifetime that a credential policy allows. An administrator of its tenant can set a later end or rotate the secret; effective_expires_at says when that was."),
    Entry("domain_claimed", "The domain leads elsewhere", "Addresses of a domain lead to one identity provider of the whole server. Whoever administers the one that has it, or a tenant above, takes it away there first."),
    Entry("dpop_proof_invalid", "The proof of possession is not acceptable", "The session token is bound to a key of its client. Send Authorization: DPoP with the token, and in the header DPoP a proof made just now by that key for this method, this URL and this token, each with a jti of its own (RFC 9449)."),
    Entry("dpop_proof_missing", "A proof of possession is missing", "The session token is bound to a key of its client, or its application asks for that. Send it as Authorization: DPoP with a proof in the header DPoP (RFC 9449)."),
    Entry("email_taken", "The address is taken", "Somebody signs in with this e-mail address already: an address is one person's in the whole store. Give another one."),
    Entry("export_too_large", "The export would be too large", "Export the tenants one by one, without beneath, or read the lists page by page."),
    Entry("external_id_taken", "The external id is taken", "Another tenant beneath the same parent has this external id. It may be the one you mean: GET /v1/tenants?external_id= finds it."),
    Entry("factor_limit", "The person has as many second factors as it may", "A person has ten. Remove one first."),
    Entry("first_person_link_invalid", "The link cannot be used", "It was used, or it is too old, or the operator has people already. Somebody who may make users, or the operator's first application, makes one: POST /v1/tenants/{tenant_id}/users."),
    Entry("forbidden", "Not allowed", "The credential is good but may not do this; detail says why. No single permission would change it."),
    Entry("grant_exists", "The person has a grant already", "A person has one grant. Change it: PUT /access/v2/orgs/{org_key}/grants/{principal}."),
    Entry("has_dependants", "Something depends on the user", "Applications belong to the user; referrers lists them. Name who takes them over, by successor_id."),
    Entry("headers_too_large", "The headers are too large", "Send fewer or shorter headers."),
    Entry("idempotency_key_busy", "The request is being done", "Another request with this Idempotency-Key is under way. Repeat it when that has been answered."),
    Entry("identity_provider_limit", "The tenant has as many identity providers as it may", "A tenant has 10 identity providers, each with 50 domains. Delete one, or put more domains into one."),
    Entry("identity_provider_taken", "The name of the identity provider is taken", "Names of identity providers are unique in their tenant, whatever their case. Choose another one."),
    Entry("identity_taken", "The account is somebody else", "An account at an identity provider is one user of the tenant. An administrator can have a user forget its accounts."),
    Entry("if_match_malformed", "If-Match cannot be read", "Send one entity tag exactly as ETag gave it, such as \"3\", or *."),
    Entry("instance_suspended", "The instance is suspended", "Whoever administers it from above can lift that."),
    Entry("instance_without_users", "An instance has no users", "Users belong to its organization, or to a tenant above, and reach the instance from there."),
    Entry("internal", "Internal error", "The server failed. Nothing was changed unless a later read shows otherwise. Report request_id; it finds the reason in the server's log."),
    Entry("invalid", "Invalid members", "errors names each member, parameter or header that cannot be accepted, says why, and what would be."),
    Entry("invalid_dpop_proof", "The proof of possession is not acceptable", "Send one DPoP header with a proof made just now for POST and the URL of the token endpoint, signed by EdDSA or ES256, with a jti of its own (RFC 9449, 4.2)."),
    Entry("invalid_grant", "The token or credential is not accepted", "Get a new one from its issuer, with the audience, subject and age that the trusted issuer asks for; or sign in again."),
    Entry("invalid_request", "The form cannot be read", "detail says what is wrong with its parameters. Each is given once, percent-encoded."),
    Entry("invalid_scope", "The scope cannot be granted", "Ask for rights that the application holds, such as org.audits:READ, with blanks between; or leave scope out for all of them."),
    Entry("jobs_under_way", "Too many jobs are under way", "Wait for one of the tenant's jobs to end, then start the next."),
    Entry("key_exists", "The key is registered already", "The application has this key, or another of this kid. Delete that first, or register the new one under another kid."),
    Entry("key_limit_reached", "The application has as many keys as it may", "Delete one that no client signs with any more."),
    Entry("key_type_custom", "The application has been migrated", "It was of a legacy key type and is custom now. Read it again."),
    Entry("key_type_legacy", "The key type decides the rights", "An application of a legacy key type cannot be given an access level or grants. Migrate it to custom first, with POST /v1/tenants/{tenant_id}/applications/{id}/migrate; its id and its secret stay."),
    Entry("key_type_retired", "The key type has reached its end", "Keys of the types siem, api and live_response are legacy and stop on the day that Sunset names; on that day they are refused. Migrate the application: POST /v1/tenants/{tenant_id}/applications/{id}/migrate with {\"dry_run\": true} shows the access level that it would get, with {\"dry_run\": false} it gets it. Its client id and its secret stay, so no client has to be changed; notifications and everything else that the key could do, it can do afterwards. It takes a credential with applications:UPDATE, access-levels:CREATE and the rights of the type."),
    Entry("last_factor", "The last second factor stays", "The tenant's policy, or that of one above it, asks for an authenticator or a passkey. Set up another one before you remove the last."),
    Entry("last_owner", "The last owner stays", "The tenant has people, and nobody else among them is active and holds Super Admin. Give that to somebody else first."),
    Entry("link_invalid", "The link cannot be used", "It was used, a newer one took its place, it is too old, or what it was for is no longer so. Ask for another one."),
    Entry("malformed_json", "The body is not acceptable JSON", "Send UTF-8 JSON with at most 32 levels in which no object names a member twice. detail names line and column."),
    Entry("media_type_unsupported", "The media type is not supported", "Send the body as application/json; a PATCH may also be application/merge-patch+json."),
    Entry("method_not_allowed", "The path does not take that method", "The Allow header lists the methods that it takes."),
    Entry("misdirected", "The host is none of this server's", "The operator has listed the hosts that requests may name. Call the server by its public URL."),
    Entry("no_factor", "There is no second factor", "Recovery codes stand in for an authenticator or a passkey. Set one up first."),
    Entry("not_an_instance", "The tenant is not an instance", "Only instances are on trial, so only an instance can be converted."),
    Entry("not_found", "Not found", "There is nothing there, or it belongs to a tenant out of reach: the two look alike."),
    Entry("operator_exists", "The store has its operator", "A store has one operator, made when it was set up."),
    Entry("operator_locked_out", "Nobody could come in again", "The operator forbids secrets, or is about to, and no enabled application of its own that holds credential-policy:UPDATE would be left with a public key or a binding to the tokens of a trusted issuer. Make one first."),
    Entry("org_key_taken", "The org key is taken", "Another tenant of this server has this org key. Try again."),
    Entry("own_application", "An application cannot do this to itself", "Use the credential of another application."),
    Entry("own_user", "Somebody cannot do this to themselves", "Another administrator can."),
    Entry("passkey_taken", "The passkey is registered already", "A passkey is one person's. Register another one."),
    Entry("passkeys_unavailable", "Passkeys cannot be used here", "They are bound to a host name. The operator is to set public_url to an https URL with one."),
    Entry("password_changed", "The password was changed meanwhile", "Sign in anew, and repeat the change if it is still wanted."),
    Entry("permission_missing", "A permission is missing", "The credential is good but lacks the right named by missing_permission. An administrator of its tenant can grant it."),
    Entry("precondition_failed", "The object has changed", "If-Match names another version than the stored one. Read the object again, and decide again."),
    Entry("provisioning_not_failed", "The provisioning has not failed", "Only what has failed is taken up again. Read the provisioning: it says how far it is."),
    Entry("query_malformed", "The query cannot be read", "Percent-encode each name and value as UTF-8."),
    Entry("rate_limited", "The rate limit is used up", "Wait for Retry-After seconds. Calling earlier does not lengthen the wait."),
    Entry("rights_too_young", "The rights were given lately", "What the application has not used yet it may still need. Give fewer days, or take rights away by hand."),
    Entry("root_key_mismatch", "The root key does not fit the store", "Start the server with the root key that the store was set up with."),
    Entry("second_factor_needed", "A second factor is needed", "The sign-in has not come to its end. Send the second factor to POST /v1/sign-in/second-factor."),
    Entry("second_factor_other", "Something else is asked for", "GET /v1/sign-in/second-factor says what the sign-in asks for, and what it can be answered by. A code sent by mail is never enough for somebody who has an authenticator or a passkey, and never for a proof made anew."),
    Entry("second_factor_suspended", "No second factor is looked at any more", "Twenty wrong ones came in a row, from somebody who knows the password. Set a new password by a link, or have an administrator remove the second factors."),
    Entry("second_factor_wrong", "The second factor is not right", "The code is wrong, was used before, or is too old; or the passkey's answer is none to what was asked. Each try counts: five in 15 minutes, whatever the sessions."),
    Entry("secret_claimed", "The secret was claimed", "The first secret of a provisioned tenant is shown once. Issue another one: POST /v1/tenants/{tenant_id}/applications/{id}/temporary-secret."),
    Entry("secret_in_use", "The secret is in use", "Somebody has called with it within 24 hours; detail says who. Move that client to the other secret, or repeat with force=true."),
    Entry("secret_is_temporary", "The secret is temporary", "It keeps the end it was given. Issue another one: POST /v1/tenants/{tenant_id}/applications/{id}/temporary-secret."),
    Entry("secret_lapsed", "The secret has lapsed", "The first secret of a provisioned tenant was not claimed in time, or was replaced. Issue another one: POST /v1/tenants/{tenant_id}/applications/{id}/temporary-secret."),
    Entry("secret_not_retained", "The text of the secret was not kept", "It is older than the tenant's setting to retain texts. Rotate or regenerate the secret for a new one."),
    Entry("secret_temporary", "The secret is temporary", "It can do nothing but be changed for another one: POST /app/partner/login/regen-pass with username and password."),
    Entry("secret_visibility_final", "The texts were removed for ever", "The tenant's texts of secrets were removed, and it shows secrets once; no call, right or setting turns that back. Rotate or regenerate a secret for a new one."),
    Entry("secrets_shown_once", "The tenant shows a secret once", "The text of a secret stands in the answer that makes it and is kept nowhere. Rotate or regenerate it for a new one."),
    Entry("session_ended", "The session has ended", "Sign in again."),
    Entry("sign_in_failed", "The sign-in failed", "The address or the password is wrong, or the user cannot sign in at the moment: which, is not said. After too many wrong ones no further ones are looked at for up to 15 minutes."),
    Entry("signing_key_waiting", "The next signing key is published already", "It takes over by itself; detail says when. Revoke the key that signs if that is too late."),
    Entry("sso_required", "The identity provider is required", "People with this address sign in at their organization's identity provider, and have no use for a password here: begin with POST /v1/sign-in/sso. Another address of theirs must be of a domain that leads there, too. Who may change the provider can take the requirement back."),
    Entry("static_secrets_forbidden", "Secrets are forbidden", "The credential policy of the tenant, or of one above it, forbids secrets that are stored: none is made, and those there are do not work, nor do session tokens that were got with one. Register a public key for the application, or bind it to the tokens of a trusted issuer; or have the policy changed."),
    Entry("step_up_needed", "A proof made anew is needed", "This is dangerous. Prove who you are at POST /v1/me/step-up, by your authenticator, passkey or a recovery code, or by your password where you have none of these; then call again, within ten minutes."),
    Entry("store_restored", "The store is older than what is known of it", "A backup was put back. Run claviger restore confirm on the data directory of every server, then start them."),
    Entry("tenant_deleting", "The tenant is being deleted", "It, or a tenant above it, was deleted and its grace is not over. Reactivate that one first."),
    Entry("tenant_name_taken", "The name is taken", "Another tenant beneath the same parent has this name. Names are compared without regard to case, width and surrounding blanks."),
    Entry("tenant_not_ready", "The tenant is not ready", "Its provisioning is not complete. Wait until its member provisioning is null."),
    Entry("tenant_not_suspended", "The tenant is not suspended", "Suspend it first: POST /v1/tenants/{tenant_id}/suspend. Whoever still depends on it notices, and nothing is lost."),
    Entry("tenant_suspended", "The tenant is suspended", "The credential is right, but its tenant or one above it is suspended. Whoever administers it from above can lift that."),
    Entry("text_key_missing", "The key to the kept text is lost", "The server's file of text keys is gone, and the kept text cannot be opened without it. Put a copy of the file back, or rotate or regenerate the secret."),
    Entry("texts_need_one_node", "Retained texts need one server", "Text keys are kept by one server. Let one serve the store alone while a tenant retains the texts of its secrets."),
    Entry("token_expired", "The session token has expired", "Get a new one with the application's credential."),
    Entry("token_revoked", "The session token has ended", "It was revoked, or the secret that it was got with was. Get a new one with the application's credential."),
    Entry("too_many_applications", "Too many applications at once", "One call deals with at most 5,000. Narrow the filter, for example by created_before or name_prefix, and repeat it for the rest."),
    Entry("too_many_instances", "The session reports on too many instances", "One session is authenticated for at most 10,000 instances one by one. Authenticate it for all of them at once."),
    Entry("trusted_issuer_limit", "The tenant trusts as many issuers as it may", "A tenant trusts 20 issuers, each with 50 bindings. Delete one, or put more bindings into one."),
    Entry("trusted_issuer_taken", "The name or the issuer is taken", "The tenant has a trusted issuer of this name, compared without regard to case, or trusts this issuer already. Change that one, or choose another name."),
    Entry("two_secrets_live", "Two secrets are live", "An application has two live secrets at most. Revoke the older one, or wait until its overlap is over."),
    Entry("unauthenticated", "No acceptable credential", "Send X-Auth-Token: SECRET/CLIENT_ID, Authorization: Basic with client id and secret, or Authorization: Bearer with a session token. Why a credential was refused stands in the audit record of its tenant."),
    Entry("unavailable", "Not available at the moment", "Send the same request again after Retry-After seconds."),
    Entry("url_too_long", "The URL is too long", "Send a shorter one."),
    Entry("user_limit_reached", "The tenant has as many users as it may", "Delete one, or ask the tenant above to raise user_limit."),
    Entry("user_not_invited", "The user is no longer invited", "It has a password, or is disabled. Whoever has forgotten a password asks for a new one at POST /v1/password-resets."),
    Entry("verify_malformed", "The question cannot be answered", "GET /v1/verify takes permission=NAME:VERB and tenant=ID or any, and may take status=plain. detail names what is wrong; it is the proxy's configuration that has to change."),
];

fn find(code: &str) -> Option<&'static Entry> {
    ENTRIES.iter().find(|entry| entry.0 == code)
}

/// The title of a code.
pub(crate) fn title_of(code: &str) -> &'static str {
    find(code).map_or("Refused", |entry| entry.1)
}

/// The path of a code's page.
pub(crate) fn page_of(code: &str) -> String {
    format!("/v1/problems/{code}")
}

/// Read about a problem
///
/// The page that `type` of a problem document points to. Needs no credential.
#[utoipa::path(get, path = "/v1/problems/{code}", tag = "about", params(("code" = String, Path)), security(()),
    responses((status = 200, description = "Done", body = String, content_type = "text/plain"),
        (status = 404, description = "There is no such code", body = crate::native::error::Problem<'static>, content_type = "application/problem+json")))]
pub(crate) async fn read_problem(Path(code): Path<String>) -> Result<Response, Failure> {
    let Entry(code, title, text) = find(&code).ok_or(Error::NotFound("problem"))?;
    let mut response = Response::new(Body::from(format!("{title} ({code})\n\n{text}\n")));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use claviger_domain::Refusal;
    use std::collections::BTreeSet;
    use std::path::{Path as FilePath, PathBuf};

    fn sources(folder: &FilePath, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    /// The codes that stand in production code as `conflict("…"`, `conflict_with("…"` or `code: "…"`.
    fn used() -> BTreeSet<String> {
        let crates = FilePath::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut files = Vec::new();
        for name in ["domain", "store", "app"] {
            sources(&crates.join(name).join("src"), &mut files);
        }
        sources(&crates.join("kit/src"), &mut files);
        sources(&crates.join("api/src/native"), &mut files);
        let mut codes = BTreeSet::new();
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap();
            for mark in ["conflict(", "code: "] {
                for (at, _) in text.match_indices(mark) {
                    let rest = text[at + mark.len()..].trim_start();
                    if let Some(code) = rest.strip_prefix('"').and_then(|rest| rest.split('"').next()) {
                        codes.insert(code.to_owned());
                    }
                }
            }
        }
        codes
    }

    #[test]
    fn every_code_has_a_page() {
        let mut codes = used();
        assert!(codes.len() > 15 && codes.contains("own_application"), "{codes:?}");
        for refusal in [
            Refusal::Disabled,
            Refusal::Expired,
            Refusal::TenantSuspended,
            Refusal::KeyTypeRetired,
            Refusal::SecretTemporary,
            Refusal::TokenExpired,
            Refusal::TokenRevoked,
            Refusal::ProofMissing,
            Refusal::ProofInvalid,
            Refusal::SignInFailed,
            Refusal::SessionEnded,
            Refusal::SecondFactorNeeded,
            Refusal::SecondFactorWrong,
            Refusal::SecondFactorSuspended,
            Refusal::StepUpNeeded,
        ] {
            codes.insert(refusal.code().to_owned());
        }
        let missing: Vec<_> = codes.iter().filter(|code| find(code).is_none()).collect();
        assert!(missing.is_empty(), "without a page: {missing:?}");
    }

    #[test]
    fn pages_are_sorted_and_written_out() {
        assert!(ENTRIES.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(ENTRIES.iter().all(|entry| entry.2.ends_with('.') && !entry.1.ends_with('.')));
    }
}
