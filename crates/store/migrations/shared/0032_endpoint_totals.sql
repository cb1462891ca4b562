-- What a tenant came to with all beneath it, so that nobody walks a tree to add it up: grain is 'last' (period 0) for the sum of what
-- was reported last, 'day' for a day, 'month' for the sum of the most of each in a month.
create table endpoint_totals (
    tenant_id text not null references tenants (id),
    grain text not null,
    period bigint not null,
    total bigint not null,
    primary key (tenant_id, grain, period)
);

insert into endpoint_totals (tenant_id, grain, period, total)
select p.tenant_id, 'last', 0, cast(sum(e.count) as bigint) from tenant_paths p
join endpoint_counts e on e.tenant_id = p.beneath_id
where e.day = (select max(n.day) from endpoint_counts n where n.tenant_id = p.beneath_id)
group by p.tenant_id;

insert into endpoint_totals (tenant_id, grain, period, total)
select p.tenant_id, 'day', e.day, cast(sum(e.count) as bigint) from tenant_paths p
join endpoint_counts e on e.tenant_id = p.beneath_id
group by p.tenant_id, e.day;

insert into endpoint_totals (tenant_id, grain, period, total)
select m.tenant_id, 'month', m.month, cast(sum(m.peak) as bigint) from (
    select p.tenant_id, e.month, max(e.count) as peak from tenant_paths p
    join endpoint_counts e on e.tenant_id = p.beneath_id
    group by p.tenant_id, p.beneath_id, e.month
) m group by m.tenant_id, m.month;
