-- Applications of legacy types, of which there are few, wherever they are.
create index applications_of_legacy_types on applications (key_type, tenant_id) where key_type <> 'custom';
