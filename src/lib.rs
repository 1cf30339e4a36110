//! Reads the persistence files of Redis and Valkey.
