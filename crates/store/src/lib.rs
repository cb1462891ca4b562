//! The only SQL of Claviger: SQLite and PostgreSQL behind one text.
