-- Access levels, applications and their secrets, and how they are used.
create table access_levels (
    tenant_id text not null references tenants (id),
    id text not null,
    name text not null,
    name_key text not null,
    description text not null,
    grants text not null,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (tenant_id, id),
    unique (tenant_id, name_key)
);

-- access_level_id may also name a level that comes with the server, so it refers to no table.
create table applications (
    tenant_id text not null references tenants (id),
    id text not null,
    client_id text not null,
    name text not null,
    name_key text not null,
    description text not null,
    owner text,
    access_level_id text,
    grants text,
    reach text not null,
    allowed_networks text,
    expires_at bigint,
    enabled boolean not null,
    rate_requests bigint,
    rate_window_seconds bigint,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (tenant_id, id),
    unique (tenant_id, name_key)
);

create index applications_by_level on applications (tenant_id, access_level_id);

-- A client id is unique in the whole store: from it one finds the tenant.
create table client_ids (
    client_id text primary key,
    tenant_id text not null,
    application_id text not null
);

create table secrets (
    tenant_id text not null,
    application_id text not null,
    id text not null,
    hint text not null,
    hash blob not null,
    sealed_mac blob not null,
    created_at bigint not null,
    expires_at bigint,
    primary key (tenant_id, application_id, id),
    foreign key (tenant_id, application_id) references applications (tenant_id, id)
);

-- No foreign keys below: what is flushed late about an application that is gone must not fail the whole flush.
create table secret_uses (
    tenant_id text not null,
    application_id text not null,
    secret_id text not null,
    at bigint not null,
    address text,
    user_agent text not null,
    primary key (tenant_id, application_id, secret_id)
);

create table usage_hours (
    tenant_id text not null,
    application_id text not null,
    hour bigint not null,
    permission text not null,
    outcome text not null,
    calls bigint not null,
    last_at bigint not null,
    primary key (tenant_id, application_id, hour, permission, outcome)
);

create index usage_hours_by_hour on usage_hours (tenant_id, hour);
