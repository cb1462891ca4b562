-- Tenants that retain the texts of their secrets, or did: a tenant without a row shows secrets once and always has.
create table secret_visibility (
    tenant_id text primary key references tenants (id),
    stage text not null,
    since bigint not null
);

-- The texts, sealed. A table of their own, so that destroying them leaves no page of it as it was. No other table refers
-- to it and it refers to none: whoever removes a secret removes its text in the same unit.
create table secret_texts (
    tenant_id text not null,
    application_id text not null,
    secret_id text not null,
    sealed blob not null,
    created_at bigint not null,
    primary key (tenant_id, application_id, secret_id)
);

-- The visibility that a signed head states; null where the tenant has only ever shown secrets once.
alter table audit_signatures add column visibility text;
