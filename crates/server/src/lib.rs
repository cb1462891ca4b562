//! The Claviger server: configuration, sockets, signals, telemetry and the command line.
