-- Identity providers of tenants, where their people sign in. client_secret is sealed; scopes have blanks between them; role_rules
-- and default_roles are JSON.
create table identity_providers (
    tenant_id text not null references tenants (id),
    id text not null,
    name text not null,
    name_key text not null,
    issuer text not null,
    client_id text not null,
    client_secret blob,
    scopes text not null,
    creates_users boolean not null,
    role_rules text not null,
    default_roles text not null,
    enabled boolean not null,
    required boolean not null,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (tenant_id, id),
    unique (tenant_id, name_key)
);

-- Whose addresses lead to a provider. A domain is one provider's in the whole store, since only an address is typed to sign in.
create table identity_provider_domains (
    tenant_id text not null,
    domain text not null,
    provider_id text not null,
    primary key (tenant_id, domain),
    foreign key (tenant_id, provider_id) references identity_providers (tenant_id, id)
);

create unique index identity_provider_domains_by_domain on identity_provider_domains (domain);
create index identity_provider_domains_by_provider on identity_provider_domains (tenant_id, provider_id);

-- Which user somebody is whom a provider names by a subject, from the first sign-in on.
create table user_identities (
    tenant_id text not null,
    user_id text not null,
    provider_id text not null,
    subject text not null,
    linked_at bigint not null,
    last_used_at bigint not null,
    primary key (tenant_id, user_id, provider_id),
    unique (tenant_id, provider_id, subject),
    foreign key (tenant_id, user_id) references users (tenant_id, id),
    foreign key (tenant_id, provider_id) references identity_providers (tenant_id, id)
);

-- Sign-ins that are under way at a provider, each used once. proofs are nonce and PKCE verifier, sealed.
create table sso_sign_ins (
    tenant_id text not null,
    id text not null,
    provider_id text not null,
    provider_version bigint not null,
    state_hash blob not null,
    browser_hash blob not null,
    proofs blob not null,
    return_to text,
    begun_at bigint not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, provider_id) references identity_providers (tenant_id, id)
);

create unique index sso_sign_ins_by_state on sso_sign_ins (state_hash);
create index sso_sign_ins_by_provider on sso_sign_ins (tenant_id, provider_id);
create index sso_sign_ins_by_age on sso_sign_ins (begun_at);
