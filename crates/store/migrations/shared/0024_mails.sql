-- Mails that wait to be sent. What they say is sealed, for it may be a link that lets somebody in; it goes when they are sent, and
-- what could not be sent is remembered without it.
create table mails (
    tenant_id text not null references tenants (id),
    id text not null,
    content blob,
    created_at bigint not null,
    until bigint not null,
    due_at bigint not null,
    attempts bigint not null,
    error text,
    dead_at bigint,
    primary key (tenant_id, id)
);

create index mails_by_due on mails (dead_at, due_at);
