-- Others whose signed tokens a tenant takes for proof. keys is 'discovery', 'fetched' or 'pinned'; keys_text is the URL of the
-- keys, or the keys themselves.
create table trusted_issuers (
    tenant_id text not null references tenants (id),
    id text not null,
    name text not null,
    name_key text not null,
    issuer text not null,
    audience text,
    keys text not null,
    keys_text text,
    algorithms text not null,
    max_age_seconds bigint not null,
    single_use boolean not null,
    enabled boolean not null,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (tenant_id, id),
    unique (tenant_id, name_key),
    unique (tenant_id, issuer)
);

-- What ties such tokens to an application, in the order of place. An id is never used for anything else again.
create table issuer_bindings (
    tenant_id text not null,
    id text not null,
    issuer_id text not null,
    place bigint not null,
    application_id text not null,
    description text not null,
    conditions text not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, issuer_id) references trusted_issuers (tenant_id, id),
    foreign key (tenant_id, application_id) references applications (tenant_id, id)
);

create index issuer_bindings_by_issuer on issuer_bindings (tenant_id, issuer_id);
create index issuer_bindings_by_application on issuer_bindings (tenant_id, application_id);
