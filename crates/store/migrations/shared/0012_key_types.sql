-- The type of an application's key: custom ones have grants or an access level, legacy ones the fixed grants of their type.
alter table applications add column key_type text not null default 'custom';

create index applications_by_key_type on applications (tenant_id, key_type);

-- What an operator says of a legacy type for a tenant and everything beneath, unless something nearer says otherwise.
create table legacy_key_types (
    tenant_id text not null references tenants (id),
    key_type text not null,
    allowed boolean not null,
    sunset bigint,
    since bigint not null,
    primary key (tenant_id, key_type)
);
