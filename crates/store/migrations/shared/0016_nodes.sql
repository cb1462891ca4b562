-- The servers of this store. A row says who runs and how far it has followed; `run` is another one for each process.
create table nodes (
    id text primary key,
    run bigint not null unique,
    name text not null,
    address text not null,
    version text not null,
    started_at bigint not null,
    renewed_at bigint not null,
    clock_offset bigint not null,
    applied bigint not null,
    beat bigint not null
);

-- Work that one node does for all. Whoever takes it over counts the epoch up, so that a late one finds itself shut out.
create table leases (
    name text primary key,
    holder bigint not null,
    epoch bigint not null,
    until bigint not null
);

-- What each node tells the others about applications with a rate limit, once a second.
create table node_rates (
    run bigint primary key,
    body blob not null
);

-- The process that works on a job; its end is the job's.
alter table jobs add column run bigint;

insert into counters (name, next) values ('run', 0);
-- Which history of the store this is: another one after each restored backup.
insert into counters (name, next) values ('history', 0);
