-- What requests leave behind: keys that were used, positions in queues, jobs.
create table idempotency (
    tenant_id text not null,
    application_id text not null,
    once_key text not null,
    fingerprint blob not null,
    created_at bigint not null,
    status bigint,
    body text,
    primary key (tenant_id, application_id, once_key)
);

create index idempotency_by_age on idempotency (created_at);

-- A position of null says that the queue was looked at and has not been read from.
create table queue_cursors (
    tenant_id text not null,
    application_id text not null,
    queue text not null,
    position bigint,
    primary key (tenant_id, application_id, queue)
);

create table jobs (
    tenant_id text not null,
    id text not null,
    number bigint not null unique,
    application_id text not null,
    kind text not null,
    status text not null,
    parameters text not null,
    created_at bigint not null,
    updated_at bigint not null,
    finished_at bigint,
    content_type text,
    error text,
    total bigint not null,
    completed bigint not null,
    result blob,
    primary key (tenant_id, id)
);

create index jobs_by_number on jobs (tenant_id, number);
create index jobs_by_end on jobs (finished_at);

insert into counters (name, next) values ('job', 1);
