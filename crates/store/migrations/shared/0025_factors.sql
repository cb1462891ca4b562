-- Links that people get by mail, one of each kind at a time. email_key is that of the address it was sent for: a link dies with it.
create table user_links (
    tenant_id text not null,
    user_id text not null,
    kind text not null,
    token_hash blob not null,
    email text not null,
    created_at bigint not null,
    expires_at bigint not null,
    primary key (tenant_id, user_id, kind),
    foreign key (tenant_id, user_id) references users (tenant_id, id)
);

create unique index user_links_by_token on user_links (token_hash);
create index user_links_by_end on user_links (expires_at);

-- Second factors. sealed is the seed of an authenticator or the credential of a passkey; last_step the newest step whose code
-- was accepted.
create table user_factors (
    tenant_id text not null,
    user_id text not null,
    id text not null,
    kind text not null,
    name text not null,
    sealed blob not null,
    credential_hash blob,
    confirmed_at bigint,
    last_step bigint not null,
    created_at bigint not null,
    last_used_at bigint,
    primary key (tenant_id, user_id, id),
    foreign key (tenant_id, user_id) references users (tenant_id, id)
);

create unique index user_factors_by_credential on user_factors (credential_hash);

create table recovery_codes (
    tenant_id text not null,
    user_id text not null,
    code_hash blob not null,
    primary key (tenant_id, user_id, code_hash),
    foreign key (tenant_id, user_id) references users (tenant_id, id)
);

-- What a session waits for: a code that was sent, or the answer of a passkey. One of each kind at a time.
create table user_challenges (
    tenant_id text not null,
    user_id text not null,
    session_id text not null,
    kind text not null,
    code_hash blob,
    sealed blob,
    tries bigint not null,
    expires_at bigint not null,
    primary key (tenant_id, user_id, session_id, kind),
    foreign key (tenant_id, user_id) references users (tenant_id, id)
);

create index user_challenges_by_end on user_challenges (expires_at);

-- Checks of somebody's second factors: the times of those of the window, and the wrong ones in a row.
create table factor_guards (
    tenant_id text not null,
    user_id text not null,
    times text not null,
    wrong bigint not null,
    suspended_at bigint,
    primary key (tenant_id, user_id),
    foreign key (tenant_id, user_id) references users (tenant_id, id)
);
