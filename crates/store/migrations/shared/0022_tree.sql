-- What is known of tenants besides their place. profile is what no rule asks for, as JSON.
alter table tenants add column external_id text;
alter table tenants add column agent_key text;
alter table tenants add column profile text not null default '{}';
alter table tenants add column trial boolean not null default false;
alter table tenants add column trial_ends_at bigint;
alter table tenants add column user_limit bigint;
alter table tenants add column endpoint_limit bigint;
alter table tenants add column mfa_required text not null default 'none';
-- When a tenant that is being deleted will be gone for good.
alter table tenants add column purge_at bigint;
-- How far its provisioning is; null where that is complete, or there was none.
alter table tenants add column provisioning text;

create unique index tenants_by_external_id on tenants (external_id, parent_id);
create index tenants_by_parent on tenants (parent_id, id);
create index tenants_by_purge on tenants (purge_at) where purge_at is not null;

-- For each tenant all those at or beneath it: lists and searches ask this and never walk the tree.
create table tenant_paths (
    tenant_id text not null,
    beneath_id text not null,
    kind text not null,
    name_key text not null,
    primary key (tenant_id, beneath_id)
);

create index tenant_paths_by_name on tenant_paths (tenant_id, name_key, beneath_id);
create index tenant_paths_by_kind on tenant_paths (tenant_id, kind, beneath_id);
create index tenant_paths_by_kind_and_name on tenant_paths (tenant_id, kind, name_key, beneath_id);
create index tenant_paths_upwards on tenant_paths (beneath_id, tenant_id);

-- The words of the names of all those at or beneath a tenant.
create table tenant_words (
    tenant_id text not null,
    word text not null,
    beneath_id text not null,
    primary key (tenant_id, word, beneath_id)
);

create index tenant_words_upwards on tenant_words (beneath_id, tenant_id, word);

insert into tenant_paths (tenant_id, beneath_id, kind, name_key)
with recursive upwards (beneath_id, tenant_id) as (
    select id, id from tenants
    union all
    select u.beneath_id, t.parent_id from upwards u join tenants t on t.id = u.tenant_id where t.parent_id is not null
)
select u.tenant_id, u.beneath_id, t.kind, t.name_key from upwards u join tenants t on t.id = u.beneath_id;

-- Letter by letter, since no function that splits a text is the same on both engines. Signs that this does not know stay in
-- the word until the tenant is renamed.
insert into tenant_words (tenant_id, word, beneath_id)
with recursive letters (id, word, letter, rest) as (
    select id, substr(name_key, 1, 0), substr(name_key, 1, 0), name_key || ' ' from tenants
    union all
    select id,
        case when letter in ('', ' ', '-', '_', '.', ',', '/', '&', '+', '(', ')', ':') then substr(rest, 1, 0)
            else word || letter end,
        substr(rest, 1, 1), substr(rest, 2)
    from letters where rest <> ''
)
select distinct p.tenant_id, substr(l.word, 1, 48), l.id from letters l join tenant_paths p on p.beneath_id = l.id
where l.word <> '' and l.letter in (' ', '-', '_', '.', ',', '/', '&', '+', '(', ')', ':');

-- How many endpoints a tenant had, day by day (days since 1970, UTC; month is year times 12 plus month).
create table endpoint_counts (
    tenant_id text not null references tenants (id),
    day bigint not null,
    month bigint not null,
    count bigint not null,
    reported_at bigint not null,
    primary key (tenant_id, day)
);

-- Tenants that are made step by step. tenant_id is the one above; wanted and steps are JSON; sealed is the text of the first
-- secret until it is claimed.
create table provisionings (
    tenant_id text not null references tenants (id),
    id text not null,
    made_id text not null,
    fingerprint blob not null,
    status text not null,
    wanted text not null,
    steps text not null,
    actor text not null,
    error text,
    sealed blob,
    sealed_until bigint,
    claimed_at bigint,
    created_at bigint not null,
    updated_at bigint not null,
    finished_at bigint,
    primary key (tenant_id, id)
);

create unique index provisionings_by_tenant on provisionings (made_id);
create index provisionings_open on provisionings (created_at) where finished_at is null;

-- What is left of tenants that are gone: at the tenant above the one that was deleted. purged_at is null while they go.
create table purge_receipts (
    tenant_id text not null references tenants (id),
    id text not null,
    purged_id text not null,
    root_id text not null,
    name text not null,
    kind text not null,
    external_id text,
    counts text not null,
    head_number bigint not null,
    head_hash blob not null,
    begun_at bigint not null,
    purged_at bigint,
    primary key (tenant_id, id)
);

create unique index purge_receipts_by_tenant on purge_receipts (purged_id);
create index purge_receipts_by_time on purge_receipts (purged_at);
