-- People. Their numbers come from the counter "user"; email_key is unique in the whole store, for it alone is typed to sign in.
create table users (
    tenant_id text not null references tenants (id),
    id text not null,
    number bigint not null,
    email text not null,
    email_key text not null,
    first_name text not null,
    last_name text not null,
    phone text not null,
    status text not null,
    password_hash text,
    password_set_at bigint,
    activated_at bigint,
    reach text not null,
    version bigint not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (tenant_id, id)
);

create unique index users_by_email on users (email_key);
create unique index users_by_number on users (number);
create index users_by_status on users (tenant_id, status, id);

-- access_level_id may also name a level that comes with the server, so it refers to no table.
create table user_roles (
    tenant_id text not null,
    user_id text not null,
    access_level_id text not null,
    primary key (tenant_id, user_id, access_level_id),
    foreign key (tenant_id, user_id) references users (tenant_id, id)
);

create index user_roles_by_level on user_roles (tenant_id, access_level_id);

-- What users are found by: the key of the address, and of each word of the names.
create table user_words (
    tenant_id text not null,
    word text not null,
    user_id text not null,
    primary key (tenant_id, word, user_id),
    foreign key (tenant_id, user_id) references users (tenant_id, id)
);

create index user_words_by_user on user_words (tenant_id, user_id);

create table user_sessions (
    tenant_id text not null,
    user_id text not null,
    id text not null,
    token_hash blob not null,
    stage text not null,
    methods text not null,
    created_at bigint not null,
    last_seen_at bigint not null,
    stepped_up_at bigint,
    address text,
    user_agent text not null,
    ended_at bigint,
    primary key (tenant_id, user_id, id),
    foreign key (tenant_id, user_id) references users (tenant_id, id)
);

create unique index user_sessions_by_token on user_sessions (token_hash);
create index user_sessions_by_age on user_sessions (created_at);

-- Devices from which a user has signed in before: nothing but a guess allowance of their own hangs on them.
create table user_devices (
    tenant_id text not null,
    user_id text not null,
    device_hash blob not null,
    seen_at bigint not null,
    primary key (tenant_id, user_id, device_hash),
    foreign key (tenant_id, user_id) references users (tenant_id, id)
);

create index user_devices_by_age on user_devices (seen_at);

-- Guesses at passwords, of no tenant: names that nobody has are guessed at, too. times holds those of the window.
create table sign_in_guesses (
    guess_key blob primary key,
    times text not null,
    last_at bigint not null
);

create index sign_in_guesses_by_age on sign_in_guesses (last_at);

-- A user who answers for the application, of its tenant or of one above.
alter table applications add column owner_id text;

create index applications_by_owner on applications (owner_id);

insert into counters (name, next) values ('user', 1);
