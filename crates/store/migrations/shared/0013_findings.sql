-- What findings are made of, kept ready so that nobody adds up the usage of years: since when rights and networks are what
-- they are, when each right was used last, and from which allowed networks calls came. Null says: since it was made.
alter table applications add column rights_since bigint;
alter table applications add column networks_since bigint;
alter table access_levels add column grants_since bigint;

-- What was changed before this was kept counts from its last change; networks count from now, as nobody took note of them.
update applications set rights_since = updated_at,
    networks_since = coalesce((select max(at) from audit_entries), updated_at);
update access_levels set grants_since = updated_at;

create table right_uses (
    tenant_id text not null,
    application_id text not null,
    permission text not null,
    at bigint not null,
    primary key (tenant_id, application_id, permission)
);

insert into right_uses (tenant_id, application_id, permission, at)
select tenant_id, application_id, permission, max(last_at) from usage_hours
where outcome = 'allowed' and permission <> ''
group by tenant_id, application_id, permission;

create table network_uses (
    tenant_id text not null,
    application_id text not null,
    network text not null,
    at bigint not null,
    primary key (tenant_id, application_id, network)
);

-- A leaked secret is found by what is stored of it, whosever it is; and known again when it has been dealt with.
create index secrets_by_hash on secrets (hash);

create table leaks (
    tenant_id text not null,
    hash blob not null,
    application_id text not null,
    secret_id text not null,
    outcome text not null,
    at bigint not null,
    primary key (tenant_id, hash)
);

create index leaks_by_hash on leaks (hash);
