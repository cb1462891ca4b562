-- Applications of a tenant by their end, those without one last.
create index applications_by_own_end on applications (tenant_id, coalesce(expires_at, 9223372036854775807), id);
