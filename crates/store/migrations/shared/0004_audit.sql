-- The audit chain of each tenant, its head, and the signatures over heads.
create table audit_entries (
    tenant_id text not null,
    number bigint not null,
    at bigint not null,
    actor text not null,
    action text not null,
    target text not null,
    body text not null,
    hash blob not null,
    primary key (tenant_id, number)
);

create index audit_entries_by_time on audit_entries (tenant_id, at);

create table audit_heads (
    tenant_id text primary key,
    number bigint not null,
    hash blob not null
);

create table audit_signatures (
    tenant_id text not null,
    number bigint not null,
    hash blob not null,
    signed_at bigint not null,
    key_id text not null,
    signature blob not null,
    primary key (tenant_id, number)
);
