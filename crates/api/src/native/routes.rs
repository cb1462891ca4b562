//! Which path leads to which handler; the OpenAPI document is made of the same list.

use crate::kit::cookies::PeopleToo;
use crate::kit::{Api, fallback, framed, method_fallback};
use crate::native::trusted_issuers::trial;
use crate::native::{
    Native, access_levels, access_profiles, access_record, applications, audit, bulk, catalogue, configuration,
    credential_policy, endpoints, export, factors, findings, first_person, first_secrets, identity_providers, import,
    key_types, leaks, me, migration, nodes, notices, openapi as document, problems, provisionings, public_keys,
    purge_receipts, rotation, second_factor, secrets, sessions, sign_in, signing_keys, simulations, sso, temporary,
    tenants, trusted_issuers, usage, user_links, users, verify, visibility, whoami,
};
use axum::routing::{MethodFilter, on};
use axum::{Extension, Router};
use utoipa::openapi::{HttpMethod, OpenApi};
use utoipa::{OpenApi as _, Path as _};
use utoipa_axum::{PathItemExt as _, paste};

/// Makes of one list of handlers the routes that are served and, apart from them, what documents them: to describe so
/// many operations takes megabytes, which a server that only answers them does not need.
macro_rules! operations {
    ($served:ident, $documented:ident: $($module:ident::$handler:ident),+ $(,)?) => {
        fn $served() -> Router<Api> {
            paste! {
                Router::new()$(.route(
                    &$module::[<__path_ $handler>]::path(),
                    on(filter(&$module::[<__path_ $handler>]::methods()), $module::$handler),
                ))+
            }
        }

        #[derive(utoipa::OpenApi)]
        #[openapi(paths($($module::$handler),+))]
        struct $documented;
    };
}

// Routes with a frame: their refusals are rendered on the way out.
operations! {
    framed_routes, FramedOperations:
    tenants::create_tenant,
    tenants::list_tenants,
    tenants::read_tenant,
    tenants::update_tenant,
    tenants::delete_tenant,
    tenants::suspend_tenant,
    tenants::reactivate_tenant,
    tenants::convert_tenant,
    endpoints::report_endpoints,
    endpoints::read_endpoints,
    endpoints::list_utilization,
    provisionings::provision_tenant,
    provisionings::list_provisionings,
    provisionings::read_provisioning,
    provisionings::retry_provisioning,
    first_secrets::claim_first_secret,
    purge_receipts::list_purge_receipts,
    access_levels::create_access_level,
    access_levels::list_access_levels,
    access_levels::import_access_level,
    access_levels::read_access_level,
    access_levels::update_access_level,
    access_levels::delete_access_level,
    access_levels::duplicate_access_level,
    access_levels::export_access_level,
    applications::create_application,
    applications::list_applications,
    applications::read_application,
    applications::update_application,
    applications::delete_application,
    import::import_applications,
    bulk::revoke_applications,
    bulk::transfer_applications,
    export::export_tenant,
    configuration::read_configuration,
    secrets::list_secrets,
    secrets::regenerate_secret,
    rotation::rotate_secret,
    temporary::issue_temporary_secret,
    simulations::simulate,
    secrets::revoke_secret,
    secrets::update_secret,
    public_keys::register_public_key,
    public_keys::list_public_keys,
    public_keys::delete_public_key,
    visibility::read_secret_visibility,
    visibility::update_secret_visibility,
    visibility::read_secret_text,
    key_types::read_legacy_key_types,
    key_types::update_legacy_key_types,
    key_types::list_legacy_applications,
    migration::migrate_application,
    usage::read_application_usage,
    usage::list_usage,
    leaks::report_leaks,
    findings::list_findings,
    findings::shrink_application,
    credential_policy::read_credential_policy,
    credential_policy::put_credential_policy,
    notices::list_notices,
    notices::dismiss_notice,
    audit::list_audit,
    access_record::list_accesses,
    sessions::read_token_settings,
    sessions::update_token_settings,
    sessions::invalidate_tenant_tokens,
    sessions::invalidate_application_tokens,
    trusted_issuers::create_trusted_issuer,
    trusted_issuers::list_trusted_issuers,
    trusted_issuers::read_trusted_issuer,
    trusted_issuers::update_trusted_issuer,
    trusted_issuers::delete_trusted_issuer,
    trial::test_trusted_issuer,
    identity_providers::create_identity_provider,
    identity_providers::list_identity_providers,
    identity_providers::read_identity_provider,
    identity_providers::update_identity_provider,
    identity_providers::delete_identity_provider,
    identity_providers::list_user_identities,
    identity_providers::forget_user_identities,
    signing_keys::list_signing_keys,
    signing_keys::rotate_signing_key,
    signing_keys::revoke_signing_key,
    catalogue::read_catalogue,
    whoami::whoami,
    users::create_user,
    users::list_users,
    users::read_user,
    users::update_user,
    users::delete_user,
    users::put_user_roles,
    access_profiles::list_access_profiles,
    users::disable_user,
    users::enable_user,
    users::list_user_sessions,
    users::end_user_sessions,
    users::end_user_session,
    me::read_me,
    me::update_me,
    me::list_own_sessions,
    me::end_other_sessions,
    me::end_own_session,
    me::sign_out,
    second_factor::read_second_factor,
    second_factor::complete_sign_in,
    second_factor::send_mail_code,
    second_factor::ask_passkey,
    second_factor::step_up,
    second_factor::ask_passkey_again,
    factors::list_factors,
    factors::create_totp,
    factors::confirm_factor,
    factors::begin_passkey,
    factors::create_passkey,
    factors::delete_factor,
    factors::rename_factor,
    factors::create_recovery_codes,
    factors::list_user_factors,
    factors::reset_factors,
    user_links::request_password_reset,
    user_links::complete_password_reset,
    user_links::accept_invitation,
    user_links::request_email_change,
    user_links::confirm_email_change,
    user_links::invite_user,
    user_links::read_invitation,
    user_links::cancel_invitation,
    me::change_own_password,
    sign_in::sign_in,
    sso::begin_sso,
    sso::finish_sso,
    first_person::accept_first_person,
    nodes::list_nodes,
    document::read_openapi,
    problems::read_problem,
}

// The hot path, without a frame.
operations! {
    bare_routes, BareOperations:
    verify::verify,
    verify::verify_by_post,
}

/// The methods of an operation as the router asks for them.
fn filter(methods: &[HttpMethod]) -> MethodFilter {
    let filters = methods.iter().map(HttpMethod::to_method_filter);
    filters.reduce(MethodFilter::or).unwrap_or(MethodFilter::GET)
}

/// All routes of the native API.
pub fn router(api: Api) -> Router {
    let inner = framed_routes()
        .layer(Extension(PeopleToo))
        .method_not_allowed_fallback(method_fallback::<Native>)
        .with_state(api.clone());
    let bare = bare_routes().method_not_allowed_fallback(method_fallback::<Native>).with_state(api);
    framed::<Native>(inner).merge(bare)
}

/// Answers every path that no face has.
pub fn with_fallback(router: Router) -> Router {
    router.fallback(fallback::<Native>)
}

/// The document of all routes.
pub(crate) fn openapi() -> OpenApi {
    let mut document = document::base();
    document.merge(FramedOperations::openapi());
    document.merge(BareOperations::openapi());
    document
}
