-- Public keys of applications: what an application signs with the private half proves it without a secret.
create table public_keys (
    tenant_id text not null,
    application_id text not null,
    id text not null,
    name text not null,
    kid text not null,
    algorithm text not null,
    public blob not null,
    created_at bigint not null,
    expires_at bigint,
    primary key (tenant_id, application_id, id),
    unique (tenant_id, application_id, kid),
    foreign key (tenant_id, application_id) references applications (tenant_id, id)
);

-- Whether tokens of an application are bound to a key of its client.
alter table applications add column dpop_bound boolean not null default false;

-- What was accepted once and must not be again, until it ends by itself. On SQLite a clean stop saves here what its one server
-- remembers; on PostgreSQL all servers ask this table.
create table accepted_once (
    id blob primary key,
    ends_at bigint not null
);

create index accepted_once_by_end on accepted_once (ends_at);

-- From when on everything is known that was accepted. Where the row is missing, something was forgotten: on SQLite by a server
-- that was not stopped but ended.
create table replay_births (
    name text primary key,
    born_at bigint not null
);

-- A store's very first start has no past.
insert into replay_births (name, born_at) values ('birth', 0);
