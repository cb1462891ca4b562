-- Once more for the text columns that were added since: byte by byte, as in SQLite.
do $$
declare
    c record;
begin
    for c in
        select table_name, column_name
        from information_schema.columns
        where table_schema = current_schema()
          and data_type = 'text'
          and collation_name is distinct from 'C'
          and table_name <> '_sqlx_migrations'
    loop
        execute format('alter table %I alter column %I type text collate "C"', c.table_name, c.column_name);
    end loop;
end
$$;
