//! The kinds of things that a file may hold, with the words for them.

/// The kinds of things that a file may hold, in the order in which they are made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub(super) enum Kind {
    Tenant,
    CredentialPolicy,
    TokenSettings,
    AccessLevel,
    Application,
    TrustedIssuer,
    IdentityProvider,
}

impl Kind {
    pub(super) const ALL: [Self; 7] = [
        Self::Tenant,
        Self::CredentialPolicy,
        Self::TokenSettings,
        Self::AccessLevel,
        Self::Application,
        Self::TrustedIssuer,
        Self::IdentityProvider,
    ];

    /// The list that holds them.
    pub(super) const fn list(self) -> &'static str {
        match self {
            Self::Tenant => "tenants",
            Self::CredentialPolicy => "credential_policies",
            Self::TokenSettings => "token_settings",
            Self::AccessLevel => "access_levels",
            Self::Application => "applications",
            Self::TrustedIssuer => "trusted_issuers",
            Self::IdentityProvider => "identity_providers",
        }
    }

    /// What one of them is called.
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::CredentialPolicy => "credential policy",
            Self::TokenSettings => "token settings",
            Self::AccessLevel => "access level",
            Self::Application => "application",
            Self::TrustedIssuer => "trusted issuer",
            Self::IdentityProvider => "identity provider",
        }
    }

    /// Whether a tenant has one, without a name.
    pub(super) const fn is_single(self) -> bool {
        matches!(self, Self::CredentialPolicy | Self::TokenSettings)
    }

    /// The members that one of them may have, besides its place and its name.
    pub(super) const fn members(self) -> &'static [&'static str] {
        match self {
            Self::Tenant => &["kind", "status", "application_limit"],
            Self::CredentialPolicy => &[
                "max_application_lifetime_seconds",
                "max_secret_lifetime_seconds",
                "rotate_every_days",
                "rotation_overlap_seconds",
                "unused_after_days",
                "on_leak",
                "static_secrets",
            ],
            Self::TokenSettings => &["lifetime_seconds"],
            Self::AccessLevel => &["description", "grants"],
            Self::Application => &[
                "description",
                "owner",
                "access_level",
                "grants",
                "key_type",
                "reach",
                "allowed_networks",
                "expires_at",
                "enabled",
                "rate_limit",
                "dpop_bound",
                "client_id",
            ],
            Self::TrustedIssuer => &[
                "issuer",
                "audience",
                "jwks_uri",
                "jwks",
                "algorithms",
                "max_token_age_seconds",
                "single_use",
                "enabled",
                "bindings",
            ],
            Self::IdentityProvider => &[
                "issuer",
                "client_id",
                "scopes",
                "domains",
                "create_users",
                "role_mapping",
                "default_access_levels",
                "enabled",
                "required",
            ],
        }
    }

    /// The member that says where it stands.
    pub(super) const fn place(self) -> &'static str {
        if matches!(self, Self::Tenant) { "parent" } else { "tenant" }
    }
}
