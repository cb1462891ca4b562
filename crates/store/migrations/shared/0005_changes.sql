-- What nodes follow: the sharded revision with its feed, and the journal of each tenant.
create table revisions (
    shard bigint primary key,
    revision bigint not null
);

insert into revisions (shard, revision)
with recursive shards (shard) as (select 0 union all select shard + 1 from shards where shard < 63)
select shard, 0 from shards;

create table changes (
    shard bigint not null,
    revision bigint not null,
    tenant_id text not null,
    kind text not null,
    subject text not null,
    primary key (shard, revision)
);

create table streams (
    tenant_id text primary key,
    next bigint not null
);

create table journal (
    tenant_id text not null,
    position bigint not null,
    at bigint not null,
    kind text not null,
    body text not null,
    primary key (tenant_id, position)
);
