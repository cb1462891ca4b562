//! The Carbon Black face.

mod audit_log;
