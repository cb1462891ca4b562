-- The keys that sign session tokens. The seed is sealed.
create table signing_keys (
    kid text primary key,
    public blob not null,
    sealed blob not null,
    created_at bigint not null,
    signs_from bigint not null,
    signs_until bigint not null,
    retires_at bigint not null,
    revoked_at bigint
);

-- What a tenant says of the tokens of its applications (subject is empty), or somebody of those of one application (subject
-- is its id): how long they live, and when they must have been signed at the earliest.
create table token_rules (
    tenant_id text not null references tenants (id),
    subject text not null,
    lifetime_seconds bigint,
    not_before bigint,
    updated_at bigint not null,
    primary key (tenant_id, subject)
);

-- No foreign keys below: what is written late about an application that is gone must not fail.
create table revoked_tokens (
    tenant_id text not null,
    token_id text not null,
    application_id text not null,
    expires_at bigint not null,
    revoked_at bigint not null,
    primary key (tenant_id, token_id)
);

create index revoked_tokens_by_application on revoked_tokens (tenant_id, application_id);
create index revoked_tokens_by_end on revoked_tokens (expires_at);

create table access_record (
    tenant_id text not null,
    at bigint not null,
    token_id text not null,
    application_id text not null,
    door text not null,
    address text,
    user_agent text not null,
    source text not null,
    expires_at bigint not null,
    primary key (tenant_id, at, token_id)
);

create index access_record_by_age on access_record (at);
