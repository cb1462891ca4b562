//! Which path leads to which handler; the OpenAPI document is made of the same list.

use crate::kit::cookies::PeopleToo;
use crate::kit::{Api, fallback, framed, method_fallback};
use crate::native::{
    Native, access_levels, access_profiles, access_record, applications, audit, bulk, catalogue, configuration,
    credential_policy, endpoints, export, factors, findings, first_person, identity_providers, import, key_types,
    leaks, me, migration, nodes, notices, openapi as document, problems, provisionings, public_keys, purge_receipts,
    rotation, second_factor, secrets, sessions, sign_in, signing_keys, simulations, sso, temporary, tenants,
    trusted_issuers, usage, user_links, users, verify, visibility, whoami,
};
use axum::{Extension, Router};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Routes with a frame: their refusals are rendered on the way out.
fn framed_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(document::base())
        .routes(routes!(tenants::create_tenant, tenants::list_tenants))
        .routes(routes!(tenants::read_tenant, tenants::update_tenant, tenants::delete_tenant))
        .routes(routes!(tenants::suspend_tenant))
        .routes(routes!(tenants::reactivate_tenant))
        .routes(routes!(tenants::convert_tenant))
        .routes(routes!(endpoints::report_endpoints, endpoints::read_endpoints))
        .routes(routes!(endpoints::list_utilization))
        .routes(routes!(provisionings::provision_tenant, provisionings::list_provisionings))
        .routes(routes!(provisionings::read_provisioning))
        .routes(routes!(provisionings::claim_first_secret))
        .routes(routes!(purge_receipts::list_purge_receipts))
        .routes(routes!(access_levels::create_access_level, access_levels::list_access_levels))
        .routes(routes!(access_levels::import_access_level))
        .routes(routes!(
            access_levels::read_access_level,
            access_levels::update_access_level,
            access_levels::delete_access_level
        ))
        .routes(routes!(access_levels::duplicate_access_level))
        .routes(routes!(access_levels::export_access_level))
        .routes(routes!(applications::create_application, applications::list_applications))
        .routes(routes!(
            applications::read_application,
            applications::update_application,
            applications::delete_application
        ))
        .routes(routes!(import::import_applications))
        .routes(routes!(bulk::revoke_applications))
        .routes(routes!(bulk::transfer_applications))
        .routes(routes!(export::export_tenant))
        .routes(routes!(configuration::read_configuration))
        .routes(routes!(secrets::list_secrets))
        .routes(routes!(secrets::regenerate_secret))
        .routes(routes!(rotation::rotate_secret))
        .routes(routes!(temporary::issue_temporary_secret))
        .routes(routes!(simulations::simulate))
        .routes(routes!(secrets::revoke_secret, secrets::update_secret))
        .routes(routes!(public_keys::register_public_key, public_keys::list_public_keys))
        .routes(routes!(public_keys::delete_public_key))
        .routes(routes!(visibility::read_secret_visibility, visibility::update_secret_visibility))
        .routes(routes!(visibility::read_secret_text))
        .routes(routes!(key_types::read_legacy_key_types, key_types::update_legacy_key_types))
        .routes(routes!(key_types::list_legacy_applications))
        .routes(routes!(migration::migrate_application))
        .routes(routes!(usage::read_application_usage))
        .routes(routes!(usage::list_usage))
        .routes(routes!(leaks::report_leaks))
        .routes(routes!(findings::list_findings))
        .routes(routes!(findings::shrink_application))
        .routes(routes!(credential_policy::read_credential_policy, credential_policy::put_credential_policy))
        .routes(routes!(notices::list_notices))
        .routes(routes!(notices::dismiss_notice))
        .routes(routes!(audit::list_audit))
        .routes(routes!(access_record::list_accesses))
        .routes(routes!(sessions::read_token_settings, sessions::update_token_settings))
        .routes(routes!(sessions::invalidate_tenant_tokens))
        .routes(routes!(sessions::invalidate_application_tokens))
        .routes(routes!(trusted_issuers::create_trusted_issuer, trusted_issuers::list_trusted_issuers))
        .routes(routes!(
            trusted_issuers::read_trusted_issuer,
            trusted_issuers::update_trusted_issuer,
            trusted_issuers::delete_trusted_issuer
        ))
        .routes(routes!(trusted_issuers::trial::test_trusted_issuer))
        .routes(routes!(identity_providers::create_identity_provider, identity_providers::list_identity_providers))
        .routes(routes!(
            identity_providers::read_identity_provider,
            identity_providers::update_identity_provider,
            identity_providers::delete_identity_provider
        ))
        .routes(routes!(identity_providers::list_user_identities, identity_providers::forget_user_identities))
        .routes(routes!(signing_keys::list_signing_keys))
        .routes(routes!(signing_keys::rotate_signing_key))
        .routes(routes!(signing_keys::revoke_signing_key))
        .routes(routes!(catalogue::read_catalogue))
        .routes(routes!(whoami::whoami))
        .routes(routes!(users::create_user, users::list_users))
        .routes(routes!(users::read_user, users::update_user, users::delete_user))
        .routes(routes!(users::put_user_roles))
        .routes(routes!(access_profiles::list_access_profiles))
        .routes(routes!(users::disable_user))
        .routes(routes!(users::enable_user))
        .routes(routes!(users::list_user_sessions, users::end_user_sessions))
        .routes(routes!(users::end_user_session))
        .routes(routes!(me::read_me, me::update_me))
        .routes(routes!(me::list_own_sessions, me::end_other_sessions))
        .routes(routes!(me::end_own_session))
        .routes(routes!(me::sign_out))
        .routes(routes!(second_factor::read_second_factor, second_factor::complete_sign_in))
        .routes(routes!(second_factor::send_mail_code))
        .routes(routes!(second_factor::ask_passkey))
        .routes(routes!(second_factor::step_up))
        .routes(routes!(second_factor::ask_passkey_again))
        .routes(routes!(factors::list_factors))
        .routes(routes!(factors::create_totp))
        .routes(routes!(factors::confirm_factor))
        .routes(routes!(factors::begin_passkey))
        .routes(routes!(factors::create_passkey))
        .routes(routes!(factors::delete_factor, factors::rename_factor))
        .routes(routes!(factors::create_recovery_codes))
        .routes(routes!(factors::list_user_factors, factors::reset_factors))
        .routes(routes!(user_links::request_password_reset))
        .routes(routes!(user_links::complete_password_reset))
        .routes(routes!(user_links::accept_invitation))
        .routes(routes!(user_links::request_email_change))
        .routes(routes!(user_links::confirm_email_change))
        .routes(routes!(user_links::invite_user, user_links::read_invitation, user_links::cancel_invitation))
        .routes(routes!(me::change_own_password))
        .routes(routes!(sign_in::sign_in))
        .routes(routes!(sso::begin_sso))
        .routes(routes!(sso::finish_sso))
        .routes(routes!(first_person::accept_first_person))
        .routes(routes!(nodes::list_nodes))
        .routes(routes!(document::read_openapi))
        .routes(routes!(problems::read_problem))
}

/// The hot path, without a frame.
fn bare_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(verify::verify, verify::verify_by_post))
}

/// All routes of the native API.
pub fn router(api: Api) -> Router {
    let (inner, _) = framed_routes().split_for_parts();
    let (bare, _) = bare_routes().split_for_parts();
    let inner = inner
        .layer(Extension(PeopleToo))
        .method_not_allowed_fallback(method_fallback::<Native>)
        .with_state(api.clone());
    let bare = bare.method_not_allowed_fallback(method_fallback::<Native>).with_state(api);
    framed::<Native>(inner).merge(bare)
}

/// Answers every path that no face has.
pub fn with_fallback(router: Router) -> Router {
    router.fallback(fallback::<Native>)
}

/// The document of all routes.
pub(crate) fn openapi() -> OpenApi {
    let (_, mut document) = framed_routes().split_for_parts();
    let (_, bare) = bare_routes().split_for_parts();
    document.merge(bare);
    document
}
