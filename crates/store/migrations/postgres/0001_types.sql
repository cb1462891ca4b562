-- The fourth column type of the shared text; SQLite takes the word as it is.
create domain blob as bytea;
