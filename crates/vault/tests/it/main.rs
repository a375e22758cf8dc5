//! Tests of the vault through its public interface, with the attacks done to the file from outside.

mod common;
mod life; // made, written, locked, opened again
