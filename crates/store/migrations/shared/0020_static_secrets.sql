-- Whether a tenant forbids secrets that are stored: 'allowed', 'forbidden', or null for what those above say.
alter table credential_policies add column static_secrets text;
