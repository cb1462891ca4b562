-- What the store knows of itself, and the tree of tenants.
create table settings (
    name text primary key,
    value blob not null
);

create table counters (
    name text primary key,
    next bigint not null
);

create table tenants (
    id text primary key,
    parent_id text references tenants (id),
    org_key text not null unique,
    name text not null,
    name_key text not null,
    kind text not null,
    status text not null,
    application_limit bigint not null,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    unique (parent_id, name_key)
);

-- There is one root: its parent is null, and nulls differ, so the line above does not say it.
create unique index tenants_operator on tenants (kind) where kind = 'operator';
