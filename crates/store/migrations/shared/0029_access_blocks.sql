-- The access record by the block: what was written at once for a tenant is one row, a line for each entry.
create table access_blocks (
    tenant_id text not null,
    -- When its last entry was made, and the token of that.
    last_at bigint not null,
    id text not null,
    first_at bigint not null,
    -- A bit for each application that may be in it.
    applications bigint not null,
    entries text not null,
    primary key (tenant_id, last_at, id)
);

create index access_blocks_by_age on access_blocks (last_at);

insert into access_blocks (tenant_id, last_at, id, first_at, applications, entries)
select tenant_id, at, token_id, at, 9223372036854775807,
    cast(at as text) || '	' || token_id || '	' || application_id || '	' || door || '	' || coalesce(address, '') || '	'
    || cast(expires_at as text) || '	' || source || '	' || user_agent
from access_record;

drop table access_record;
