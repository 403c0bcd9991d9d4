//! The whole of `gt`, from outside: in the simulated world, and with the built binary on real towns in temporary
//! folders (real git, real processes).

mod bad_input;
mod bd;
mod both_worlds;
mod causes;
mod clients;
mod clocks;
mod crashes;
mod failure_modes;
mod fire;
mod flow;
mod hammer;
mod help;
mod identity;
mod keep;
mod kills;
mod ledger;
mod look;
mod matrix;
mod mayor;
mod media;
mod misbehaviour;
mod moments;
mod paths;
mod privacy;
mod readme;
mod real;
mod sabotage;
mod sandbox;
mod setup;
mod simulated;
mod starts;
mod story;
mod sync;
mod terminals;
mod town;
