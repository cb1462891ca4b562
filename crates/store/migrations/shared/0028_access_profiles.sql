-- Access levels that a user holds under conditions, besides those of user_roles. networks is a JSON list, null for any.
create table access_profiles (
    tenant_id text not null,
    user_id text not null,
    id text not null,
    reach text not null,
    networks text,
    expires_at bigint,
    disabled boolean not null,
    primary key (tenant_id, user_id, id),
    foreign key (tenant_id, user_id) references users (tenant_id, id)
);

-- access_level_id may also name a level that comes with the server, so it refers to no table.
create table access_profile_roles (
    tenant_id text not null,
    user_id text not null,
    profile_id text not null,
    access_level_id text not null,
    primary key (tenant_id, user_id, profile_id, access_level_id),
    foreign key (tenant_id, user_id, profile_id) references access_profiles (tenant_id, user_id, id)
);

create index access_profile_roles_by_level on access_profile_roles (tenant_id, access_level_id);

-- Who gave a user its access, and when, for clients that keep that apart from the user.
create table user_grants (
    tenant_id text not null,
    user_id text not null,
    created_by text not null,
    updated_by text not null,
    created_at bigint not null,
    updated_at bigint not null,
    primary key (tenant_id, user_id),
    foreign key (tenant_id, user_id) references users (tenant_id, id)
);

-- Some clients name users by their id alone.
create unique index users_by_id on users (id);
