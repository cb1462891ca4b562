-- What tenants say about the lives of credentials, what owners are told, and which ends a rotation has set.
create table credential_policies (
    tenant_id text primary key references tenants (id),
    max_application_lifetime_seconds bigint,
    max_secret_lifetime_seconds bigint,
    rotate_every_days bigint,
    rotation_overlap_seconds bigint,
    rotation_since bigint,
    unused_after_days bigint,
    on_leak text,
    version bigint not null,
    updated_at bigint not null
);

-- once_key is what makes two notices of an application the same one, so that nothing is told twice.
create table notices (
    tenant_id text not null,
    id text not null,
    application_id text not null,
    once_key text not null,
    kind text not null,
    application_name text not null,
    owner text,
    secret_id text,
    detail text not null,
    due_at bigint,
    step bigint,
    created_at bigint not null,
    dismissed_at bigint,
    dismissed_by text,
    primary key (tenant_id, id),
    unique (tenant_id, application_id, once_key)
);

create index notices_by_age on notices (created_at);

-- Whether the end is that of an overlap: a secret made after it does not inherit such an end.
alter table secrets add column replaced boolean not null default false;

create index secrets_by_end on secrets (expires_at, tenant_id, application_id) where expires_at is not null;
create index applications_by_end on applications (expires_at, tenant_id, id) where expires_at is not null;
