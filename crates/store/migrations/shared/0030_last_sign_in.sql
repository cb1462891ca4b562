-- When a person last got in: sessions are swept, so it is kept with the user.
alter table users add column signed_in_at bigint;
