-- What the meter has counted and nobody has asked for yet: each second a row for each shard of tenants that were called.
-- Folded into usage_hours and secret_uses, and deleted with that.
create table usage_log (
    shard bigint not null,
    number bigint not null,
    body blob not null,
    primary key (shard, number)
);
