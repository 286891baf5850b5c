//! The floors of the house: a room imports only from lower floors.
