-- Sign-ins with a refresh token, and whatever else has a list of instances. No foreign keys: what is written late about an
-- application that is gone must not fail.
create table sign_ins (
    tenant_id text not null,
    id text not null,
    application_id text not null,
    client_id text not null,
    secret_id text not null,
    scope text,
    handle blob,
    refresh blob,
    refreshed_at bigint not null,
    expires_at bigint not null,
    generation bigint not null,
    dead_below bigint not null,
    ending_at bigint not null,
    ended_at bigint,
    primary key (tenant_id, id)
);

create unique index sign_ins_by_handle on sign_ins (handle);
create index sign_ins_by_application on sign_ins (tenant_id, application_id);
create index sign_ins_by_end on sign_ins (expires_at);

-- What a sign-in may report on: each of these tenants with everything beneath it.
create table sign_in_instances (
    tenant_id text not null,
    sign_in_id text not null,
    instance_id text not null,
    primary key (tenant_id, sign_in_id, instance_id)
);

-- A temporary secret can do nothing but be changed.
alter table secrets add column temporary boolean not null default false;
