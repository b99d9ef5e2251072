//! Placeholder until its first code lands.
#![no_std]
