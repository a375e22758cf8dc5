//! Tests of the vault through its public interface, with the attacks done to the file from outside.

mod attacks; // rows, header, slots, counters
mod common;
mod damage; // flipped bits, cuts, exchanged pages
mod files; // formats, links, logs of strangers, permissions, full disk
mod golden; // frozen vaults of released formats
mod kill; // kill -9 at random moments
mod life; // made, written, locked, opened again
mod outside;
mod speed; // measurements
