-- Credentials are loaded in the order of their ids, which is the order in which their rows lie.
create index applications_by_id on applications (id, tenant_id);
